"""`lindiff sweep` and `lindiff init`, with a Snakemake that only writes down how it was called."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from lindiff.cli import main
from lindiff.config.resolve import load
from lindiff.report import launch
from lindiff.report.workflow import Sweep
from lindiff.sweep.plan import make_plan
from lindiff.sweep.validate import validate

ROOT = Path(__file__).resolve().parents[2]
TINY = """\
defaults: {model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: 0}
experiments: {one: {d: 4, n: 8}}
"""
ENGINE = """\
import json, os, signal, sys, time
from pathlib import Path

words = sys.argv[1:]
def told(number, frame):
    with open("told", "a") as file:
        file.write(signal.Signals(number).name + "\\n")
    time.sleep(0.3)
    sys.exit(1)
signal.signal(signal.SIGTERM, told)
with open("calls", "a") as file:
    file.write(json.dumps([words, os.environ["LINDIFF_MAKE"]]) + "\\n")
if "--report" in words:
    Path(words[-1]).write_text("zip")
elif "--fail" in words:
    sys.exit(3)
elif "--wait" in words:
    Path("begun").touch()
    time.sleep(60)
elif "-n" not in words and not Path("results").exists():
    Path("results/tiny/figures").mkdir(parents=True, exist_ok=True)
    Path("results/tiny/answers.html").touch()
"""


def invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(words))
    return result.exit_code, result.output


class Place:
    """A folder with a config, and with our Snakemake before the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "here"
        self.folder.mkdir()
        (folder / "snakemake.py").write_text(ENGINE, encoding="utf-8")
        (self.folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
        self.environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}

    def popen(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lindiff.cli", *words], cwd=self.folder, env=self.environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def sweep(self, *words: str) -> tuple[int, str, str]:
        process = self.popen("sweep", *words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def sweep_here(self, *words: str) -> tuple[int, str]:
        """The same in this process, whose start takes most of the time: code, and all printed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("PYTHONPATH", self.environment["PYTHONPATH"])
            return invoke("sweep", *words)

    @property
    def calls(self) -> list[Any]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_snakemake_is_called_as_make_calls_it_and_the_report_made_once(place: Place) -> None:
    report = place.folder / "results/tiny/report.zip"
    said = "report:   results/tiny/report.zip (unzip it and open report/report.html)\n"
    assert place.sweep("tiny.yaml", "--cores", "2", "--", "--a b", "$c") == (0, said, "")
    (words, make), (again, _) = place.calls
    workflow = ROOT / "workflow"
    assert make == "yes"
    assert words == [
        "--snakefile", str(workflow / "Snakefile"), "--quiet", "rules", "host",
        "--config", "sweep=./tiny.yaml", "results=./results",
        "--workflow-profile", str(workflow / "profiles/default"), "--cores", "2", "--a b", "$c",
    ]  # fmt: skip
    assert again[:-1] == [*words[:-2], "--quiet", "all", "--report"]
    assert report.read_text() == "zip"
    # A report that is there, whole and new is not made again; `make` knows it too.
    assert place.sweep_here("tiny.yaml") == (0, said)
    assert len(place.calls) == 3
    assert "--cores" not in place.calls[2][0]  # a profile of a cluster says its own
    kept = place.folder / "results/tiny/checksums/report"
    command = f"cksum <'{report}'"
    assert subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True
    ).stdout == (kept.read_text())
    report.write_text("zap")
    place.sweep_here("tiny.yaml")
    assert report.read_text() == "zip"
    assert len(place.calls) == 5
    os.utime(place.folder / "results/tiny/answers.html", (time.time() + 9,) * 2)
    place.sweep_here("tiny.yaml")
    assert len(place.calls) == 7
    assert {path.name for path in report.parent.iterdir()} == {
        "answers.html", "checksums", "figures", "report.zip"
    }  # fmt: skip


@pytest.mark.parametrize("option", ["-n", "-nq", "--dry-run", "--until=plan", "--lint"])
def test_a_look_makes_no_report(place: Place, option: str) -> None:
    assert place.sweep_here("tiny.yaml", "--", option) == (0, "")
    assert len(place.calls) == 1


def test_the_code_of_snakemake_is_passed_on(place: Place) -> None:
    code, out, err = place.sweep("tiny.yaml", "--results", "a b", "--", "--fail")
    assert (code, out) == (3, "")
    assert "the same command goes on from here" in err
    assert err.endswith("    lindiff status tiny.yaml --results 'a b'\n")
    assert place.calls[0][0][5:8] == ["--config", "sweep=./tiny.yaml", "results=./a b"]


@pytest.mark.parametrize(
    ("number", "send"),
    [
        (signal.SIGINT, os.kill),
        (signal.SIGINT, os.killpg),
        (signal.SIGTERM, os.kill),
        (signal.SIGHUP, os.kill),
    ],
)
def test_whoever_stops_it_stops_snakemake_and_its_end_is_waited_for(
    place: Place, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    """A terminal sends an interrupt to the whole group: Snakemake hears of it once, from here."""
    process = place.popen("sweep", "tiny.yaml", "--", "--wait")
    deadline = time.monotonic() + 60
    while not (place.folder / "begun").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    send(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert (place.folder / "told").read_text() == "SIGTERM\n"
    assert "the same command goes on from here" in err


def test_what_is_wrong_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "_run", lambda command: pytest.fail("Snakemake was started"))
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(TINY.replace("n: 8", "n: 1"), encoding="utf-8")
    code, said = invoke("validate", "bad.yaml")
    assert "bad.yaml:2:30: experiments.one.n = 1: must be at least 2" in said
    assert invoke("sweep", "bad.yaml") == (code, said) == (2, said)
    for words, part in {
        ("none.yaml",): "none.yaml: no such file",
        ("tiny.yaml", "--cores", "0"): "0 is not in the range x>=1",
        ("tiny.yaml", "--cores", "many"): "'many' is not a valid integer",
        ("tiny.yaml", "d=4"): "a setting of all experiments is defaults.d",
        ("tiny.yaml", "one.n=1"): "command line: experiments.one.n = 1: must be at least 2",
        ("tiny.yaml", "--", "--config", "sweep=bad.yaml"): "names the config itself",
        ("tiny.yaml", "--", "-C", "results=x"): "names the config itself",
    }.items():
        code, said = invoke("sweep", *words)
        assert code == 2
        assert part in said
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    sentence = (
        "lindiff sweep runs Snakemake, which is not installed: pip install 'lindiff[workflow]'\n"
    )
    assert invoke("sweep", "tiny.yaml") == (2, sentence)
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.yaml", "bad.yaml"}


def test_init_writes_a_config_that_runs_in_under_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("init") == (0, "sweep.yaml: written; run it with lindiff sweep sweep.yaml\n")
    file = tmp_path / "sweep.yaml"
    config = load(file)
    validate(config)
    assert 0 < make_plan(config, tmp_path / "results").seconds < 30
    # With the networks, whose # is taken away.
    text = file.read_text(encoding="utf-8")
    full = re.sub(r"^  # (  |networks:)", r"  \1", text, flags=re.MULTILINE)
    (tmp_path / "full.yaml").write_text(full, encoding="utf-8")
    config = load(tmp_path / "full.yaml")
    validate(config)
    assert set(config.experiments) == {"transition", "real", "networks"}


def test_init_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("mine", encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to("nowhere")
    for name, word in {
        "mine.yaml": "is there",
        "link.yaml": "is there",
        "no/x": "no folder",
    }.items():
        code, said = invoke("init", name)
        assert code == 2
        assert word in said
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "mine.yaml"]


def test_an_unknown_key_of_the_config_of_snakemake_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PATH", "LINDIFF_SOURCE"):  # a sweep that is opened sets them
        monkeypatch.setenv(name, os.environ.get(name, ""))
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    for settings, part in (
        (
            {"sweeps": "tiny.yaml"},
            "unknown key sweeps (did you mean sweep?); there are sweep, results, set",
        ),
        ({"sweep": "tiny.yaml", "result": "x"}, "unknown key result (did you mean results?)"),
        (
            {"sweep": "tiny.yaml", "zz": 1, 2: 3},
            "unknown keys zz, 2; there are sweep, results, set",
        ),
    ):
        with pytest.raises(SystemExit, match="2"):
            Sweep.open(settings, main=True)  # type: ignore[arg-type]
        assert f"--config: {part}" in capsys.readouterr().err
    # Of another workflow, which takes this one as a module with its own config.
    monkeypatch.setattr(sys, "argv", ["snakemake"])
    assert Sweep.open({"sweep": "tiny.yaml", "zz": 1}, main=True, own=False).plan.wanted == 1


@pytest.mark.slow
def test_settings_beside_the_config_are_swept_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    given = ("one.n=8,16", "one.seed={range: [0, 3]}")
    command = [sys.executable, "-m", "lindiff.cli", "sweep", "tiny.yaml", *given]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr
    table = pq.read_table("results/tiny/metrics.parquet")
    assert sorted(zip(table["n"].to_pylist(), table["seed"].to_pylist(), strict=True)) == [
        (n, seed) for n in (8, 16) for seed in range(3)
    ]
    about = json.loads(table.schema.metadata[b"lindiff"])
    assert about["config"]["overrides"] == list(given)
    assert invoke("status", "tiny.yaml", *given)[0] == 0
    monkeypatch.delenv("LINDIFF_MAKE", raising=False)
    for name in ("PATH", "LINDIFF_SOURCE"):  # a sweep that is opened sets them
        monkeypatch.setenv(name, os.environ.get(name, ""))
    opened = Sweep.open({"sweep": "tiny.yaml", "set": list(given)}, main=True)
    # What gets the report asks for what was swept.
    assert f"'set={json.dumps(list(given))}' --report" in opened.farewell()


def test_the_options_with_which_snakemake_runs_nothing_are_its_own():
    parser = pytest.importorskip("snakemake.cli").get_argument_parser()
    known = {word for action in parser._actions for word in action.option_strings}
    assert set(launch.NO_RUN) <= known
    (group,) = (group for group in parser._action_groups if group.title == "UTILITIES")
    utilities = {word for action in group._group_actions for word in action.option_strings}
    # These change how a sweep runs, and it runs.
    runs = {"--skip-script-cleanup", "--keep-incomplete", "--drop-metadata"}
    assert utilities - runs <= set(launch.NO_RUN)
