"""The model `linear_trained` end to end: beside `linear_exact`, in any company, and bad input."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")

from lindiff import columns  # noqa: E402
from lindiff.models import MODELS, linear, linear_trained  # noqa: E402
from lindiff.models.linear_cells import groups, level_indices  # noqa: E402
from lindiff.models.linear_family import make_family  # noqa: E402
from lindiff.models.linear_trained import run  # noqa: E402
from lindiff.models.measured import PROXIMITY, make_samples, proximity  # noqa: E402
from lindiff.planning import warn  # noqa: E402
from lindiff.planning.linear_trained import check, estimate  # noqa: E402
from lindiff.science.denoisers import linear as linear_denoiser  # noqa: E402
from lindiff.science.filters import Bank  # noqa: E402
from lindiff.science.pools import make_pool  # noqa: E402
from tests.science.helpers import make_cells  # noqa: E402
from tests.sweeps import Sweep  # noqa: E402

# All that `linear_exact` has too.
OWN = MODELS["linear_trained"].metrics - PROXIMITY
WANTED = columns.delivered(OWN)
SCALARS = tuple(name for name in OWN if not columns.METRIC[name].nested)
LOSSES = ("train_loss", "test_loss")
POPULATION = {
    "spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 16, "timesteps": 100,
    "seed": 1,
}  # fmt: skip
DESCENT = {"optimizer": "gradient_descent", "precision": "float64", "learning_rate": 0.02}
NOISY = {
    "optimizer": "adam", "learning_rate": 0.01, "batch_size": 8, "steps": 30, "draw": "samples",
    "n": 24, "timesteps": 20,
}  # fmt: skip


def trained(**given):
    """Cells of one family of the trained model."""
    return make_cells(**POPULATION | {"model": "linear_trained", "n": 20, "steps": 100} | given)


def digits(**given):
    pool = make_pool("digits")
    return trained(
        **{"data": "digits", "spectrum": "dataset", "d": pool.d, "draw": None,
           "spectrum_params": json.dumps({"name": "digits"}), "population_mean": None} | given
    )  # fmt: skip


def exact_of(cells):
    """The cells of `linear_exact` with the stops of full gradient descent."""
    table = cells.set_column(
        cells.column_names.index("stop"),
        "stop",
        pa.array([
            row["learning_rate"] * (row["stop_step"] or row["steps"]) for row in cells.to_pylist()
        ]),
    )  # fmt: skip
    own = set(columns.SETTING) - set(MODELS["linear_exact"].settings) | {"model"}
    rows = [
        row | dict.fromkeys(own) | {"model": "linear_exact", "ridge": 0.0, "init_scale": 0.0}
        for row in table.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=columns.cell_schema())


def worst(rows, expected, names):
    """The largest relative deviation of some metrics."""
    found = 0.0
    for row, other in zip(rows, expected, strict=True):
        assert row["status"] == other["status"] == "ok"
        for name in names:
            assert (row[name] is None) == (other[name] is None)
            if row[name] is not None:
                assert math.isfinite(row[name])
                found = max(found, abs(row[name] - other[name]) / abs(other[name]))
    return found


@pytest.mark.parametrize(
    ("draw", "centre"), [("wishart", "estimated"), ("samples", "estimated"), ("samples", "known")]
)
@pytest.mark.parametrize("n", [6, 40])
def test_full_descent_meets_the_exact_model_at_every_stop(n, centre, draw):
    """To 1e-10; seen: 3e-14. In float32: 1e-5 seen."""
    given = DESCENT | {
        "n": n, "centre": centre, "draw": draw, "population_mean": 0.3, "weight_decay": 0.02,
        "stop_step": [1, 2, 30, 499, 0], "steps": 800, "d": 10, "timesteps": 25,
        "sampler": ["ddim", "ddpm_beta", "heun"],
    }  # fmt: skip
    cells = trained(**given)
    assert check(cells) == []
    expected = linear.run(exact_of(cells), WANTED).to_pylist()
    found = run(cells, WANTED).to_pylist()
    assert worst(found, expected, SCALARS) < 1e-10
    for row, other in zip(found, expected, strict=True):
        for name in ("levels", "modes"):
            assert len(row[name]) == len(other[name])
            for one, two in zip(row[name], other[name], strict=True):
                # The null space has no overlap.
                numbers = {key for key, value in two.items() if value is not None}
                assert {key for key, value in one.items() if value is not None} == numbers
                for key in numbers:
                    assert one[key] == pytest.approx(two[key], rel=1e-9)
    single = run(trained(**given | {"precision": "float32"}), WANTED).to_pylist()
    assert 0 < worst(single, expected, SCALARS) < 5e-5


def test_full_descent_on_a_data_set():
    given = DESCENT | {"n": 40, "timesteps": 25, "beta_max": 8e-3, "learning_rate": 0.01,
                       "stop_step": [5, 50], "sampler": "ddim"}  # fmt: skip
    cells = digits(**given)
    assert check(cells) == []
    found, expected = run(cells, WANTED).to_pylist(), linear.run(exact_of(cells), WANTED)
    assert worst(found, expected.to_pylist(), SCALARS) < 1e-10
    assert found[0]["pool_fraction"] == 40 / make_pool("digits").size


def test_drawn_noise_on_a_data_set():
    """The train loss is above that of the exact optimum, which it nears to 1.4 %; halves agree."""
    given = {"n": 40, "timesteps": 25, "beta_max": 8e-3, "sampler": "ddim", "weight_decay": 0.1}
    training = {"steps": 300, "batch_size": 32, "learning_rate": 0.02, "draw": None}
    training |= {"stop_step": [20, 0], "learning_rate_decay": "cosine"}
    cells = digits(**NOISY | given | training)
    early, late = run(cells, WANTED).to_pylist()
    best = linear.run(digits(**given, model="linear_exact", optimizer=None), LOSSES).to_pylist()[0]
    assert early["train_loss"] > late["train_loss"]
    assert late["train_loss"] == pytest.approx(best["train_loss"], rel=0.03)
    assert 0 < late["agreement"] < 1


# Steps, learning rate, N, d, exponent and weight decay; batch 64, cosine decay, T = 100.
@pytest.mark.parametrize(
    ("optimizer", "steps", "rate", "n", "d", "exponent", "decay"),
    [
        ("adam", 400, 0.01, 64, 16, 1.0, 0.0),
        pytest.param("sgd", 1000, 0.1, 8, 16, 0.0, 0.1, marks=pytest.mark.slow),
        pytest.param("adamw", 400, 0.01, 64, 16, 1.0, 0.0, marks=pytest.mark.slow),
        pytest.param("sgd", 1000, 0.04, 64, 16, 1.0, 0.0, marks=pytest.mark.slow),
        pytest.param("adam", 600, 0.03, 8, 16, 1.0, 0.05, marks=pytest.mark.slow),
        pytest.param("adam", 400, 0.01, 256, 64, 1.0, 0.0, marks=pytest.mark.slow),
        pytest.param("adam", 800, 0.02, 32, 64, 1.0, 0.05, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_drawn_noise_leads_to_the_exact_optimum(optimizer, steps, rate, n, d, exponent, decay):
    """The test loss within 1 %, with coupled L2 below N = d as well."""
    common = {
        "n": n, "d": d, "spectrum_params": json.dumps({"exponent": exponent}), "draw": "samples",
        "weight_decay": decay,
    }  # fmt: skip
    cells = trained(**common, optimizer=optimizer, steps=steps, learning_rate=rate, batch_size=64,
                    learning_rate_decay="cosine")  # fmt: skip
    (row,) = run(cells, LOSSES).to_pylist()
    (best,) = linear.run(make_cells(**POPULATION | common), LOSSES).to_pylist()
    for name in LOSSES:
        assert row[name] == pytest.approx(best[name], rel=0.01), name
    assert row["train_loss"] > best["train_loss"] or decay


def test_a_cell_is_the_same_in_any_company_and_order():
    """To the bit, its partner's agreement included."""
    cells = trained(**NOISY, stop_step=[1, 17, 0], sampler=["ddim", "ddpm_beta"])
    together = run(cells, WANTED)
    for i in range(len(cells)):
        assert run(cells.slice(i, 1), WANTED).equals(together.slice(i, 1))
    order = [4, 0, 5, 2, 1, 3]
    assert run(cells.take(order), WANTED).equals(together.take(order))
    assert [level["t"] - 1 for level in together["levels"][0].as_py()] == level_indices(20)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "sgd"])
def test_chunks_of_levels_change_nothing(monkeypatch, optimizer):
    given = NOISY | {"optimizer": optimizer, "precision": "float64", "stop_step": [3, 0]}
    whole = run(trained(**given), WANTED).to_pylist()
    monkeypatch.setattr(linear_trained, "CHUNK", 1 << 13)
    parts = run(trained(**given), WANTED).to_pylist()
    assert worst(parts, whole, SCALARS) < 1e-11


def test_training_seeds_and_settings_tell_runs_apart():
    def losses(**given):
        (row,) = run(trained(**NOISY | given), LOSSES).to_pylist()
        return row["test_loss"]

    base = losses()
    assert losses() == base
    changes = [{"train_seed": 1}, {"learning_rate": 0.02}, {"weight_decay": 0.1}, {"seed": 2},
               {"warm_up": 5}, {"learning_rate_decay": "cosine"}, {"batch_size": 9},
               {"optimizer": "sgd"}]  # fmt: skip
    assert len({base, *(losses(**change) for change in changes)}) == len(changes) + 1
    assert losses(precision="float64") == pytest.approx(base, rel=0.2)


def test_a_training_that_diverges_is_a_row_with_its_step():
    cells = trained(**NOISY | {"optimizer": "sgd", "learning_rate": 20.0, "steps": 300},
                    stop_step=[1, 200, 0], sampler="ddim")  # fmt: skip
    early, *late = run(cells, WANTED).to_pylist()
    assert early["status"] == "ok"
    assert early["test_loss"] > 1
    for row in late:
        assert row["status"] == "diverged"
        assert row["message"].startswith("the loss is not finite at step ")
        assert 2 < int(row["message"].rsplit(" ", 1)[1]) < 200
        assert all(row[name] is None for name in WANTED)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("rate", [1e7, 1e16, 1e20, 1e38, 1e100, 1e154, 1e300])
def test_no_learning_rate_is_more_than_a_divergence(rate, optimizer, precision):
    """Not an exception, not a NaN; losses as far as they are finite."""
    cells = trained(**NOISY | {"optimizer": optimizer, "learning_rate": rate, "d": 5, "n": 12,
                               "steps": 8}, precision=precision, stop_step=[1, 0],
                    sampler="ddim")  # fmt: skip
    for row in run(cells, WANTED).to_pylist():
        assert row["status"] == "diverged"
        assert "step " in row["message"]
        numbers = [row[name] for name in WANTED if isinstance(row[name], float)]
        assert np.isfinite(numbers).all()
        if "the training loss is" in row["message"]:
            assert row["train_loss"] > 1e6


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("rate", [3.0, 1e10, 1e38, 1e300])
def test_unstable_descent_is_a_row_with_a_message_and_its_losses(rate, precision):
    """After one step they are finite, after a hundred they need not be."""
    given = DESCENT | {"learning_rate": rate, "precision": precision}
    early, late = run(trained(**given, stop_step=[1, 0], sampler="ddim"), WANTED).to_pylist()
    for row in (early, late):
        assert row["status"] == "diverged"
        assert row["message"].startswith(f"gradient descent diverges: learning_rate = {rate:g}, l")
        assert np.isfinite([row[name] for name in WANTED if isinstance(row[name], float)]).all()
    assert (early["test_loss"] is None) is (rate == 1e300)
    assert (late["test_loss"] is None) is (rate > 3 or precision == "float32")


def test_agreement_is_of_two_trainings_on_disjoint_halves():
    """It grows with N; where sampling adds noise of its own there is none."""
    given = NOISY | {"steps": 200, "learning_rate": 0.02}
    small, large = (
        run(trained(**given | {"n": n}, sampler="ddim"), ("agreement",)).to_pylist()[0]["agreement"]
        for n in (8, 500)
    )
    assert 0 < small < large < 1
    (row,) = run(trained(**given, sampler="ddpm_beta"), ("agreement",)).to_pylist()
    assert row["agreement"] is None


@pytest.mark.parametrize("sampler", ["ddim", "ddpm_beta"])
def test_proximity_bias_is_that_of_samples_made_step_by_step(sampler):
    """Of the exact model that the descent has reached, about means of their own; 0 at the start."""
    given = {**POPULATION, "draw": "samples", "n": 24, "sampler": sampler, "timesteps": 50}
    descent = DESCENT | {"steps": 20_000, "learning_rate": 0.3, "stop_step": [1, 0]}
    cells = trained(**given | descent | {"population_mean": 0.3, "d": 12})
    names = ("proximity_bias", "proximity_bias_se")
    start, end = ([row[name] for name in names] for row in run(cells, names).to_pylist())
    family = make_family(cells)
    ((_, filters),) = groups(make_cells(**given | {"d": 12, "population_mean": 0.3}))
    bank, made = Bank(filters.make_schedule(), filters.trainings), []
    for half, draw in enumerate((family.draw, family.halves.other)):
        exact = linear_denoiser(draw.vectors, draw.eigenvalues, bank)
        made.append(make_samples(family, filters, exact, half) + draw.offset)
    value, error = proximity(family, *made)
    assert end[0] == pytest.approx(value, abs=4 * np.hypot(error, end[1]))
    assert end[0] > 10 * end[1] > 0
    assert abs(start[0]) < 0.5 * end[0]


def test_proximity_bias_hangs_on_nothing_else():
    names = ("proximity_bias", "proximity_bias_se")
    cells = trained(**NOISY, stop_step=[5, 0], sampler=["ddim", "ddpm_beta"])
    alone = run(cells, names).to_pylist()
    together = run(cells, columns.delivered([*OWN, *names])).to_pylist()
    for one, other in zip(alone, together, strict=True):
        assert {name: other[name] for name in one} == one
        assert one["proximity_bias_se"] > 0
    # Agreement is of samples that are functions of a noise.
    noisy = cells["sampler"].to_pylist()
    assert [row["agreement"] is None for row in together] == [s == "ddpm_beta" for s in noisy]
    descent = trained(**DESCENT, draw=["samples", "wishart"])
    assert check(descent) == []
    assert check(descent, ["proximity_bias"]) == [
        (1, "draw", "proximity_bias needs the training samples; allowed: samples")
    ]


def test_what_is_refused():
    sound = NOISY | {"sampler": "ddim"}
    assert check(trained(**sound), ("agreement",)) == []

    def refused(metrics=(), **given):
        ((row, setting, text),) = check(trained(**sound | given), metrics)
        assert row == 1
        return setting, text

    setting, text = refused(learning_rate=[0.1, 0.0])
    assert setting == "learning_rate"
    assert "a trained model needs a learning rate above 0" in text
    assert refused(stop_step=[29, 30])[0] == "stop_step"
    assert refused(warm_up=[29, 30])[0] == "warm_up"
    assert refused(sampler=["ddim", "ideal"])[0] == "sampler"
    assert refused(("agreement",), sampler=["ddim", "ddpm_beta"])[0] == "sampler"
    assert refused(draw=["samples", "wishart"]) == (
        "draw", "optimizer adam needs the training samples; allowed: samples",
    )  # fmt: skip
    setting, text = refused(optimizer="gradient_descent", learning_rate=[0.01, 1.0])
    assert setting == "learning_rate"
    stable = float(text.rsplit(" ", 1)[1])
    descent = sound | {"optimizer": "gradient_descent", "draw": "wishart"}
    assert check(trained(**descent | {"learning_rate": 0.999 * stable})) == []
    assert check(trained(**sound | {"learning_rate": 1.001 * stable})) == []
    assert check(digits(**NOISY | {"draw": None, "n": 1439}))[0][1] == "n"
    assert check(digits(**NOISY | {"draw": None, "n": 800}), ("agreement",))
    assert warn(digits(**NOISY | {"draw": None}))[0][1] == "data"
    with pytest.raises(ValueError, match="needs the training samples: set `draw: samples`"):
        run(trained(**NOISY | {"draw": "wishart"}), LOSSES)
    with pytest.raises(ValueError, match="has no `sampler: ideal`"):
        run(trained(**NOISY, sampler="ideal"), LOSSES)


def test_the_estimate_follows_the_work():
    def of(metrics=LOSSES, count=1, **given):
        cells = trained(**NOISY | given)
        return estimate(cells.append_column("cells", [[count] * len(cells)]), metrics)

    (base,), (size,) = of()
    assert size > 100e6
    for more in ({"steps": 3000}, {"batch_size": 8000}, {"timesteps": 1000}, {"d": 256}):
        assert of(**more)[0][0] > 3 * base
    assert of(("agreement",))[0][0] > 1.5 * base
    assert of(("proximity_bias",))[0][0] > 1.5 * base
    assert of(("proximity_bias",), d=2, n=100_000)[0][0] > 3 * of(d=2, n=100_000)[0][0]
    assert of(count=50)[0][0] > base
    (few, many), _ = of(optimizer="gradient_descent", d=[16, 256], steps=1000)
    assert many > 10 * few


def test_plan_run_and_collect(tmp_path):
    """One table beside the exact model; a second plan finds all of it."""
    sweep = Sweep(tmp_path)
    one = (
        "{model: [linear_exact, linear_trained], d: 4, n: 8, draw: samples, steps: 20,"
        " optimizer: [gradient_descent, adam], learning_rate: 0.05, stop_step: [5, 0],"
        " train_seed: [0, 1], metrics: [bures, levels]}"
    )
    config = sweep.config(one, defaults="{timesteps: 20, beta_max: 9.0e-3, seed: 0, sampler: ddim}")
    sweep.finish(config)
    found = list(sweep.rows().values())
    own = [row for row in found if row["model"] == "linear_trained"]
    # Full descent has no training seed.
    assert len(own) == 6
    assert all(row["status"] == "ok" and row["kl_model_data"] > 0 for row in found)
    assert len({row["test_loss"] for row in own}) == 6
    assert all((row["torch"] is None) == (row["model"] == "linear_exact") for row in found)
    assert sweep.plan(config).pending == ()
    assert np.unique([row["optimal_loss"] for row in found]).size == 1
