"""Ledoit–Wolf end to end against scikit-learn's covariance and brute-force matrices."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf

from lindiff import columns
from lindiff.models import MODELS, ledoit_wolf, linear
from lindiff.models.ledoit_wolf import run, shrinkage
from lindiff.planning import estimate
from lindiff.planning.checks import check
from lindiff.science.draws import make_draw
from lindiff.science.filters import Training
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import denoiser, kl, make_cells

WANTED = columns.delivered(MODELS["ledoit_wolf"].metrics)
SPECTRUM = '{"exponent": 1.0}'
POPULATION = {
    "model": "ledoit_wolf", "draw": "samples",
    "spectrum": "power_law", "spectrum_params": SPECTRUM, "d": 5,
}  # fmt: skip


def one(**given):
    """The metrics of one cell."""
    (row,) = run(make_cells(**POPULATION, **given), WANTED).to_pylist()
    return row


def training_set(n, seed=0, mean=0.0, known=False, d=5):
    s = make_spectrum("power_law", d, exponent=1.0)
    key = {"spectrum": "power_law", "params": SPECTRUM}
    return make_draw("samples", s, n, seed, key, mean, known)


def generated(sampler, schedule, weights, centre, covariance):
    """Mean and covariance of the samples, step by step."""
    if sampler is None:
        return centre, covariance
    m, S, one = np.zeros(len(centre)), np.eye(len(centre)), np.eye(len(centre))
    for i, index in enumerate(sampler.levels):
        W, root = weights[index], np.sqrt(schedule.alpha_bar[index])
        m = sampler.A[i] * m - sampler.B[i] * W @ (m - root * centre)
        a = sampler.A[i] * one - sampler.B[i] * W
        S = a @ S @ a.T + sampler.variance[i] * one
    return m, S


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize("mean", [0.0, 0.7])
@pytest.mark.parametrize("n", [3, 5, 12])
@pytest.mark.parametrize("name", ["ideal", "ddpm_beta", "ddim"])
def test_every_metric_against_matrices(name, n, mean, centre):
    """The Bayes denoiser of scikit-learn's Gaussian, tested on the population."""
    row = one(n=n, seed=3, population_mean=mean, centre=centre, sampler=name, timesteps=25)
    draw = training_set(n, 3, mean, centre == "known")
    X, S, mu = draw.centred, np.diag(draw.spectrum), np.full(5, mean)
    fitted = LedoitWolf(assume_centered=True).fit(X)
    S0, S_LW = X.T @ X / n, fitted.covariance_
    assert row["shrinkage"] == pytest.approx(fitted.shrinkage_, rel=1e-9)
    assert 0 < row["shrinkage"] <= 1

    schedule = make_schedule("linear", 25)
    weights = [denoiser(schedule, i, S_LW, Training()) for i in range(25)]
    losses = {"train": 0.0, "test": 0.0}
    for W, ab, q in zip(weights, schedule.alpha_bar, schedule.q, strict=True):
        for kind, C, shift in (("train", S0, 0 * mu), ("test", S, mu - draw.centre)):
            loss = np.linalg.norm(np.eye(5) - np.sqrt(q) * W) ** 2
            loss += ab * np.trace(W @ C @ W.T) + ab * np.sum((W @ shift) ** 2)
            losses[kind] += loss / 125
    assert row["train_loss"] == pytest.approx(losses["train"], rel=1e-9)
    assert row["test_loss"] == pytest.approx(losses["test"], rel=1e-9)
    assert row["residual_loss"] == row["test_loss"] - row["optimal_loss"]

    sampler = None if name == "ideal" else make_sampler(name, schedule)
    m_N, S_N = generated(sampler, schedule, weights, draw.centre, S_LW)
    assert row["kl_model_data"] == pytest.approx(kl(m_N, S_N, mu, S) / 5, rel=1e-7)
    assert row["kl_data_model"] == pytest.approx(kl(mu, S, m_N, S_N) / 5, rel=1e-7)
    for direction in ("kl_model_data", "kl_data_model"):
        parts = [row[f"{direction}_{part}"] for part in ("mean", "spectrum", "eigenvectors")]
        assert row[direction] == pytest.approx(sum(parts), rel=1e-12)
    assert row["c_mean"] == pytest.approx(np.trace(S_N - S0) / 5, rel=1e-8, abs=1e-12)
    assert row["status"] == "ok"


@pytest.mark.parametrize(("n", "d"), [(3, 8), (8, 8), (50, 8), (20, 1)])
def test_shrinkage_is_that_of_scikit_learn_on_raw_samples(n, d):
    """Theirs centres the samples itself, and ours are in the eigenbasis of Σ."""
    draw = training_set(n, d=d, mean=0.4)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))
    X = (draw.centred + draw.centre) @ rotation
    assert shrinkage(draw) == pytest.approx(LedoitWolf().fit(X).shrinkage_, rel=1e-9)


def test_without_shrinkage_it_is_the_exact_linear_model(monkeypatch):
    given = {"n": 12, "sampler": ["ideal", "ddpm_beta", "ddim"], "seed": 4}
    monkeypatch.setattr(ledoit_wolf, "shrinkage", lambda draw: 0.0)
    found = run(make_cells(**POPULATION, **given), WANTED)
    shared = [name for name in WANTED if name != "shrinkage"]
    exact = linear.run(make_cells(**POPULATION | {"model": "linear_exact"}, **given), shared)
    assert found.drop_columns(["shrinkage"]).equals(exact)


def test_two_samples_are_not_shrunk():
    """x and −x have equal squares: the estimated error of Σ0 is 0, and so is δ, to the bit."""
    for seed in range(20):
        row = one(n=2, seed=seed)
        assert row["shrinkage"] == 0
        assert row["kl_model_data"] == row["kl_data_model"] == math.inf
    assert one(n=2, centre="known")["shrinkage"] > 0


def test_null_directions_are_generated_with_the_variance_of_the_target():
    """N < d: every divergence is finite without ridge or final noise."""
    row = one(n=3, sampler="ideal")
    draw = training_set(3)
    smallest = np.linalg.eigvalsh(LedoitWolf().fit(draw.centred).covariance_)[0]
    assert smallest == pytest.approx(row["shrinkage"] * draw.eigenvalues.sum() / 5, rel=1e-9)
    assert math.isfinite(row["kl_data_model"])
    assert row["c_mean"] == pytest.approx(0, abs=1e-12)


def test_many_samples_reach_the_floor():
    row = one(n=100_000)
    assert row["shrinkage"] < 1e-3
    assert row["residual_loss"] == pytest.approx(0, abs=1e-4)
    for name in ("kl_model_data", "kl_data_model"):
        assert row[name] == pytest.approx(row[f"{name}_floor"], abs=1e-4)
    # The floor is that of the unregularized denoiser.
    exact = make_cells(**POPULATION | {"model": "linear_exact", "n": 100_000})
    (other,) = linear.run(exact, ("kl_model_data_floor", "kl_data_model_floor")).to_pylist()
    assert other["kl_model_data_floor"] == row["kl_model_data_floor"]
    assert other["kl_data_model_floor"] == row["kl_data_model_floor"]


def test_isotropic_data_are_shrunk_to_the_identity():
    cells = make_cells(model="ledoit_wolf", draw="samples", d=40, n=40, sampler="ideal")
    (row,) = run(cells, WANTED).to_pylist()
    (exact,) = linear.run(make_cells(d=40, n=40, draw="samples"), ("test_loss",)).to_pylist()
    assert row["shrinkage"] > 0.9
    assert row["test_loss"] < exact["test_loss"]
    assert row["overlap_1"] is None


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ideal", "ddpm_beta", "ddim"]), st.sampled_from([20, 30])
        ),
        min_size=1, max_size=6, unique=True,
    ),
    st.integers(2, 20),
)  # fmt: skip
def test_packing_never_changes_a_row(combinations, n):
    cells = pa.concat_tables(
        [make_cells(**POPULATION, n=n, sampler=s, timesteps=t) for s, t in combinations]
    )
    together = run(cells, WANTED).to_pylist()
    for i, row in enumerate(together):
        (alone,) = run(cells.slice(i, 1), WANTED).to_pylist()
        for name in WANTED:
            if row[name] is None or math.isinf(row[name]):
                assert alone[name] == row[name]
            else:
                assert alone[name] == pytest.approx(row[name], rel=1e-11, abs=1e-12)


def test_a_draw_without_samples_is_refused():
    cells = make_cells(**POPULATION | {"draw": ["samples", "wishart"]})
    ((row, setting, message),) = check(cells)
    assert (row, setting) == (1, "draw")
    assert message == "ledoit_wolf needs the training samples; allowed: samples"
    with pytest.raises(ValueError, match="draw: samples"):
        run(cells.slice(1), WANTED)


def test_its_estimate_is_above_that_of_the_bare_draw():
    cells = make_cells(**POPULATION | {"model": "ledoit_wolf", "n": 10_000})
    cells = cells.append_column("cells", [np.ones(1)])
    seconds, size = estimate(MODELS["ledoit_wolf"], cells, WANTED)
    bare_seconds, bare_size = estimate(MODELS["linear_exact"], cells, WANTED)
    assert seconds[0] > bare_seconds[0]
    assert size[0] > bare_size[0]
