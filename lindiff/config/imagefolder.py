"""A folder of pictures, PNG or JPEG, each of them a row, decoded a few at a time.

Pixels are as they are in the file, whole numbers from 0 to 255: grey, or red, green and blue. Every
check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from lindiff.config.rows import Rows
from lindiff.config.words import cut, few
from lindiff.errors import is_of_machine

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
ENDINGS = (".png", ".jpg", ".jpeg")
# What is made of the modes of Pillow; the other ones have more than eight bits.
_GREY = dict.fromkeys(("1", "L", "LA"), "L")
_COLOURED = dict.fromkeys(("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"), "RGB")
_MODES = _GREY | _COLOURED
_WORDS = {"L": "grey", "RGB": "coloured"}


def open_images(folder: Path) -> tuple[Rows, list[str]]:
    """The pictures of a folder as rows, sorted by name.

    Returns:
        Rows of uint8, each of shape height × width, or height × width × 3; and notes on how they
        were read.

    Raises:
        ValueError: There are none, or one is damaged, too large, of more than eight bits, or not of
            the size and colours of the first.
    """
    paths, others = _listed(folder)
    first, *_ = looks = [_look(path) for path in paths]
    for path, look in zip(paths, looks, strict=True):
        if look[:3] != first[:3]:
            raise ValueError(
                f"{path} is {_said(look)}, {paths[0].name} {_said(first)}; all pictures of a "
                "folder must be of one size, and all grey or all coloured"
            )
    height, width, mode, _ = first
    shape = (height, width) if mode == "L" else (height, width, 3)

    def read(start: int, stop: int) -> NDArray[np.uint8]:
        found = [_pixels(path, mode, shape) for path in paths[start:stop]]
        return np.stack(found).reshape(stop - start, -1)

    notes = [f"{len(paths):,} {_WORDS[mode]} pictures, sorted by name, pixels from 0 to 255"]
    if clear := sum(look[3] for look in looks):
        notes.append(f"{clear:,} of the pictures can be transparent, which was left out")
    if others:
        notes.append(f"left out: {few(others)}")
    return Rows((len(paths), *shape), read), notes


def _listed(folder: Path) -> tuple[list[Path], list[str]]:
    """The pictures of a folder, and what else is in it."""
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    are = [_is_picture(path) for path in entries]
    paths = [path for path, is_one in zip(entries, are, strict=True) if is_one]
    others = [path.name for path, is_one in zip(entries, are, strict=True) if not is_one]
    if not paths:
        inside = [path.name for path in entries if path.is_dir()]
        hint = f"; it has folders, name one of them: {few(inside)}" if inside else ""
        raise ValueError(f"{folder} is a folder without pictures ({', '.join(ENDINGS)}){hint}")
    return paths, others


def _is_picture(path: Path) -> bool:
    # Not a pipe of that name, which may never end.
    return not path.name.startswith(".") and path.suffix.lower() in ENDINGS and path.is_file()


def _look(path: Path) -> tuple[int, int, str, bool]:
    """Height, width, mode after conversion and whether it has transparency, of the header alone."""
    height, width, mode, clear = _of(
        path, lambda image: (image.height, image.width, image.mode, image.has_transparency_data)
    )
    if mode not in _MODES:
        raise ValueError(
            f"{path} has pixels of more than eight bits (mode {mode}); save the pictures as one "
            "array: np.save(file, x)"
        )
    return height, width, _MODES[mode], clear


def _pixels(path: Path, mode: str, shape: Sequence[int]) -> NDArray[np.uint8]:
    found = _of(path, lambda image: np.asarray(image.convert(mode)))
    if found.shape != tuple(shape):
        raise ValueError(f"{path} has changed while the folder was read")
    return found


def _said(look: tuple[int, int, str, bool]) -> str:
    height, width, mode, _ = look
    return f"of {height}×{width} {_WORDS[mode]} pixels"


# Whatever Pillow raises on a file's content, the file is wrong; only its reading may fail too.
def _of(path: Path, what: Callable[[Image], T]) -> T:
    """Something of an open picture."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # A picture that is many times its file, and what is odd in one, Pillow only warns of.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                return what(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(
            f"{path} has more than {Image.MAX_IMAGE_PIXELS:,} pixels, which no row should"
        ) from None
    except Exception as error:
        if is_of_machine(error):
            raise
        text = cut(" ".join(str(error).split()), 200)
        raise ValueError(f"{path} is damaged, or no PNG or JPEG file ({text})") from None
