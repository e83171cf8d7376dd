"""Pictures of a pool: what a vector of its coordinates looks like."""

import numpy as np
import pytest

from lindiff.science.datasets import Rows, load
from lindiff.science.pictures import Picture, picture_of
from lindiff.science.pools import make_pool, pool_of


def test_digits_are_their_pixels_less_the_mean():
    pool = make_pool("digits")
    picture = picture_of(pool)
    assert (picture.height, picture.width) == (8, 8)
    pixels = (pool.rows @ picture.embed + pool.origin) * pool.unit
    found = np.sort(np.round(pixels, 9), axis=None)
    assert (found[0], found[-1]) == (0, 16)
    np.testing.assert_allclose(found, np.round(found), atol=1e-9)
    np.testing.assert_allclose(picture.embed @ picture.embed.T, np.eye(61), atol=1e-12)
    constant = np.ptp(load("digits").values, axis=0) == 0
    assert constant.any()
    assert not picture.embed[:, constant].any()


def test_rows_that_are_no_pictures_have_none():
    values = np.random.default_rng(0).standard_normal((20, 4))
    assert picture_of(pool_of(Rows(values), "test")) is None


@pytest.mark.parametrize("embed", [np.eye(4)[0], np.eye(5)])
def test_pixels_must_fill_the_picture(embed):
    with pytest.raises(ValueError, match="has not the 4 pixels of 2 × 2"):
        Picture(2, 2, embed)
