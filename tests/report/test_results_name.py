"""The results folder is the one that was asked for, or it is refused."""

from __future__ import annotations

import sys

import pytest

from lindiff.report.workflow import Sweep


@pytest.mark.parametrize(
    ("written", "read"), [("'2024_11_28'", "2024_11_28"), ("a\nb", "a b"), ("a #b", "a"), ("", "")]
)
def test_a_name_that_yaml_changes_is_refused(
    written: str, read: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["snakemake", "--config", f"results={written}"])
    with pytest.raises(SystemExit) as ended:
        Sweep.open({"sweep": "absent.yaml", "results": read}, main=True)
    assert ended.value.code == 2
    assert "results" in capsys.readouterr().err
