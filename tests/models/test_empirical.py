"""The model `empirical` end to end: brute force, beside the linear model, packing, bad input."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from lindiff import columns
from lindiff.models import MODELS, linear
from lindiff.models.empirical import run
from lindiff.models.linear_cells import level_indices
from lindiff.models.linear_family import make_family
from lindiff.models.measured import METRICS, OF_SAMPLES, SAMPLES, training_points
from lindiff.planning import check, warn
from lindiff.planning.empirical import estimate
from lindiff.science import denoisers, laws
from lindiff.science.collapse import collapse_time
from lindiff.science.denoisers import linear as linear_denoiser
from lindiff.science.denoisers import monte_carlo_losses, rounds_of, rows_of
from lindiff.science.draws import generator, make_draw
from lindiff.science.empirical import empirical
from lindiff.science.filters import Bank, Training
from lindiff.science.pools import make_pool
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.configs import BASE, Maker, message
from tests.science.helpers import make_cells
from tests.sweeps import Sweep

WANTED = columns.delivered(METRICS)
LOSSES = tuple(
    name for name in WANTED if name not in OF_SAMPLES | {"linearity", "directions", "differences"}
)
MEMORIZED = ("memorized_fraction",)
PARAMS = '{"exponent": 1.0}'
GAUSSIAN = {
    "model": "empirical", "draw": "samples", "spectrum": "power_law", "spectrum_params": PARAMS,
}  # fmt: skip


def gaussian(**given):
    return make_cells(**GAUSSIAN | {"d": 6} | given)


def digits(**given):
    pool = make_pool("digits")
    return make_cells(
        **{"model": "empirical", "data": "digits", "spectrum": "dataset", "d": pool.d,
           "spectrum_params": json.dumps({"name": "digits"}), "draw": None,
           "population_mean": None} | given
    )  # fmt: skip


def rows(cells, wanted=WANTED):
    return run(cells, wanted).to_pylist()


def brute_force(points, test, key, schedule):
    """Train and test loss at every level as the definition says, one noisy point at a time."""
    rounds = rounds_of(schedule.timesteps)
    rng, losses = generator("loss", **key), np.zeros((2, schedule.timesteps, rounds))
    for t, (ab, q) in enumerate(zip(schedule.alpha_bar, schedule.q, strict=True)):
        known, fresh = points[rng.integers(len(points), size=rounds)], test(rng, rounds)
        noise = rng.standard_normal(known.shape)
        for kind, clean in enumerate((known, fresh)):
            for r in range(rounds):
                x = np.sqrt(ab) * clean[r] + np.sqrt(q) * noise[r]
                log = -((x - np.sqrt(ab) * points) ** 2).sum(axis=1) / (2 * q)
                guess = np.exp(log - logsumexp(log)) @ points
                predicted = (x - np.sqrt(ab) * guess) / np.sqrt(q)
                losses[kind, t, r] = np.mean((noise[r] - predicted) ** 2)
    return losses


@pytest.mark.parametrize("data", ["gaussian", "digits"])
@pytest.mark.parametrize("n", [2, 12])
def test_losses_against_the_definition(n, data, monkeypatch):
    """Training set, held-out rows and noises are those of the draw; ε is compared with ε̂."""
    monkeypatch.setattr(denoisers, "_NOISY", 320)
    monkeypatch.setattr(denoisers, "_ROUNDS", 16)
    given = {"n": n, "seed": 3, "timesteps": 20}
    if data == "gaussian":
        cells, s = gaussian(**given), make_spectrum("power_law", 6, exponent=1.0)
        population = {"spectrum": "power_law", "params": PARAMS}
        draw = make_draw("samples", s, n, 3, population)
        points = draw.centred + draw.centre

        def test(rng, count):
            return rng.standard_normal((count, 6)) * np.sqrt(s)
    else:
        cells, pool = digits(**given), make_pool("digits")
        population = {"spectrum": "dataset", "params": json.dumps({"name": "digits"})}
        points = pool.subset(n, 3)

        def test(rng, count):
            return pool.held_out[rng.integers(len(pool.held_out), size=count)]

    key = {**population, "d": points.shape[1], "n": n, "seed": 3}
    losses = brute_force(points, test, key, make_schedule("linear", 20))
    (row,) = rows(cells)
    for kind, name in enumerate(("train_loss", "test_loss")):
        assert row[name] == pytest.approx(losses[kind].mean(), rel=1e-9)
        error = losses[kind].mean(axis=0).std(ddof=1) / np.sqrt(16)
        assert row[f"{name}_se"] == pytest.approx(error, rel=1e-9)
        at = losses[kind].mean(axis=1)[level_indices(20)]
        levels = [level[name] for level in row["levels"]]
        np.testing.assert_allclose(levels, at, rtol=1e-9, atol=1e-12)
    assert row["status"] == "ok"


@pytest.mark.parametrize("cells", [gaussian, digits])
@pytest.mark.parametrize("n", [4, 40, 400])
def test_beside_the_linear_model_of_the_same_draw(n, cells):
    """Same points, same optimum; at every level a lower training loss, within its spread."""
    own = cells(n=n, seed=1, timesteps=200)
    other = cells(n=n, seed=1, timesteps=200, model="linear_exact", centre="estimated")
    exact = make_family(other).draw
    np.testing.assert_array_equal(training_points(make_family(own)), exact.centred)
    (row,) = rows(own, LOSSES)
    (line,) = linear.run(other, columns.delivered(MODELS["linear_exact"].metrics - {
        "agreement", "bures", "monte_carlo_gap", "modes"})).to_pylist()  # fmt: skip
    assert row["optimal_loss"] == line["optimal_loss"]
    assert row["pool_fraction"] == line["pool_fraction"]
    assert row["residual_loss"] == row["test_loss"] - row["optimal_loss"]
    assert row["train_loss"] + 3 * row["train_loss_se"] < line["train_loss"]
    assert row["test_loss"] - 3 * row["test_loss_se"] > row["optimal_loss"]
    assert [level["t"] for level in row["levels"]] == [level["t"] for level in line["levels"]]


@pytest.mark.parametrize("cells", [lambda **given: gaussian(d=16, **given), digits])
@pytest.mark.parametrize("n", [4, 256])
def test_at_every_level_the_training_loss_is_below_the_linear_models(n, cells):
    """On the same 32 points and noises, at all thousand levels, within the standard error."""
    points = training_points(make_family(cells(n=n)))
    schedule, source = make_schedule(), rows_of(points)
    draw = make_family(cells(n=n)).draw
    exact = linear_denoiser(draw.vectors, draw.eigenvalues, Bank(schedule, [Training()]))
    one, other = (
        monte_carlo_losses(f, schedule, (source, source), np.random.default_rng(n))[0]
        for f in (empirical(points, schedule), exact)
    )
    excess = other - one
    error = excess.std(axis=1, ddof=1) / np.sqrt(32)
    # Of a thousand means 1.3 are more than 3 errors low where both models are the same.
    assert np.all(excess.mean(axis=1) > -4 * error - 1e-12)
    assert np.mean(excess.mean(axis=1) < -2 * error) < 0.05


@pytest.mark.parametrize("n", [4, 64])
@pytest.mark.parametrize("cells", [lambda **given: gaussian(d=16, **given), digits])
def test_every_sample_is_memorized(cells, n):
    found = rows(
        cells(n=n, timesteps=200, sampler=["ddim", "ddpm_beta"]),
        (*MEMORIZED, "memorized_fraction_se"),
    )
    assert [row["memorized_fraction"] for row in found] == [1, 1]
    assert [row["memorized_fraction_se"] for row in found] == [0, 0]


def test_samplers_that_do_not_resolve_the_end_memorize_less():
    few = gaussian(d=16, n=64, sampler="ddim", sampling_steps=[1, 20])
    one, some = (row["memorized_fraction"] for row in rows(few, MEMORIZED))
    assert one < 0.1
    assert some > 0.9
    # Samples of `ideal` are training points.
    (row,) = rows(gaussian(n=3, sampler="ideal"), MEMORIZED)
    assert row["memorized_fraction"] == 1


def test_of_two_points_no_fraction():
    (row,) = rows(gaussian(n=2, timesteps=25))
    assert row["memorized_fraction"] is None
    assert row["message"].startswith("memorized_fraction needs 3 distinct training points")
    assert row["status"] == "ok"
    assert row["test_loss"] > row["train_loss"]
    (row,) = rows(gaussian(n=2, timesteps=25), LOSSES)
    assert row["message"] is None


def test_the_losses_do_not_see_the_sampler_nor_where_the_data_are():
    together = gaussian(n=9, timesteps=25, sampler=["ideal", "ddim", "ddpm_beta"])
    first, *others = rows(together, LOSSES)
    for row in others:
        assert row | {"cell_id": "0"} == first
    (moved,) = rows(gaussian(n=9, timesteps=25, population_mean=40.0), LOSSES)
    for name in ("train_loss", "train_loss_se", "test_loss", "test_loss_se"):
        assert moved[name] == pytest.approx(first[name], rel=1e-9)
    (moved,) = rows(gaussian(d=16, n=9, population_mean=3.0), MEMORIZED)
    assert moved["memorized_fraction"] == 1


def test_samples_of_few_points_are_infinitely_far_from_the_population():
    """As those of the linear model without noise in the last step; the Bures distance is not."""
    names = ("kl_model_data", "kl_data_model", "bures", "bures_se", "kl_data_model_se", "modes")
    (row,) = rows(gaussian(d=16, n=8, sampler="ddpm_beta"), names)
    assert row["kl_model_data"] == row["kl_data_model"] == np.inf
    assert row["kl_data_model_se"] is None
    assert 0 < 5 * row["bures_se"] < row["bures"]
    assert row["modes"][-1]["multiplicity"] == 9
    assert row["modes"][-1]["generated_variance"] < 1e-20
    # Samples that stop at some noise are far in the other directions only.
    (row,) = rows(gaussian(d=16, n=8, sampler="ddpm_beta", final_noise=True), names)
    assert 100 < row["kl_data_model"] < 1e6
    assert 0 < row["kl_data_model_se"] < 0.1 * row["kl_data_model"]
    assert row["kl_model_data"] > 1


def test_samples_have_the_covariance_of_the_training_set():
    """With many points of few dimensions that is Σ0, whatever the sampler."""
    family = make_family(gaussian(d=2, n=400, seed=2))
    names = ("modes", "bures", "kl_model_data", "kl_model_data_se")
    for sampler in ("ideal", "ddpm_beta"):
        (row,) = rows(gaussian(d=2, n=400, seed=2, timesteps=100, sampler=sampler), names)
        for mode, value in zip(row["modes"], family.draw.eigenvalues[::-1], strict=True):
            assert mode["eigenvalue"] == pytest.approx(value)
            assert mode["generated_variance"] == pytest.approx(value, rel=4 * np.sqrt(2 / SAMPLES))
        assert row["bures"] < 0.02
        assert abs(row["kl_model_data"]) < 0.02 + 4 * row["kl_model_data_se"]


def test_halves_agree_the_more_the_more_points_there_are():
    names = ("agreement", "agreement_se", "uncentred_cosine")
    found = rows(gaussian(n=4, timesteps=50, sampler=["ddim", "ideal"]), names)
    few, ideal = found
    (many,) = rows(gaussian(n=500, sampler="ddim", sampling_steps=50), names)
    assert few["agreement"] + 5 * few["agreement_se"] < many["agreement"] < 1
    assert many["uncentred_cosine"] is None
    # Points drawn at random are no function of a noise.
    assert ideal["agreement"] is None
    assert ideal["message"].startswith("halves are compared on samples that are functions of a n")
    (real,) = rows(digits(n=20, sampler="ddim", sampling_steps=50), names)
    # Of all pictures the mean is far from 0.
    assert real["agreement"] < 0.6 < real["uncentred_cosine"] < 1


@pytest.mark.parametrize("cells", [lambda **given: gaussian(d=16, **given), digits])
def test_proximity_bias_of_training_points(cells):
    """As far as the other half is from a training point, whatever the sampler."""
    names = ("proximity_bias", "proximity_bias_se")
    table = cells(n=30, seed=2, timesteps=100, sampler=["ideal", "ddim", "ddpm_beta"])
    family = make_family(table)
    one, two = family.draw, family.halves.other
    points, others = one.centred + one.offset, two.centred + two.offset
    apart = np.linalg.norm(points[:, None] - others, axis=2)
    nearest = (apart.min(axis=0).mean() + apart.min(axis=1).mean()) / 2
    for row in rows(table, names):
        value, error = (row[name] for name in names)
        assert value == pytest.approx(nearest / np.sqrt(one.spectrum.sum()), abs=5 * error)
        assert 0 < 20 * error < value
        assert row["message"] is None


def test_collapse_time_is_that_of_the_training_set():
    """Of all schedules and samplers one number, beside the law of its population."""
    names = ("collapse_time", "collapse_time_se")
    table = pa.concat_tables([
        gaussian(d=20, n=400, timesteps=20, sampler=["ideal", "ddim"]),
        gaussian(d=20, n=400, timesteps=50, schedule="cosine"),
    ])  # fmt: skip
    found = rows(table, names)
    assert len({tuple(row[name] for name in names) for row in found}) == 1
    time, error = (found[0][name] for name in names)
    family = make_family(table)
    expected = collapse_time(
        training_points(family), np.arange(400), generator("collapse", **family.key)
    )
    assert (time, error) == expected
    expected = float(laws.collapse_time(400, family.draw.spectrum))
    assert expected < time < 1.15 * expected
    # In another unit σ² = q/ᾱ has that of the variances.
    (large,) = rows(gaussian(d=20, n=400, scale=4.0), names)
    assert np.expm1(2 * large["collapse_time"]) == pytest.approx(16 * np.expm1(2 * time), rel=1e-6)
    (real,) = rows(digits(n=100), names)
    assert 0 < 20 * real["collapse_time_se"] < real["collapse_time"]


def test_two_points_never_collapse():
    (row,) = rows(gaussian(n=2), ("collapse_time", "memorized_fraction"))
    assert row["collapse_time"] is row["memorized_fraction"] is None
    first, second = row["message"].split("; ")
    assert first.startswith("memorized_fraction needs 3 distinct training points")
    assert second.startswith("collapse_time needs 3 distinct training points or more")


def test_nonlinear_where_it_knows_the_points():
    """At low noise the points of a training set are islands; at high noise they are one."""
    (row,) = rows(gaussian(n=4, seed=1), ("linearity", "directions"))
    levels = row["linearity"]
    assert len(levels) == 8
    assert levels[0]["t"] == 1
    assert levels[-1]["t"] == 1000
    assert max(level["nonlinearity"] for level in levels) > 0.2
    assert all(0 <= level["nonlinearity"] < 1.2 for level in levels)
    assert all(0 < level["nonlinearity_se"] < 0.1 for level in levels)
    # Three modes and a null space, at every level.
    assert [(each["t"], each["mode"]) for each in row["directions"][:5]] == [
        (1, 1), (1, 2), (1, 3), (1, 4), (levels[1]["t"], 1),
    ]  # fmt: skip
    # Off its points the empirical score is nothing that the linear model is; in the null space
    # both are −x_t/√q.
    for each in row["directions"]:
        if each["mode"] == 4:
            assert each["eigenvalue"] == 0
            assert each["distance"] < 1e-20
        else:
            assert each["distance"] > 5 * each["distance_se"] > 0


def test_pictures_are_digits_with_their_nearest():
    (row,) = rows(digits(n=20, sampler="ddim", sampling_steps=100), ("pictures",))
    pool, family = make_pool("digits"), make_family(digits(n=20))
    known = pool.restore(training_points(family) + family.draw.centre)
    assert [each["sample"] for each in row["pictures"]] == list(range(8))
    for each in row["pictures"]:
        assert each["height"] == 8
        assert len(each["generated"]) == len(each["nearest"]) == 64
        assert 0 <= each["ratio"] < 1 / 3
        near = np.array(each["nearest"], dtype=float)
        assert np.abs(known - near).max(axis=1).min() < 1e-4
        # Pixels are whole numbers from 0 to 16.
        np.testing.assert_allclose(near, np.rint(near), atol=1e-5)
        np.testing.assert_allclose(each["generated"], near, atol=2)
    (row,) = rows(gaussian(n=20, sampler="ideal"), ("pictures",))
    assert row["pictures"] is None


PACKED = (*LOSSES, *MEMORIZED, "bures", "bures_se", "linearity")


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ideal", "ddpm_beta", "ddpm_beta_tilde", "ddim"]),
            st.sampled_from([15, 20]),
        ),
        min_size=1, max_size=4, unique=True,
    ),
    st.integers(2, 20),
)  # fmt: skip
def test_packing_never_changes_a_row(combinations, n):
    """To the bit: noises are named by the draw, and every level is its own product."""
    cells = pa.concat_tables([gaussian(d=3, n=n, sampler=s, timesteps=t) for s, t in combinations])
    together = run(cells, PACKED)
    for i in range(len(cells)):
        assert run(cells.slice(i, 1), PACKED).equals(together.slice(i, 1))
    (row,) = rows(cells.slice(i, 1), MEMORIZED)
    assert row["memorized_fraction"] == together["memorized_fraction"][i].as_py()


def test_what_is_refused(tmp_path):
    cells = make_cells(**GAUSSIAN | {"draw": ["samples", "wishart"]})
    assert check(cells) == [(1, "draw", "empirical needs the training samples; allowed: samples")]
    with pytest.raises(ValueError, match="empirical needs the training samples: set `draw: sa"):
        run(cells.slice(1), WANTED)
    assert check(digits(n=[20, 1439])) == [(1, "n", "more than the pool of digits has: 1,438 rows")]
    make = Maker(tmp_path)
    assert message(make(base=BASE.replace("linear_exact", "empirical"))) == (
        "c.yaml:2:3: experiments.a.draw = 'wishart': empirical needs the training samples; "
        "allowed: samples"
    )
    assert message(make("metrics: memorized_fraction")) == (
        "c.yaml:7:14: experiments.a.metrics = 'memorized_fraction': model linear_exact does not "
        "give this metric"
    )
    for unread in ("ridge: 0.1", "centre: known"):
        text = message(make(f"draw: samples\n{unread}", BASE.replace("linear_exact", "empirical")))
        assert text.endswith("has no effect on model empirical")


def test_the_estimate_follows_the_work():
    def of(cells, metrics=LOSSES, count=1):
        table = cells.append_column("cells", [[count] * len(cells)])
        return estimate(table, metrics)

    (small, large), (less, more) = of(gaussian(n=[10, 10_000]))
    assert large > 20 * small
    assert more > less
    (one,), _ = of(gaussian(n=1000))
    (three,), _ = of(gaussian(n=1000), count=3)
    (sampled,), _ = of(gaussian(n=1000), WANTED)
    (few,), _ = of(gaussian(n=1000, sampling_steps=10), WANTED)
    assert three == pytest.approx(3 * one, rel=0.05)
    assert one < few < sampled
    # The other half's samples, and all distances; the noisy points of one number for all cells.
    alone, both, collapsed = (
        of(gaussian(n=1000), (name,))[0][0]
        for name in ("memorized_fraction", "proximity_bias", "collapse_time")
    )
    assert both == pytest.approx(2 * alone, rel=0.1)
    assert collapsed < 0.1 * alone
    assert of(gaussian(n=1000), ("collapse_time",), count=50)[0][0] == pytest.approx(collapsed)
    assert of(digits(n=20))[1][0] > 100e6
    (row, setting, _), *_ = warn(digits(n=20))
    assert (row, setting) == (0, "data")


def test_plan_run_and_collect(tmp_path):
    """One table beside the linear model; metrics that one of them lacks are null there."""
    sweep = Sweep(tmp_path)
    defaults = "{timesteps: 50, seed: [0, 1], draw: samples, sampler: [ddim, ddpm_beta]}"
    one = (
        "{model: [linear_exact, empirical], d: 4, n: [2, 8], metrics: [memorized_fraction, levels]}"
    )
    real = "{model: [linear_exact, empirical], data: digits, n: 8, metrics: memorized_fraction}"
    sweep.finish(sweep.config(one, defaults=defaults, real=real))
    found = list(sweep.rows().values())
    own = [row for row in found if row["model"] == "empirical"]
    assert len(own) == 12
    assert len(found) == 24
    for row in found:
        assert row["status"] == "ok"
        assert (row["train_loss_se"] is None) == (row["model"] == "linear_exact")
        assert (row["memorized_fraction"] is None) == (row not in own or row["n"] == 2)
        assert (row["centre"] is None) == (row["model"] == "empirical")
        assert row["test_loss"] > row["train_loss"]
    assert len({(row["data"], row["n"], row["seed"], row["train_loss"]) for row in own}) == 6
    # A second plan finds all of it.
    assert sweep.plan(sweep.config(one, defaults=defaults, real=real)).pending == ()
