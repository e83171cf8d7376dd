"""The limit of the leading overlap against draws, closed forms and the ends of its range."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from lindiff.columns.column import SAMPLERS_WITH_NETWORK
from lindiff.science import overlap
from lindiff.science.bulk import make_bulk
from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.overlap import leading_overlap
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import leading, make_spectrum
from lindiff.science.vectors import leading_overlap as of_draw

ROOT = Path(__file__).parents[2]

# What orders beyond 1/n leave, of an overlap between 0 and 1.
ALLOWANCE = 0.01


def default_rows() -> list[tuple[str, dict[str, float], int, int]]:
    """Spectrum, parameters, d and N of every spiked and two-level row of the default config."""
    found = set()
    config = yaml.safe_load((ROOT / "config/default.yaml").read_text(encoding="utf-8"))
    for experiment in config["experiments"].values():
        spectra = experiment.get("spectrum", [])
        sizes = experiment.get("n_over_d")
        for spectrum in spectra if isinstance(spectra, list) else [spectra]:
            for kind in ("spiked", "two_level"):
                if kind in spectrum and isinstance(sizes, dict):
                    for d in np.atleast_1d(experiment["d"]).tolist():
                        ns = np.rint(np.geomspace(*sizes["log"]) * d).astype(int).tolist()
                        params = tuple(spectrum[kind].items())
                        found |= {(kind, params, d, max(n, 2)) for n in ns}
    return [(kind, dict(params), d, n) for kind, params, d, n in sorted(found)]


def meets(s: np.ndarray, n: int, seeds: int) -> None:
    values = np.array([of_draw(make_draw("wishart", s, n, seed)) for seed in range(seeds)])
    error = values.std(ddof=1) / np.sqrt(seeds)
    limit = leading_overlap(s, n)
    assert abs(limit - values.mean()) <= 5 * error + ALLOWANCE, (n, limit, values.mean(), error)


@pytest.mark.parametrize(
    "d", [32, 64, *(pytest.param(d, marks=pytest.mark.slow) for d in (128, 256))]
)
def test_spiked_and_two_level_rows_of_the_default_meet_seed_means(d):
    nulls = 0
    rows = [row for row in default_rows() if row[2] == d]
    assert len(rows) > 25
    for kind, params, _, n in rows:
        s = make_spectrum(kind, d, **params)
        if n - 1 == d:
            continue
        if np.isnan(leading_overlap(s, n)):
            nulls += 1
        else:
            meets(s, n, 60 if d <= 64 else 2048 // d)
    # Of a few spikes at a few samples, and of these only.
    assert nulls <= 4


@pytest.mark.parametrize("n", [4, 10, 33, 60, 300])
@pytest.mark.parametrize("count", [1, 4, 30])
@pytest.mark.parametrize("spike", [1.5, 3.0, 10.0])
def test_spikes_below_and_above_the_transition_meet_seed_means(spike, count, n):
    """Below the transition of one spike too, where the overlap is of order 1/d."""
    s = make_spectrum("spiked", 40, spike=spike, count=count)
    if not np.isnan(leading_overlap(s, n)):
        meets(s, n, 200)


@pytest.mark.parametrize("n", [5, 30, 200])
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_power_laws_meet_seed_means(exponent, n):
    s = make_spectrum("power_law", 40, exponent=exponent)
    if not np.isnan(leading_overlap(s, n)):
        meets(s, n, 200)


def test_an_isolated_spike_has_the_closed_form():
    """(1 − γ/(s − 1)²)/(1 + γ/(s − 1)) at γ = d/n over a white bulk (Paul 2007), for d → ∞."""
    for spike, gamma in ((3.0, 0.5), (6.0, 2.0), (2.0, 0.1)):
        d = 4000
        s = np.ones(d)
        s[0] = spike
        law = (1 - gamma / (spike - 1) ** 2) / (1 + gamma / (spike - 1))
        assert leading_overlap(s, round(d / gamma), known_centre=True) == pytest.approx(
            law, abs=2e-3
        )


def test_below_the_transition_it_falls_with_d():
    overlaps = []
    for d in (250, 1000, 4000):
        s = np.ones(d)
        s[0] = 1.3
        overlaps.append(leading_overlap(s, 2 * d, known_centre=True))
    assert overlaps[0] < 0.1
    np.testing.assert_allclose(np.divide(overlaps[:-1], overlaps[1:]), 4, rtol=0.1)


@pytest.mark.parametrize(
    ("name", "params"),
    [("two_level", {"ratio": 3.0, "fraction": 0.5}), ("power_law", {"exponent": 1.0})],
)
def test_many_samples_find_the_space(name, params):
    """1 − overlap → Σ′ s_1 s_i/(s_1 − s_i)² / n, first-order perturbation theory."""
    s, n = make_spectrum(name, 60, **params), 10**6
    others = s[leading(s) :]
    lost = np.sum(s[0] * others / (s[0] - others) ** 2) / n
    assert 1 - leading_overlap(s, n) == pytest.approx(lost, rel=2e-3)


def test_fewer_samples_than_modes_find_at_most_their_share():
    s = make_spectrum("spiked", 64, spike=30.0, count=30)
    for n in (2, 8, 20):
        # n − 1 directions of variance: at most (n − 1)/30, and nearly that.
        share = (n - 1) / 30
        assert 0.8 * share < leading_overlap(s, n) < share


def test_where_few_eigenvalues_are_hardly_apart_it_is_not_known():
    s = make_spectrum("power_law", 32, exponent=0.5)
    assert np.isnan(leading_overlap(s, 64))
    assert leading_overlap(s, 6400) > 0.99
    assert np.isnan(leading_overlap(np.ones(20), 50))


@pytest.mark.parametrize("n", [20, 77, 300])
@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_the_way_of_the_integral_does_not_matter(monkeypatch, fraction, n):
    s = make_spectrum("two_level", 64, ratio=10.0, fraction=fraction)
    found = leading_overlap(s, n)
    monkeypatch.setattr(overlap, "_NODES", 500)
    assert leading_overlap(s, n) == pytest.approx(found, abs=1e-12)
    # Inside a gap any point will do.
    k, bulk = leading(s), make_bulk(s, n, n - 1)
    if bulk.rank > k and len(bulk.ends) > 1:
        low, high = bulk.ends[-2, 1], bulk.ends[-1, 0]
        monkeypatch.setattr(overlap, "_cut", lambda *_: complex(0.9 * low + 0.1 * high))
        assert leading_overlap(s, n) == pytest.approx(found, abs=1e-12)


def test_the_scale_of_the_data_does_not_matter():
    s = make_spectrum("two_level", 64, ratio=10.0, fraction=0.25)
    for n in (5, 30, 500):
        assert leading_overlap(1e4 * s, n) == pytest.approx(leading_overlap(s, n), rel=1e-12)


@pytest.mark.parametrize("name", [None, *SAMPLERS_WITH_NETWORK])
def test_generated_variance_grows_with_that_of_the_training_set(name):
    """So the leading directions of what is generated are those of Σ0, however it is trained."""
    schedule = make_schedule()
    sampler = None if name is None else make_sampler(name, schedule)
    given = [{}, {"ridge": 0.1}, {"weight_decay": 0.01}, {"ridge": 1.0, "weight_decay": 0.3}]
    given += [{"stop": stop} for stop in (1e-2, 1.0, 1e2, 1e4)] if name is not None else []
    trainings = tuple(Training(**own) for own in given)
    nodes = np.geomspace(1e-3, 1e3, 60)
    assert np.all(np.diff(Bank(schedule, trainings).response(nodes, sampler).log_v, axis=0) > 0)


@pytest.mark.parametrize("name", ["euler", "heun"])
def test_few_levels_of_the_probability_flow_lose_the_order_far_below_their_noise(name):
    """The last, long step takes P through 0 at a λ a hundred times below q of the lowest level."""
    schedule = make_schedule(timesteps=50)
    sampler, bank = make_sampler(name, schedule), Bank(schedule, [Training()])
    low = bank.response(np.geomspace(1e-3, 1e-2, 60) * schedule.q[0], sampler)
    assert low.P[0, 0] < 0 < low.P[-1, 0]
    assert low.log_v.argmin() not in (0, 59)
    assert np.all(np.diff(bank.response(np.geomspace(1e-3, 1e3, 60), sampler).log_v, axis=0) > 0)
