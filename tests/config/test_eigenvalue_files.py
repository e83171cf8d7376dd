"""Files of eigenvalues as other programs write them: read as meant, or refused with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindiff.config.values import eigenvalues


def read(folder: Path, content: str | np.ndarray) -> list[float]:
    name = "values.txt" if isinstance(content, str) else "values.npy"
    if isinstance(content, str):
        (folder / name).write_text(content, encoding="utf-8")
    else:
        np.save(folder / name, content)
    return eigenvalues(name, folder)


@pytest.mark.parametrize(
    "content",
    [
        "3\n2\n1\n",
        "3 2 1",
        "3, 2, 1\n",
        "3;2;1",
        "3.0,\n2.0,\n1.0\n",
        "# from a decomposition\n3 # first\n\n2\n1",
        "\ufeff3\n2\n1\n",
        "3\r\n2\r\n1\r\n",
        np.array([3.0, 2, 1]),
        np.array([[3, 2, 1]]),
        np.array([[3.0], [2], [1]]),
    ],
)
def test_what_is_meant_is_read(tmp_path, content):
    assert read(tmp_path, content) == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("3,5\n2,25\n1,75\n", r"3 lines of up to 2 values \(parted by commas\).*decimal comma"),
        ("3,5;2,25\n", r"parted by semicolons\).*'3,5'"),
        ("1 3.0\n2 2.0\n3 1.0\n", r"3 lines of up to 2 values \(parted by white space\)"),
        ("2 0.5\n0.5 1\n", r"2 lines of up to 2 values .* one a line or all in one line"),
        (np.array([[2, 0.5], [0.5, 1]]), "one row or column of real numbers, not 2×2 of float64"),
        ("2\n1\n-2.4e-16\n", r"eigenvalue 3 = -2.4e-16 must be at least 0 \(write 0 for a direc"),
        ("3,5", "3,5, one number with a decimal comma or two: write a point, or two lines"),
        ("1_0\n2\n", r"\(values parted by white space\): '1_0' is no number"),
        ("x" * 10**5, "'xxx.*…' is no number"),
        (np.array([True, False]), "one row or column of real numbers, not 2 of bool"),
        ("2\n1\n-0.5\n", r"eigenvalue 3 = -0.5 must be at least 0$"),
    ],
)
def test_what_is_not_meant_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)


def test_what_is_no_file_of_text(tmp_path):
    (tmp_path / "v.txt").write_text("3 2 1", encoding="utf-16")
    for name, message in {"v.txt": r"neither text \(UTF-8\) nor \.npy", ".": "is a folder"}.items():
        with pytest.raises(ValueError, match=message):
            eigenvalues(name, tmp_path)
    for ending in ("txt", "npy"):
        os.mkfifo(tmp_path / f"pipe.{ending}")
        (tmp_path / f"zero.{ending}").symlink_to("/dev/zero")
        for name in (f"pipe.{ending}", f"zero.{ending}"):
            with pytest.raises(ValueError, match="is not a regular file"):
                eigenvalues(name, tmp_path)
        large = tmp_path / f"large.{ending}"
        large.touch()
        os.truncate(large, 2**40)
        with pytest.raises(
            ValueError, match="is no list of eigenvalues: it has 1,099,511,627,776 b"
        ):
            eigenvalues(large.name, tmp_path)


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20),
    st.sampled_from(["\n", " ", ", ", ";", "\t", ",\n"]),
)
def test_a_separator_alone_changes_nothing(tmp_path_factory, values, separator):
    folder = tmp_path_factory.mktemp("values")
    assert read(folder, separator.join(map(repr, values))) == values
