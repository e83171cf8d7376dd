"""Rows as pictures: the grid of pixels of a data set (docs/theory.md, "Real data")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.pools import Pool

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Picture:
    """How vectors of d coordinates are pictures: rows @ embed, row by row of pixels, the colours
    of a pixel side by side.

    Attributes:
        height: Pixels from top to bottom.
        width: Pixels from left to right.
        embed: Orthonormal rows, shape (d, height · width · colours); 0 at pixels that never vary.
            White noise of the coordinates is white noise in the span of the pictures.
        colours: Numbers of a pixel.
    """

    height: int
    width: int
    embed: Float64[Array, " ..."]  # its shape is checked below
    colours: int = 1

    def __post_init__(self) -> None:
        numbers = self.height * self.width * self.colours
        if self.embed.ndim != 2 or self.embed.shape[1] != numbers:
            raise ValueError(
                f"embed of shape {self.embed.shape} has not the {numbers} pixels of {self.height} "
                f"× {self.width}" + (f" × {self.colours}" if self.colours > 1 else "")
            )


def picture_of(pool: Pool) -> Picture | None:
    """The pictures of a pool less its mean; None of rows that are no pictures."""
    if pool.picture is None:
        return None
    height, width, *colours = pool.picture
    return Picture(height, width, pool.axes.T, *colours)
