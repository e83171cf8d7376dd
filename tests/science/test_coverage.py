"""Places of training points by brute force and in limits; copies and their AUC by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, ndtr
from sklearn.metrics import roc_auc_score

from lindiff.science import coverage
from lindiff.science.collapse import collapse_time
from lindiff.science.samples import copies, memorized_fraction


def points_of(n: int = 9, d: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of which the last is a copy of the first, and their numbers."""
    x = np.random.default_rng(seed).standard_normal((n, d)) * np.arange(1, d + 1)
    return np.concatenate([x, x[:1]]), np.array([*range(n), 0])


def places(x, number, seed=1, count=coverage.NOISES):
    return coverage.places(x, number, np.random.default_rng(seed), count)


def own_weights(x, number, i, sigma, noise):
    """The posterior weight of point i and its copies for each noise, a softmax at a time."""
    found = []
    for e in noise:
        logs = -((x[i] + sigma * e - x) ** 2).sum(axis=1) / (2 * sigma**2)
        found.append(np.exp(logs - logsumexp(logs))[number == number[i]].sum())
    return np.array(found)


def test_at_its_own_time_the_mean_weight_of_each_point_is_a_half():
    """And the error of that time is that of the mean weight over its slope in time."""
    x, number = points_of()
    noise = np.random.default_rng(1).standard_normal((coverage.NOISES, 3))
    found = places(x, number)
    for i, time in enumerate(found.own_time):
        before, weights, after = (
            own_weights(x, number, i, np.sqrt(np.expm1(2 * moved)), noise)
            for moved in (time - 1e-3, time, time + 1e-3)
        )
        assert weights.mean() == pytest.approx(0.5, abs=1e-4)
        slope = (before - after).mean() / 2e-3
        error = weights.std(ddof=1) / np.sqrt(len(noise)) / slope
        assert slope > 0
        assert found.own_time_se[i] == pytest.approx(error, rel=1e-2)
    assert found.own_time[0] == found.own_time[-1]


def test_neighbours_and_density_point_by_point():
    x, number = points_of()
    found = places(x, number)
    variance = np.exp(np.median(np.log(np.expm1(2 * found.own_time))))
    for i in range(len(x)):
        other = [k for k in range(9) if k != number[i]]
        squares = np.sort(((x[i] - x[other]) ** 2).sum(axis=1))
        assert [found.nearest[i], found.second[i]] == pytest.approx(np.sqrt(squares[:2]))
        # The copy of the first point counts twice among the others of all points but those two.
        counted = [k for k in range(10) if number[k] != number[i]]
        away = ((x[i] - x[counted]) ** 2).sum(axis=1)
        density = np.log(np.mean(np.exp(-away / (2 * variance))))
        assert found.log_density[i] == pytest.approx(density, rel=1e-3)


def test_blocks_do_not_change_places(monkeypatch):
    x, number = points_of()
    whole = places(x, number)
    monkeypatch.setattr(coverage, "BLOCK", 30)
    for name, values in vars(places(x, number)).items():
        # Each block ends its search by itself: its levels are good to that search's tolerance.
        np.testing.assert_allclose(values, vars(whole)[name], rtol=2e-3, err_msg=name)


@pytest.mark.slow
def test_errors_of_own_times_are_those_of_repeats():
    x, number = points_of(6, 4)
    made = [places(x, number, seed) for seed in range(60)]
    spread = np.std([one.own_time for one in made], axis=0, ddof=1)
    error = np.sqrt(np.mean([one.own_time_se**2 for one in made], axis=0))
    assert np.all(np.abs(np.log(spread / error)) < 0.35)


def test_corners_of_a_simplex_have_the_time_of_their_collapse():
    x, number = np.eye(12), np.arange(12)
    found = places(x, number, count=400)
    value, error = collapse_time(x, number, np.random.default_rng(0), 4000)
    assert np.all(np.abs(found.own_time - value) < 5 * np.hypot(found.own_time_se, error))
    assert found.nearest == pytest.approx([np.sqrt(2)] * 12)
    assert found.log_density == pytest.approx([found.log_density[0]] * 12)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 12), st.integers(1, 4), st.floats(0.1, 10), st.integers(0, 100))
def test_places_move_with_the_points(n, d, factor, seed):
    """A shift changes nothing; a factor multiplies distances and σ, so σ² by its square."""
    x = np.random.default_rng(seed).standard_normal((n, d))
    number = np.arange(n)
    one, other = places(x, number, count=8), places(factor * x + 3.0, number, count=8)
    np.testing.assert_allclose(
        np.expm1(2 * other.own_time), factor**2 * np.expm1(2 * one.own_time), rtol=1e-3
    )
    np.testing.assert_allclose(other.nearest, factor * one.nearest, rtol=1e-6)
    np.testing.assert_allclose(other.log_density, one.log_density, rtol=1e-3, atol=1e-3)
    assert np.all(one.nearest <= one.second)


def test_a_point_apart_is_told_at_more_noise_than_those_of_a_cluster():
    x = np.concatenate([0.1 * np.random.default_rng(0).standard_normal((30, 2)), [[5.0, 0.0]]])
    found = places(x, np.arange(31))
    assert found.own_time[-1] > 1.5 * found.own_time[:-1].max()
    assert found.log_density[-1] == found.log_density.min()
    # A point that is half of the training set or more is never less than that.
    twice = np.concatenate([x[:2], x[-1:], x[-1:], x[-1:]])
    assert np.isnan(places(twice, np.array([0, 1, 2, 2, 2])).own_time).tolist() == [
        False, False, True, True, True,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="2 distinct training points"):
        places(x[:3], np.array([0, 1, 1]))


def test_copies_are_counted_as_the_memorized_fraction_counts_them():
    x = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    number = np.array([0, 1, 2, 0])
    samples = np.array([[0.1, 0.0], [3.9, 0.1], [2.0, 0.0], [0.0, 0.3], [0.0, 2.9]])
    copied = coverage.times_copied(*copies(samples, x, number), number)
    assert copied.tolist() == [2, 1, 0, 2]
    assert copied[:3].sum() / 5 == memorized_fraction(samples, x, number)[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=2, max_size=20))
def test_the_area_is_that_of_scikit_learn(pairs):
    time, copied = np.array(pairs).T
    number = np.arange(len(pairs))
    found, error = coverage.copied_auc(time.astype(float), copied, number)
    if len(set(copied > 0)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(copied > 0, time), abs=1e-12)
    # A copy of a point, and one without an own time, are left out.
    more = [np.append(a, [a[0], b]) for a, b in ((time.astype(float), np.nan), (copied, 1))]
    again = coverage.copied_auc(*more, np.append(number, [0, len(number)]))
    assert again == pytest.approx((found, error), nan_ok=True)


def test_the_error_of_the_area_is_the_jackknife_of_each_kind():
    """DeLong's variance: of each kind that of the mean of its points' own shares."""
    rng = np.random.default_rng(3)
    time, copied = np.round(rng.standard_normal(40), 1), rng.integers(0, 2, 40)
    found, error = coverage.copied_auc(time, copied, np.arange(40))
    above = np.sign(time[copied > 0][:, None] - time[copied == 0]) / 2 + 0.5
    variance = sum(above.mean(axis=a).var(ddof=1) / above.shape[1 - a] for a in (0, 1))
    assert (found, error) == pytest.approx((above.mean(), np.sqrt(variance)), abs=1e-12)
    # Of fewer than 8 of a kind there is none, nor where all are in order: nothing scatters there.
    for hits in (1, 7, 33, 39):
        few = coverage.copied_auc(time, (np.arange(40) < hits).astype(int), np.arange(40))
        assert np.isfinite(few[0])
        assert np.isnan(few[1])
    apart = coverage.copied_auc(np.arange(40.0), np.arange(40) // 20, np.arange(40))
    assert apart[0] == 1
    assert np.isnan(apart[1])


def test_the_error_of_the_area_is_that_of_repeats():
    """Of points of two normal laws a unit apart the area is Φ(1/√2) (Green and Swets 1966)."""
    rng = np.random.default_rng(0)
    copied = np.arange(60) // 30
    found = np.array(
        [coverage.copied_auc(rng.standard_normal(60) + copied, copied, np.arange(60))
         for _ in range(600)]
    )  # fmt: skip
    assert found[:, 0].mean() == pytest.approx(ndtr(np.sqrt(0.5)), abs=0.01)
    assert np.sqrt(np.mean(found[:, 1] ** 2)) == pytest.approx(found[:, 0].std(), rel=0.1)
