"""Where advice is asked for: rows or a spectrum in Python, or a file, or a bundled data set."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from numpy.typing import NDArray

from lindiff.advice.make import GAP, KL, make_advice, make_advice_on_spectrum
from lindiff.advice.model import FEWEST_N
from lindiff.advice.result import Advice
from lindiff.advice.sample import MOST_COLUMNS, TOLERANCE, InMemory, Source
from lindiff.columns import SETTING
from lindiff.config.eigenvaluefile import read_eigenvalues, read_list
from lindiff.config.numbers import real_array
from lindiff.config.sources import open_source
from lindiff.errors import InputError
from lindiff.science import datasets

MOST_N = int(SETTING["n"].high)
_LIST = re.compile(r"[\d.eE+\-]+(,[\d.eE+\-]+)+")


def advise(
    rows: Num[NDArray[Any], " M *row"],
    name: str = "data",
    *,
    gap: float = GAP,
    kl: float = KL,
    n: int | Sequence[int] = (),
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
        n: N beside M for which the best regularization is wanted: one or several, of 4 at least.
        seed: Of the spectra behind the intervals and of the splits of the check.

    Returns:
        The advice, float64; its `str` is the text of ``lindiff advise``.

    Raises:
        ValueError: There are fewer than 8 rows or more than 6,000 columns, none varies, the rows
            are no finite real numbers, or a target or an N is none.

    Example:
        100 samples of an isotropic population in 10 dimensions:

        >>> import numpy as np, lindiff
        >>> advice = lindiff.advise(np.random.default_rng(0).standard_normal((100, 10)))
        >>> need = next(one for one in advice.needed if one.quantity == "excess")
        >>> 30 < need.n.value < 80
        True
    """
    ns = _asked(gap, kl, n)
    values = _numbers(rows)
    if not values.size:
        raise ValueError(f"has shape {values.shape}: no values")
    values = np.ascontiguousarray(values.reshape(len(values), -1))
    if not np.isfinite(values).all():
        raise ValueError("a value is NaN or infinite")
    return make_advice(InMemory(values), name, gap=gap, kl=kl, others=ns, seed=seed)


def advise_spectrum(
    eigenvalues: Num[NDArray[Any], " d"] | Sequence[float],
    name: str = "spectrum",
    *,
    gap: float = GAP,
    kl: float = KL,
    n: int | Sequence[int] = (),
) -> Advice:
    """As `advise`, of a Gaussian population whose covariance is known.

    docs/theory.md, "Limit". Nothing is estimated, so that no number has an interval.

    Args:
        eigenvalues: s of the covariance, shape (d,), in any order and unit: they are divided by
            their mean. What is 0, or no more than a rounding error of the largest, is a direction
            without variance, and left out.
        name: What the population is called.
        gap: As in `advise`.
        kl: As in `advise`.
        n: N for which the best regularization is wanted, one or several, of 4 at least; d and 8 d
            by default.

    Returns:
        The advice, float64; its `str` is the text of ``lindiff advise``.

    Raises:
        ValueError: There is no positive eigenvalue, one is negative or not finite, there are more
            than 6,000, or a target or an N is none.

    Example:
        >>> import lindiff
        >>> advice = lindiff.advise_spectrum([4, 2, 1, 1], n=[32])
        >>> ridge = next(one for one in advice.best if one.regularizer == "ridge")
        >>> 0.01 < ridge.strength.value < 1
        True
    """
    ns = _asked(gap, kl, n)
    values = _numbers(eigenvalues, "eigenvalues")
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
    return make_advice_on_spectrum(some, name, gap=gap, kl=kl, ns=ns, notes=notes)


def _numbers(given: object, what: str = "rows") -> NDArray[np.float64]:
    """Real numbers as float64.

    Raises:
        ValueError: They are none, or a mask hides some.
    """
    if isinstance(given, str | PathLike):
        raise ValueError(
            f"{what} are numbers, not {str(given)!r}; of a file: lindiff advise on the command line"
        )
    values = real_array(given, what, objects=True)
    if not values.ndim:
        raise ValueError(f"{what}: real numbers are needed, an array of them, not {given!r}")
    return values.astype(np.float64)


def _asked(gap: float, kl: float, n: int | Sequence[int]) -> list[int]:
    """The N that are asked for, of targets that are some.

    Raises:
        ValueError: They are none.
    """
    for name, value, below in (("gap", gap, 1.0), ("kl", kl, math.inf)):
        if not isinstance(value, Real) or not 0 < value < below:
            end = f" and below {below:g}" if below == 1 else ""
            raise ValueError(f"{name} = {value!r}: must be a number above 0{end}")
    ns = list(np.atleast_1d(np.asarray(n, dtype=object)))
    for one in ns:
        if not isinstance(one, int | np.integer) or not FEWEST_N <= one <= MOST_N:
            raise ValueError(f"n = {one!r}: must be a whole number from {FEWEST_N} to {MOST_N:,}")
    return [int(one) for one in ns]


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
            if not path.exists() and _LIST.fullmatch(data):
                raise ValueError(f"there is no file {data}; a list of eigenvalues: --eigenvalues")
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
