"""Draws of spectra that a sample's population may have; `test_population.py` has the estimate."""

import numpy as np
import pytest
from scipy.special import voigt_profile

import lindiff
from lindiff.science import posterior
from lindiff.science.inversion import Problem, whitening
from lindiff.science.population import estimate_spectrum
from lindiff.science.posterior import _EXPONENT, _ROUGHNESS, _Walk

D = 40
J = np.arange(1, D + 1)
TWO = np.where(J <= D / 4, 10.0, 1.0) / 3.25


def seen_of(s, n, seed):
    """All eigenvalues of Σ0 of one sample, zeros last."""
    found = lindiff.make_draw("wishart", s, n=n, seed=seed).eigenvalues
    return np.append(found, np.zeros(len(s) - len(found)))


@pytest.mark.parametrize("s", [np.ones(D), TWO], ids=["level", "jump"])
def test_draws_are_level_where_the_population_is(s):
    """With normal steps ln s of the levels was off by 3 and more, at any N."""
    found = estimate_spectrum(seen_of(s, 20 * D, seed=3), 20 * D)
    off = np.log(found.draw(5, np.random.default_rng(0)) / s)
    assert np.abs(off).max() < 0.4
    assert 0.005 < off.std() < 0.08


def test_draws_are_the_generator_s():
    found = estimate_spectrum(seen_of(TWO, D // 2, seed=1), D // 2)
    one, same, other = (found.draw(2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    ("seen", "n"),
    [([2.0], 3), ([3.0, 0, 0, 0, 0, 0], 3), (np.geomspace(1e8, 1e-8, 12), 50)],
    ids=["one dimension", "one direction", "sixteen decades"],
)
def test_draws_are_numbers_whatever_was_seen(seen, n):
    found = estimate_spectrum(np.array(seen), n).draw(3, np.random.default_rng(0))
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert (np.diff(found, axis=1) <= 0).all()


def test_the_walk_has_the_moments_of_the_posterior():
    """Of two eigenvalues, beside sums over a grid of both; their order is not seen."""
    seen = seen_of(np.ones(2), 200, seed=4)
    problem = Problem.of(seen / seen[0], 199)
    start = problem.fit(problem.start, 0.4).theta
    up, apart = np.meshgrid(np.linspace(-0.4, 0.4, 25), np.linspace(0, 0.5, 41))
    points = start.mean() + np.stack([(up + apart).ravel(), (up - apart).ravel()], axis=1) / 2
    values = np.stack([problem.resolvent(np.exp(point))[0] for point in points])
    whiten = whitening(problem.scatter(np.exp(start)))
    cost = (((problem.seen - values) @ whiten.T) ** 2).sum(axis=1)
    far = np.sqrt(np.log(2))
    prior = sum(
        tau * voigt_profile(apart.ravel() / far, _EXPONENT * far, tau) for tau in _ROUGHNESS
    )
    weights = np.exp((cost.min() - cost) / 2) * prior * np.where(apart.ravel() == 0, 0.5, 1)
    own = walked(_Walk(problem, start), 1500)
    near(points.sum(axis=1), weights, own.sum(axis=1))
    near(points[:, 0] - points[:, 1], weights, np.abs(own[:, 0] - own[:, 1]))


class Seen(Problem):
    """ln s itself is seen, each with a deviation of 0.6."""

    def resolvent(self, s):
        return np.log(s), np.eye(3)

    def scatter(self, s):
        return 0.36 * np.eye(3)


def test_the_walk_jumps_as_often_as_the_posterior_does():
    """Beside 400,000 walks from the prior, by what was seen of each."""
    seen, blank, rng = np.array([0.0, -0.1, -3.0]), np.ones(3), np.random.default_rng(0)
    like = Problem.of(np.array([1.0, 0.5, 0.2]), 10)
    problem = Seen(blank, seen, np.eye(3), like.slope, seen, 10)
    count = 400_000
    tau = rng.choice(_ROUGHNESS, count, p=_ROUGHNESS / _ROUGHNESS.sum())[:, None]
    apart = np.log([2, 1.5])
    steps = np.sqrt(apart) * tau * rng.standard_cauchy((count, 2))
    steps -= _EXPONENT * rng.standard_normal((count, 1)) * apart
    first = 0.6 * rng.standard_normal((count, 1))
    theta = first + np.hstack([np.zeros((count, 1)), np.cumsum(steps, axis=1)])
    weights = np.exp(-(((theta - seen)[:, 1:] / 0.6) ** 2).sum(axis=1) / 2)
    own = walked(_Walk(problem, seen), 3000)
    for x, y in zip(theta.T, own.T, strict=True):
        near(x, weights, y)


@pytest.mark.parametrize("roughness", [np.array([0.3]), _ROUGHNESS], ids=["known", "sought"])
def test_normal_steps_of_the_scales_of_cauchy_steps_are_cauchy(roughness, monkeypatch):
    monkeypatch.setattr(posterior, "_ROUGHNESS", roughness)
    rng = np.random.default_rng(0)
    scales = posterior._scales(0.3 * rng.standard_cauchy(20_000), rng)
    found = np.abs(scales * rng.standard_normal(20_000))
    for share in (0.25, 0.5, 0.9):
        expected = 0.3 * np.tan(np.pi / 2 * share)
        assert np.quantile(found, share) == pytest.approx(expected, rel=0.07)


def walked(walk, count):
    """ln s after each of `count` rounds."""
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        walk.step(rng)
        found.append(walk.theta)
    return np.array(found)


def near(x, weights, own):
    """Mean and deviation are those of weighted points; a chain is worth a tenth of its length."""
    mean = weights @ x / weights.sum()
    deviation = np.sqrt(weights @ (x - mean) ** 2 / weights.sum())
    assert own.mean() == pytest.approx(mean, abs=0.25 * deviation)
    assert own.std() == pytest.approx(deviation, rel=0.2)
