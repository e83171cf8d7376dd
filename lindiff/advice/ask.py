"""Where advice is asked for: rows or a spectrum in Python, or a file, or a bundled data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from numpy.typing import NDArray

from lindiff.advice.make import GAP, KL, make_advice, make_advice_on_spectrum
from lindiff.advice.result import Advice
from lindiff.advice.sample import MOST_COLUMNS, TOLERANCE, InMemory, Source
from lindiff.config.eigenvaluefile import read_eigenvalues, read_list
from lindiff.config.sources import open_source
from lindiff.errors import InputError
from lindiff.science import datasets


def advise(
    rows: Num[NDArray[Any], " M *row"],
    name: str = "data",
    *,
    gap: float = GAP,
    kl: float = KL,
    n: Sequence[int] = (),
    seed: int = 0,
) -> Advice:
    """How many samples data like these need, which regularization, and when to stop.

    docs/theory.md, "Population". For linear denoisers; every number has an interval for what the
    rows leave open of the population's spectrum, and is checked on the rows themselves.

    Args:
        rows: One sample a row, shape (M, columns), or (M, …): pictures, whose axes are joined. Real
            numbers of any dtype; computed with in float64.
        name: What the data are called.
        gap: Target for test minus train loss, and for test loss above the optimum, as a share of
            the optimal loss.
        kl: Target for both KL, in nats per dimension.
        n: N beside M for which the best regularization is wanted.
        seed: Of the spectra behind the intervals and of the splits of the check.

    Raises:
        ValueError: There are fewer than 8 rows or more than 6,000 columns, none varies, or a value
            is not finite.

    Example:
        100 samples of an isotropic population in 10 dimensions:

        >>> import numpy as np, lindiff
        >>> advice = lindiff.advise(np.random.default_rng(0).standard_normal((100, 10)))
        >>> need = next(one for one in advice.needed if one.quantity == "excess")
        >>> 30 < need.n.value < 80
        True
    """
    values = np.ascontiguousarray(rows, dtype=np.float64).reshape(len(rows), -1)
    if not np.isfinite(values).all():
        raise ValueError("a value is NaN or infinite")
    return make_advice(InMemory(values), name, gap=gap, kl=kl, others=n, seed=seed)


def advise_spectrum(
    eigenvalues: Num[NDArray[Any], " d"] | Sequence[float],
    name: str = "spectrum",
    *,
    gap: float = GAP,
    kl: float = KL,
    n: Sequence[int] = (),
) -> Advice:
    """As `advise`, of a Gaussian population whose covariance is known.

    docs/theory.md, "Theory". Nothing is estimated, so that no number has an interval.

    Args:
        eigenvalues: s of the covariance, shape (d,), in any order and unit: they are divided by
            their mean. What is 0, or no more than a rounding error of the largest, is a direction
            without variance, and left out.
        name: What the population is called.
        gap: As in `advise`.
        kl: As in `advise`.
        n: N for which the best regularization is wanted; d and 8 d by default.

    Raises:
        ValueError: There is no positive eigenvalue, one is negative or not finite, or there are
            more than 6,000.

    Example:
        >>> import lindiff
        >>> advice = lindiff.advise_spectrum([4, 2, 1, 1], n=[32])
        >>> ridge = next(one for one in advice.best if one.regularizer == "ridge")
        >>> 0.01 < ridge.strength.value < 1
        True
    """
    values = np.asarray(eigenvalues, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"has shape {values.shape}; eigenvalues are a list of numbers")
    null = TOLERANCE * np.abs(values).max(initial=0.0)
    if not np.isfinite(values).all() or (values < -null).any():
        raise ValueError("an eigenvalue is negative, NaN or infinite")
    some = values[values > null]
    if not len(some):
        raise ValueError("has no positive eigenvalue")
    if len(some) > MOST_COLUMNS:
        raise ValueError(f"has {len(some):,} eigenvalues; advice takes {MOST_COLUMNS:,}")
    zeros = len(values) - len(some)
    left_out = f"{zeros:,} {'directions have' if zeros > 1 else 'direction has'} no variance"
    notes = [f"{left_out}: left out, no dimensions"] if zeros else []
    return make_advice_on_spectrum(some, name, gap=gap, kl=kl, ns=n, notes=notes)


@dataclass(frozen=True)
class Data:
    """What advice is asked for.

    Attributes:
        source: The rows.
        name: What they are called: of the file, or of the bundled data set.
        path: The file or folder; None for a bundled data set.
        notes: What is to be known of how they are read.
    """

    source: Source
    name: str
    path: Path | None
    notes: tuple[str, ...] = ()


def open_data(data: str, **how: Any) -> Data:
    """A file, a folder of pictures or a bundled data set.

    Args:
        data: A path, or a key of `lindiff.science.datasets.BUNDLED` where no such file is.
        how: `array`, `columns`, `drop` and `standardize`, as in
            `lindiff.config.sources.open_source`.

    Raises:
        InputError: The data cannot be read.
    """
    path = Path(data)
    with told(path):
        if path.exists() or data not in datasets.BUNDLED:
            if path.suffix.lower() == ".txt":
                raise ValueError(
                    f"{path} is text: samples are read as .csv or .tsv, a list of eigenvalues with "
                    "--eigenvalues"
                )
            source = open_source(path, **how)
            return Data(source, path.name, path, source.notes)
        if any(how.values()):
            raise ValueError("is a bundled data set, which is taken as it is")
        return Data(InMemory(datasets.load(data).values), data, None)


def open_spectrum(data: str) -> tuple[list[float], Path | None]:
    """The eigenvalues in a file, or in a list such as ``4,2,1,1``, and the file.

    Raises:
        InputError: There is no such file, or it holds something else.
    """
    path = Path(data)
    with told(path):
        if path.exists() or not data[:1].isdigit():
            return read_eigenvalues(path), path
        return read_list(data), None


def no_options(how: Mapping[str, Any]) -> None:
    """Refuse what is an option of rows alone.

    Raises:
        InputError: One is given.
    """
    if wrong := [f"--{name}" for name, value in how.items() if value]:
        raise InputError(f"--eigenvalues: a spectrum has no {', '.join(wrong)}")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What is wrong with data is the user's to mend: an InputError that names them."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{path}: {text}") from None
