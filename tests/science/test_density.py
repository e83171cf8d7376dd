"""The limiting density against closed forms, polynomial roots, the contour, and draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lindiff.science.bulk import Bulk, Points, make_bulk
from lindiff.science.density import bands, cumulative, density, paired, quantiles
from lindiff.science.draws import make_draw
from lindiff.science.exact import linear_metrics
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import limit_range, limiting
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FilterTable
from lindiff.science.theory import divergences, on_contour

Array = NDArray[np.float64]

SPECTRA = [
    ("isotropic", {}),
    ("power_law", {"exponent": 1.0}),
    ("power_law", {"exponent": 2.0}),
    ("spiked", {"spike": 30.0, "count": 3}),
    ("two_level", {"ratio": 20.0}),
]
IDS = [f"{name}{params.get('exponent', '')}" for name, params in SPECTRA]


_X, _W = np.polynomial.legendre.leggauss(24)


def panels(band: Array, a: Array, b: Array) -> Array:
    """Nodes λ = low + (high−low) sin²(θ/2) and weights of panels a < θ < b, shape (2, m, 24)."""
    width = band[1] - band[0]
    theta = a[:, None] + (b - a)[:, None] * (_X + 1) / 2
    step = (b - a)[:, None] * _W / 2
    return np.stack([band[0] + width * np.sin(theta / 2) ** 2, width * np.sin(theta) / 2 * step])


def inner(bulk: Bulk) -> list[Array]:
    """Nodes λ and weights (2, m) of each band for ∫ dλ, from which its square roots are gone.

    Panels are halved until the mass has converged: gaps may be all but closed.
    """

    def mass(band: Array, a: Array, b: Array) -> Array:
        lam, step = panels(band, a, b)
        at = bulk.search(lambda points: points.eigenvalue, lam.ravel())
        return (bulk.crowding(at).reshape(lam.shape) * step).sum(axis=1)

    found = []
    for band in bulk.edges():
        a, b = np.zeros(1), np.full(1, np.pi)
        whole, done = mass(band, a, b), []
        while len(a):
            middle = (a + b) / 2
            left, right = mass(band, a, middle), mass(band, middle, b)
            bad = np.abs(left + right - whole) > 1e-10
            done.append(panels(band, a[~bad], b[~bad]).reshape(2, -1))
            a, b = np.concatenate([a[bad], middle[bad]]), np.concatenate([middle[bad], b[bad]])
            whole = np.concatenate([left[bad], right[bad]])
        found.append(np.concatenate(done, axis=1))
    return found


@pytest.mark.parametrize("n", [20, 150, 200, 201, 700, 200_000])
def test_isotropic_is_marchenko_pastur(n: int):
    d = 200
    gamma = d / n
    low, high = (1 - np.sqrt(gamma)) ** 2, (1 + np.sqrt(gamma)) ** 2
    np.testing.assert_allclose(bands(np.ones(d), n, True), [[low, high]], rtol=1e-12, atol=1e-16)
    lam = np.linspace(low, high, 500)[1:-1]
    exact = np.sqrt((lam - low) * (high - lam)) / (2 * np.pi * gamma * lam)
    np.testing.assert_allclose(density(np.ones(d), n, lam, True), exact, rtol=1e-10)
    outside = density(np.ones(d), n, np.array([-1.0, low * 0.99 - 1e-9, high * 1.01]), True)
    assert outside.tolist() == [0, 0, 0]


@pytest.mark.parametrize("n", [30, 100, 130, 1000])
@pytest.mark.parametrize(("name", "params"), SPECTRA, ids=IDS)
def test_masses_are_whole_modes_and_moments_are_exact(name: str, params: dict, n: int):
    d = 100
    s = make_spectrum(name, d, **params)
    nodes = inner(make_bulk(s, n, n))
    weights = [w * density(s, n, lam, True) for lam, w in nodes]
    masses = [d * w.sum() for w in weights]
    assert np.sum(masses) == pytest.approx(min(n, d), abs=1e-8)
    np.testing.assert_allclose(masses, np.rint(masses), atol=1e-8)
    steps = cumulative(s, n, bands(s, n, True), True) * d
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-10)
    np.testing.assert_allclose(np.diff(steps, axis=1)[:, 0], np.rint(masses), atol=1e-10)
    assert steps[-1, 1] == pytest.approx(d)
    lam, w = np.concatenate([lam for lam, _ in nodes]), np.concatenate(weights)
    first, second = s.sum(), (s**2).sum() + s.sum() ** 2 / n
    assert w @ lam * d == pytest.approx(first, rel=1e-10)
    assert w @ lam**2 * d == pytest.approx(second, rel=1e-10)
    if n > d:
        gamma = d / n
        log = -1 - (1 / gamma - 1) * np.log1p(-gamma) + np.mean(np.log(s))
        assert w @ np.log(lam) == pytest.approx(log, rel=1e-8)
        assert w @ (1 / lam) == pytest.approx(np.mean(1 / s) / (1 - gamma), rel=1e-8)


@pytest.mark.parametrize("n", [40, 99, 120, 600])
@pytest.mark.parametrize(("name", "params"), SPECTRA, ids=IDS)
def test_expected_number_agrees_with_the_contour(name: str, params: dict, n: int):
    """∫ F dC for F = ln(λ + c), by parts, with the same correction of order 1/n as `limiting`."""
    d, c = 100, 0.01
    s = make_spectrum(name, d, **params)
    limit = limiting(s, n, True)
    values, zero = np.log(limit.nodes + c)[:, None], np.log([[c]])
    contour = limit.trace(np.ones(len(limit.spectrum)), values, zero)[0]
    bulk = make_bulk(s, n, n)
    edges = bulk.edges()
    total = bulk.rank * np.log(edges[-1, 1] + c)
    for lam, w in inner(bulk):
        number = bulk.expected(bulk.search(lambda at: at.eigenvalue, lam))
        total -= w @ (number / (lam + c))
    between = bulk.count(bulk.along(bulk.ends[1:, 0]))
    total -= between @ np.log((edges[1:, 0] + c) / (edges[:-1, 1] + c))
    total += (d - bulk.rank) * np.log(c)
    assert total == pytest.approx(contour, rel=1e-8)


def test_two_levels_are_the_roots_of_a_cubic_also_where_the_gap_closes():
    """The gap of 1 and `ratio` at 1:1 and n = 4 d closes at ratio 2.84375: follow it through."""
    d, n, seen = 200, 800, set()
    for ratio in (1.5, 2.5, 2.843, 2.844, 2.9, 5.5, 9.0):
        s = np.repeat([ratio, 1.0], d // 2)
        edges = bands(s, n, True)
        seen.add(len(edges))
        lam = np.linspace(edges[0, 0], edges[-1, 1], 300)[1:-1]
        found = []
        for x in lam:
            # (x−1)(x−r)(λ−x) − x [(1 (x−r) + r (x−1)) d/(2n)] = 0
            factors = np.polymul([1, -1], [1, -ratio])
            pull = np.polymul([1, 0], np.polyadd([1, -ratio], np.multiply(ratio, [1, -1])))
            cubic = np.polysub(np.polymul(factors, [-1, x]), np.multiply(d / (2 * n), pull))
            root = max(np.roots(cubic), key=lambda z: z.imag)
            found.append(n / (np.pi * d) * root.imag / abs(root) ** 2)
        np.testing.assert_allclose(density(s, n, lam, True), found, atol=3e-7)
    assert seen == {1, 2}


def test_a_gap_opens_continuously():
    """Two levels 1 and r, half of the modes each: where (r−1)² = (1 + r^⅔)³ d/(2n)."""
    d, n = 200, 800

    def edges(ratio: float) -> Array:
        return bands(np.repeat([ratio, 1.0], d // 2), n, True)

    low, high = 1.5, 9.0
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (middle, high) if len(edges(middle)) == 1 else (low, middle)
    assert (high - 1) ** 2 == pytest.approx((1 + high ** (2 / 3)) ** 3 * d / (2 * n))
    (_, left), (right, _) = edges(high)
    assert 0 <= right - left < 1e-6
    lam = np.linspace(0.1, 12, 200)
    closed, opened = (cumulative(np.repeat([r, 1.0], d // 2), n, lam, True) for r in (low, high))
    np.testing.assert_allclose(closed, opened, atol=1e-9)
    assert cumulative(np.repeat([high, 1.0], d // 2), n, np.array(left), True) == pytest.approx(
        0.5, abs=1e-9
    )


@pytest.mark.parametrize(("name", "params"), SPECTRA, ids=IDS)
def test_at_as_many_degrees_of_freedom_as_dimensions_it_is_infinite_at_zero(
    name: str, params: dict
):
    """x² → −λ/⟨1/t⟩ for small λ, so that the density is √(⟨1/t⟩/λ)/π with t = s n/N."""
    d = 100
    s = make_spectrum(name, d, **params)
    small = 1e-9 * s.min()
    for known, n in ((True, d), (False, d + 1)):
        expected = np.sqrt(np.mean(n / d / s) / small) / np.pi
        assert density(s, n, np.array(small), known) == pytest.approx(expected, rel=1e-5)
    assert density(s, d + 1, np.zeros(1)) == np.inf
    assert bands(s, d + 1)[0, 0] == 0


def test_an_outlier_leaves_the_bulk_at_the_threshold():
    """Baik, Ben Arous & Péché (2005): above 1 + √γ, at s (1 + γ/(s − 1))."""
    d, n = 2000, 8000
    for spike, number in ((1.4, 1), (1.6, 2), (6.0, 2)):
        s = np.concatenate([[spike], np.ones(d - 1)])
        edges = bands(s, n, True)
        assert len(edges) == number
        if number == 2:
            place = spike * (1 + d / n / (spike - 1))
            low, high = edges[1]
            assert low < place < high
            assert quantiles(s, n, True)[0] == pytest.approx(place, rel=4 / np.sqrt(n))
            assert cumulative(s, n, np.array([(low + edges[0, 1]) / 2]), True)[0] == pytest.approx(
                1 - 1 / d
            )
    assert quantiles(s, n, True)[0] == pytest.approx(6 * (1 + 0.25 / 5), rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-4, 4), min_size=1, max_size=30),
    st.integers(1, 5),
    st.floats(-1.5, 4),
    st.booleans(),
)
def test_invariants(logs: list[float], multiplicity: int, decades: float, known: bool):
    s = np.repeat(np.exp(logs), multiplicity)
    d = len(s)
    n = max(2, round(d * 10**decades))
    freedom = n if known else n - 1
    edges = bands(s, n, known)
    assert np.all(np.diff(edges.ravel()) > 0)
    assert 1 <= len(edges) <= len(np.unique(s))
    steps = cumulative(s, n, edges, known) * d
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert steps[-1, 1] == pytest.approx(d)
    lam = np.geomspace(edges[0, 0] + 1e-9, edges[-1, 1] * 1.1, 50)
    share = cumulative(s, n, lam, known)
    assert np.all(np.diff(share) >= -1e-9)
    assert np.all((share >= -1e-9) & (share <= 1 + 1e-9))
    # Units of the data do not matter.
    np.testing.assert_allclose(3 * density(3 * s, n, 3 * lam, known), density(s, n, lam, known),
                               rtol=1e-4, atol=1e-5)  # fmt: skip
    ranked, pairs = quantiles(s, n, known), paired(s, n, known)
    assert np.all(np.diff(ranked) <= 0)
    assert np.count_nonzero(ranked) == min(d, freedom)
    inside = np.searchsorted(edges.ravel(), ranked[ranked > 0])
    assert np.all(inside % 2 == 1)
    assert np.all((pairs > 0) == (ranked > 0))


def test_zeros_only_add_to_the_atom():
    s = make_spectrum("power_law", 60, exponent=1.0)
    more = np.concatenate([s, np.zeros(40)])
    lam = np.geomspace(0.01, 30, 40)
    np.testing.assert_allclose(density(more, 200, lam) * 100, density(s, 200, lam) * 60)
    np.testing.assert_allclose(cumulative(more, 200, lam), 0.4 + 0.6 * cumulative(s, 200, lam))
    np.testing.assert_array_equal(quantiles(more, 200)[:60], quantiles(s, 200))
    assert cumulative(more, 200, np.array([-1.0, 0.0])) == pytest.approx([0, 0.4])


@pytest.mark.parametrize("bad", [[1.0, -1.0], [1.0, np.nan], [0.0, 0.0], [np.inf, 1.0]])
def test_bad_spectra_are_refused(bad: list[float]):
    with pytest.raises(ValueError, match="eigenvalues must be finite and not negative"):
        density(np.array(bad), 10, np.ones(1))


def test_no_degree_of_freedom_is_refused():
    with pytest.raises(ValueError, match="N = 1 leaves no degree of freedom"):
        bands(np.ones(3), 1)
    assert len(bands(np.ones(3), 1, True)) == 1


def test_blocks_and_many_levels():
    """More levels × points than one block holds; N so large that most levels stand alone."""
    s = make_spectrum("power_law", 600, exponent=1.0)
    edges = bands(s, 600_000)
    assert len(edges) > 100
    steps = cumulative(s, 600_000, edges) * 600
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    ranked = quantiles(s, 600_000)
    # Alone a level is a narrow band about itself, repelled by the others at order 1/n.
    np.testing.assert_allclose(ranked[:50], s[:50], rtol=3e-3)


def test_a_single_mode_has_the_mean_and_the_variance_of_its_gamma_law():
    pair = paired(np.ones(1), 4000, True)[:, 0]
    assert pair.mean() == pytest.approx(1, abs=2 * 4000**-1.5)
    assert pair.std() ** 2 == pytest.approx(2 / 4000, rel=1e-3)


def draws(s: Array, n: int, count: int) -> Array:
    return np.array([make_draw("wishart", s, n, seed).eigenvalues[::-1] for seed in range(count)])


@pytest.mark.parametrize("ratio", [0.3, 3.0])
@pytest.mark.parametrize(("name", "params"), SPECTRA[:3], ids=IDS[:3])
def test_quantiles_meet_the_medians_of_ordered_eigenvalues(name: str, params: dict, ratio: float):
    d, seeds = 100, 60
    s, n = make_spectrum(name, d, **params), round(ratio * d)
    values = draws(s, n, seeds)
    error = 1.2533 * values.std(axis=0, ddof=1) / np.sqrt(seeds)
    ranked = quantiles(s, n)
    assert np.all(ranked[values.shape[1] :] == 0)
    ranked = ranked[: values.shape[1]]
    # Beyond order 1/n: 0.5 % on average, 2 % at most.
    apart = np.abs(np.median(values, axis=0) - ranked)
    assert np.all(apart <= 4.5 * error + 0.02 * ranked)
    assert np.mean(apart / ranked) < 0.005 + np.mean(error / ranked)


def spectrum_parts(s: Array, n: int, c: float) -> tuple[float, float]:
    """Limits of both KL's spectrum parts for the ideal sampler."""
    found = limit_parts(s, n, c)
    return found["kl_model_data_spectrum"][0], found["kl_data_model_spectrum"][0]


def limit_parts(s: Array, n: int, c: float) -> dict[str, Array]:
    """Limits of both KL with their parts for the ideal sampler."""
    bank = Bank(make_schedule("linear", 25), [Training(ridge=c)])
    table = FilterTable(bank, None, limit_range(s, n - 1))
    ranked = np.log(paired(s, n) + c)[:, :, None]
    return divergences(limiting(s, n), on_contour(table, 0.0), 1 / n, np.exp(ranked))


def meets(s: Array, n: int, c: float, seeds: int, share: float) -> None:
    """Spectrum parts of draws within five standard errors and `share` of the whole divergence."""
    schedule = make_schedule("linear", 50)
    made = [make_draw("wishart", s, n, seed) for seed in range(seeds)]
    rows = [linear_metrics(draw, [Training(ridge=c)], schedule) for draw in made]
    for name, theory in zip(
        ("kl_model_data", "kl_data_model"), spectrum_parts(s, n, c), strict=True
    ):
        part = np.array([row[f"{name}_spectrum"][0] for row in rows])
        whole = np.mean([row[name][0] for row in rows])
        error = part.std(ddof=1) / np.sqrt(seeds)
        assert abs(part.mean() - theory) <= 4 * error + share * whole, (name, n, c)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0])
@pytest.mark.parametrize(("name", "params"), SPECTRA, ids=IDS)
def test_pairs_give_the_spectrum_parts(name: str, params: dict, ratio: float):
    meets(make_spectrum(name, 60, **params), round(60 * ratio), 0.01, 40, 0.004)


@pytest.mark.parametrize("ratio", [2, 10, 100, 1000, 30_000])
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_spectrum_parts_keep_their_digits_at_many_samples(exponent: float, ratio: int):
    """Within 6 % of the part, be it 1e-6: no difference of ln det in the limit and of pairs."""
    d, c = 24, 1e-3
    s, n = make_spectrum("power_law", d, exponent=exponent), ratio * d
    values = np.array([make_draw("wishart", s, n, seed).eigenvalues[::-1] for seed in range(1000)])
    x, theory = (values + c) / s, limit_parts(s, n, c)
    for name, v in (("kl_model_data", x), ("kl_data_model", 1 / x)):
        part = (v - 1 - np.log(v)).mean(axis=1) / 2
        error = part.std(ddof=1) / np.sqrt(len(part))
        found = theory[f"{name}_spectrum"][0]
        assert abs(part.mean() - found) <= 4 * error + 0.06 * found
        total = sum(theory[f"{name}_{kind}"] for kind in ("mean", "spectrum", "eigenvectors"))
        assert total == pytest.approx(theory[name], rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.3, 1.2, 20.0])
@pytest.mark.parametrize(("name", "params"), SPECTRA, ids=IDS)
def test_pairs_give_the_spectrum_parts_at_200(name: str, params: dict, ratio: float):
    for c in (1e-2, 1e-4):
        meets(make_spectrum(name, 200, **params), round(200 * ratio), c, 100, 0.002)


def test_search_meets_its_targets():
    bulk = make_bulk(make_spectrum("power_law", 80, exponent=2.0), 100, 99)

    def number(at: Points) -> Array:
        return bulk.expected(at)

    targets = np.arange(80) + 0.5
    at = bulk.search(number, targets)
    np.testing.assert_allclose(number(at), targets, atol=1e-9)
    assert np.all(np.diff(at.p) > 0)
