"""Mixtures: their covariance is the one that was asked for, their score that of their density."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science import denoisers
from lindiff.science.draws import generator
from lindiff.science.mixture import (
    directions,
    make_mixture,
    one_class,
    standard,
    two_class_kurtosis,
    whitened,
)
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum

S = np.array([9.0, 4.0, 1.0, 0.5, 0.25])
SCHEDULE = make_schedule(timesteps=20)
# One of each kind: two classes, three along two directions, turned axes, covariances that differ.
MIXTURES = {
    "two": {"weights": [1, 1], "between": 0.9},
    "three": {"weights": [0.5, 0.3, 0.2], "between": 0.6},
    "means": {"weights": [2, 1, 1], "means": [[0.7, 0.1], [-0.9, 0.6], [-0.2, -0.7]]},
    "variances": {"weights": [0.7, 0.3], "variances": [1, 4]},
    "all": {"weights": [0.6, 0.4], "means": [[0.5, 0.4, 0], [-0.2, 0.1, 0.6]], "variances": [1, 3]},
}
every = pytest.mark.parametrize("name", MIXTURES)


def dense(mixture):
    """The covariance matrix of each class, from its axes, and its mean, in the eigenbasis of Σ."""
    d = mixture.means.shape[1]
    axes = np.eye(d)
    axes[: mixture.rank, : mixture.rank] = mixture.turn
    return mixture.means @ axes.T, [(axes * v) @ axes.T for v in mixture.variances]


def log_density(mixture, x, alpha_bar, q):
    """ln p_t(x) by its definition, with inverses of matrices."""
    means, covariances = dense(mixture)
    found = []
    for weight, mean, own in zip(mixture.weights, means, covariances, strict=True):
        C = alpha_bar * own + q * np.eye(len(mean))
        shift = x - np.sqrt(alpha_bar) * mean
        square = shift @ np.linalg.solve(C, shift)
        found.append(np.log(weight) - square / 2 - np.linalg.slogdet(2 * np.pi * C)[1] / 2)
    return np.logaddexp.reduce(found)


@every
def test_classes_together_have_the_covariance_that_was_asked_for(name):
    mixture = make_mixture(S, **MIXTURES[name])
    means, covariances = dense(mixture)
    assert mixture.weights.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(mixture.weights @ means, 0, atol=1e-12)
    total = sum(
        w * (own + np.outer(mean, mean))
        for w, mean, own in zip(mixture.weights, means, covariances, strict=True)
    )
    np.testing.assert_allclose(total, np.diag(S), atol=1e-9)


@every
def test_the_optimum_is_the_gradient_of_the_log_density(name):
    """ε̂ = −√q ∇ ln p_t, by central differences of the density of dense matrices."""
    mixture, offset = make_mixture(S, **MIXTURES[name]), np.linspace(-0.3, 0.4, len(S))
    denoise = mixture.denoiser(SCHEDULE, offset)
    rng = np.random.default_rng(0)
    for index in (2, 9, 19):
        alpha_bar, q = SCHEDULE.alpha_bar[index], SCHEDULE.q[index]
        x = 1.5 * rng.standard_normal((4, len(S)))
        step = 1e-5
        found = denoise(x - np.sqrt(alpha_bar) * offset, index)
        for row, own in zip(x, found, strict=True):
            slope = [
                log_density(mixture, row + step * e, alpha_bar, q)
                - log_density(mixture, row - step * e, alpha_bar, q)
                for e in np.eye(len(S))
            ]
            np.testing.assert_allclose(own, -np.sqrt(q) * np.array(slope) / (2 * step), atol=1e-6)


@every
def test_samples_have_the_mean_covariance_and_weights(name):
    mixture = make_mixture(S, **MIXTURES[name])
    rows, label = mixture.sample(40_000, generator("labels"), generator("rows"))
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(rows.T), np.diag(S), atol=0.2)
    share = np.bincount(label, minlength=len(mixture.weights)) / len(label)
    np.testing.assert_allclose(share, mixture.weights, atol=0.015)
    # The class of a clean point is known as well as its probability says.
    p = mixture.posterior(rows)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(p.mean(axis=0), mixture.weights, atol=0.015)
    own = p[np.arange(len(p)), label]
    assert own.mean() == pytest.approx((p**2).sum(axis=1).mean(), abs=0.01)


def test_a_smaller_set_is_a_prefix_of_a_larger_one():
    mixture = make_mixture(S, **MIXTURES["all"])
    few, many = (mixture.sample(n, generator("labels"), generator("rows")) for n in (7, 30))
    np.testing.assert_array_equal(few[0], many[0][:7])
    np.testing.assert_array_equal(few[1], many[1][:7])


def test_one_class_has_the_linear_optimum():
    d = 6
    s = make_spectrum("power_law", d, exponent=1.0)
    x = np.random.default_rng(0).standard_normal((5, d))
    denoise = one_class(s).denoiser(SCHEDULE, np.zeros(d))
    for index in (0, 10, 19):
        alpha_bar, q = SCHEDULE.alpha_bar[index], SCHEDULE.q[index]
        np.testing.assert_allclose(denoise(x, index), np.sqrt(q) * x / (alpha_bar * s + q))
    np.testing.assert_array_equal(one_class(s).posterior(x), np.ones((5, 1)))


def test_two_classes_are_at_plus_and_minus_their_share():
    mixture = make_mixture(S, [3, 3], between=0.75)
    root = np.sqrt(0.75 * S[0])
    np.testing.assert_allclose(mixture.means[:, 0], [root, -root])
    np.testing.assert_allclose(mixture.variances[0], [0.25 * S[0], *S[1:]])
    assert not mixture.means[:, 1:].any()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0.01, 100), min_size=2, max_size=6),
    st.floats(0.05, 0.99),
)
def test_the_configuration_of_any_weights_is_white(weights, between):
    own = standard({"weights": weights, "between": between})
    w, z = np.array(own["weights"]), whitened(own)
    assert z.shape == (len(w), directions(own)) == (len(w), len(w) - 1)
    np.testing.assert_allclose(w @ z, 0, atol=1e-10)
    np.testing.assert_allclose((z.T * w) @ z, between * np.eye(len(w) - 1), atol=1e-10)
    for j in range(len(w) - 1):
        # Direction j tells class j + 1 from the ones before it, which it does not tell apart.
        assert np.ptp(z[: j + 1, j]) == 0
        assert not z[j + 2 :, j].any()


def test_one_mixture_has_one_spelling():
    assert standard({"weights": [3, 1], "between": 0.5}) == {
        "weights": [0.75, 0.25],
        "between": 0.5,
    }
    moved = standard({"weights": [1, 1], "means": [[1.5], [0.5]]})
    assert moved == {"weights": [0.5, 0.5], "means": [[0.5], [-0.5]]}
    same = standard({"weights": [1, 1], "between": 0.5, "variances": [2, 2]})
    assert same == {"weights": [0.5, 0.5], "between": 0.5}
    sizes = standard({"weights": [1, 1], "variances": [1, 3]})
    assert sizes == {"weights": [0.5, 0.5], "variances": [0.5, 1.5]}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"between": 0.5}, "the key weights is missing"),
        ({"weights": [1, 0], "between": 0.5}, "weights: value 2 = 0 must be more than 0"),
        ({"weights": [1, -2], "between": 0.5}, "weights: value 2 = -2 must be more than 0"),
        ({"weights": [1, "a"], "between": 0.5}, "weights: value 2 = 'a' is not a number"),
        ({"weights": 0.5, "between": 0.5}, "weights must be a list of numbers"),
        ({"weights": [1], "between": 0.5}, "1 weights; a mixture has 2 to 100 classes"),
        ({"weights": [1, 1], "between": 1}, "between = 1 must be at least 0 and less than 1"),
        ({"weights": [1, 1], "between": -0.1}, "must be at least 0 and less than 1"),
        ({"weights": [1, 1]}, "the classes do not differ"),
        ({"weights": [1, 1], "between": 0}, "the classes do not differ"),
        ({"weights": [1, 1], "means": [[3], [3]]}, "the classes do not differ"),
        ({"weights": [1, 1], "between": 0.5, "means": [[0.1], [0]]}, "give one"),
        ({"weights": [1, 1], "means": [[1.1], [-1.1]]}, "1.21 of the variance along a direction"),
        ({"weights": [1, 1], "means": [[0.1], [0.1, 0.2]]}, "2 lists of as many numbers each"),
        ({"weights": [1, 1], "means": [0.1, 0.2]}, "2 lists of as many numbers each"),
        ({"weights": [1, 1], "means": [[0.1, "x"], [0, 0]]}, "a coordinate = 'x' is not a number"),
        ({"weights": [1, 1], "variances": [1, 2, 3]}, "3 variances for 2 weights"),
        ({"weights": [1, 1], "variances": [1, 0]}, "variances: value 2 = 0 must be more than 0"),
    ],
)
def test_what_is_no_mixture_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        standard(given)


def test_means_need_as_many_dimensions():
    with pytest.raises(ValueError, match="means in 3 directions, but d = 2"):
        make_mixture(np.ones(2), [1, 1, 1, 1], between=0.5)


@pytest.mark.parametrize("weights", [[1, 1], [0.8, 0.2]])
def test_the_kurtosis_of_two_classes_is_that_of_samples(weights):
    own = {"weights": weights, "means": [[0.3, 0.8], [0, 0]]}
    mixture = make_mixture(S, **own)
    rows, _ = mixture.sample(100_000, generator("labels"), generator("rows"))
    along = rows @ (mixture.back(mixture.means[:1])[0] / S)
    squares = (along - along.mean()) ** 2
    found = np.mean(squares**2) / np.mean(squares) ** 2 - 3
    assert two_class_kurtosis(standard(own)) == pytest.approx(found, abs=0.03)
    assert two_class_kurtosis(standard(own | {"variances": [1, 2]})) is None


def test_a_denoiser_has_the_excess_of_its_distance_from_the_optimum():
    """E|ε − ε̂|² − E|ε − E[ε|x]|² = E|ε̂ − E[ε|x]|², of a denoiser that is no optimum."""
    mixture = make_mixture(S, **MIXTURES["two"])
    best, schedule = mixture.denoiser(SCHEDULE, np.zeros(len(S))), SCHEDULE

    def worse(x, index):
        return 0.7 * best(x, index) + 0.1 * np.tanh(x)

    def fresh(rng, count):
        return mixture.sample(count, rng, rng)[0]

    sources, count = (fresh, fresh), 4000
    losses = [
        denoisers.monte_carlo_losses(own, schedule, sources, generator("x"), count)[1]
        for own in (worse, best)
    ]
    difference, error = denoisers.over_rounds(losses[0] - losses[1])
    apart, spread = denoisers.over_rounds(
        denoisers.distances(worse, best, schedule, sources, generator("x"), count)
    )
    assert difference == pytest.approx(apart, abs=4 * error)
    assert spread < error / 2
