"""Where advice is asked for: a matrix in Python, or the name of a file or a bundled data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from numpy.typing import NDArray

from lindiff.advice.make import GAP, KL, make_advice
from lindiff.advice.result import Advice
from lindiff.advice.sample import InMemory
from lindiff.config.sources import open_source
from lindiff.config.spelling import Name
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


def advise_on(
    data: str,
    *,
    array: str | None = None,
    columns: Sequence[Name] = (),
    drop: Sequence[Name] = (),
    standardize: bool = False,
    **how: Any,
) -> Advice:
    """Advice on a file, a folder of pictures or a bundled data set.

    Args:
        data: A path, or a key of `lindiff.science.datasets.BUNDLED` where no such file is.
        array: As in `lindiff.config.sources.open_source`.
        columns: Likewise.
        drop: Likewise.
        standardize: Likewise.
        how: As in `make_advice`.

    Raises:
        InputError: The data cannot be read, or are none that advice can be given on.
    """
    path = Path(data)
    try:
        if not path.exists() and data in datasets.BUNDLED:
            if array or columns or drop or standardize:
                raise ValueError("is a bundled data set, which is taken as it is")
            return make_advice(InMemory(datasets.load(data).values), data, **how)
        source = open_source(path, array=array, columns=columns, drop=drop, standardize=standardize)
        return make_advice(source, path.name, notes=source.notes, **how)
    except ValueError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{data}: {text}") from None
