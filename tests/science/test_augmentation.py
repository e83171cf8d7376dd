"""Orbits of training sets against the groups that they are of, element by element."""

import json

import numpy as np
import pytest

from lindiff.columns import SETTING
from lindiff.columns.groups import NOT_AUGMENTED
from lindiff.science import augmentation
from lindiff.science.augmentation import left_out, orbit_of_pictures, orbit_of_signs, size_of, sizes
from lindiff.science.datasets import Rows
from lindiff.science.pools import make_pool, pool_of

HEIGHT, WIDTH = 4, 6


def pool(colours=()):
    """60 pictures whose pixels all vary, so that nothing of a moved one is lost."""
    rng = np.random.default_rng(3)
    shape = (HEIGHT, WIDTH, *colours)
    values = rng.exponential(size=(150, int(np.prod(shape))))
    return pool_of(Rows(values, picture=shape), f"own pictures {json.dumps(shape)}")


def moved(pictures, kind, step):
    """Every element on every picture, of shape (H, W, …), by NumPy's own flip and roll."""
    flips = [lambda x: x] + ([np.fliplr] if kind != "shift" else [])
    ends = (1, 1) if kind == "flip" else (HEIGHT, WIDTH)
    return np.array([
        [np.roll(flip(x), (i, j), axis=(0, 1)) for flip in flips
         for i in range(0, ends[0], step) for j in range(0, ends[1], step)]
        for x in pictures
    ])  # fmt: skip


@pytest.mark.parametrize("colours", [(), (3,)])
@pytest.mark.parametrize(
    ("kind", "size", "step"),
    [("flip", 2, 1), ("shift", 24, 1), ("shift", 6, 2), ("flip_shift", 48, 1),
     ("flip_shift", 12, 2)],
)  # fmt: skip
def test_an_orbit_is_every_element_on_every_picture(kind, size, step, colours):
    own = pool(colours)
    rows = own.subset(5, 0)
    found = own.restore(orbit_of_pictures(own, rows, kind, size))
    expected = moved(own.restore(rows).reshape(5, HEIGHT, WIDTH, *colours), kind, step)
    assert len(found) == 5 * size
    np.testing.assert_allclose(found, expected.reshape(len(found), -1), rtol=1e-10, atol=1e-10)
    assert np.array_equal(orbit_of_pictures(own, rows, kind, size)[::size], rows)
    assert left_out(own, kind, size) < 1e-12


@pytest.mark.parametrize(("kind", "size"), [("flip", 2), ("shift", 6), ("flip_shift", 48)])
def test_an_orbit_is_that_of_each_of_its_points(kind, size):
    own = pool()
    orbit = orbit_of_pictures(own, own.subset(1, 0), kind, size)
    for point in orbit[:: max(1, size // 5)]:
        other = orbit_of_pictures(own, point[None], kind, size)
        distance = np.linalg.norm(orbit[:, None] - other, axis=2)
        assert sorted(distance.argmin(axis=1)) == list(range(size))
        assert distance.min(axis=1).max() < 1e-10


def test_a_smaller_training_set_has_a_prefix_of_the_orbit():
    own = pool()
    few, many = (orbit_of_pictures(own, own.subset(n, 1), "shift", 6) for n in (3, 7))
    # A product of matrices rounds by their shapes, on some processors.
    np.testing.assert_allclose(few, many[: len(few)], atol=1e-13)


def test_what_leaves_the_directions_of_the_pool_is_told():
    """The corners of a digit are empty, and a shift brings pixels there."""
    own = make_pool("digits")
    rows = own.rows[:300]
    shifts = orbit_of_pictures(own, rows, "shift", 64)
    pictures = (rows @ own.axes.T + own.origin).reshape(-1, 8, 8)
    every = np.array([np.roll(pictures, (i, j), (1, 2)) for i in range(8) for j in range(8)])
    whole = ((every.reshape(64, 300, 64) - own.origin) ** 2).sum()
    assert left_out(own, "shift", 64) == pytest.approx(1 - (shifts**2).sum() / whole, rel=0.02)
    assert 0.04 < left_out(own, "shift", 64) < 0.06
    assert left_out(own, "flip", 2) < 0.01


@pytest.mark.parametrize("size", [2, 4, 16])
def test_sign_changes_are_a_group_that_leaves_every_diagonal_covariance(size):
    d = 21
    elements = orbit_of_signs(np.ones((1, d)), size)
    assert len(np.unique(elements, axis=0)) == size
    products = (elements[:, None] * elements).reshape(-1, d)
    assert len(np.unique(np.concatenate([elements, products]), axis=0)) == size
    # What no element tells apart: the coordinates of one remainder.
    same = np.equal.outer(np.arange(d) % size, np.arange(d) % size)
    np.testing.assert_allclose(elements.T @ elements / size, same, atol=1e-12)


def test_an_orbit_of_signs_has_a_covariance_of_blocks():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((7, 10))
    orbit = orbit_of_signs(rows, 4)
    block = np.equal.outer(np.arange(10) % 4, np.arange(10) % 4)
    np.testing.assert_allclose(orbit.T @ orbit / 28, block * (rows.T @ rows / 7), atol=1e-12)
    np.testing.assert_allclose(
        orbit.mean(axis=0), np.where(np.arange(10) % 4, 0, rows.mean(axis=0)), atol=1e-12
    )


def test_the_settings_name_every_group():
    kinds = (*augmentation.OF_PICTURES, augmentation.SIGNS)
    assert SETTING["augmentation"].choices == (NOT_AUGMENTED, *kinds)
    assert SETTING["group_size"].void_unless == ("augmentation", augmentation.OF_SIZES)
    several = {kind for kind in kinds if len(sizes(kind, (4, 4), 16)) > 1}
    assert several == set(augmentation.OF_SIZES)


def test_sizes_of_groups():
    assert sizes("none", (8, 8), 61) == (1,)
    assert sizes("flip", (8, 8), 61) == (2,)
    assert sizes("shift", (8, 8), 61) == (4, 16, 64)
    assert sizes("flip_shift", (28, 28, 3), 700) == (8, 32, 98, 392, 1568)
    assert sizes("shift", (4, 6), 24) == (6, 24)
    assert sizes("shift", (5, 5), 25) == (25,)
    assert sizes("signs", None, 21) == (2, 4, 8, 16)
    assert sizes("signs", None, 16)[-1] == 16
    assert sizes("signs", None, 1) == sizes("shift", None, 9) == ()
    assert size_of("shift", 0, (8, 8), 61) == 64
    assert size_of("flip", 5, (8, 8), 61) == 2
    for kind, size, picture in (("shift", 5, (8, 8)), ("signs", 32, None), ("flip", 0, None)):
        with pytest.raises(ValueError, match=f"no group {kind}"):
            size_of(kind, size, picture, 16)


def test_data_without_pictures_are_not_moved():
    own = pool_of(Rows(np.random.default_rng(0).standard_normal((30, 6))), "no pictures")
    with pytest.raises(ValueError, match="the data are none"):
        orbit_of_pictures(own, own.subset(2, 0), "flip", 2)
