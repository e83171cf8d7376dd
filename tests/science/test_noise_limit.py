"""The limit of losses with frozen noises: closed forms, the average over noise, and draws."""

import numpy as np
import pytest

from lindiff.science import matrices
from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.noise_limit import level_losses
from lindiff.science.noises import draw_pairs, train_losses, weights
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.theory import linear_theory

SCHEDULE = make_schedule("cosine", 6)
NONE = np.zeros(6)


@pytest.mark.parametrize("n", [250, 300, 600, 5000])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_one_noise_a_sample_is_ordinary_regression(n, exponent):
    """With one noise and a known mean the pairs are independent rows: E Q = K⁻¹/(N − d − 1)."""
    d = 200
    s = make_spectrum("power_law", d, exponent=exponent) if exponent else np.ones(d)
    train, test = level_losses(s, n, 1, SCHEDULE, NONE, known_centre=True)
    for t, (alpha_bar, q) in enumerate(zip(SCHEDULE.alpha_bar, SCHEDULE.q, strict=True)):
        # The residual variance of ε given y, which is the loss of the population's optimum.
        best = np.sum(alpha_bar * s / (alpha_bar * s + q))
        assert train[t] == pytest.approx(best * (1 - d / n) / d, rel=1e-5)
        exact = best * (1 + d / (n - d - 1)) / d
        # What is left out is of order 1/(N − d)².
        assert test[t] == pytest.approx(exact, rel=3 / (n - d) ** 2 + 1e-9)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("n", [20, 50, 300])
def test_many_noises_have_the_limit_of_the_average(n, ridge, known):
    """With the correction of order 1/n, which that one has from another source."""
    s = make_spectrum("power_law", 60, exponent=1.0)
    average = linear_theory(s, n, [Training(ridge=ridge)], SCHEDULE, known_centre=known)
    for noises, error in ((10**4, 1e-3), (10**9, 1e-7)):
        found = level_losses(s, n, noises, SCHEDULE, ridge * SCHEDULE.alpha_bar, known)
        for name, values in zip(("train_loss", "test_loss"), found, strict=True):
            assert values.mean() == pytest.approx(average[name][0], rel=error), name


def test_without_a_penalty_few_pairs_are_fitted_and_the_peak_is_where_they_are_as_many():
    s, d = make_spectrum("power_law", 60, exponent=1.0), 60
    for noises in (1, 3):
        numbers = [5, 10, 15, 18, 22, 30, 55, 65, 90, 300]
        found = np.array([level_losses(s, n, noises, SCHEDULE, NONE) for n in numbers])
        sizes = np.array(numbers)
        below = sizes * noises < d
        assert (found[below, 0] == 0).all()
        assert (found[~below, 0] > 0).all()
        highest = found[:, 1, 1].argmax()
        gap = np.abs(np.log(sizes * noises / d))
        assert gap[highest] == gap.min()
    with pytest.raises(ValueError, match="no limit at N m = 60"):
        level_losses(s, 20, 3, SCHEDULE, NONE)
    regular = [level_losses(s, n, 3, SCHEDULE, NONE + 0.3)[1].mean() for n in (15, 20, 25)]
    assert regular[0] > regular[1] > regular[2]


@pytest.mark.slow  # a second or two each, of a dozen
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("n", "noises"), [(5, 2), (12, 3), (30, 1)])
def test_small_systems_are_off_by_the_square_of_their_size(n, noises, known):
    """The mean over 1,500 draws at d = 10, where order 1/n alone is several percent."""
    s = make_spectrum("power_law", 10, exponent=1.0)
    training, index = Training(weight_decay=0.05), 2
    bank = Bank(SCHEDULE, (training,))
    signal = float(SCHEDULE.alpha_bar[index]), float(SCHEDULE.q[index])
    found = []
    for seed in range(1_500):
        draw = make_draw("wishart", s, n, seed, known_centre=known)
        pairs = draw_pairs(draw, noises, signal, np.random.default_rng(seed))
        W, moment = weights(pairs, bank, index), matrices.population_moment(draw)
        test = matrices.losses(W[:, None], SCHEDULE, range(index, index + 1), moment)
        found.append([train_losses(pairs, W)[0], test[0, 0]])
    mean = np.mean(found, axis=0)
    error = np.std(found, axis=0) / np.sqrt(len(found))
    limit = np.array(level_losses(s, n, noises, SCHEDULE, NONE + 0.05, known))[:, index]
    assert (np.abs(limit - mean) < 4 * error + 0.01 * mean).all(), (limit, mean)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("n", "noises"), [(2, 1), (6, 1), (41, 1), (10**15, 10**9)])
def test_no_digits_are_lost_far_from_one(scale, n, noises):
    """No penalty has the limit of one that goes to 0, at any ratio of signal to noise."""
    s = scale**2 * make_spectrum("power_law", 40, exponent=1.0)
    train, test = level_losses(s, n, noises, SCHEDULE, NONE)
    for part in (1e-7, 1e-9):
        near = level_losses(s, n, noises, SCHEDULE, part * SCHEDULE.q)
        np.testing.assert_allclose(near[1], test, rtol=2e4 * part, atol=1e-8)
        np.testing.assert_allclose(near[0], train, rtol=2e4 * part, atol=1e-9)
    assert (test > 0).all()


@pytest.mark.parametrize("noises", [1, 2])
def test_as_many_pairs_as_dimensions_have_a_limit_with_the_least_penalty(noises):
    s = make_spectrum("isotropic", 40)
    found = [
        level_losses(s, 40 // noises, noises, SCHEDULE, NONE + g)[1].mean()
        for g in (1e-12, 1e-9, 1e-6, 1e-3)
    ]
    assert (np.diff(found) < 0).all()
