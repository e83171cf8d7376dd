"""A file of eigenvalues: text or ``.npy``.

Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import re
from pathlib import Path

from lindiff.config.inputfile import size_of
from lindiff.config.npyfile import read_npy
from lindiff.config.words import cut

# Of a million eigenvalues; the covariance of fewer than a tenth of them fits into no memory.
_LARGEST = 2**25
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def read_eigenvalues(path: Path) -> list[float]:
    """The numbers in a file, in its order.

    Raises:
        ValueError: The file is missing, no regular file, empty, too large or damaged, or does not
            hold one row or one column of numbers.
    """
    try:
        size = size_of(path)
        if size > _LARGEST:
            raise ValueError(f"{path} is no list of eigenvalues: it has {size:,} bytes")
        if path.suffix == ".npy":
            return _of_array(path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is neither text (UTF-8) nor .npy") from None
    return _numbers(text, path)


def read_list(text: str) -> list[float]:
    """The numbers of one line, parted by commas, semicolons or white space.

    Raises:
        ValueError: A part is no number.

    >>> read_list("4, 2, 1.5")
    [4.0, 2.0, 1.5]
    """
    return _numbers(text, text)


def _numbers(text: str, path: Path | str) -> list[float]:
    """The numbers of a text: one a line, or all in one line, with one separator.

    Raises:
        ValueError: Several columns, or what is no number; the message says what was taken to part
            the values.
    """
    lines = [line for raw in text.splitlines() if (line := raw.partition("#")[0].strip())]
    separator = next((sign for sign in (";", ",") if any(sign in line for line in lines)), None)
    # A separator may end a line, as in a list that was copied from code.
    rows = [line.rstrip(";, ").split(separator) for line in lines]
    parted = {None: "white space", ";": "semicolons", ",": "commas"}[separator]
    if len(rows) > 1 and (widest := max(map(len, rows))) > 1:
        decimal = "; a decimal comma is to be a point" if separator == "," else ""
        raise ValueError(
            f"{path} has {len(rows)} lines of up to {widest} values (parted by {parted}): give the "
            f"eigenvalues alone, one a line or all in one line{decimal}"
        )
    if len(lines) == 1 and _DECIMAL_COMMA.fullmatch(lines[0]):
        raise ValueError(
            f"{path} has {cut(lines[0], 60)}, one number with a decimal comma or two: write a "
            "point, or two lines"
        )
    words = [word for row in rows for word in map(str.strip, row) if word]
    return [_number(word, f"{path} (values parted by {parted})") for word in words]


def _number(word: str, where: str) -> float:
    try:
        # Python reads 1_0 as 10, which no other program writes.
        if "_" not in word:
            return float(word)
    except ValueError:
        pass
    raise ValueError(f"{where}: {cut(word, 60)!r} is no number")


def _of_array(path: Path) -> list[float]:
    array = read_npy(path)
    if array.size != max(array.shape, default=0) or array.dtype.kind == "b":
        shape = "×".join(map(str, array.shape)) or "one value"
        raise ValueError(
            f"{path} must hold one row or column of real numbers, not {shape} of {array.dtype}"
        )
    return [float(value) for value in array.ravel()]
