"""The orbit of a training set under a finite group (docs/theory.md, "Augmentation").

A model that is trained with augmentation is trained on the orbit of its training set: every element
of the group applied to every training point, N |G| points. The groups are cyclic shifts and
left-right flips of pictures, and sign changes of the principal axes of Gaussian data.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from lindiff.science.pools import Pool

Array = NDArray[np.float64]

# Of pictures, and of Gaussian data.
FLIP, SHIFT, BOTH, SIGNS = "flip", "shift", "flip_shift", "signs"
OF_PICTURES = (FLIP, SHIFT, BOTH)
# Those of which there are groups of several sizes.
OF_SIZES = (SHIFT, BOTH, SIGNS)
# Moved pictures whose part outside of a pool's directions is taken, about.
_MOVED = 20_000


def sizes(kind: str, picture: Sequence[int] | None, d: int) -> tuple[int, ...]:
    """The sizes |G| that the groups of a kind have, ascending.

    Args:
        kind: `none`, `flip`, `shift`, `flip_shift` or `signs`.
        picture: Height and width of the pictures; None where the data are none.
        d: Dimension.
    """
    if kind == SIGNS:
        return tuple(2**k for k in range(1, d.bit_length()))
    if kind not in OF_PICTURES:
        return (1,)
    if picture is None:
        return ()
    if kind == FLIP:
        return (2,)
    height, width = picture[:2]
    shifts = sorted((height // s) * (width // s) for s in _steps(height, width))
    return tuple(size * (2 if kind == BOTH else 1) for size in shifts if size > 1)


def _steps(height: int, width: int) -> list[int]:
    """The steps s of which both sides are multiples."""
    return [s for s in range(1, min(height, width) + 1) if not (height % s or width % s)]


def size_of(kind: str, size: int, picture: Sequence[int] | None, d: int) -> int:
    """|G| of a group; `size` 0 is the largest.

    Args:
        kind: As of `sizes`.
        size: |G|, or 0.
        picture: As of `sizes`.
        d: Dimension.

    Raises:
        ValueError: There is no such group.
    """
    known = sizes(kind, picture, d)
    if kind not in OF_SIZES:
        size = 0
    if not known or size not in (0, *known):
        raise ValueError(f"no group {kind} of {size} elements; there are {known}")
    return size or known[-1]


def orbit_of_signs(rows: Float64[Array, "n d"], size: int) -> Float64[Array, "m d"]:
    """The orbit of Gaussian rows under sign changes of their coordinates, shape (N |G|, d).

    Element g of the group Z_2^k, |G| = 2^k, changes the sign of coordinate j where g and j have an
    odd number of binary ones in common: a Walsh function. So g commutes with every Σ = diag(s), and
    the coordinates j of one remainder mod |G| are what no element tells apart.

    Args:
        rows: In the eigenbasis of Σ, shape (N, d).
        size: |G|, a power of two.
    """
    both = np.bitwise_and.outer(np.arange(size), np.arange(rows.shape[1]))
    signs = 1.0 - 2.0 * (np.bitwise_count(both) % 2)
    found: Array = (rows[:, None] * signs).reshape(-1, rows.shape[1])
    return found


def orbit_of_pictures(
    pool: Pool, rows: Float64[Array, "n d"], kind: str, size: int
) -> Float64[Array, "m d"]:
    """The orbit of rows of a pool under a group of its pictures, shape (N |G|, d).

    What of a moved picture lies outside of the pool's directions is left out. The points of one row
    stand together, itself the first.

    Args:
        pool: Of pictures.
        rows: In its coordinates, shape (N, d).
        kind: `flip`, `shift` or `flip_shift`.
        size: |G|.

    Raises:
        ValueError: The pool is of no pictures, or there is no such group.
    """
    moves = _moves(pool, kind, size)
    found = np.empty((len(rows), len(moves), pool.d))
    found[:, 0] = rows
    pixels = rows @ pool.axes.T + pool.origin
    for place, move in enumerate(moves[1:], 1):
        found[:, place] = (pixels[:, move] - pool.origin) @ pool.axes
    return found.reshape(-1, pool.d)


def left_out(pool: Pool, kind: str, size: int) -> float:
    """Share of the mean square of moved pictures that lies outside of the pool's directions.

    Of the first rows of the pool, about its mean, as many as are 20,000 points with all elements.

    Args:
        pool: Of pictures.
        kind: As of `orbit_of_pictures`.
        size: |G|.
    """
    moves = _moves(pool, kind, size)
    pixels = pool.rows[: max(1, _MOVED // len(moves))] @ pool.axes.T + pool.origin
    total = inside = 0.0
    for move in moves:
        moved = pixels[:, move] - pool.origin
        total += float(np.sum(moved**2))
        inside += float(np.sum((moved @ pool.axes) ** 2))
    return max(0.0, 1 - inside / total)


def _moves(pool: Pool, kind: str, size: int) -> list[Int64[NDArray[np.int64], " columns"]]:
    """Which column each column of a moved row is of, for every element; the first moves nothing."""
    if pool.picture is None:
        raise ValueError(f"{kind} moves pictures, and the data are none")
    height, width = pool.picture[:2]
    size = size_of(kind, size, pool.picture, pool.d)
    numbers = np.arange(pool.columns).reshape(height, width, -1)
    flips = (numbers,) if kind == SHIFT else (numbers, numbers[:, ::-1])
    step = 1
    if kind == FLIP:
        shifts = [(0, 0)]
    else:
        wanted = size // len(flips)
        step = next(s for s in _steps(height, width) if (height // s) * (width // s) == wanted)
        shifts = list(itertools.product(range(0, height, step), range(0, width, step)))
    return [np.roll(own, shift, axis=(0, 1)).ravel() for own in flips for shift in shifts]
