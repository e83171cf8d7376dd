"""Some of each kind of attack; `make faults` makes all of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.faults.__main__ import KINDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]
# Attacks of each kind here, a second each.
FEW = 3


def test_a_plain_run_after_any_attack_ends_in_the_undisturbed_table() -> None:
    command = [sys.executable, "-m", "tests.faults", "all", "--count", str(FEW), "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    reports = [json.loads(text) for text in re.findall(r"^\{.*?^\}", done.stdout, re.M | re.S)]
    assert [report["kind"] for report in reports] == list(KINDS)
    for report in reports:
        assert report["attacks"] == FEW
        assert report["wrong"] == []
        if report["kind"] in ("kills", "renames"):
            assert report["exit code -9"] == FEW
