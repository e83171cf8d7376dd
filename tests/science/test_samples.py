"""Measures of samples against closed forms, over repeats, and at their limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science import samples
from lindiff.science.draws import make_draw
from lindiff.science.samples import (
    agreement,
    cosine,
    excess_kurtosis,
    gaussian_distances,
    memorized_fraction,
    nearest,
    proximity_bias,
    squares_along,
    variances,
)
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import kl

NAMES = ("kl_model_data", "kl_data_model", "bures")


def gaussian(d, seed=0):
    """A mean and a covariance beside those of a population of another."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((d, d)) / np.sqrt(d)
    covariance = root @ root.T + 0.2 * np.eye(d)
    return (
        0.4 * rng.standard_normal(d),
        covariance,
        np.full(d, 0.1),
        make_spectrum("power_law", d, exponent=1.0),
    )


def bures(m, C, mean, spectrum):
    """The squared 2-Wasserstein distance by the root of a product, as it is written."""
    root = np.diag(np.sqrt(spectrum))
    product = np.clip(np.linalg.eigvalsh(root @ C @ root), 0, None)
    return np.sum((m - mean) ** 2) + np.trace(C) + spectrum.sum() - 2 * np.sqrt(product).sum()


def exact(m, C, mean, spectrum):
    population = np.diag(spectrum)
    both = kl(m, C, mean, population), kl(mean, population, m, C)
    return np.array([*both, bures(m, C, mean, spectrum)]) / len(m)


def drawn(m, C, count, rng):
    return m + rng.standard_normal((count, len(m))) @ np.linalg.cholesky(C).T


def repeats(m, C, mean, spectrum, count, times, seed=0):
    """Estimates and their errors, shape (times, 3, 2)."""
    rng = np.random.default_rng(seed)
    found = [gaussian_distances(drawn(m, C, count, rng), mean, spectrum) for _ in range(times)]
    return np.array([[row[name] for name in NAMES] for row in found])


@pytest.mark.parametrize(("d", "count"), [(1, 20), (4, 24), (6, 60)])
def test_distances_have_no_bias_and_honest_errors(d, count):
    """At N of a few d the plain fit is off by more than its spread."""
    setting, times = gaussian(d, seed=d), 150
    truth, found = exact(*setting), repeats(*setting, count, times)
    spread = found[:, :, 0].std(axis=0, ddof=1)
    z = (found[:, :, 0].mean(axis=0) - truth) / (spread / np.sqrt(times))
    assert np.all(np.abs(z) < 4)
    errors = np.sqrt((found[:, :, 1] ** 2).mean(axis=0))
    assert np.all((errors > 0.8 * spread) & (errors < 1.8 * spread))
    inside = np.abs(found[:, :, 0] - truth) < 2 * found[:, :, 1]
    assert np.all(inside.mean(axis=0) > 0.85)


@pytest.mark.slow
def test_distances_of_many_dimensions_over_many_repeats():
    setting, times = gaussian(32, seed=1), 100
    truth, found = exact(*setting), repeats(*setting, 512, times)
    spread = found[:, :, 0].std(axis=0, ddof=1)
    assert np.all(np.abs(found[:, :, 0].mean(axis=0) - truth) < 4 * spread / np.sqrt(times))
    errors = np.sqrt((found[:, :, 1] ** 2).mean(axis=0))
    np.testing.assert_allclose(errors, spread, rtol=0.25)


def test_distances_of_the_population_from_itself():
    """Both signs about 0; the plain KL is (d + 3)/(4 S) above it."""
    d, count, times = 8, 128, 100
    spectrum = make_spectrum("isotropic", d)
    setting = np.zeros(d), np.diag(spectrum), np.zeros(d), spectrum
    found = repeats(*setting, count, times)
    value, spread = found[:, :, 0].mean(axis=0), found[:, :, 0].std(axis=0, ddof=1)
    assert np.all(np.abs(value) < 4 * spread / np.sqrt(times))
    assert np.all(np.abs(value[:2]) < 0.2 * (d + 3) / (4 * count))
    assert np.all((found[:, :, 0] < 0).any(axis=0))
    # Here they are of second order, for which a jackknife says √2 too much.
    errors = np.sqrt((found[:, :, 1] ** 2).mean(axis=0))
    assert np.all((errors > spread) & (errors < 2 * spread))


def test_distances_of_many_samples_are_exact():
    setting = gaussian(5)
    truth = exact(*setting)
    found = gaussian_distances(drawn(*setting[:2], 200_000, np.random.default_rng(3)), *setting[2:])
    values = np.array([found[name][0] for name in NAMES])
    np.testing.assert_allclose(values, truth, rtol=0.02)
    assert np.all(np.abs(values - truth) < 4 * np.array([found[name][1] for name in NAMES]))


@pytest.mark.parametrize("far", [0.0, 40.0])
def test_training_points_as_samples_are_infinitely_far(far):
    """Samples in N − 1 of d directions: both KL are infinite, the Bures distance is not."""
    d, rng = 16, np.random.default_rng(0)
    points = far + rng.standard_normal((4, d))
    samples = points[rng.integers(4, size=1024)] - far
    found = gaussian_distances(samples, np.zeros(d), np.geomspace(5, 1e-3, d))
    for name in NAMES[:2]:
        assert found[name][0] == np.inf
        assert np.isnan(found[name][1])
    plain = bures(samples.mean(axis=0), np.cov(samples.T), np.zeros(d), np.geomspace(5, 1e-3, d))
    assert found["bures"][0] == pytest.approx(plain / d, rel=0.02)


@pytest.mark.parametrize("noise", [1e-1, 1e-3, 1e-6, 1e-9])
def test_samples_near_training_points_are_far(noise):
    """KL(ρ‖ρ_N) grows as 1/noise², and is never below 0."""
    d, rng = 16, np.random.default_rng(0)
    points = rng.standard_normal((4, d))
    samples = points[rng.integers(4, size=1024)] + noise * rng.standard_normal((1024, d))
    found = gaussian_distances(samples, np.zeros(d), np.ones(d))
    value, error = found["kl_data_model"]
    # Of the d − 3 directions between the points.
    assert value == pytest.approx(13 / noise**2 / (2 * d), rel=0.2)
    assert 0 < error < 0.1 * value
    value, error = found["kl_model_data"]
    assert value > 13 / d * np.log(1 / noise) - 2
    assert 0 < error < 0.1 * value


def test_too_few_samples_to_tell():
    d, rng = 16, np.random.default_rng(0)
    for count, known in ((8, 0), (16, 0), (17, 1), (18, 1), (19, 2), (40, 2)):
        samples = rng.standard_normal((count, d))
        found = gaussian_distances(samples, np.zeros(d), np.ones(d))
        values = np.array([found[name][0] for name in NAMES])
        np.testing.assert_array_equal(np.isfinite(values), [known > 0, known > 1, True])
    # The errors need the samples that a block leaves.
    few = gaussian_distances(samples[:17], np.zeros(d), np.ones(d))
    assert np.isnan(few["kl_model_data"][1])
    assert np.isfinite(few["bures"][1])
    assert np.isfinite(found["kl_data_model"][1])
    # Of samples in fewer directions than their number allows, that is known.
    samples = rng.standard_normal((12, 3)) @ rng.standard_normal((3, d))
    assert gaussian_distances(samples, np.zeros(d), np.ones(d))["kl_model_data"][0] == np.inf


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_what_distances_do_not_see(seed, d):
    """The order of the samples, the origin, axes where all are alike, and the KL any unit."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((40, d)) * rng.uniform(0.1, 2, d) + rng.standard_normal(d)
    mean, spectrum = rng.standard_normal(d), rng.uniform(0.1, 2, d)
    turn, _ = np.linalg.qr(rng.standard_normal((d, d)))
    unit, shift = rng.uniform(0.1, 10, d), rng.standard_normal(d)

    def values(samples, mean, spectrum, names=NAMES):
        found = gaussian_distances(samples, mean, spectrum)
        return np.array([found[name] for name in names]).ravel()

    first = values(samples, mean, spectrum)
    np.testing.assert_allclose(values(samples + shift, mean + shift, spectrum), first, rtol=1e-6)
    divergences = values(samples * unit, mean * unit, spectrum * unit**2, NAMES[:2])
    np.testing.assert_allclose(divergences, first[:4], rtol=1e-6)
    sorted_otherwise = values(rng.permutation(samples), mean, spectrum)
    np.testing.assert_allclose(sorted_otherwise[[0, 2]], first[[0, 2]], rtol=1e-6)
    round_one = values(samples, mean, np.ones(d))
    np.testing.assert_allclose(
        values(samples @ turn, mean @ turn, np.ones(d)), round_one, rtol=1e-6
    )


def test_memorized_fraction_by_hand():
    points = np.array([[0.0], [1.0], [4.0]])
    # Ratios 0, 1/9, 3/7, 1, and 1/2 beyond the end.
    samples = np.array([[0.0], [0.1], [0.3], [0.5], [-1.0]])
    value, error = memorized_fraction(samples, points)
    assert value == pytest.approx(2 / 5)
    assert error == pytest.approx(np.sqrt(0.4 * 0.6 / 4))
    index, ratio = nearest(samples, points)
    assert index.tolist()[:3] == [0, 0, 0]
    np.testing.assert_allclose(ratio, [0, 1 / 9, 3 / 7, 1, 1 / 2])
    assert memorized_fraction(np.array([[0.24], [0.24]]), points) == (1, 0)
    assert memorized_fraction(np.array([[0.26], [0.26]]), points) == (0, 0)
    with pytest.raises(ValueError, match="2 distinct training points; the ratio needs at least 3"):
        memorized_fraction(samples, points[:2])
    with pytest.raises(ValueError, match="1 distinct training points; a second needs 2"):
        nearest(samples, points[:1])


def test_proximity_bias_by_hand():
    points, others = np.array([[0.0], [10.0]]), np.array([[2.0], [13.0]])
    # To the nearest of the other set less to that of their own: 2 − 0, 2 − 1 and 3 − 0, 4 − 2.
    one, two = np.array([[0.0], [11.0]]), np.array([[13.0], [4.0]])
    value, error = proximity_bias(one, two, points, others)
    pairs = np.array([(2 - 0) + (3 - 0), (2 - 1) + (4 - 2)]) / 2
    assert value == pytest.approx(pairs.mean())
    assert error == pytest.approx(abs(pairs[0] - pairs[1]) / 2)
    # Whichever set is called the first.
    assert proximity_bias(two, one, others, points) == pytest.approx((value, error))
    # Samples that have changed places are as much nearer to the other points.
    assert proximity_bias(two, one, points, others)[0] == pytest.approx(-value)


def test_proximity_bias_point_by_point(monkeypatch):
    """In blocks of any size, in any unit, from any origin; the error is that of a jackknife."""
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 40, 3))
    points, others = rng.standard_normal((2, 7, 3))

    def near(x, those):
        return min(np.linalg.norm(x - y) for y in those)

    pairs = np.array([
        (near(x, others) - near(x, points) + near(y, points) - near(y, others)) / 2
        for x, y in zip(one, two, strict=True)
    ])  # fmt: skip
    folds = np.array([np.delete(pairs, i).mean() for i in range(40)])
    expected = pairs.mean(), np.sqrt(39 * folds.var())
    for block in (1, 7, 100, 1 << 20):
        monkeypatch.setattr(samples, "_BLOCK", block)
        assert proximity_bias(one, two, points, others) == pytest.approx(expected, rel=1e-12)
    moved = (3 * a + 5 for a in (one, two, points, others))
    assert proximity_bias(*moved) == pytest.approx(tuple(3 * v for v in expected), rel=1e-9)


@pytest.mark.parametrize("n", [2, 20, 300])
def test_fresh_samples_have_no_proximity_bias(n):
    """Over many pairs of sets its errors are honest; of one direction alone they are not."""
    rng, times, count = np.random.default_rng(n), 200, 256
    root = np.sqrt(make_spectrum("power_law", 6, exponent=1.0))
    found, one_way = [], []
    for _ in range(times):
        points, others = (rng.standard_normal((n, 6)) * root for _ in range(2))
        one, two = (rng.standard_normal((count, 6)) * root for _ in range(2))
        found.append(proximity_bias(one, two, points, others))
        # Of one model's samples: that one set lies nearer to everything does not drop out.
        far, near = samples._distances(one, others), samples._distances(one, points)
        one_way.append(((far - near).mean(), (far - near).std() / np.sqrt(count)))
    z, other = (np.array(values).T for values in (found, one_way))
    z, other = z[0] / z[1], other[0] / other[1]
    assert abs(z.mean()) < 4 / np.sqrt(times)
    assert 0.8 < z.std() < 1.2
    assert n > count or other.std() > 1.3


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_copies_of_training_points_have_the_distance_of_two_sets(share):
    """The bias is the share of copies times the mean distance between a point and the other set."""
    rng = np.random.default_rng(1)
    points, others = rng.standard_normal((2, 50, 4))
    one, two = rng.standard_normal((2, 4000, 4))
    copied = rng.random(4000) < share
    which = rng.integers(50, size=copied.sum())
    one[copied], two[copied] = points[which], others[which]
    value, error = proximity_bias(one, two, points, others)
    apart = samples._distances(points, others).mean() + samples._distances(others, points).mean()
    assert value == pytest.approx(share * apart / 2, abs=4 * error)
    assert (value > 5 * error) == (share > 0)


def test_points_that_are_twice_there_or_nearly():
    # A copy of a point that is there twice is memorized: what counts is the next distinct one.
    twice = np.array([[0.0], [0.0], [4.0], [8.0]])
    assert memorized_fraction(np.array([[0.0], [0.9]]), twice) == (1, 0)
    np.testing.assert_allclose(nearest(np.array([[0.0], [1.0]]), twice)[1], [0, 1 / 3])
    np.testing.assert_array_equal(
        nearest(twice + 1, twice, np.array([0, 0, 1, 2]))[0], [0, 0, 2, 3]
    )
    # Numbers say what is distinct, whatever the distance.
    assert nearest(np.array([[0.0]]), twice, np.array([0, 1, 2, 3]))[1] == 1
    with pytest.raises(ValueError, match="1 distinct training points; a second needs 2"):
        nearest(twice, twice[:2])
    with pytest.raises(ValueError, match="2 distinct training points; the ratio needs"):
        memorized_fraction(twice, twice[:3])
    # Near duplicates far from the origin, whose squares differ in the 19th digit.
    far = 1e6 + np.array([[0.0], [1e-3], [1.0]])
    assert memorized_fraction(far[[0, 0]] + 1e-4, far) == (1, 0)
    assert nearest(far[1:2] + 1e-4, far)[0] == 1


def test_fresh_samples_are_not_memorized():
    draw = make_draw("samples", make_spectrum("power_law", 16, exponent=1.0), 256, 0)
    rng = np.random.default_rng(0)
    fresh = draw.mean - draw.centre + rng.standard_normal((500, 16)) * np.sqrt(draw.spectrum)
    assert memorized_fraction(fresh, draw.centred)[0] < 0.02
    assert memorized_fraction(draw.centred, draw.centred) == (1, 0)


def test_variances_along_a_basis_and_outside_of_it():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((50, 6)) * np.arange(1, 7) + 3
    U, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    covariance = np.cov(samples.T)
    whole = variances(samples, U)
    np.testing.assert_allclose(whole, np.diagonal(U.T @ covariance @ U))
    part = variances(samples, U[:, :4])
    np.testing.assert_allclose(part, [*whole[:4], whole[4:].mean()])
    assert squares_along(samples, U[:, :0]).shape == (50, 1)


def pairs(count, share, rng, d=3):
    """Two sets of samples of which a share of the variance is common."""
    common, one, other = rng.standard_normal((3, count, d))
    return (np.sqrt(share) * common + np.sqrt(1 - share) * x for x in (one, other))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_agreement_is_the_common_share(share):
    rng, mean, times = np.random.default_rng(0), np.array([1.0, 2.0, -4.0]), 200
    found = np.array([
        agreement(*(x + mean for x in pairs(200, share, rng)), mean) for _ in range(times)
    ])  # fmt: skip
    value, spread = found[:, 0].mean(), found[:, 0].std(ddof=1)
    # A ratio of means: its bias is of the order 1/S.
    assert value == pytest.approx(share, abs=4 * spread / np.sqrt(times) + 1 / 600)
    assert found[:, 1].mean() == pytest.approx(spread, rel=0.2)
    assert np.mean(np.abs(found[:, 0] - share) < 2 * found[:, 1]) > 0.88


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 60), st.floats(0, 1))
def test_bounds_and_symmetry_of_agreement_and_cosine(seed, count, share):
    rng = np.random.default_rng(seed)
    one, other = pairs(count, share, rng)
    mean, turn = rng.standard_normal(3), np.linalg.qr(rng.standard_normal((3, 3)))[0]
    value, error = agreement(one, other, mean)
    assert -1 - 1e-12 <= value <= 1 + 1e-12
    assert error >= 0
    np.testing.assert_allclose(agreement(other, one, mean), (value, error), rtol=1e-9, atol=1e-12)
    turned = agreement(one @ turn, other @ turn, mean @ turn)
    np.testing.assert_allclose(turned, (value, error), rtol=1e-7, atol=1e-9)
    for measure in (lambda a, b: agreement(a, b, mean), cosine):
        np.testing.assert_allclose(measure(one, one), (1, 0), atol=1e-7)
        scaled = (
            measure(mean + 2 * (one - mean), one) if measure is not cosine else cosine(2 * one, one)
        )
        np.testing.assert_allclose(scaled, (1, 0), atol=1e-7)
    assert np.isnan(agreement(0 * one + mean, other, mean)[0])


def test_cosine_by_hand():
    one = np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    other = np.array([[2.0, 0.0], [3.0, 4.0], [5.0, 0.0]])
    value, error = cosine(one, other)
    assert value == pytest.approx(2 / 3)
    assert error == pytest.approx(np.std([1, 1, 0], ddof=1) / np.sqrt(3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, size: rng.standard_normal(size), 0.0),
        (lambda rng, size: rng.choice([-2.0, 2.0], size) + rng.standard_normal(size), -2 * 0.8**2),
    ],
    ids=["normal", "two classes"],
)
def test_excess_kurtosis_has_no_bias_and_an_honest_error(draw, truth):
    """Intervals of Student's t at 15 degrees of freedom, of 1,024 samples, as models have."""
    rng, times = np.random.default_rng(0), 300
    found = np.array([excess_kurtosis(draw(rng, 1024)) for _ in range(times)])
    off = (found[:, 0].mean() - truth) / (found[:, 0].std(ddof=1) / np.sqrt(times))
    assert abs(off) < 4
    inside = np.abs(found[:, 0] - truth) < 2.131 * found[:, 1]
    assert 0.92 < inside.mean() < 0.98


def test_excess_kurtosis_by_hand():
    value, error = excess_kurtosis(np.tile([-1.0, 1.0], 32))
    assert (value, error) == (pytest.approx(-2), pytest.approx(0, abs=1e-12))
    assert np.isnan(excess_kurtosis(np.ones(32))[0])
