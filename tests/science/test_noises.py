"""Frozen noises against all pairs written out, the law of their sums, and the average."""

import numpy as np
import pytest
import scipy.linalg

from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.noises import draw_pairs, make_pairs, train_losses, weights
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum

D, SCHEDULE = 6, make_schedule("linear", 30)
SPECTRUM = make_spectrum("power_law", D, exponent=1.0)
TRAININGS = (
    Training(),
    Training(ridge=0.1),
    Training(weight_decay=0.02),
    Training(stop=3.0),
    Training(stop=2.0, ridge=0.1, weight_decay=0.02, init_scale=0.7),
)


def training_set(n, known=False, seed=0):
    return make_draw("samples", SPECTRUM, n, seed, known_centre=known)


def written_out(draw, noises, index, rng):
    """All N m pairs, shape (d, N m) each: y and ε."""
    noise = rng.standard_normal((draw.n, noises, draw.d))
    alpha_bar, q = SCHEDULE.alpha_bar[index], SCHEDULE.q[index]
    noisy = np.sqrt(alpha_bar) * draw.centred[:, None] + np.sqrt(q) * noise
    return noise, noisy.reshape(-1, draw.d).T, noise.reshape(-1, draw.d).T


def trained_on(y, e, t, index):
    """W of gradient flow on half the mean over pairs, by the exponential of a matrix."""
    d, count = y.shape
    alpha_bar = SCHEDULE.alpha_bar[index]
    rate = y @ y.T / count + (t.weight_decay + alpha_bar * t.ridge) * np.eye(d)
    cross = e @ y.T / count
    definite = count >= d or t.ridge + t.weight_decay > 0
    optimum = np.linalg.solve(rate, cross.T).T if definite else None
    if np.isinf(t.stop):
        return e @ np.linalg.pinv(y) if optimum is None else optimum
    # d/dτ (W, 1) = (cross − W rate, 0): one exponential, also where `rate` has no inverse.
    block = np.block([[-rate, np.zeros((d, d))], [cross, np.zeros((d, d))]])
    flow = scipy.linalg.expm(t.stop * block)
    return t.init_scale * flow[:d, :d] + flow[d:, :d]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("n", "noises"), [(2, 1), (2, 2), (4, 1), (4, 3), (6, 1), (9, 1), (20, 4)])
@pytest.mark.parametrize("index", [0, 12, 29])
def test_few_columns_stand_for_all_pairs(n, noises, known, index):
    draw = training_set(n, known)
    noise, y, e = written_out(draw, noises, index, np.random.default_rng(n))
    # The noise of the mean over copies, along the samples' directions with variance.
    right = draw.centred @ draw.vectors / np.sqrt(n * draw.eigenvalues)
    along = np.sqrt(noises) * noise.mean(axis=1).T @ right
    left = e @ e.T - along @ along.T
    values, vectors = np.linalg.eigh(left)
    rank = min(D, n * noises - len(draw.eigenvalues))
    rest = (vectors * np.sqrt(np.maximum(values, 0)))[:, D - rank :]
    pairs = make_pairs(draw, noises, (SCHEDULE.alpha_bar[index], SCHEDULE.q[index]), along, rest)
    for got, one, other in (
        (pairs.inputs @ pairs.inputs.T, y, y),
        (pairs.targets @ pairs.inputs.T, e, y),
        (pairs.targets @ pairs.targets.T, e, e),
    ):
        np.testing.assert_allclose(got, one @ other.T, rtol=1e-10, atol=1e-10)
    found = weights(pairs, Bank(SCHEDULE, TRAININGS), index)
    losses = train_losses(pairs, found)
    for W, loss, t in zip(found, losses, TRAININGS, strict=True):
        expected = trained_on(y, e, t, index)
        # What rounding makes of W is its condition's, and the same for both.
        error = 1e-9 * np.abs(expected).max()
        np.testing.assert_allclose(W, expected, rtol=1e-9, atol=error, err_msg=str(t))
        brute = ((e - expected @ y) ** 2).sum() / e.size
        assert loss == pytest.approx(brute, rel=1e-9, abs=1e-12), t


def test_the_sums_have_the_law_of_all_pairs():
    draw, noises, index = training_set(5), 3, 20
    signal = float(SCHEDULE.alpha_bar[index]), float(SCHEDULE.q[index])
    rng = np.random.default_rng(1)
    found = []
    for _ in range(4000):
        _, y, e = written_out(draw, noises, index, rng)
        pairs = draw_pairs(draw, noises, signal, rng)
        found.append(
            [(a @ a.T, b @ a.T, b @ b.T) for a, b in ((y, e), (pairs.inputs, pairs.targets))]
        )
    sums = np.array(found)
    for moment in (sums, sums**2, sums[:, :, :1] * sums[:, :, 1:2]):
        mean = moment.mean(axis=0)
        error = np.sqrt(moment.var(axis=0).sum(axis=0) / len(found))
        assert np.abs((mean[0] - mean[1]) / error).max() < 4.5


def test_many_noises_are_the_average_over_noise():
    draw, bank = training_set(9), Bank(SCHEDULE, TRAININGS)
    for index in (0, 12, 29):
        signal = float(SCHEDULE.alpha_bar[index]), float(SCHEDULE.q[index])
        pairs = draw_pairs(draw, 10**14, signal, np.random.default_rng(0))
        nodes = np.append(draw.eigenvalues, 0.0)
        w = bank.level(nodes, index)[3]
        along = np.einsum("im,mf,jm->fij", draw.vectors, w[:-1] - w[-1], draw.vectors)
        expected = along + w[-1][:, None, None] * np.eye(D)
        np.testing.assert_allclose(weights(pairs, bank, index), expected, atol=1e-4)
