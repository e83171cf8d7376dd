"""Intervals of an excess kurtosis, of laws with known moments: 1,024 samples, as models have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit

from lindiff.science.kurtosis import interval, sampling_variance
from lindiff.science.samples import excess_kurtosis

TIMES, SAMPLES = 300, 1024


def classes(truth: float, rng: np.random.Generator) -> np.ndarray:
    """Two equal normal classes with a share of the variance between them."""
    between = np.sqrt(-truth / 2)
    rows = np.sqrt(between) * rng.choice([-1.0, 1.0], (TIMES, SAMPLES))
    return rows + np.sqrt(1 - between) * rng.standard_normal(rows.shape)


def gamma(truth: float, rng: np.random.Generator) -> np.ndarray:
    """Normal numbers whose variance has a gamma law."""
    scale = np.sqrt(rng.gamma(3 / truth, truth / 3, (TIMES, SAMPLES)))
    return scale * rng.standard_normal(scale.shape)


def two_variances(share: float, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Normal numbers, a share of them of `ratio` times the variance of the others."""
    scale = np.sqrt(np.where(rng.random((TIMES, SAMPLES)) < share, ratio, 1.0))
    return scale * rng.standard_normal(scale.shape)


def moments(share: float, ratio: float) -> np.ndarray:
    """Mean, second, third and fourth moments of those variances, of mean 1."""
    k = np.arange(1, 5)
    raw = 1 - share + share * ratio**k
    return raw / raw[0] ** k


def variance(of: np.ndarray) -> float:
    """S times the variance of the sample kurtosis, of moments of a variance of mean 1."""
    four, six, eight = np.array([3, 15, 105]) * of[1:]
    return float(eight - 4 * four * six + 4 * four**3 - four**2)


def coverage(rows: np.ndarray, truth: float) -> tuple[float, float]:
    """Of the interval, and of the plain one of Student's t at 15 degrees of freedom."""
    value, error = np.array([excess_kurtosis(row) for row in rows]).T
    low, high = interval(value, error)
    plain = np.abs(value - truth) <= stdtrit(15, 0.975) * error
    return float(np.mean((low <= truth) & (truth <= high))), float(plain.mean())


def test_the_sampling_variance_is_that_of_the_moments():
    for kappa in (0.0, 0.5, 3.0):
        c = kappa / 3
        assert sampling_variance(kappa) == pytest.approx(
            variance(np.cumprod([1, 1 + c, 1 + 2 * c, 1 + 3 * c])), rel=1e-12
        )
    x, weights = np.polynomial.hermite_e.hermegauss(20)
    for b in (0.0, 0.3, 0.9, 1.0):
        of = np.sqrt(b) + np.sqrt(1 - b) * x  # and its mirror image, of the same even moments
        four, six, eight = (weights @ of**k / weights.sum() for k in (4, 6, 8))
        expected = eight - 4 * four * six + 4 * four**3 - four**2
        assert sampling_variance(-2 * b**2) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("law", "truth"), [(classes, -1.62), (classes, 0.0), (gamma, 3.0)])
def test_an_interval_of_the_excess_kurtosis_covers(law, truth: float):
    found, plain = coverage(law(truth, np.random.default_rng(0)), truth)
    # Of 300 the Monte Carlo error is 0.013.
    assert 0.92 <= found <= 0.99
    assert plain < 0.88 or truth < 3


def test_a_kurtosis_of_more_variance_than_the_law_of_its_value_is_not_covered():
    """Two per cent of nine times the variance, as the docstring says."""
    of = moments(0.02, 9.0)
    truth = 3 * of[1] - 3
    assert variance(of) / sampling_variance(truth) == pytest.approx(4.8, abs=0.05)
    found, plain = coverage(two_variances(0.02, 9.0, np.random.default_rng(0)), truth)
    assert plain < found < 0.85


def test_near_two_points_the_lower_end_is_the_least_that_there_is():
    value, error = excess_kurtosis(np.random.default_rng(0).choice([-1.0, 1.0], SAMPLES))
    low, high = interval(value, error)
    assert low < high < -1.9
    # Where an error is more than κ + 2.
    assert interval(-1.99, 0.02)[0] == interval(-2.001, 0.02)[0] == -2
    assert -2 < interval(-2.001, 0.02)[1] < -1.8
    assert np.isnan(interval(np.nan, 1.0)).all()
    assert np.isnan(interval(1.0, np.nan)).all()
    # A column of a table at once.
    both = interval(np.array([value, 3.0]), np.array([error, 0.6]))
    assert both[1].tolist() == [high, interval(3.0, 0.6)[1]]
