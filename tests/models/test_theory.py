"""The theory as a model: rows beside those of draws, and null with a reason where no limit is."""

import numpy as np
import pyarrow as pa
import pytest

from lindiff import columns
from lindiff.models import MODELS, theory
from lindiff.models.linear import run as run_draws
from lindiff.planning import check, warn
from lindiff.planning.theory import estimate
from lindiff.science.filters import Training
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.theory import linear_theory
from tests.science.helpers import make_cells

OWN = MODELS["linear_theory"].metrics - {"differences"}
ALL = columns.delivered(OWN)
POPULATION = {"spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 60}
SPECTRUM = make_spectrum("power_law", 60, exponent=1.0)


def cells(**given):
    return make_cells(**{"model": "linear_theory", "timesteps": 50} | POPULATION | given)


def rows(**given):
    return theory.run(cells(**given), ALL).to_pylist()


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm_beta"])
def test_a_family_of_many_n_and_filters_is_the_function(centre, sampler):
    found = rows(
        n=[20, 200, 30_000], ridge=[0.0, 0.1], stop=[20.0, np.inf], centre=centre, sampler=sampler
    )
    schedule = make_schedule("linear", 50)
    trainings = [Training(c, stop=t) for c in (0.0, 0.1) for t in (20.0, np.inf)]
    for i, n in enumerate((20, 200, 30_000)):
        expected = linear_theory(
            SPECTRUM, n, trainings, schedule, make_sampler(sampler, schedule), centre == "known"
        )
        for name, values in expected.items():
            got = [row[name] for row in found[4 * i : 4 * i + 4]]
            np.testing.assert_allclose(got, values, rtol=1e-10, atol=1e-13, err_msg=name)


def test_packing_never_changes_a_row():
    together = theory.run(
        cells(n=[20, 70, 900], ridge=[0.0, 0.1], learning_rate=[0.0, 0.01], stop=5.0), ALL
    )
    all_cells = cells(n=[20, 70, 900], ridge=[0.0, 0.1], learning_rate=[0.0, 0.01], stop=5.0)
    order = np.random.default_rng(0).permutation(len(all_cells))
    shuffled = theory.run(all_cells.take(pa.array(order)), ALL)
    for i, row in enumerate(together.to_pylist()):
        alone = theory.run(all_cells.slice(i, 1), ALL).to_pylist()[0]
        other = shuffled.slice(int(np.flatnonzero(order == i)[0]), 1).to_pylist()[0]
        for name in ALL:
            for again in (alone, other):
                if name != "levels" and row[name] is not None:
                    assert again[name] == pytest.approx(row[name], rel=1e-11, abs=1e-13), name


@pytest.mark.parametrize(
    ("n", "scale"), [(20, 1.0), (61, 1.0), (150, 1.0), (20, 0.2), (61, 5.0), (150, 5.0)]
)
def test_every_metric_meets_the_mean_over_draws(n, scale):
    ridge = [0.01 * scale**2, 0.3 * scale**2]
    given = POPULATION | {"n": n, "scale": scale, "ridge": ridge, "sampler": "ddim"}
    given |= {"timesteps": 50}
    limit = theory.run(make_cells(model="linear_theory", **given), ALL).to_pylist()
    wanted = [name for name in ALL if name != "levels"]
    draws = [run_draws(make_cells(**given, seed=s), wanted).to_pylist() for s in range(40)]
    for cell, row in enumerate(limit):
        for name in wanted:
            values = np.array([draw[cell][name] for draw in draws], float)
            error = 5 * values.std(ddof=1) / np.sqrt(len(draws))
            if row[name] is not None:
                # Orders beyond 1/n are a percent at d = 60.
                assert row[name] == pytest.approx(values.mean(), abs=error, rel=0.01), name


def test_as_many_degrees_of_freedom_as_dimensions_are_a_row_like_others():
    for centre, n in (("estimated", 61), ("known", 60)):
        none, ridge = rows(n=n, centre=centre, ridge=[0.0, 0.01], sampler="ddim")
        assert none["message"] is ridge["message"] is None
        assert all(ridge[name] is not None for name in ALL)
        assert none["kl_data_model"] == np.inf
        assert 0 < none["kl_model_data"] < np.inf
        schedule = make_schedule("linear", 50)
        trainings = [Training(), Training(ridge=0.01)]
        sampler = make_sampler("ddim", schedule)
        known = centre == "known"
        for name, values in linear_theory(SPECTRUM, n, trainings, schedule, sampler, known).items():
            np.testing.assert_allclose([none[name], ridge[name]], values, rtol=1e-10, err_msg=name)


def test_levels_average_to_the_mean_over_levels():
    for row in rows(n=[40, 61], ridge=0.01, schedule="cosine", timesteps=8):
        assert [level["t"] for level in row["levels"]] == list(range(1, 9))
        for loss in ("train_loss", "test_loss"):
            mean = np.mean([level[loss] for level in row["levels"]])
            assert mean == pytest.approx(row[loss], rel=1e-10)


def test_where_no_limit_exists_a_metric_is_null_and_the_message_says_why():
    (row,) = rows(n=61, ridge=1e-16)
    assert row["status"] == "ok"
    assert "the spectrum reaches 0" in row["message"]
    assert row["kl_data_model"] is row["kl_data_model_spectrum"] is None
    assert row["test_loss"] > 0
    (row,) = theory.run(cells(n=61, ridge=1e-16), ("test_loss",)).to_pylist()
    assert row["message"] is None
    (row,) = rows(n=40, population_mean=0.5, sampler="ddim")
    assert "population_mean" in row["message"]
    assert row["kl_model_data"] is row["kl_data_model_mean"] is row["agreement"] is None
    assert row["test_loss"] > 0
    (row,) = rows(n=40, population_mean=0.5, sampler="ideal", ridge=0.1)
    assert row["message"] is None
    assert row["kl_model_data"] > 0


def test_a_filter_without_continuation_is_null_and_the_others_are_not():
    # From W(0) = 20 I the generated variance passes through zero inside the spectrum.
    odd, plain = rows(n=40, stop=0.3, init_scale=[20.0, 0.0], sampler="ddim")
    assert "not analytic" in odd["message"]
    assert odd["kl_model_data"] is odd["levels"] is None
    assert plain["message"] is None
    assert plain["kl_model_data"] > 0


def test_agreement_needs_a_sampler_without_noise_of_its_own():
    (row,) = rows(n=40, sampler="ddpm_beta")
    assert row["agreement"] is None
    for sampler in ("ddim", "ideal"):
        many, few = rows(n=[10**7, 10], sampler=sampler, ridge=0.01)
        assert many["agreement"] == pytest.approx(1, abs=1e-4)
        assert 0 < few["agreement"] < 0.7


def test_where_the_overlap_has_no_limit_the_message_says_why():
    half = {"spectrum": "power_law", "spectrum_params": '{"exponent": 0.5}', "d": 32}
    near, far = rows(**half, n=[64, 1000])
    assert near["overlap_1"] is None
    assert "overlap_1" in near["message"]
    assert near["kl_model_data"] > 0
    assert far["message"] is None
    assert 0.9 < far["overlap_1"] < 1
    # Neither where it is not asked for, nor of isotropic data, which have no leading space.
    (row,) = theory.run(cells(**half, n=64), ("test_loss",)).to_pylist()
    assert row["message"] is None
    (row,) = rows(spectrum="isotropic", spectrum_params="{}", n=64)
    assert row["overlap_1"] is row["message"] is None


def test_planning():
    good = cells(n=[20, 61])
    assert check(good) == []
    assert [(row, name) for row, name, _ in warn(cells(n=40, timesteps=1000))] == []
    bad = cells(n=40, sampling_steps=100)
    assert [name for _, name, _ in check(bad)] == ["sampling_steps"]
    families = good.append_column("cells", pa.array([3, 300]))
    seconds, size = estimate(families, ("levels",))
    assert 0 < seconds[0] < seconds[1]
    assert np.all(size > 1e8)


def test_differences_are_those_of_draws_and_have_no_limit_after_a_stop():
    given = POPULATION | {"n": 90, "ridge": 0.05, "timesteps": 50, "sampler": "ideal"}
    (limit,) = theory.run(make_cells(model="linear_theory", **given), ["differences"]).to_pylist()
    draws = [
        run_draws(make_cells(**given, seed=seed), ["differences"]).to_pylist()[0]["differences"]
        for seed in range(60)
    ]
    assert [(row["t"], row["mode"]) for row in limit["differences"]] == [
        (row["t"], row["mode"]) for row in draws[0]
    ]
    values = np.array([[row["difference"] for row in draw] for draw in draws])
    exact = np.array([row["difference"] for row in limit["differences"]])
    # The modes of a level go together; each of them is measured too.
    totals, limits = values.reshape(60, -1, 60).sum(axis=2), exact.reshape(-1, 60).sum(axis=1)
    error = totals.std(axis=0, ddof=1) / np.sqrt(60)
    assert (abs(totals.mean(axis=0) - limits) < 4 * error + 0.01 * limits).all()
    assert (error < 0.05 * limits).all()
    z = (values.mean(axis=0) - exact) / (values.std(axis=0, ddof=1) / np.sqrt(60))
    assert (z**2).mean() < 2
    stopped = theory.run(cells(n=90, stop=3.0, sampler="ddim"), ["differences"]).to_pylist()[0]
    assert stopped["differences"] is None
    assert "after a stop" in stopped["message"]


def test_differences_that_have_no_limit_are_refused():
    for setting, wrong in (
        ("mixture", {"mixture": '{"weights":[0.5,0.5],"between":0.9}', "sampler": "ddim"}),
        ("noises", {"noises": 3.0, "sampler": "ddim"}),
    ):
        for model in ("linear_theory", "linear_exact"):
            own = cells(n=90, model=model, draw="samples", **wrong)
            found = [f for f in check(own, ["differences"]) if f[1] == setting]
            assert bool(found) == (model == "linear_theory" or setting == "noises"), found
