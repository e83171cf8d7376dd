"""SIGTERM to a run, in a process of its own: heard whatever the main thread does just then."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lindiff.report import stopping

# The main thread holds the lock that the handler found there takes, as Snakemake's may.
DEADLOCK = """
import os, signal, threading, time
from lindiff.report.stopping import stop_jobs_with_the_run

lock, heard = threading.Lock(), threading.Event()

def gentle(*args):
    with lock:
        heard.set()

signal.signal(signal.SIGTERM, gentle)
stop_jobs_with_the_run()
with lock:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
print(heard.wait(20))
"""

# A job under two shells, which ignores nothing, and a bystander; the main thread waits for the job.
JOBS = """
import os, signal, subprocess, sys
from lindiff.report.stopping import stop_jobs_with_the_run

def gentle(*args):
    pass

signal.signal(signal.SIGTERM, gentle)
stop_jobs_with_the_run()
bystander = subprocess.Popen(["sleep", "60"])
job = subprocess.Popen(["bash", "-c", "bash -c '{folder}/lindiff run spec --out part' | cat; true"])
os.kill(os.getpid(), signal.SIGTERM)
job.wait(20)
print(bystander.poll())
bystander.kill()
"""

# What waits for jobs on other machines hears an interrupt, though a shell had it ignored.
ELSEWHERE = """
import os, signal, threading
from lindiff.report import stopping

stopping._PATIENCE = 0
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *args: None)
stopping.stop_jobs_with_the_run()
os.kill(os.getpid(), signal.SIGTERM)
try:
    threading.Semaphore(0).acquire()
except KeyboardInterrupt:
    print("interrupted")
"""


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert "the same command goes on from here" in done.stderr
    return done.stdout.strip()


def test_a_signal_while_the_main_thread_holds_the_handlers_lock():
    assert run(DEADLOCK) == "True"


def test_jobs_are_stopped_and_nothing_else(tmp_path):
    program = tmp_path / "lindiff"
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    program.chmod(0o755)
    assert run(JOBS.replace("{folder}", str(tmp_path))) == "None"


def test_jobs_on_other_machines_are_left_to_an_interrupt():
    assert run(ELSEWHERE) == "interrupted"


@pytest.mark.parametrize(
    ("command", "is_job"),
    [
        (["/x/python", "/x/bin/lindiff", "run", "spec", "--out", "part"], True),
        (["/x/bin/lindiff", "collect", "plan.json"], True),
        (["bash", "-c", "set -euo pipefail; lindiff run spec"], False),
        (["/x/bin/lindiff", "status", "a.yaml", "--watch"], False),
        (["sbatch", "--wrap", "lindiff run spec"], False),
        ([], False),
    ],
)
def test_what_is_a_job(command, is_job):
    assert stopping._is_job(command) == is_job


def test_the_jobs_that_are_stopped_are_those_of_the_rules():
    rules = (Path(__file__).parents[2] / "workflow/rules").glob("*.smk")
    verbs = {v for path in rules for v in re.findall(r"\blindiff ([a-z]+) -", path.read_text())}
    assert verbs == stopping._JOBS
