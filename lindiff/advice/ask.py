"""Where advice is asked for: a matrix in Python, or the name of a file or a bundled data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from numpy.typing import NDArray

from lindiff.advice.make import GAP, KL, make_advice
from lindiff.advice.result import Advice
from lindiff.advice.sample import InMemory, Source
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
        seed: Of the replicates behind the intervals and of the splits of the check.

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
            source = open_source(path, **how)
            return Data(source, path.name, path, source.notes)
        if any(how.values()):
            raise ValueError("is a bundled data set, which is taken as it is")
        return Data(InMemory(datasets.load(data).values), data, None)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What is wrong with data is the user's to mend: an InputError that names them."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{path}: {text}") from None
