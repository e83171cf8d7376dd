"""Some of each kind of attack; `make faults` makes all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.faults.__main__ import CALLS, KINDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]
# Attacks of each kind here, a second each.
FEW = 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_run_after_it_ends_in_the_undisturbed_table(kind: str) -> None:
    command = [sys.executable, "-m", "tests.faults", kind, "--count", str(FEW), "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["attacks"] == FEW
    assert report["wrong"] == []
    if kind in CALLS and "kills" in kind:
        assert report["exit code -9"] == FEW
