"""``lindiff sweep`` and ``lindiff init``: the packed workflow and example configs, used anywhere.

The wheel has the folders ``workflow/`` and ``config/`` of the repository inside the package
(``setup.py``); in a checkout they are where they are.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from lindiff import __file__ as package
from lindiff.checksums import FOLDER
from lindiff.config.overrides import for_snakemake
from lindiff.config.resolve import load
from lindiff.config.words import printable
from lindiff.errors import InputError
from lindiff.files import atomic, write_text
from lindiff.report.live import Follower, follow
from lindiff.report.searches import found
from lindiff.sweep.derived import ANSWERS, PAGE, REPORT

# Options with which Snakemake runs no sweep, or not all of it: no report then.
NO_RUN = (
    "-h", "--help", "-v", "--version", "-n", "--dry-run", "--dryrun", "-t", "--touch", "--dag",
    "-U", "--until", "-O", "--omit-from", "--print-compilation", "--list-conda-envs",
    "--conda-create-envs-only", "--conda-cleanup-envs", "--report", "--lint",
    "--generate-unit-tests", "--containerize", "--export-cwl", "--list-rules", "--list", "-l",
    "--list-target-rules", "--lt", "--rulegraph", "--filegraph", "--d3dag", "--summary", "-S",
    "--detailed-summary", "-D", "--archive", "--cleanup-metadata", "--cm", "--cleanup-shadow",
    "--unlock", "--list-changes", "--lc", "--list-input-changes", "--li", "--list-params-changes",
    "--lp", "--list-untracked", "--lu", "--delete-all-output", "--delete-temp-output",
)  # fmt: skip
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PLACES = {"workflow": "workflow", "configs": "config"}


def packed(name: str) -> Path:
    """The folder ``workflow`` or ``configs``, of the wheel or of the checkout."""
    here = Path(package).resolve().parent
    inside = here / f"_{name}"
    return inside if inside.is_dir() else here.parent / _PLACES[name]


def write_config(file: Path) -> None:
    """Write the small example config, with its comments.

    Args:
        file: Where; its folder must be there.

    Raises:
        InputError: `file` is there, or its folder is not.
    """
    text = (packed("configs") / "start.yaml").read_text(encoding="utf-8")
    if not file.parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.parent}")
    if os.path.lexists(file):
        raise InputError(f"{file}: is there already, and stays as it is; name another file")
    write_text(text, file)


def sweep(
    config: Path, settings: Sequence[str], results: Path, cores: str | None, options: Sequence[str]
) -> int:
    """Run Snakemake on a config that has been checked, then make the HTML report, as `make` does.

    Args:
        config: The config file.
        settings: ``KEY=VALUE`` each, in place of the file's.
        results: The results folder.
        cores: A number, or ``all``; None leaves it to the profile, for on a cluster it is a limit
            to all jobs together.
        options: More options for Snakemake, passed on as they are.

    Returns:
        Snakemake's exit code; 128 and its number for a signal that it did not survive.

    Raises:
        InputError: Snakemake is not installed, or is given another config.
    """
    if any(word.split("=")[0] in ("--config", "-C") for word in options):
        raise InputError(
            "--config: lindiff sweep names the config itself, and the results folder by --results"
        )
    if find_spec("snakemake") is None:
        raise InputError(
            "lindiff sweep runs Snakemake, which is not installed: pip install 'lindiff[workflow]'"
        )
    workflow = packed("workflow")
    # On a terminal one live line says more than a line a job.
    looks = only_looks(options)
    live = sys.stdout.isatty() and sys.stderr.isatty() and not looks
    # -P: the working directory is the user's, and its random.py is no module of Python's.
    command = [
        sys.executable, "-P", "-m", "snakemake", "--snakefile", str(workflow / "Snakefile"),
        "--quiet", "rules", "host", *(["progress"] if live else []),
        "--config", f"sweep={_named(config)}", f"results={_named(results)}",
        *for_snakemake(settings),
        "--workflow-profile", str(workflow / "profiles/default"),
    ]  # fmt: skip
    if cores is not None:
        command += ["--cores", cores]
    follower = Follower(results, config.stem) if live else None
    code = _run([*command, *options], follower)
    if code == 0 and not looks:
        for line in found(load(config, settings), results):
            print(printable(f"refined:  {line}"))
        code = _report(command, results / config.stem)
    if code:
        asked = shlex.join([str(config), *settings, "--results", str(results)])
        lines = (
            "lindiff: the run did not finish; the same command goes on from here, and this says "
            f"why:\n    {_called()} status {asked}"
        )
        print(printable(lines), file=sys.stderr)
    return code


def _called() -> str:
    """How this program was called: where no environment is active, by its path."""
    program = Path(sys.argv[0])
    return shlex.quote(str(program)) if program.name == "lindiff" else "lindiff"


def _named(path: Path) -> str:
    """A path that Snakemake takes for nothing else, as it would take ``20241128`` for a number."""
    return str(path) if path.is_absolute() else f"./{path}"


def only_looks(options: Sequence[str]) -> bool:
    """Whether Snakemake was asked for something else than the whole sweep."""
    names = {word.split("=")[0] for word in options}
    return bool(names & set(NO_RUN)) or any(word.startswith("-n") for word in names)


def _report(command: Sequence[str], folder: Path) -> int:
    """Make the report where it is not there, not what was written, or older than a thing in it.

    It takes seconds. Snakemake expands variables in its path and names the folder inside after it,
    hence a folder of its own.

    Returns:
        Snakemake's exit code.
    """
    report, kept = folder / REPORT, folder / FOLDER / "report"
    drawn = [folder / ANSWERS, folder / PAGE, folder / "figures", *(folder / "figures").glob("*")]
    times = [path.stat().st_mtime_ns for path in drawn if path.exists()]
    if not times:
        return 0
    whole = report.is_file() and kept.is_file() and _sum(report) == kept.read_text("utf-8")
    if not whole or max(times) > report.stat().st_mtime_ns:
        with TemporaryDirectory(prefix="lindiff-") as making:
            made = Path(making) / REPORT
            if code := _run([*command, "--quiet", "all", "--report", str(made)]):
                return code
            kept.parent.mkdir(exist_ok=True)
            kept.unlink(missing_ok=True)
            with atomic(report) as temporary:
                shutil.copyfile(made, temporary)
        write_text(_sum(report), kept)
    print(printable(f"report:   {report} (unzip it and open report/report.html)"))
    return 0


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return subprocess.run(
            ["cksum"], stdin=file, stdout=subprocess.PIPE, text=True, check=True
        ).stdout


def _run(command: Sequence[str], follower: Follower | None = None) -> int:
    """The exit code of Snakemake, which is stopped by whoever stops this process, and waited for.

    With a `follower`, which needs a terminal, a live line stands below what it prints. An interrupt
    is passed on as SIGTERM. Snakemake itself is started deaf to it, for a terminal
    sends it to both.
    """
    stopped = False
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        if child is not None:
            child.terminate()

    with _handling(stop):
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        # The workflow's last lines say how to get the report, unless it is made here.
        out, err = (subprocess.PIPE, subprocess.STDOUT) if follower else (None, None)
        environment = os.environ | {"LINDIFF_MAKE": "yes"}
        child = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
        signal.signal(signal.SIGINT, interrupt)
        if stopped:
            child.terminate()
        code = child.wait() if follower is None else follow(child, follower)
    return code if code >= 0 else 128 - code


@contextmanager
def _handling(stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `stop` hear what stops a process, where that is not ignored, as after ``nohup``."""
    before = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
