"""Offsets, digits and units of columns."""

import numpy as np
import pytest

from lindiff.science.datasets import Rows
from lindiff.science.pools import pool_of

KEY = "test"
WHOLE = np.round(
    np.random.default_rng(0).standard_normal((400, 6)) * np.array([4, 3, 2.5, 2, 1.5, 1])
)


@pytest.mark.parametrize("offset", [1e4, 1e7, 1e10, 1e13, -1e13, 1e14, 2.0**51, 2.0**52])
@pytest.mark.parametrize("unit", [1.0, 2.0**-60, 2.0**900])
def test_an_offset_costs_no_digits(offset, unit):
    """Whole numbers on an offset are exact in float64: so is the pool of them."""
    pool, moved = (pool_of(Rows(values * unit), KEY) for values in (WHOLE, WHOLE + offset))
    np.testing.assert_allclose(moved.spectrum, pool.spectrum, rtol=1e-12)
    np.testing.assert_allclose(np.abs(moved.held_out), np.abs(pool.held_out), atol=1e-11)
    restored = moved.restore(moved.rows) / unit - offset
    error = np.abs(restored - (pool.restore(pool.rows) / unit)).max()
    assert error <= 4 * np.spacing(abs(offset))


def test_only_some_columns_have_an_offset():
    values = WHOLE.copy()
    values[:, [1, 4]] += np.array([3e13, -5e12])
    expected = pool_of(Rows(WHOLE), KEY).spectrum
    np.testing.assert_allclose(pool_of(Rows(values), KEY).spectrum, expected, rtol=1e-12)


def test_single_precision_is_taken_as_it_is():
    """An offset of 10⁴ leaves float32 a thousandth; the pool is that of these numbers."""
    values = np.random.default_rng(1).standard_normal((200, 4)).astype(np.float32)
    moved = (values + np.float32(1e4)).astype(float)
    expected = pool_of(Rows(moved - 1e4), KEY).spectrum
    np.testing.assert_allclose(pool_of(Rows(moved), KEY).spectrum, expected, rtol=1e-11)


def test_what_float64_does_not_hold_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="float64") as error:
        pool_of(Rows(WHOLE + 2.0**54), KEY)
    assert str(error.value).startswith("column 2 varies by 3 (")
    assert str(error.value).endswith(
        "(standard deviation) at numbers up to 1.801e+16, which are 4 apart in float64 (and 4 more "
        "such columns): its variation is lost; subtract the offset before the file is written"
    )
    values = WHOLE.copy()
    values[:, 5] += 1e16
    with pytest.raises(ValueError, match=r"column 6 varies by \S+ .* are 2 apart in float64: its"):
        pool_of(Rows(values), KEY)
    # A constant has no variation to lose.
    values[:, 5] = 1e17
    assert pool_of(Rows(values), KEY).d == 5


UNITS = 1.0 + np.random.default_rng(0).standard_normal((500, 6)) * np.array(
    [1e5, 1e4, 10.0, 1e-2, 1e-3, 1e-6]
)


def test_small_units_are_no_combinations():
    pool = pool_of(Rows(UNITS), KEY)
    assert (pool.d, pool.dependent, pool.faint, pool.faint_columns) == (3, 3, 3, (4, 5, 6))
    assert pool.summary() == (
        "a pool of 400 rows, 100 held out, d = 3; left out of 6 columns: 3 with less than 1e-12 of "
        "the largest variance; of so little variance: columns 4, 5, 6, which `standardize: true` "
        "beside `file`, or other units, would bring in"
    )
    standard = pool_of(Rows((UNITS - UNITS.mean(axis=0)) / UNITS.std(axis=0)), KEY)
    assert (standard.d, standard.dependent) == (6, 0)


def test_combinations_and_small_units_are_told_apart():
    values = np.column_stack([UNITS, UNITS[:, 0] - 3 * UNITS[:, 1], UNITS[:, 4] + UNITS[:, 5]])
    pool = pool_of(Rows(values), KEY)
    assert (pool.d, pool.dependent, pool.faint, pool.faint_columns) == (3, 5, 3, (4, 5, 6, 8))
    assert "2 combinations of others, 3 with less than 1e-12 of the largest" in pool.summary()
    many = np.column_stack([UNITS[:, :1], *(UNITS[:, 5:] * k for k in range(1, 11))])
    assert "columns 2, 3, 4, 5, 6, 7, 8, 9 and 2 more" in pool_of(Rows(many), KEY).summary()
