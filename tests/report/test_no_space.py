"""What is said of a disk that is full, or cannot be written."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lindiff.report import ending


@pytest.mark.parametrize(
    ("free", "inodes", "words"),
    [(0, 10, "no space left on its disk"), (10**6, 0, "no space left"), (10**6, 10, "")],
)
def test_a_full_disk_is_said_on_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, inodes: int, words: str
) -> None:
    found = SimpleNamespace(f_bavail=free, f_frsize=4096, f_files=100, f_favail=inodes)
    monkeypatch.setattr(os, "statvfs", lambda path: found)
    lines = ending.no_space(tmp_path)
    assert len(lines) == bool(words)
    assert words in "".join(lines)


def test_a_folder_that_is_gone_or_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No such file" in ending.no_space(tmp_path / "gone")[0]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "cannot be written" in ending.no_space(tmp_path)[0]
