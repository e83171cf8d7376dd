"""The exact linear model with frozen noises, end to end, against matrices and the average."""

import math

import numpy as np
import ot
import pyarrow as pa
import pytest

from lindiff import columns
from lindiff.models import MODELS
from lindiff.models.linear import run
from lindiff.planning.checks import check
from lindiff.planning.linear import estimate
from lindiff.science.draws import generator, make_draw
from lindiff.science.noises import draw_pairs
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import affine_step, kl, make_cells

OWN = MODELS["linear_exact"].metrics - {"monte_carlo_gap", "differences"}
ALL = columns.delivered(OWN)
LOSSES = ["train_loss", "test_loss"]
SPECTRUM = '{"exponent": 1.0}'
POPULATION = {"spectrum": "power_law", "spectrum_params": SPECTRUM, "d": 5, "timesteps": 25}


def rows(wanted=ALL, **given):
    return run(make_cells(**POPULATION | given), wanted).to_pylist()


def denoisers(draw, key, noises, schedule, penalties):
    """W of every level by least squares on rows that stand for the pairs, and its train loss."""
    found, losses = [], []
    for index in range(schedule.timesteps):
        rng = generator("noises", **key, noises=noises, t=index + 1)
        pairs = draw_pairs(draw, noises, (schedule.alpha_bar[index], schedule.q[index]), rng)
        root = np.sqrt(pairs.count * penalties[index]) * np.eye(draw.d)
        A = np.concatenate([pairs.inputs.T, root])
        b = np.concatenate([pairs.targets.T, 0 * root])
        W = np.linalg.lstsq(A, b, rcond=1e-13)[0].T
        found.append(W)
        error = pairs.targets - W @ pairs.inputs
        losses.append((error**2).sum() / (pairs.count * draw.d))
    return found, losses


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize("sampler", ["ddpm_beta", "ddpm_beta_tilde", "ddim", "heun"])
@pytest.mark.parametrize(("n", "noises"), [(2, 2), (4, 1), (4, 3), (12, 1)])
@pytest.mark.parametrize("trained", [{}, {"ridge": 0.1}, {"weight_decay": 0.02}])
def test_every_metric_against_matrices(trained, n, noises, sampler, centre):
    final = sampler.startswith("ddpm")
    (row,) = rows(
        n=n, noises=float(noises), sampler=sampler, final_noise=final, centre=centre, seed=3,
        population_mean=0.7, **trained,
    )  # fmt: skip
    s, mu = make_spectrum("power_law", 5, exponent=1.0), np.full(5, 0.7)
    key = {"spectrum": "power_law", "params": SPECTRUM}
    draw = make_draw("wishart", s, n, 3, key, 0.7, centre == "known")
    schedule = make_schedule("linear", 25)
    penalties = trained.get("weight_decay", 0) + schedule.alpha_bar * trained.get("ridge", 0)
    key |= {"d": 5, "n": n, "seed": 3}
    weights, losses = denoisers(draw, key, noises, schedule, penalties)
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-9, abs=1e-14)
    S, test = np.diag(s), []
    for W, alpha_bar, q in zip(weights, schedule.alpha_bar, schedule.q, strict=True):
        loss = np.linalg.norm(np.eye(5) - np.sqrt(q) * W) ** 2
        loss += alpha_bar * (np.trace(W @ S @ W.T) + np.sum((W @ (mu - draw.centre)) ** 2))
        test.append(loss / 5)
    assert row["test_loss"] == pytest.approx(np.mean(test), rel=1e-9)
    steps = make_sampler(sampler, schedule, final)
    m_N, root = np.zeros(5), np.eye(5)
    for i in range(len(steps.levels)):
        a, shift = affine_step(steps, schedule, i, weights.__getitem__, draw.centre)
        m_N = a @ m_N + shift
        root = np.hstack([a @ root, np.sqrt(steps.variance[i]) * np.eye(5)])
    S_N = root @ root.T
    # The last step leaves of all that the pairs reach only what has variance in Σ0; Euler's leaves
    # some of each.
    singular = (
        not trained
        and sampler != "heun"
        and steps.variance[-1] == 0
        and min(5, n * noises) > 5 - draw.null
    )
    assert singular == (np.linalg.eigvalsh(S_N)[0] < 1e-12)
    if singular:
        assert row["kl_model_data"] == row["kl_data_model"] == math.inf
        # POT's root of a singular matrix is complex, and a root of one has half of the digits.
        cross = np.linalg.svd(np.sqrt(S) @ root, compute_uv=False).sum()
        bures = (np.sum((m_N - mu) ** 2) + np.trace(S_N + S) - 2 * cross) / 5
    else:
        assert row["kl_model_data"] == pytest.approx(kl(m_N, S_N, mu, S) / 5, rel=1e-9)
        assert row["kl_data_model"] == pytest.approx(kl(mu, S, m_N, S_N) / 5, rel=1e-9)
        bures = ot.gaussian.bures_wasserstein_distance(m_N, mu, S_N, S) ** 2 / 5
    assert row["bures"] == pytest.approx(bures, rel=1e-9, abs=1e-9)
    assert row["c_mean"] == pytest.approx((np.trace(S_N) - draw.eigenvalues.sum()) / 5, rel=1e-9)
    total = sum(mode["generated_variance"] * mode["multiplicity"] for mode in row["modes"])
    assert total == pytest.approx(np.trace(S_N), rel=1e-9)
    for level in row["levels"]:
        assert level["train_loss"] == pytest.approx(losses[level["t"] - 1], rel=1e-9, abs=1e-14)
        assert level["test_loss"] == pytest.approx(test[level["t"] - 1], rel=1e-9)


@pytest.mark.parametrize("sampler", ["ddpm_beta", "ddim"])
def test_many_noises_have_every_metric_of_the_average(sampler):
    given = {"n": [3, 12], "sampler": sampler, "ridge": 0.1, "stop": [3.0, math.inf]}
    frozen, mean = (rows(**given, noises=m) for m in (1e9, math.inf))
    for one, other in zip(frozen, mean, strict=True):
        for name in OWN - {"null_loss", "levels", "modes"}:
            if other[name] is None:
                assert one[name] is None, name
            else:
                assert one[name] == pytest.approx(other[name], rel=1e-2, abs=1e-4), name
        for a, b in zip(one["modes"], other["modes"], strict=True):
            for name, value in b.items():
                assert a[name] == value or a[name] == pytest.approx(value, rel=1e-2), name


def test_as_few_pairs_as_dimensions_are_fitted_by_heart():
    few, more = (rows(LOSSES, n=n, noises=1.0)[0] for n in (5, 12))
    assert few["train_loss"] < 1e-12 < 0.01 < more["train_loss"]
    assert few["test_loss"] > more["test_loss"]


def test_divergences_that_rounding_would_rule_are_null():
    """After so long a training the null space of Σ0 has a variance of e^-2τq: not 0, and lost."""
    (row,) = rows(n=3, noises=4.0, stop=1e4, sampler="ddim")
    assert row["status"] == "ok"
    assert row["kl_model_data"] is row["kl_data_model"] is None
    assert "lost in the rounding" in row["message"]
    assert row["test_loss"] > 0


def test_agreement_is_of_noises_drawn_apart():
    """Two halves of very many samples, one noise each, agree; of few they agree less."""
    found = [rows(["agreement"], n=n, noises=1.0, sampler="ddim", ridge=0.1) for n in (10**6, 20)]
    (many,), (few,) = found
    assert many["agreement"] > 0.999
    assert 0 < few["agreement"] < 0.99
    (noisy,) = rows(["agreement"], n=20, noises=1.0, sampler="ddpm_beta")
    assert noisy["agreement"] is None


@pytest.mark.parametrize("draw", ["wishart", "samples"])
def test_packing_never_changes_a_row(draw):
    table = make_cells(
        **POPULATION, n=12, noises=2.0, draw=draw, sampler=["ddim", "ddpm_beta"],
        ridge=[0.0, 0.1], stop=[3.0, math.inf],
    )  # fmt: skip
    together = run(table, ALL).to_pylist()
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = run(table.take(pa.array(order)), ALL).to_pylist()
    for i, row in enumerate(together):
        (alone,) = run(table.slice(i, 1), ALL).to_pylist()
        for again in (alone, shuffled[int(np.flatnonzero(order == i)[0])]):
            for name in OWN - {"levels", "modes"}:
                if row[name] is not None:
                    assert again[name] == pytest.approx(row[name], rel=1e-11, abs=1e-13), name


def test_real_data_have_frozen_noises_too():
    digits = {"data": "digits", "spectrum": "dataset", "spectrum_params": '{"name": "digits"}'}
    digits |= {"d": 61, "n": 100, "draw": None, "population_mean": None, "timesteps": 20}
    table = make_cells(**digits, noises=[1.0, 1e9, math.inf], ridge=1e-2)
    one, many, mean = (
        run(table.slice(i, 1), LOSSES).to_pylist()[0] for i in range(3)
    )  # fmt: skip
    assert one["test_loss"] > 1.1 * mean["test_loss"]
    for name in LOSSES:
        assert many[name] == pytest.approx(mean[name], rel=1e-3)


def test_what_frozen_noises_cannot_carry_is_refused():
    given = POPULATION | {"noises": 2.0}
    ((_, setting, text),) = check(make_cells(**given, stop=4.0, learning_rate=0.01))
    assert setting == "learning_rate"
    assert text.endswith("allowed: 0, gradient flow")
    assert check(make_cells(**given, stop=4.0)) == []
    ((_, setting, text),) = check(make_cells(**given, draw="samples"), ["monte_carlo_gap"])
    assert setting == "noises"
    assert text.endswith("allowed: .inf")
    with pytest.raises(ValueError, match="frozen noises"):
        run(make_cells(**given, sampler="ideal"), LOSSES)


def test_estimates_know_the_products():
    def seconds(wanted=("test_loss",), **given):
        table = make_cells(**POPULATION | given)
        return estimate(table.append_column("cells", pa.array([4])), wanted)[0][0]

    assert seconds(d=64, noises=1.0) > 5 * seconds(d=64)
    assert seconds(d=64, noises=100.0) == seconds(d=64, noises=1e6)
    assert seconds(("kl_model_data",), d=64, noises=1.0) > seconds(d=64, noises=1.0)
