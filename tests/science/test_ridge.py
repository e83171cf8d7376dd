"""The best ridge: closed conditions against theory curves, draws and the exact tail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science.draws import make_draw
from lindiff.science.filters import Training
from lindiff.science.measure import of_draw
from lindiff.science.optima import minimum
from lindiff.science.ridge import METRICS, best_ridge, best_ridge_tail, effective_ridge
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.theory import linear_theory

SHORT = make_schedule("linear", 20)
SPECTRA = [
    ("isotropic", {}),
    ("power_law", {"exponent": 1.0}),
    ("power_law", {"exponent": 3.0}),
    ("spiked", {"spike": 30.0, "count": 3}),
    ("two_level", {"ratio": 20.0}),
]


def theory(spectrum, n: int, ridges, metric: str, known: bool = False) -> np.ndarray:
    trainings = [Training(ridge=c) for c in ridges]
    return linear_theory(spectrum, n, trainings, SHORT, None, known)[metric]


@given(
    st.sampled_from(SPECTRA), st.integers(2, 60), st.integers(2, 4000), st.floats(-8, 3),
    st.booleans(),
)  # fmt: skip
def test_effective_ridge_solves_its_equation(spectrum, d: int, n: int, decade: float, known: bool):
    name, params = spectrum
    s = make_spectrum(name, max(d, params.get("count", 1)), **params)
    c = np.array([10.0**decade, 2 * 10.0**decade])
    kappa = effective_ridge(s, c, n, known)
    freedom = n if known else n - 1
    scaled = s * freedom / n
    share = np.sum(scaled / (scaled + kappa[:, None]), axis=1) / freedom
    assert kappa * (1 - share) == pytest.approx(c, rel=1e-9, abs=1e-13 * kappa.max())
    assert kappa[1] > kappa[0] > 0


def test_effective_ridge_of_isotropic_data_by_hand():
    """κ² + κ (s′ (1 − γ) − c) − c s′ = 0 with γ = d/n, s′ = n/N."""
    d, n, c = 30, 21, 0.3
    s = 20 / 21
    gamma = d / 20
    b = s * (1 - gamma) - c
    expected = (-b + np.sqrt(b**2 + 4 * c * s)) / 2
    assert effective_ridge(np.ones(d), np.array([c]), n) == pytest.approx(expected)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("n", [3, 25, 52, 60, 100, 500])
@pytest.mark.parametrize(("name", "params"), SPECTRA)
@pytest.mark.parametrize("metric", METRICS)
def test_best_ridge_is_the_minimum_of_the_theory_curve(metric, name, params, n: int, known: bool):
    s = make_spectrum(name, 50, **params)
    best = best_ridge(s, n, metric, known)
    grid = best * np.geomspace(0.8, 1.25, 9)
    curve = minimum(grid, theory(s, n, grid, metric, known))
    assert curve.inside
    assert best == pytest.approx(curve.x, rel=1e-5)


def test_of_two_minima_the_lower_one_is_taken():
    """Nine tenths of the modes at 10⁴ times the rest, N = 2d: a ridge for either level."""
    s, n = make_spectrum("two_level", 200, ratio=1e4, fraction=0.9), 400
    grid = np.geomspace(1e-6, 10, 141)
    curve = theory(s, n, grid, "kl_data_model")
    dips = np.flatnonzero((curve[1:-1] < curve[:-2]) & (curve[1:-1] < curve[2:])) + 1
    assert len(dips) == 2
    lower = grid[dips[np.argmin(curve[dips])]]
    assert best_ridge(s, n, "kl_data_model") == pytest.approx(lower, rel=0.07)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("name", "params"), [SPECTRA[1], SPECTRA[4]])
@pytest.mark.parametrize("n", [5, 20, 21, 60])
def test_draws_balance_at_the_best_ridge(name, params, n: int, known: bool):
    """The derivative of the mean divergence by ln c vanishes there, at d = 20."""
    s = make_spectrum(name, 20, **params)
    ridges = [best_ridge(s, n, metric, known) for metric in METRICS]
    mean = 0 if known else 1 / n
    slopes, curvatures = [], []
    for seed in range(400):
        mu = of_draw(make_draw("wishart", s, n, seed, known_centre=known))

        def slope(c: float, data_model: bool, mu=mu) -> float:
            resolvent = np.sum(mu.identity * c / (mu.nodes + c))
            if not data_model:
                return float(c * np.sum(1 / s) - resolvent)
            trace = np.sum(mu.sigma * c / (mu.nodes + c) ** 2)
            return float(resolvent - (1 + mean) * trace)

        slopes.append([slope(c, k == 1) for k, c in enumerate(ridges)])
        curvatures.append(
            [(slope(c * 1.1, k == 1) - slope(c / 1.1, k == 1)) for k, c in enumerate(ridges)]
        )
    error = np.std(slopes, axis=0, ddof=1) / 20
    curvature = np.mean(curvatures, axis=0) / (2 * np.log(1.1))
    # Off by at most 0.4 % of c and four standard errors (the next order in 1/n).
    assert np.all(np.abs(np.mean(slopes, axis=0)) < 4 * error + 0.004 * curvature)
    assert np.all(error < 0.02 * curvature)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("name", "params"), SPECTRA)
@pytest.mark.parametrize("metric", METRICS)
def test_best_ridge_approaches_its_tail(metric, name, params, known: bool):
    """At order d/N; d + 2 (d + 1) and not d is what d = 10 tells apart."""
    s = make_spectrum(name, 10, **params)
    errors = [
        best_ridge(s, n, metric, known) / best_ridge_tail(s, n, metric, known) - 1
        for n in (10**4, 10**5)
    ]
    assert abs(errors[0]) < 3e-3
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.1)


def test_tail_by_hand():
    assert best_ridge_tail(np.ones(10), 1200, "kl_model_data") == pytest.approx(0.01)
    assert best_ridge_tail(np.ones(10), 1100, "kl_data_model", True) == pytest.approx(0.02)
    # tr Σ⁻¹ = 5/4, tr Σ⁻² = 17/16.
    tail = best_ridge_tail(np.array([4.0, 1]), 100, "kl_model_data")
    assert tail == pytest.approx(4 / 100 * (5 / 4) / (17 / 16))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.floats(0.01, 100), st.sampled_from(METRICS), st.integers(3, 500))
def test_best_ridge_scales_with_the_spectrum(d: int, unit: float, metric: str, n: int):
    s = make_spectrum("power_law", d, exponent=1.0)
    one, other = best_ridge(s, n, metric), best_ridge(unit * s, n, metric)
    assert other == pytest.approx(unit * one, rel=1e-8)


def test_what_has_no_closed_condition_is_refused():
    for function in (best_ridge, best_ridge_tail):
        with pytest.raises(ValueError, match="test_loss"):
            function(np.ones(5), 10, "test_loss")
        with pytest.raises(ValueError, match="n = 2"):
            function(np.ones(5), 2, "kl_model_data")
    with pytest.raises(ValueError, match="more than 0"):
        effective_ridge(np.ones(5), np.array([0.0]), 10)
