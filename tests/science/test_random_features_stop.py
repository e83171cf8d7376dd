"""The limit of random features after a stop: against draws, the optimum, and the two bulks."""

import numpy as np
import pytest

from lindiff.science.activations import ACTIVATIONS
from lindiff.science.filters import Bank, Training
from lindiff.science.random_features import evaluate, normal_moments, solve_pairs
from lindiff.science.random_features_limit import level_losses
from lindiff.science.random_features_stop import level_losses_at_stops
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.weighting import make_weights

SCHEDULE = make_schedule("cosine", 10)
INDEX = 3
LEVEL = float(SCHEDULE.alpha_bar[INDEX]), float(SCHEDULE.q[INDEX])
POWER = make_spectrum("power_law", 30, exponent=1.0)


def bank(*trainings):
    return Bank(SCHEDULE, trainings)


@pytest.mark.parametrize(
    ("n", "p", "noises", "known"), [(40, 90, 1, False), (40, 90, np.inf, True), (100, 50, 3, False)]
)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_for_ever_is_the_optimum_and_no_time_is_no_read_out(name, n, p, noises, known):
    activation = ACTIVATIONS[name]
    trainings = bank(Training(stop=1e8, weight_decay=1e-3), Training(stop=0.0), Training(stop=1e-6))
    train, test = level_losses_at_stops(activation, POWER, n, p, noises, trainings, INDEX, known)
    optimum = level_losses(activation, POWER, n, p, noises, *LEVEL, 1e-3, known)
    # The penalty on the constant of ReLU is left out.
    share = 1e-3 if name == "relu" else 1e-7
    assert (train[0], test[0]) == pytest.approx(optimum, rel=share)
    assert (train[1], test[1]) == pytest.approx((1, 1), abs=1e-12)
    assert (train[2], test[2]) == pytest.approx((1, 1), abs=1e-5)


@pytest.mark.parametrize("name", ["erf", "relu"])
def test_losses_on_the_way_are_seed_means(name):
    """At d = 100 within 1 %, and what the means leave open."""
    d, n, p, m = 100, 150, 100, 2
    activation, (alpha_bar, q) = ACTIVATIONS[name], LEVEL
    trainings = bank(*(Training(stop=stop) for stop in (10.0, 100.0, 1000.0, 1e4)))
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        W, x = rng.standard_normal((p, d)), rng.standard_normal((n, d))
        noise = rng.standard_normal((m, n, d))
        mean = x.mean(axis=0)
        y = (np.sqrt(alpha_bar) * (x - mean) + np.sqrt(q) * noise).reshape(-1, d)
        solved = solve_pairs(evaluate(activation, W, y), noise.reshape(-1, d))
        fresh = normal_moments(
            activation, W, -np.sqrt(alpha_bar) * mean[None], np.full(d, alpha_bar), q
        )
        found.append(
            (solved.train_losses(trainings, INDEX), solved.losses(trainings, INDEX, fresh))
        )
    values = np.array(found)
    limit = np.array(level_losses_at_stops(activation, np.ones(d), n, p, m, trainings, INDEX))
    error = 3 * values.std(axis=0, ddof=1) / np.sqrt(len(values)) + 0.01 * values.mean(axis=0)
    assert (np.abs(limit - values.mean(axis=0)) < error).all()


def test_a_training_does_not_feel_its_company():
    own = Training(stop=50.0)
    others = (Training(stop=3.0, weight_decay=0.1), own, Training(stop=1e12))
    alone = level_losses_at_stops(ACTIVATIONS["erf"], POWER, 40, 90, 1, bank(own), INDEX)
    found = level_losses_at_stops(ACTIVATIONS["erf"], POWER, 40, 90, 1, bank(*others), INDEX)
    for one, many in zip(alone, found, strict=True):
        assert one[0] == pytest.approx(many[1], rel=1e-12)


@pytest.mark.parametrize("name", ["erf", "relu"])
def test_a_weight_is_another_decay_and_another_time(name):
    """At the level with the least weight: γ/w, and w τ, for which the contour is as deep."""
    w = float(make_weights("v", SCHEDULE)[INDEX])
    assert w < 0.05
    for stop in (50.0, 1e6):
        weighted = bank(Training(weight_decay=1e-4, stop=stop, weighting="v"))
        own = bank(Training(weight_decay=1e-4 / w, stop=w * stop))
        found, expected = (
            level_losses_at_stops(ACTIVATIONS[name], POWER, 40, 90, 1, one, INDEX)
            for one in (weighted, own)
        )
        for one, other in zip(found, expected, strict=True):
            assert one[0] == pytest.approx(other[0], rel=1e-12)


def test_longer_training_fits_better():
    trainings = bank(*(Training(stop=stop) for stop in np.geomspace(0.1, 1e6, 15)))
    train, test = level_losses_at_stops(ACTIVATIONS["erf"], POWER, 40, 39, 1, trainings, INDEX)
    assert (np.diff(train) < 0).all()
    # Without a penalty as many features as pairs all but peak: stopping is worth it.
    assert 0 < np.argmin(test) < 14
    assert test[-1] > 3 * test.min()


@pytest.mark.slow  # two large contours
def test_it_generalizes_in_a_time_that_does_not_know_n_and_memorizes_in_one_that_grows_as_n():
    """Of 16 N features at low noise: half-way down of the test loss, and half-way up again."""
    stops, halves = np.geomspace(1, 1e7, 70), []
    for n in (400, 1600):
        trainings = bank(*(Training(stop=stop) for stop in stops))
        _, test = level_losses_at_stops(
            ACTIVATIONS["erf"], np.ones(50), n, 16 * n, np.inf, trainings, 0
        )
        best = int(np.argmin(test))
        down = np.interp(-(1 + test[best]) / 2, -test[: best + 1], np.log(stops[: best + 1]))
        up = np.interp((test[-1] + test[best]) / 2, test[best:], np.log(stops[best:]))
        halves.append((down, up))
    (down, up), (later_down, later_up) = halves
    assert later_down - down == pytest.approx(0, abs=0.1)
    assert (later_up - up) / np.log(4) == pytest.approx(1, abs=0.1)
