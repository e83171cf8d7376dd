"""Files of eigenvalues as other programs write them: read as meant, or refused with the reason."""

from __future__ import annotations

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
        ("2\n1\n-2.4e-16\n", r"eigenvalue 3 = -2.4e-16 must be more than 0 \(leave null direc"),
        ("2\n1\n-0.5\n", r"eigenvalue 3 = -0.5 must be more than 0$"),
    ],
)
def test_what_is_not_meant_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20),
    st.sampled_from(["\n", " ", ", ", ";", "\t", ",\n"]),
)
def test_a_separator_alone_changes_nothing(tmp_path_factory, values, separator):
    folder = tmp_path_factory.mktemp("values")
    assert read(folder, separator.join(map(repr, values))) == values
