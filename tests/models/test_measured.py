"""Metrics measured on exact linear denoisers against the model that computes them."""

from dataclasses import replace

import numpy as np
import pytest

from lindiff import columns
from lindiff.models import MODELS, few_levels, linear, measured
from lindiff.models.linear_cells import groups
from lindiff.models.linear_family import make_family
from lindiff.science.denoisers import fit_count
from lindiff.science.denoisers import linear as linear_denoiser
from lindiff.science.filters import Bank
from lindiff.science.pools import make_pool
from tests.science.helpers import make_cells

PARAMS = '{"exponent": 1.0}'
BOTH = (
    "train_loss", "test_loss", "optimal_loss", "residual_loss", "kl_model_data", "kl_data_model",
    "bures", "agreement", "levels", "modes",
)  # fmt: skip


def cells(**given):
    return make_cells(
        **{"spectrum": "power_law", "spectrum_params": PARAMS, "draw": "samples", "d": 6,
           "population_mean": 0.3, "timesteps": 100, "sampler": "ddim"} | given
    )  # fmt: skip


def denoiser(draw, filters):
    return linear_denoiser(
        draw.vectors, draw.eigenvalues, Bank(filters.make_schedule(), filters.trainings)
    )


def both(wanted=None, **given):
    """The metrics of one linear model: measured, and computed."""
    table = cells(**given)
    family, ((_, filters),) = make_family(table), groups(table)
    partner = denoiser(family.halves.other, filters)
    own = denoiser(family.draw, filters)
    found = measured.measure(family, filters, own, wanted or measured.METRICS, partner)
    (computed,) = linear.run(table, BOTH).to_pylist()
    return {name: column[0] for name, column in found.items()}, computed


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("n", [5, 20, 200])
def test_all_that_the_linear_model_computes(n, ridge):
    """With a null space (the last step adds noise there, so that KL are finite) and without."""
    given = {"n": n, "seed": 1, "ridge": ridge}
    if n < 6 and not ridge:
        given["sampler"] = ["ddpm_beta"]
        given["final_noise"] = True
    found, computed = (
        both(set(BOTH) - {"agreement"} | {f"{name}_se" for name in BOTH}, **given)
        if n < 6 and not ridge
        else both(**given)
    )
    names = ["train_loss", "test_loss", "kl_model_data", "kl_data_model", "bures"]
    if given.get("sampler") is None:
        names.append("agreement")
    for name in names:
        error = found[f"{name}_se"]
        assert found[name] == pytest.approx(computed[name], abs=4 * error + 1e-12)
        assert 0 < error < 0.3 * abs(computed[name]) + 0.01
    assert found["optimal_loss"] == computed["optimal_loss"]
    assert found["residual_loss"] == found["test_loss"] - found["optimal_loss"]


@pytest.mark.parametrize("n", [4, 30])
def test_modes_and_levels_are_rows_of_the_same_form(n):
    found, computed = both(n=n, ridge=0.05)
    spread = 4 * np.sqrt(2 / measured.SAMPLES)
    for one, other in zip(found["modes"], computed["modes"], strict=True):
        assert list(one) == [name for name in list(one) if name in other]
        value, exact = one.pop("generated_variance"), other.pop("generated_variance")
        assert value == pytest.approx(exact, rel=spread)
        assert one == pytest.approx(other)
    for one, other in zip(found["levels"], computed["levels"], strict=True):
        assert list(one) == list(other)
        assert one["t"] == other["t"]
        assert one["alpha_bar"] == other["alpha_bar"]
        assert one["test_loss"] == pytest.approx(other["test_loss"], rel=0.6, abs=0.05)


@pytest.mark.parametrize("n", [4, 30])
def test_a_linear_model_is_linear_and_at_no_distance_from_itself(n):
    found, _ = both(("linearity", "directions"), n=n)
    assert len(found["linearity"]) == 8
    assert [row["t"] for row in found["linearity"]][::7] == [1, 100]
    modes = min(n, 7) if n < 6 else 6
    assert len(found["directions"]) == 8 * modes
    for row in found["linearity"]:
        assert abs(row["nonlinearity"]) < 1e-18
    for row in found["directions"]:
        assert row["distance"] < 1e-20
        assert row["distance_se"] < 1e-20


@pytest.mark.parametrize("own_split", [False, True])
def test_rows_like_the_training_rows_are_no_test_points(monkeypatch, own_split):
    """Of a data set with a split of its own (overlapping patches) held-out rows alone are taken."""
    pool = replace(make_pool("digits"), own_split=own_split)
    monkeypatch.setattr(few_levels, "pool_of", lambda family: pool)
    given = {"data": "digits", "d": pool.d, "spectrum": "dataset", "n": 64, "seed": 2}
    given |= {"spectrum_params": '{"name":"digits"}', "draw": None, "population_mean": None}
    family = make_family(cells(**given))
    (one, other), count = few_levels.fit_points(family)
    rng = np.random.default_rng(0)
    seen = np.concatenate([half(rng, 10_000) for half in (one, other)])
    held_out = len(pool.held_out)
    expected = held_out if own_split else held_out + pool.size - 64
    assert len(np.unique(seen, axis=0)) == expected
    assert count == min(fit_count(pool.d), 2 * (expected // 2))


@pytest.mark.parametrize("n", [4, 30])
def test_differences_of_linear_models_are_those_computed(n):
    found, _ = both(("differences",), n=n, ridge=0.1, seed=3)
    (computed,) = linear.run(cells(n=n, ridge=0.1, seed=3), ("differences",)).to_pylist()
    assert len(found["differences"]) == len(computed["differences"]) == 8 * 6
    for one, other in zip(found["differences"], computed["differences"], strict=True):
        error = one.pop("difference_se")
        assert other.pop("difference_se") is None
        value, exact = one.pop("difference"), other.pop("difference")
        assert value == pytest.approx(exact, abs=5 * error)
        assert 0 < error < 0.1 * exact
        assert one == other


def test_without_a_second_model_there_are_no_differences():
    table = cells(n=30)
    family, ((_, filters),) = make_family(table), groups(table)
    found = measured.measure(family, filters, denoiser(family.draw, filters), ("differences",))
    assert found["differences"].tolist() == [None]


def test_directions_of_another_ridge():
    """(w − w')² times the second moment of x_t along each mode; the null space is one of them."""
    found, _ = both(("directions",), n=4, ridge=0.2)
    table = cells(n=4, ridge=0.2)
    family, ((_, filters),) = make_family(table), groups(table)
    schedule, mu = filters.make_schedule(), family.mu
    second = (mu.test / mu.identity)[::-1]
    for row in found["directions"]:
        index, value = row["t"] - 1, row["eigenvalue"]
        ab, q = schedule.alpha_bar[index], schedule.q[index]
        w = np.sqrt(q) / (ab * (value + np.array([0.0, 0.2])) + q)
        exact = (w[1] - w[0]) ** 2 * (ab * second[row["mode"] - 1] + q)
        assert row["distance"] == pytest.approx(exact, abs=5 * row["distance_se"])
        assert row["alpha_bar"] == ab
    assert found["directions"][3]["eigenvalue"] == 0


def test_nothing_is_measured_that_is_not_wanted():
    table = cells(n=10)
    family, ((_, filters),) = make_family(table), groups(table)
    own, calls = denoiser(family.draw, filters), []

    def denoise(x, index):
        calls.append((len(x), index))
        return own(x, index)

    def count(*wanted):
        calls.clear()
        found = measured.measure(family, filters, denoise, wanted)
        assert set(wanted) <= set(found)
        return len(calls)

    assert count() == count("optimal_loss", "pool_fraction") == 0
    assert count("train_loss") == count("levels", "test_loss_se") == 100
    assert count("bures") == count("modes", "memorized_fraction", "kl_model_data_se") == 100
    assert count("linearity") == count("directions") == 8
    assert count("residual_loss", "bures", "linearity") == 208
    # Without a partner there is no agreement, but a name for it.
    assert count("agreement", "uncentred_cosine_se") == 100
    assert count("proximity_bias", "proximity_bias_se") == 100


@pytest.mark.parametrize("sampler", ["ddim", "ddpm_beta"])
def test_proximity_bias_is_that_of_the_samples(sampler):
    """Brute force, with a mean that both halves have; the agreement is of the same noises only."""
    table = cells(n=8, seed=3, sampler=sampler, scale=2.0)
    family, ((_, filters),) = make_family(table), groups(table)
    halves = [family.draw, family.halves.other]
    models = [denoiser(draw, filters) for draw in halves]
    made, points = [], []
    for half, (draw, model) in enumerate(zip(halves, models, strict=True)):
        made.append(measured.make_samples(family, filters, model, half) + draw.centre)
        points.append(draw.centred + draw.centre)
    near = [
        [np.linalg.norm(x[:, None] - known, axis=2).min(axis=1) for known in points] for x in made
    ]
    each = (near[0][1] - near[0][0] + near[1][0] - near[1][1]) / 2
    unit = np.sqrt(family.draw.spectrum.sum())
    found = measured.measure(family, filters, models[0], measured.PAIR, models[1])
    assert found["proximity_bias"][0] == pytest.approx(each.mean() / unit, rel=1e-9)
    error = each.std(ddof=1) / np.sqrt(len(each)) / unit
    assert found["proximity_bias_se"][0] == pytest.approx(error, rel=1e-9)
    assert np.isfinite(found["agreement"][0]) == (sampler == "ddim")


def test_of_the_population_s_denoiser_there_is_no_proximity_bias():
    """Of a model that has the training set's covariance there is: it is nearer to its own span."""
    table = cells(n=200, d=24, seed=5, sampler="ddpm_beta", timesteps=100)
    few = cells(n=12, d=24, seed=5, sampler="ddpm_beta", timesteps=100)
    for given, own in ((table, False), (few, False), (few, True)):
        family, ((_, filters),) = make_family(given), groups(given)
        bank = Bank(filters.make_schedule(), filters.trainings)
        same = linear_denoiser(np.eye(24), family.draw.spectrum, bank)

        def of(draw, same=same, own=own, filters=filters):
            if own:
                return denoiser(draw, filters)
            # The same denoiser about the population's mean, for points relative to the centre.
            schedule = filters.make_schedule()
            root = np.sqrt(schedule.alpha_bar)
            return lambda x, i: same(x + root[i] * draw.offset, i)

        models = of(family.draw), of(family.halves.other)
        found = measured.measure(family, filters, models[0], ["proximity_bias"], models[1])
        value, error = found["proximity_bias"][0], found["proximity_bias_se"][0]
        assert (value > 5 * error) if own else (abs(value) < 4 * error)


def test_numbers_do_not_hang_on_company_nor_on_the_model():
    one, _ = both(n=10)
    for name in ("train_loss", "bures", "agreement", "kl_data_model", "proximity_bias"):
        alone, _ = both((name,), n=10)
        assert alone[name] == one[name]
    with pytest.raises(ValueError, match="sampler ideal needs no denoiser"):
        both(n=10, sampler="ideal")


def test_why_metrics_are_null():
    family = make_family(cells(n=2))
    assert measured.reason(family, ["bures"]) is None
    assert "needs 3 distinct training points" in measured.reason(family, ["memorized_fraction"])
    large = make_family(cells(n=3, d=1100))
    assert measured.reason(large, ["kl_model_data"]) == (
        "both KL need more than d + 2 samples; there are 1,024"
    )
    assert measured.reason(large, ["bures", "memorized_fraction"]) is None


def test_the_registry_names_what_is_measured():
    assert MODELS["mlp"].metrics == MODELS["unet"].metrics == measured.METRICS
    of_the_training_set = {"collapse_time", "collapse_time_se"}
    assert MODELS["empirical"].metrics == measured.METRICS | of_the_training_set
    # Parts of the divergences are computed, not measured.
    assert {n for n in columns.delivered(measured.METRICS) if n not in measured.METRICS} == {
        f"{kl}_{part}"
        for kl in ("kl_model_data", "kl_data_model")
        for part in ("mean", "spectrum", "eigenvectors")
    }
