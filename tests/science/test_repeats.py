"""Rows that repeat each other, against all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from lindiff.science.datasets import load
from lindiff.science.repeats import SAME, repeated, tolerance


def normal(rows, columns, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns))


def by_pairs(values):
    """The same numbers from the differences of all pairs."""
    deviation = values.std(axis=0)
    some = deviation > 0
    allowed = tolerance(len(values), int(some.sum())) * deviation
    apart = np.abs(values[:, None] - values[None])
    found = connected_components((apart <= allowed).all(axis=2), directed=False)[1]
    seen: dict[int, int] = {}
    return np.array([seen.setdefault(int(label), len(seen)) for label in found])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 60),
    st.integers(1, 12),
    st.integers(0, 999),
    st.sampled_from([0.0, 1e-12, 1e-9, 3e-7, 1e-6, 1e-4]),
    st.sampled_from([1.0, 1e3]),
)
def test_numbers_are_those_of_all_pairs(rows, columns, seed, jitter, offset):
    rng = np.random.default_rng(seed)
    values = normal(rows, columns, seed) * 10.0 ** rng.integers(-6, 1, columns)
    values = values[rng.integers(rows, size=2 * rows)]
    values += jitter * values.std(axis=0) * rng.standard_normal(values.shape)
    values[:, 0] += offset * values[:, 0].std()
    np.testing.assert_array_equal(repeated(values), by_pairs(values))


def test_rows_are_numbered_in_the_order_of_their_first():
    values = normal(4, 3)[[2, 0, 2, 1, 0, 3]]
    np.testing.assert_array_equal(repeated(values), [0, 1, 0, 2, 1, 3])
    np.testing.assert_array_equal(repeated(normal(500, 8)), np.arange(500))
    assert repeated(np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, 1.0]])).tolist() == [0, 0, 1]
    assert repeated(np.ones((5, 2))).tolist() == [0] * 5


@pytest.mark.parametrize(("share", "same"), [(0.5, True), (2.0, False)])
def test_the_tolerance_is_of_each_columns_deviation(share, same):
    """Whatever the columns' units, and only where all of them are near."""
    values = normal(40, 6) * np.array([1e5, 1e4, 10, 1e-2, 1e-3, 1e-6])
    deviation = values.std(axis=0)
    values[7] = values[3] + share * SAME * deviation
    assert int(repeated(values)[7]) == (3 if same else 7)
    values[7] = values[3]
    values[7, 5] += 0.5 * deviation[5]
    assert repeated(values)[7] != 3


def test_a_detour_through_single_precision_is_a_repeat():
    values = normal(300, 20)
    both = np.concatenate([values, values.astype(np.float32)])
    np.testing.assert_array_equal(repeated(both), np.tile(np.arange(300), 2))


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_independent_rows_do_not_repeat_each_other(columns):
    """In few columns many rows come near by chance; the tolerance is less there."""
    np.testing.assert_array_equal(repeated(normal(30_000, columns)), np.arange(30_000))
    assert tolerance(30_000, 1) < 1e-11
    assert tolerance(30_000, 5) == SAME


def test_many_copies_of_one_row_are_one():
    """Exact ones and near ones, among as many rows that are no copies."""
    values = normal(6000, 16)
    values[3000:] = values[0]
    values[4000:] += 1e-9 * normal(2000, 16, 1)
    number = repeated(values)
    np.testing.assert_array_equal(number[:3000], np.arange(3000))
    assert not number[3000:].any()


@pytest.mark.parametrize(("name", "extra"), [("digits", 0), ("mnist", 0), ("patches", 182)])
def test_repeated_rows_of_the_bundled_data_sets(name, extra):
    """Flat patches of one photograph are the only ones; the split of no data set hangs on them."""
    data = load(name)
    number = repeated(data.values)
    assert len(number) - len(np.unique(number)) == extra
    if extra:
        counts = np.bincount(number)
        assert counts[counts > 1].tolist() == [extra + 1]
        assert data.held_out is not None
        assert not data.held_out[number == counts.argmax()].any()
