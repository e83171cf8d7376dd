"""Data of a user and the vectors of a model: shapes, units and axes, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.config.numbers import real_array
from lindiff.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vectors:
    """Data x and vectors z of a model: x = unit · (origin + axes z).

    Attributes:
        shape: Of one sample of the data.
        unit: One unit of the model, in units of the data.
        origin: Shape (columns,), in units of the model.
        axes: Orthonormal columns, shape (columns, d); None where the data are the vectors.
    """

    shape: tuple[int, ...]
    unit: float = 1.0
    origin: Float64[Array, " columns"] | float = 0.0
    axes: Float64[Array, "columns d"] | None = None

    def of(self, x: Array, root: float = 1.0) -> Float64[Array, "K d"]:
        """The vectors of data that were multiplied by `root` (√ᾱ_t), shape (K, *shape).

        Raises:
            InputError: They have another shape, or are not finite numbers.
        """
        rows = as_numbers(x, "y")
        if rows.shape[1:] != self.shape:
            want = ", ".join(map(str, ("K", *self.shape)))
            raise InputError(f"y of shape {rows.shape}: the model takes ({want})")
        rows = rows.reshape(len(rows), -1) / self.unit - root * self.origin
        return rows if self.axes is None else rows @ self.axes

    def back(self, z: Float64[Array, "K d"]) -> Array:
        """The data of vectors, shape (K, *shape)."""
        rows = z if self.axes is None else z @ self.axes.T
        found: Array = ((rows + self.origin) * self.unit).reshape(len(z), *self.shape)
        return found


def as_numbers(given: Any, what: str) -> Array:
    """Finite real numbers as float64, one sample a row.

    Raises:
        InputError: They are none.
    """
    try:
        array = real_array(given, what)
    except ValueError as error:
        raise InputError(str(error)) from None
    if array.ndim < 2:
        raise InputError(f"{what} of shape {array.shape}: one sample a row, (rows, columns)")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{what}: a value is NaN or infinite")
    return array
