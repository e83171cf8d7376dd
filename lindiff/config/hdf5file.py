"""HDF5 files: one of their datasets, read a few rows at a time.

The package h5py is optional. Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lindiff.config.inputfile import check_dense, size_of
from lindiff.config.npyfile import check_real, only
from lindiff.config.numbers import check_matrix
from lindiff.config.rows import Rows, near
from lindiff.config.spelling import Spelling
from lindiff.config.words import cut
from lindiff.errors import is_of_machine

# Of unpacked chunks: rows that are read one after the other do not unpack theirs each.
_CACHE = 2**26


def open_hdf5(path: Path, array: str | None, spelling: Spelling) -> Rows:
    """The rows of a dataset of an HDF5 file.

    Args:
        path: The file.
        array: Which dataset, as in ``group/name``; not needed where there is one.
        spelling: How the user writes which, for messages.

    Raises:
        ValueError: The file is missing or damaged, the dataset is not there, or one of several, or
            holds no real numbers, lies in other files or has fewer than two axes; or the package is
            not installed.
    """
    size = size_of(path)
    try:
        import h5py
    except ImportError:
        raise ValueError(f"{path} needs the package h5py: pip install 'lindiff[data]'") from None
    names: list[str] = []

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            names.append(name)

    with _told(path):
        # It is closed when the last of its rows is forgotten.
        file = h5py.File(path, "r", rdcc_nbytes=_CACHE)
        file.visititems(note)
    name = only(names, array and array.strip("/"), path, spelling)
    with _told(path):
        dataset = file[name]
        shape: tuple[int, ...] = dataset.shape or ()
        dtype = dataset.dtype
        elsewhere = dataset.is_virtual or dataset.external
    if dtype.hasobject:
        raise ValueError(f"{path} has text, references or lists in {name}, not real numbers")
    check_real(path, dtype)
    check_matrix(path, shape)
    # Where such a file is missing, HDF5 reads zeros and says nothing.
    if elsewhere:
        raise ValueError(f"{path} has the numbers of {name} in other files; copy them into one")
    check_dense(path, shape, size)

    def read(start: int, stop: int) -> NDArray[Any]:
        with _told(path):
            found: NDArray[Any] = dataset[start:stop]
        return found.reshape(stop - start, -1)

    # A chunk is unpacked whole.
    gap = dataset.chunks[0] if dataset.chunks else near(dataset.nbytes // max(1, shape[0]))
    return Rows(shape, read, gap)


# Whatever HDF5 raises on a file's content, the file is wrong; only its reading may fail too.
@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if is_of_machine(error):
            raise
        text = cut(" ".join(str(error).split()), 200)
        raise ValueError(f"{path} is damaged, or no HDF5 file ({text})") from None
