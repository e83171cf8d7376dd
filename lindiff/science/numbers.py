"""Numbers as a notebook gives them: NumPy's are Python's, and what is no number is refused."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import SupportsIndex

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike, NDArray


def whole(name: str, value: SupportsIndex, least: int) -> int:
    """A whole number as Python's int.

    Args:
        name: What it is, for the message.
        value: The number.
        least: The smallest that is allowed.

    Raises:
        ValueError: It is no whole number, or smaller.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} = {value!r} is not a whole number") from None
    if number < least:
        raise ValueError(f"{name} = {number} must be at least {least}")
    return number


def real(name: str, value: object, *, infinite: bool = False) -> float:
    """A real number as Python's float.

    Args:
        name: What it is, for the message.
        value: The number.
        infinite: Whether it may be infinite.

    Raises:
        ValueError: It is no number, NaN, or infinite where it may not be.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} = {value!r} is not a number")
    number = float(value)
    if math.isnan(number) or (math.isinf(number) and not infinite):
        raise ValueError(f"{name} = {number} must be {'a number' if infinite else 'finite'}")
    return number


def flag(name: str, value: bool) -> bool:
    """A truth value as Python's bool.

    Raises:
        ValueError: It is neither true nor false, such as a text.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} = {value!r} must be True or False")
    return bool(value)


def variances(values: ArrayLike) -> Float64[NDArray[np.float64], " d"]:
    """Eigenvalues of a covariance, shape (d,), in float64.

    Raises:
        ValueError: They are no numbers, of another shape, none, negative or not finite.
    """
    found = np.asarray(values)
    if found.ndim != 1 or found.dtype.kind not in "iuf" or not found.size:
        what = f"{found.dtype} of shape {found.shape}"
        raise ValueError(f"a spectrum must be numbers of shape (d,), not {what}")
    spectrum = np.asarray(found, dtype=np.float64)
    if not np.all(np.isfinite(spectrum) & (spectrum >= 0)):
        raise ValueError("eigenvalues must be finite and not negative")
    return spectrum


def precisions(spectrum: Float64[NDArray[np.float64], " d"]) -> Float64[NDArray[np.float64], " d"]:
    """1/s of the directions with variance and 0 of those without, shape (d,)."""
    return np.divide(1, spectrum, out=np.zeros_like(spectrum), where=spectrum > 0)


def descending(values: ArrayLike) -> Float64[NDArray[np.float64], " d"]:
    """`variances` that are sorted as their modes are numbered.

    Raises:
        ValueError: As `variances`, or one is larger than the one before it.
    """
    spectrum = variances(values)
    if np.any(np.diff(spectrum) > 0):
        raise ValueError("eigenvalues must be from the largest to the smallest")
    return spectrum
