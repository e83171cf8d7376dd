"""What makes a file of numbers that is read of one that is not: one line of Python, or of a shell.

Nothing is unpickled here, and where the line of Python does it, the message says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_PICKLED = " (which runs code of the file: only if you trust it)"


def conversion(path: Path) -> str:
    """How to convert a file of this ending, as the end of a message; of others nothing."""
    hint = _HINTS.get(path.suffix.lower())
    return f"; convert it: {hint(path)}" if hint else ""


def _text(path: Path) -> str:
    into = path.with_suffix(".parquet").name
    return (
        f"pandas.read_csv({path.name!r}).to_parquet({into!r}), with header=None where "
        "the first line has numbers"
    )


def _loaded(load: str, after: str = "") -> Callable[[Path], str]:
    """A call that returns an array, saved; `after` is the rest of the sentence."""
    return lambda path: (
        f"numpy.save({path.with_suffix('.npy').name!r}, {load.format(repr(path.name))}){after}"
    )


def _sheet(path: Path) -> str:
    into = path.with_suffix(".parquet").name
    return f"pandas.read_excel({path.name!r}).to_parquet({into!r})"


_TORCH = _loaded("torch.load({}, weights_only=True).numpy()")
_PICKLE = _loaded("pandas.read_pickle({})", _PICKLED)
_HINTS: dict[str, Callable[[Path], str]] = {
    ".txt": _text,
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".joblib": _loaded("joblib.load({})", _PICKLED),
    ".mat": _loaded("scipy.io.loadmat({})['x']", ", where x is the name of the matrix"),
    ".xlsx": _sheet,
    ".gz": lambda path: f"gunzip {path.name}",
}
