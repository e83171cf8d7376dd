"""What is measured of any denoiser, on linear ones of which all is known in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.models.linear_cells import level_indices
from lindiff.science.denoisers import (
    direction_distances,
    each_once,
    fit_count,
    generate,
    linear,
    monte_carlo_losses,
    noisy_pairs,
    nonlinearity,
    normal,
    over_rounds,
    rounds_of,
    rows_of,
)
from lindiff.science.draws import make_draw
from lindiff.science.exact import linear_metrics
from lindiff.science.filters import Bank, Training
from lindiff.science.named import names
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import log_levels, make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import denoiser

SAMPLERS = names("lindiff.science.samplers")

SHORT = make_schedule("linear", 25)


def training_set(n, d=16, seed=0):
    return make_draw("samples", make_spectrum("power_law", d, exponent=1.0), n, seed)


def of_draw(draw, schedule=SHORT, **training):
    return linear(draw.vectors, draw.eigenvalues, Bank(schedule, [Training(**training)]))


def fresh(draw):
    return normal(draw.mean - draw.centre, draw.spectrum)


@pytest.mark.parametrize("training", [{}, {"ridge": 0.1}, {"stop": 20.0}, {"init_scale": 0.5}])
@pytest.mark.parametrize("n", [3, 8, 40])
def test_the_linear_denoiser_is_its_matrix(n, training):
    """With a null space and without, against inverses and exponentials of matrices."""
    draw, rng = training_set(n, d=8), np.random.default_rng(n)
    x = rng.standard_normal((5, 8))
    covariance = draw.centred.T @ draw.centred / n
    denoise = of_draw(draw, **training)
    for index in (0, 7, 24):
        W = denoiser(SHORT, index, covariance, Training(**training))
        np.testing.assert_allclose(denoise(x, index), x @ W.T, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ridge", [0.0, 0.2])
@pytest.mark.parametrize("n", [8, 64])
def test_losses_of_a_linear_denoiser_are_the_exact_ones(n, ridge):
    draw = training_set(n)
    exact = linear_metrics(draw, [Training(ridge=ridge)], SHORT)
    sources, rng = (rows_of(draw.centred), fresh(draw)), np.random.default_rng(n)
    losses = monte_carlo_losses(of_draw(draw, ridge=ridge), SHORT, sources, rng, 4000)
    for name, found in zip(("train_loss", "test_loss"), losses, strict=True):
        value, error = over_rounds(found)
        assert value == pytest.approx(exact[name][0], abs=4 * error)
        assert error < 0.1 * value


def test_standard_errors_of_losses_are_those_of_repeats():
    draw, rng = training_set(20, d=4), np.random.default_rng(0)
    sources, denoise = (rows_of(draw.centred), fresh(draw)), of_draw(draw)
    exact = linear_metrics(draw, [Training()], SHORT)
    for kind, name in enumerate(("train_loss", "test_loss")):
        repeats = [monte_carlo_losses(denoise, SHORT, sources, rng, 64) for _ in range(100)]
        found = np.array([over_rounds(losses[kind]) for losses in repeats])
        z = (found[:, 0] - exact[name][0]) / found[:, 1]
        assert abs(z.mean()) < 0.5
        assert 0.75 < z.std() < 1.35


def test_losses_at_low_noise_keep_their_digits():
    """A loss of 1e-20 where |x_0| is 1 and √q is 1e-4."""
    schedule = make_schedule("constant", 1, beta_max=1e-11)

    zero = rows_of(np.zeros((1, 3)))
    seen = []
    for _, x, noise in noisy_pairs(schedule, (zero, zero), np.random.default_rng(0), 8):
        np.testing.assert_allclose(x[0], np.sqrt(schedule.q[0]) * noise)
        seen.append(noise)
    (noise,) = seen

    def almost(x, index):
        return np.concatenate([noise, noise]) + 1e-10

    train, test = monte_carlo_losses(
        almost, schedule, (zero, zero), np.random.default_rng(0), rounds=8
    )
    np.testing.assert_allclose(train, 1e-20, rtol=1e-4)
    np.testing.assert_array_equal(train, test)


def test_rounds_follow_the_levels():
    assert [rounds_of(t) for t in (1, 20, 100, 200, 1000)] == [6400, 320, 64, 32, 32]
    zero = rows_of(np.zeros((1, 2)))
    train, _ = monte_carlo_losses(
        lambda x, index: 0 * x, SHORT, (zero, zero), np.random.default_rng(0)
    )
    assert train.shape == (25, 256)


def test_every_denoiser_meets_the_same_numbers():
    """Whatever it does with them, and both sources the same noise."""
    source, seen = rows_of(np.full((1, 4), 2.0)), []

    def greedy(x, index):
        seen.append(x.copy())
        x[:] = 0
        return x

    def lazy(x, index):
        seen.append(x)
        return 0 * x

    for denoise in (greedy, lazy):
        rng = np.random.default_rng(0)
        train, test = monte_carlo_losses(denoise, SHORT, (source, source), rng, 3)
        np.testing.assert_array_equal(train, test)
    for one, other in zip(seen[:25], seen[25:], strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one[:3], one[3:])


def test_standard_error_over_rounds():
    losses = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 7.0]])
    mean, error = over_rounds(losses)
    assert mean == 3
    assert error == pytest.approx(np.sqrt(3) / np.sqrt(3))


@pytest.mark.parametrize("final_noise", [False, True])
@pytest.mark.parametrize("steps", [0, 10])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_linear_denoiser_generates_what_its_filter_says(name, steps, final_noise):
    s, centre, count = np.array([2.0, 0.5, 0.01]), np.array([1.0, -0.4, 3.0]), 20_000
    sampler, bank = make_sampler(name, SHORT, final_noise, steps), Bank(SHORT, [Training()])
    response = bank.response(s, sampler)
    v, P = np.exp(response.log_v[:, 0]), response.P[:, 0]
    denoise, rng = linear(np.eye(3), s, bank), np.random.default_rng(5)
    x = generate(denoise, SHORT, sampler, 0.3 * centre, 0.7 * centre, rng, count)
    mean = -np.sqrt(SHORT.alpha_bar[-1]) * P * centre
    if name == "ddim":
        start = np.random.default_rng(5).standard_normal((count, 3))
        np.testing.assert_allclose(x, mean + P * start, atol=1e-11)
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=4 * np.sqrt(v.max() / count))
    np.testing.assert_allclose(x.var(axis=0), v, rtol=4 * np.sqrt(2 / count))


@pytest.mark.parametrize("name", ["ddpm_beta", "heun"])
def test_samples_of_a_truncated_sampler_are_those_of_its_filter(name):
    s, centre, count = np.array([2.0, 0.5, 0.01]), np.array([1.0, -0.4, 3.0]), 20_000
    sampler, bank = make_sampler(name, SHORT, truncation=4), Bank(SHORT, [Training()])
    response = bank.response(s, sampler)
    v, P = np.exp(response.log_v[:, 0]), response.P[:, 0]
    rng, denoise = np.random.default_rng(5), linear(np.eye(3), s, bank)
    x = generate(denoise, SHORT, sampler, 0.3 * centre, 0.7 * centre, rng, count)
    mean = -np.sqrt(SHORT.alpha_bar[-1]) * P * centre
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=4 * np.sqrt(v.max() / count))
    np.testing.assert_allclose(x.var(axis=0), v, rtol=4 * np.sqrt(2 / count))


@pytest.mark.parametrize("timesteps", [1, 2, 10, 1000])
def test_log_levels(timesteps):
    assert log_levels(timesteps, 25) == level_indices(timesteps)
    few = log_levels(timesteps, 8)
    assert few[0] == 0
    assert few[-1] == timesteps - 1
    assert len(few) == min(8, len(set(few)))
    assert few == sorted(few)


@pytest.mark.parametrize("n", [4, 64])
@pytest.mark.parametrize("t", [1, 10, 100, 1000])
def test_a_linear_denoiser_is_linear_to_rounding(t, n):
    draw, schedule = training_set(n), make_schedule()
    value, error = nonlinearity(
        of_draw(draw, schedule), schedule, t - 1, (fresh(draw),) * 2, np.random.default_rng(t), 1024
    )
    assert 0 <= value < 1e-20
    assert 0 <= error < 1e-20


def plus(extra, d, index=12):
    """x̂_0 = x + f(x_1) e_1 of a standard normal x, as a noise."""
    root, root_q = np.sqrt(SHORT.alpha_bar[index]), np.sqrt(SHORT.q[index])

    def denoise(x, index):
        clean = x.copy()
        clean[:, 0] += extra(x[:, 0])
        return (x - root * clean) / root_q

    return denoise, normal(np.zeros(d), np.ones(d))


@pytest.mark.parametrize(
    ("d", "count", "repeats"), [(8, 64, 300), (8, 1024, 100), (32, 1024, 40), (1, 12, 500)]
)
def test_nonlinearity_has_no_bias_where_the_residual_is_noise(d, count, repeats):
    """sin(1000 x) is as good as independent of x: its share is 1/2 over d + 1/2."""
    denoise, points = plus(lambda x: np.sin(1000 * x), d)
    rng = np.random.default_rng(count)
    found = np.array([
        nonlinearity(denoise, SHORT, 12, (points, points), rng, count) for _ in range(repeats)
    ])  # fmt: skip
    value, exact, spread = found[:, 0].mean(), 0.5 / (d + 0.5), found[:, 0].std()
    # The variance below the line is itself an estimate: a ratio of means is off by 2/(d count).
    assert value == pytest.approx(exact, abs=4 * spread / np.sqrt(repeats) + exact * 4 / count)
    if count >= fit_count(d):
        assert found[:, 1].mean() == pytest.approx(spread, rel=0.3)


def test_nonlinearity_of_a_square_at_the_default_count():
    """x² − 1 has no linear part: 2 over d + 2; its residual is larger far out."""
    d, repeats = 4, 150
    denoise, points = plus(lambda x: x**2 - 1, d)
    rng, count = np.random.default_rng(2), fit_count(4)
    found = np.array([
        nonlinearity(denoise, SHORT, 12, (points, points), rng, count) for _ in range(repeats)
    ])  # fmt: skip
    spread = found[:, 0].std()
    assert found[:, 0].mean() == pytest.approx(
        2 / 6, abs=4 * spread / np.sqrt(repeats) + 0.02 * 2 / 6
    )
    z = (found[:, 0] - 2 / 6) / found[:, 1]
    assert 0.75 < z.std() < 1.4
    assert fit_count(4) == 1024
    assert fit_count(100) == 3200


def test_of_rows_that_both_halves_know_the_fit_would_know_the_residual():
    """A function of the row that is as good as random: all of it is nonlinear."""
    rng, d = np.random.default_rng(3), 20
    rows = rng.standard_normal((400, d))
    turn = rng.standard_normal((d, d))

    def denoise(x, index):
        clean = np.sin(1000 * np.round(x, 1) @ turn)
        return (x - np.sqrt(SHORT.alpha_bar[index]) * clean) / np.sqrt(SHORT.q[index])

    apart = each_once(rows[::2]), each_once(rows[1::2])
    found = [nonlinearity(denoise, SHORT, 0, apart, rng, 400) for _ in range(20)]
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(1, abs=0.03)
    assert errors.mean() < 0.05
    assert len(np.unique(each_once(rows)(rng, 400), axis=0)) == 400


def test_nonlinearity_where_there_is_nothing_to_fit():
    points = normal(np.zeros(3), np.ones(3))
    both = points, points

    def constant(x, index):
        return x / np.sqrt(SHORT.q[index])

    value, error = nonlinearity(constant, SHORT, 24, both, np.random.default_rng(0), 100)
    assert np.isnan(value) or value <= 2
    assert np.isnan(error) or error >= 0
    with pytest.raises(ValueError, match="10 points; an affine fit to each half needs more than"):
        nonlinearity(constant, SHORT, 0, both, np.random.default_rng(0), 10)


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize("index", [0, 12, 24])
def test_distances_of_two_linear_denoisers(index, n):
    """uᵀ D E[x xᵀ] Dᵀ u, with D the difference of two matrices; last the mean outside of U."""
    draw, count = training_set(n, d=8), 40_000
    ab, q = SHORT.alpha_bar[index], SHORT.q[index]
    covariance = draw.centred.T @ draw.centred / n
    other = Training(ridge=0.3)
    D = denoiser(SHORT, index, covariance, other) - denoiser(SHORT, index, covariance, Training())
    shift = draw.mean - draw.centre
    second = ab * (np.diag(draw.spectrum) + np.outer(shift, shift)) + q * np.eye(8)
    full = D @ second @ D.T
    U = draw.vectors
    exact = np.diagonal(U.T @ full @ U)
    if draw.null:
        exact = np.append(exact, (np.trace(full) - exact.sum()) / draw.null)
    value, error = direction_distances(
        of_draw(draw, ridge=0.3), of_draw(draw), U, SHORT, index, fresh(draw),
        np.random.default_rng(1), count,
    )  # fmt: skip
    assert value.shape == error.shape == (len(exact),)
    np.testing.assert_array_less(np.abs(value - exact), 4.5 * error + 1e-12 * exact.max())
    # A square of a normal number has √2 of its mean as spread.
    np.testing.assert_allclose(
        error[: len(U.T)], value[: len(U.T)] * np.sqrt(2 / count), rtol=0.1, atol=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 12), st.sampled_from([0, 5, 24]))
def test_no_distance_from_itself_and_the_whole_is_kept(seed, n, index):
    draw = training_set(n, d=6, seed=seed)
    rng = np.random.default_rng(seed)
    own, other, U = of_draw(draw), of_draw(draw, ridge=1.0), draw.vectors
    arguments = (SHORT, index, fresh(draw))
    for found in direction_distances(own, own, U, *arguments, rng, 16):
        np.testing.assert_array_equal(found, 0)
    turned, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    one, _ = direction_distances(own, other, U, *arguments, np.random.default_rng(seed), 16)
    two, _ = direction_distances(own, other, turned, *arguments, np.random.default_rng(seed), 16)
    counts = [1] * U.shape[1] + [draw.null] * bool(draw.null)
    assert one @ counts == pytest.approx(two.sum(), rel=1e-9)
