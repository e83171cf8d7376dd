"""Logs what Python writes while it parses a Snakefile; switched on by LINDIFF_AUDIT=FILE.

Python imports this by itself in every process whose PYTHONPATH names this folder, so also in the
jobs of a cluster. One JSON list a line: Slurm job id or "main", "parse" or "write", then what.
"""

import json
import os
import sys

LOG = os.environ.get("LINDIFF_AUDIT")
PARSED = ("Snakefile", ".smk")
CHANGES = {
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.utime", "os.chmod",
}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def _parsing():
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and code.co_filename.endswith(PARSED):
            return True
        frame = frame.f_back
    return False


def _hook(event, arguments):
    if event == "exec":
        name = getattr(arguments[0], "co_filename", "")
        if name.endswith(PARSED):
            _log("parse", name)
    elif _changes(event, arguments) and _parsing():
        _log("write", f"{event} {os.path.abspath(os.fsdecode(arguments[0]))}")


def _changes(event, arguments):
    if event == "open":
        # /dev/null is opened for writing by every subprocess call, and changes nothing.
        path, _, flags = arguments
        return bool((flags or 0) & WRITING) and path not in (os.devnull, LOG) and not _number(path)
    return event in CHANGES and not _number(arguments[0])


def _number(path):
    """A file descriptor, whose own opening was seen."""
    return isinstance(path, int)


def _log(kind, what):
    line = json.dumps([os.environ.get("SLURM_JOB_ID", "main"), kind, what])
    descriptor = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, (line + "\n").encode())
    finally:
        os.close(descriptor)


if LOG:
    sys.addaudithook(_hook)
