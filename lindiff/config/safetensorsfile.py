"""safetensors files: one of their arrays, mapped, and read a few rows at a time.

The package is optional. Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lindiff.config.inputfile import size_of
from lindiff.config.npyfile import only
from lindiff.config.numbers import check_matrix
from lindiff.config.rows import Rows, near
from lindiff.config.spelling import Spelling
from lindiff.config.words import cut

# As the file spells them; NumPy has no smaller floats.
_NUMBERS = {"BOOL", "U8", "U16", "U32", "U64", "I8", "I16", "I32", "I64", "F16", "F32", "F64"}


def open_safetensors(path: Path, array: str | None, spelling: Spelling) -> Rows:
    """The rows of an array of a safetensors file.

    Args:
        path: The file.
        array: Which array; not needed where there is one.
        spelling: How the user writes which, for messages.

    Raises:
        ValueError: The file is missing or damaged, the array is not there, or one of several, or
            holds no real numbers that NumPy has, or has fewer than two axes; or the package is not
            installed.
    """
    size = size_of(path)
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ValueError(
            f"{path} needs the package safetensors: pip install 'lindiff[data]'"
        ) from None

    def damaged(error: Exception) -> ValueError:
        return ValueError(f"{path} is damaged, or no safetensors file ({cut(str(error), 200)})")

    try:
        with safe_open(path, framework="numpy") as file:
            name = only(list(file.keys()), array, path, spelling)
            about = file.get_slice(name)
            shape, kind = tuple(about.get_shape()), str(about.get_dtype())
    except SafetensorError as error:
        raise damaged(error) from None
    if kind not in _NUMBERS:
        raise ValueError(
            f"{path} must hold real numbers that NumPy has, not {kind}; save x.float()"
        )
    check_matrix(path, shape)

    def read(start: int, stop: int) -> NDArray[Any]:
        # Opened anew, so that what was read before does not stay in memory.
        try:
            with safe_open(path, framework="numpy") as file:
                found: NDArray[Any] = file.get_slice(name)[start:stop]
        except SafetensorError as error:
            raise damaged(error) from None
        return found.reshape(stop - start, -1)

    return Rows(shape, read, near(size // max(1, shape[0])))
