"""Whole numbers as they are given: NumPy's name the same draw as Python's, which alone are JSON."""

from __future__ import annotations

import operator
from typing import SupportsIndex


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
