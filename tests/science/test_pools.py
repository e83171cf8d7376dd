"""Pools: split, rotation and support, against the rows as they come."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science.datasets import BUNDLED, Rows, load
from lindiff.science.draws import make_draw
from lindiff.science.exact import linear_metrics
from lindiff.science.filters import Training
from lindiff.science.measure import of_draw
from lindiff.science.pools import _split, make_pool, pool_of

KEY = "test"


def matrix(rows=200, columns=6, seed=0):
    """Rows of a generic covariance and mean."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((columns, columns))
    return 3.0 + rng.standard_normal((rows, columns)) @ mixing


# rank, rows of the pool and of the held-out set, constant and dependent columns
FACTS = {
    "digits": (61, 1438, 359, 3, 0),
    "mnist": (643, 4000, 1000, 129, 12),
    "patches": (256, 19548, 7595, 0, 0),
}


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_data_sets(name):
    pool = make_pool(name)
    facts = (pool.d, pool.size, len(pool.held_out), pool.constant, pool.dependent)
    assert facts == FACTS[name]
    assert pool.d == pool.columns - pool.constant - pool.dependent
    assert pool.spectrum.sum() == pytest.approx(pool.d, rel=1e-13)
    assert np.all(np.diff(pool.spectrum) <= 0)
    assert pool.spectrum[-1] > 0
    covariance = pool.rows.T @ pool.rows / pool.size
    np.testing.assert_allclose(covariance, np.diag(pool.spectrum), atol=1e-11)
    assert np.abs(pool.rows.mean(axis=0)).max() < 1e-12


def test_the_rank_of_mnist_does_not_hang_on_the_tolerance():
    """Between the smallest variance that counts and rounding there are twenty decades."""
    data = load("mnist").values
    rows = data - data.mean(axis=0)
    singular = np.linalg.svd(np.linalg.qr(rows, mode="r"), compute_uv=False)
    relative = (singular / singular[0]) ** 2
    assert relative[652] > 1e-9
    assert relative[653] < 1e-28


def test_distances_between_rows_are_kept_but_for_one_factor():
    """Rotation, one scale and the loss of empty directions: every inner distance is the same."""
    values = matrix()
    pool = pool_of(Rows(values), KEY)
    both = np.concatenate([pool.rows, pool.held_out])
    order = np.argsort(((both - both.mean(axis=0)) ** 2).sum(axis=1))
    expected = np.sort(((values - values.mean(axis=0)) ** 2).sum(axis=1))
    found = ((both - both.mean(axis=0)) ** 2).sum(axis=1)[order]
    np.testing.assert_allclose(found / found[-1], expected / expected[-1], rtol=1e-10)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_rows_come_back(name):
    data, pool = load(name), make_pool(name)
    assert pool.picture == BUNDLED[name].picture
    assert pool.axes.shape == (pool.columns, pool.d)
    assert pool.origin.shape == (pool.columns,)
    np.testing.assert_allclose(pool.axes.T @ pool.axes, np.eye(pool.d), atol=1e-12)
    held_out = _split(len(data.values), name) if data.held_out is None else data.held_out
    largest = np.abs(data.values).max()
    rows = data.values[~held_out]
    np.testing.assert_allclose(pool.restore(pool.rows), rows, rtol=0, atol=1e-12 * largest)
    assert (np.abs(pool.axes).max(axis=1) == 0).sum() == pool.constant
    rest, mean = data.values[held_out], rows.mean(axis=0)
    missed = ((pool.restore(pool.held_out) - rest) ** 2).sum()
    assert missed / ((rest - mean) ** 2).sum() == pytest.approx(pool.lost, rel=1e-6, abs=1e-24)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(10, 40),
    st.integers(1, 12),
    st.integers(0, 99),
    st.sampled_from([1e-300, 1e-3, 1.0, 1e5, 1e300]),
)
def test_any_rows_come_back(count, columns, seed, factor):
    """Rows are unit · (origin + coordinates @ axes.T), with constant columns and without."""
    values = matrix(count, columns, seed) / 100 * factor
    held_out = np.arange(count) % 4 == 1
    values[:, 0] = 0.02 * factor if columns > 1 else values[:, 0]
    pool = pool_of(Rows(values, held_out), KEY)
    atol = 1e-13 * np.abs(values).max()
    np.testing.assert_allclose(pool.restore(pool.rows), values[~held_out], rtol=0, atol=atol)
    by_hand = pool.unit * (pool.origin + pool.rows[0] @ pool.axes.T)
    np.testing.assert_allclose(by_hand, values[~held_out][0], rtol=0, atol=atol)
    np.testing.assert_allclose(
        pool.origin * pool.unit, values[~held_out].mean(axis=0), rtol=0, atol=atol
    )
    if pool.dependent == 0:
        rest = values[held_out]
        np.testing.assert_allclose(pool.restore(pool.held_out), rest, rtol=0, atol=10 * atol)
    assert pool.picture is None


def test_split_by_hand():
    """The pool's covariance and the held-out moments in the original coordinates."""
    values = matrix(50, 4)
    held_out = np.zeros(50, dtype=bool)
    held_out[[3, 11, 20, 47, 48]] = True
    pool = pool_of(Rows(values, held_out), KEY)
    inside, outside = values[~held_out], values[held_out]
    covariance = np.cov(inside.T, ddof=0)
    scale = 4 / np.trace(covariance)
    np.testing.assert_allclose(
        pool.spectrum, scale * np.linalg.eigvalsh(covariance)[::-1], rtol=1e-12
    )
    assert (len(pool.rows), len(pool.held_out)) == (45, 5)
    shift = outside.mean(axis=0) - inside.mean(axis=0)
    assert (pool.moments.mean**2).sum() == pytest.approx(scale * shift @ shift, rel=1e-12)
    # Traces of products do not depend on the basis.
    spread = scale * np.cov(outside.T, ddof=0)
    assert np.trace(pool.moments.covariance) == pytest.approx(np.trace(spread), rel=1e-12)
    both = np.trace(spread @ covariance) * scale
    assert pool.moments.covariance.diagonal() @ pool.spectrum == pytest.approx(both, rel=1e-12)


def test_the_split_is_of_the_data_set_alone():
    values = matrix(1000, 5)
    one, same, other = (pool_of(Rows(values), key) for key in ("a", "a", "b"))
    assert (one.size, len(one.held_out)) == (800, 200)
    np.testing.assert_array_equal(one.rows, same.rows)
    assert not np.allclose(np.abs(one.rows[0]), np.abs(other.rows[0]))


def test_what_has_no_variance_is_left_out_and_said():
    values = matrix(200, 8)
    values[:, 2] = 7.0
    values[:, 5] = values[:, 0] - 2 * values[:, 1] + 1
    full = pool_of(Rows(np.delete(values, [2, 5], axis=1)), KEY)
    pool = pool_of(Rows(values), KEY)
    assert (pool.columns, pool.constant, pool.dependent, pool.lost) == (8, 1, 1, 0.0)
    assert pool.d == full.d == 6
    assert pool.summary() == (
        "a pool of 160 rows, 40 held out, d = 6; "
        "left out of 8 columns: 1 constant in it, 1 combinations of others"
    )
    # Single precision leaves more of the combination than double, but not a direction.
    assert pool_of(Rows(values.astype(np.float32).astype(float)), KEY).d == 6


def test_what_the_held_out_rows_lose_is_said():
    values = matrix(40, 3)
    held_out = np.arange(40) >= 30
    values[:, 2] = np.where(held_out, 1.0, 0.0)
    pool = pool_of(Rows(values, held_out), KEY)
    centred = values[held_out] - values[~held_out].mean(axis=0)
    assert (pool.d, pool.constant) == (2, 1)
    assert pool.lost == pytest.approx((centred[:, 2] ** 2).sum() / (centred**2).sum(), rel=1e-12)
    assert (
        f"and with them {100 * pool.lost:.2g} % of the held-out rows' mean square" in pool.summary()
    )


def test_fewer_rows_than_columns_span_fewer_directions():
    pool = pool_of(Rows(matrix(20, 30)), KEY)
    assert pool.d == pool.size - 1 == 15
    assert pool.dependent == 15


def test_a_direction_beyond_the_rows_is_said_to_be_one():
    pool = pool_of(Rows(matrix(20, 30)), KEY)
    assert "left out of 30 columns: 15 beyond the 15 directions that its 16 distinct" in (
        pool.summary()
    )


@pytest.mark.parametrize(("share", "said"), [(0.94, "94"), (0.996, "99.6"), (0.9997, "99.97")])
def test_what_is_mostly_lost_is_not_measured(share, said):
    """Above 1 % of the mean square; a share near 1 is not rounded to all of it."""
    values = matrix(40, 3)
    held_out = np.arange(40) >= 30
    values[:, 2] = 0.0
    rest = ((values[held_out] - values[~held_out].mean(axis=0)) ** 2).sum(axis=1).mean()
    values[held_out, 2] = np.sqrt(rest * share / (1 - share))
    pool = pool_of(Rows(values, held_out), KEY)
    assert pool.lost == pytest.approx(share)
    assert f"{said} % of their mean square is outside the 2 directions" in pool.untested
    assert f"{said} % of the held-out rows' mean square (above 1 %" in pool.summary()
    values[held_out, 2] = np.sqrt(rest * 0.009)
    assert pool_of(Rows(values, held_out), KEY).untested is None


REPEATED = np.repeat(matrix(200, 8), 4, axis=0)


@pytest.mark.parametrize("jitter", [0.0, 1e-8])
def test_copies_are_on_one_side_of_the_split(jitter):
    """The split is that of the distinct rows; rows without copies are split as they always were."""
    order = np.random.default_rng(0).permutation(800)
    values = REPEATED[order]
    values += jitter * values.std(axis=0) * np.random.default_rng(1).standard_normal(values.shape)
    pool = pool_of(Rows(values), KEY)
    assert not np.isin(pool.held_out_number, pool.number).any()
    assert (pool.size, len(pool.held_out)) == (640, 160)
    distance = np.abs(pool.held_out[:, None] - pool.rows[None]).max(axis=2)
    assert distance.min() > 1e-3
    assert pool.summary() == (
        "a pool of 640 rows, 160 held out, d = 8; 800 of all 800 rows repeat each other, as 200 "
        "distinct rows (equal in every column to 1e-06 of its standard deviation), and copies of a "
        "row are all in the pool or all held out"
    )
    _, first = np.unique(order // 4, return_index=True)
    alone = pool_of(Rows(values[np.sort(first)]), KEY)
    assert "repeat" not in alone.summary()
    if not jitter:
        np.testing.assert_allclose(alone.spectrum, pool.spectrum, rtol=1e-12)


def test_copies_across_a_split_of_its_own_are_said():
    values, held_out = matrix(40, 3), np.arange(40) >= 30
    values[[31, 33, 5]] = values[[2, 2, 4]]
    pool = pool_of(Rows(values, held_out), KEY)
    assert pool.summary().endswith(
        "; 5 of all 40 rows repeat each other, as 2 distinct rows (equal in every column to 1e-06 "
        "of its standard deviation); 2 of the held-out rows repeat one of the pool"
    )
    held, rest = pool.unseen(30, 0)
    assert (len(held), len(rest)) == (8, 0)
    # Row 5 is row 4 again: of both the rest has one at most.
    sizes = {len(pool.unseen(10, seed)[1]) for seed in range(20)}
    assert sizes <= {18, 19, 20}


def test_halves_and_the_rest_have_no_copy_of_the_training_set():
    pool = pool_of(Rows(REPEATED), KEY)
    assert pool.largest_half == 128
    for seed in range(5):
        one, other = pool.chosen(128, seed), pool.chosen(128, seed, start=128)
        assert not np.isin(pool.number[one], pool.number[other]).any()
        held, rest = pool.unseen(40, seed)
        rows = np.round(np.concatenate([held, rest]), 9)
        assert len(np.unique(rows, axis=0)) == len(rows)
        own = np.round(pool.subset(40, seed), 9)
        assert len(np.unique(np.concatenate([rows, own]), axis=0)) == 200
    with pytest.raises(ValueError, match="640 rows, of which some repeat each other"):
        pool.chosen(320, 0, start=320)


def test_too_few_distinct_rows_are_no_population():
    with pytest.raises(ValueError, match="has 9 distinct rows, 90 with their copies; a pool and"):
        pool_of(Rows(np.repeat(matrix(9, 3), 10, axis=0)), KEY)


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e-318])
def test_no_unit_is_too_large_or_too_small(factor):
    values = matrix(60, 3) / 100
    small, usual = pool_of(Rows(values * factor), KEY), pool_of(Rows(values), KEY)
    np.testing.assert_allclose(
        small.spectrum, usual.spectrum, rtol=1e-3 if factor < 1e-310 else 1e-9
    )


def test_what_is_no_population_is_refused():
    with pytest.raises(ValueError, match="has 1 row; a pool and held-out rows need 10"):
        pool_of(Rows(np.ones((1, 3))), KEY)
    with pytest.raises(ValueError, match="has 9 rows"):
        pool_of(Rows(matrix(9, 3)), KEY)
    with pytest.raises(ValueError, match="all columns are constant"):
        pool_of(Rows(np.tile([0.0, 2.0], (50, 1))), KEY)


def test_smaller_training_sets_are_prefixes_and_partners_are_disjoint():
    pool = pool_of(Rows(matrix(100, 4)), KEY)
    everything = pool.subset(80, seed=3)
    np.testing.assert_array_equal(pool.subset(17, seed=3), everything[:17])
    np.testing.assert_array_equal(pool.subset(20, seed=3, start=20), everything[20:40])
    assert not np.array_equal(pool.subset(80, seed=4), everything)
    assert len(np.unique(everything, axis=0)) == 80
    np.testing.assert_array_equal(np.sort(everything, axis=0), np.sort(pool.rows, axis=0))
    with pytest.raises(ValueError, match="81 rows of a pool of 80"):
        pool.subset(41, seed=3, start=40)


def test_training_sets_hold_no_row_that_is_held_out():
    pool = make_pool("digits")
    trained = pool.subset(pool.size, seed=0)
    nearest = min(np.abs(trained - row).max(axis=1).min() for row in pool.held_out)
    assert nearest > 1e-3


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("n", [5, 40, 300])
def test_a_draw_is_its_rows(n, known):
    pool = make_pool("digits")
    draw = pool.draw(n, seed=2, known_centre=known)
    rows = pool.subset(n, seed=2)
    centre = 0 if known else rows.mean(axis=0)
    covariance = (draw.vectors * draw.eigenvalues) @ draw.vectors.T
    np.testing.assert_allclose(covariance, (rows - centre).T @ (rows - centre) / n, atol=1e-11)
    np.testing.assert_allclose(draw.centre, np.zeros(61) + centre, atol=1e-15)
    # Pixels that no row of the set lights are null directions too.
    assert len(draw.eigenvalues) == np.linalg.matrix_rank(rows - centre)
    gram = draw.vectors.T @ draw.vectors
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-8)


def test_the_whole_pool_has_the_covariance_of_the_population():
    pool = make_pool("digits")
    draw = pool.draw(pool.size, seed=0)
    np.testing.assert_allclose(draw.eigenvalues[::-1], pool.spectrum, rtol=1e-10)
    np.testing.assert_allclose(np.abs(draw.vectors[:, ::-1].diagonal()), 1, rtol=1e-10)
    assert np.abs(draw.centre).max() < 1e-13


def test_one_row_many_times_has_no_variance():
    pool = pool_of(Rows(np.repeat(matrix(2, 3), 20, axis=0), np.arange(40) % 4 == 1), KEY)
    same = [seed for seed in range(20) if np.ptp(pool.subset(2, seed), axis=0).max() < 1e-12]
    assert same
    draw = pool.draw(2, seed=same[0])
    assert draw.null == pool.d == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 9), st.integers(0, 99), st.booleans())
def test_measures_of_rows(n, columns, seed, known):
    """Weights are the mean squares of the held-out rows along the modes, and keep their sum."""
    pool = pool_of(Rows(matrix(80, columns, seed)), KEY)
    draw = pool.draw(n, seed, known)
    mu = of_draw(draw)
    away = pool.held_out - draw.centre
    modes = ((away @ draw.vectors) ** 2).mean(axis=0)
    np.testing.assert_allclose(mu.test[bool(draw.null) :], modes, rtol=1e-9, atol=1e-12)
    assert mu.test.sum() == pytest.approx((away**2).sum(axis=1).mean(), rel=1e-11)
    assert mu.sigma.sum() == pytest.approx(pool.d, rel=1e-11)
    assert np.all(mu.variance >= 0)


def test_the_error_of_the_mean_without_replacement():
    """E|μ0|² = d (1 − N/M) M/(M − 1)/N: Cochran 1977, Sampling Techniques, theorem 2.2."""
    pool = pool_of(Rows(matrix(120, 5)), KEY)
    M, n = pool.size, 48
    squares = [(pool.subset(n, seed).mean(axis=0) ** 2).sum() for seed in range(2000)]
    expected = pool.d * (1 - n / M) * M / (M - 1) / n
    assert np.mean(squares) == pytest.approx(expected, abs=4 * np.std(squares) / np.sqrt(2000))
    assert np.std(squares) / np.sqrt(2000) < 0.02 * expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "losses", "forward", "backward"), [(0.1, 1.007, 0.92, 0.90), (0.3, 1.022, 0.75, 0.69)]
)
def test_how_far_subsets_are_from_independent_samples(share, losses, forward, backward):
    """Of Gaussian pools, against Wishart draws: KL shrinks by about N/M, losses by far less."""
    n, d, filters = 80, 40, (Training(ridge=0.01),)
    names = ("train_loss", "kl_model_data", "kl_data_model")
    found: dict[str, list[float]] = {name: [] for name in names}
    independent: dict[str, list[float]] = {name: [] for name in found}
    for number in range(4):
        rows = np.random.default_rng(number).standard_normal((round(n / share / 0.8), d))
        pool = pool_of(Rows(rows), f"{share}-{number}")
        for seed in range(60):
            other = make_draw("wishart", pool.spectrum, n, 1000 * number + seed)
            for draw, into in ((pool.draw(n, seed), found), (other, independent)):
                metrics = linear_metrics(draw, filters)
                for name, values in into.items():
                    values.append(float(metrics[name][0]))
    ratio = {name: np.mean(found[name]) / np.mean(independent[name]) for name in found}
    # About four standard errors each.
    assert ratio["train_loss"] == pytest.approx(losses, abs=0.003)
    assert ratio["kl_model_data"] == pytest.approx(forward, abs=0.02)
    assert ratio["kl_data_model"] == pytest.approx(backward, abs=0.04)


def test_a_gaussian_measure_tests_on_the_population():
    spectrum = make_pool("digits").spectrum
    for n in (20, 200):
        mu = of_draw(make_draw("samples", spectrum, n, 0))
        np.testing.assert_array_equal(mu.variance, mu.sigma)
        np.testing.assert_array_equal(mu.test, mu.sigma + mu.error)


def test_how_far_real_data_are_from_their_surrogate():
    """The numbers of docs/theory.md, "Real data": ratios of means of five training sets."""
    page = (Path(__file__).parents[2] / "docs/theory.md").read_text(encoding="utf-8")
    names = ("test_loss", "kl_model_data", "kl_data_model")
    ratios = {}
    for data, ridge in (("patches", 0.0), ("digits", 1e-3)):
        pool = make_pool(data)
        n = 4 * pool.d
        means = [
            np.mean([[float(row[name][0]) for name in names] for row in rows], axis=0)
            for rows in (
                [linear_metrics(draw, [Training(ridge=ridge)]) for draw in draws]
                for draws in (
                    [pool.draw(n, seed, False, start=0) for seed in range(5)],
                    [make_draw("samples", pool.spectrum, n, seed) for seed in range(5)],
                )
            )
        ]
        ratios[data] = means[0] / means[1]
    loss, forward, backward = ratios["patches"]
    assert (
        f"{loss:.2f} times the test loss of their Gaussian surrogate, {forward:.1f} times" in page
    )
    assert f"{backward:.1f} times its KL(ρ‖ρ_N)" in page
    loss, forward, backward = ratios["digits"]
    assert f"digits at ridge 10⁻³ have {loss:.3f}, {forward:.2f} and {backward:.2f} times" in page
