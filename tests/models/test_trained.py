"""Trained networks as models of the table: company, stops, failures, checkpoints, pairing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")

from lindiff import columns  # noqa: E402
from lindiff.models import MODELS, measured, trained  # noqa: E402
from lindiff.models.linear_family import make_family  # noqa: E402
from lindiff.science.named import names  # noqa: E402
from lindiff.science.pools import make_pool  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.session import Session, current, session  # noqa: E402
from lindiff.sweep.run import run_spec  # noqa: E402
from lindiff.sweep.store import read_table  # noqa: E402
from lindiff.training import checkpoint, watch  # noqa: E402
from lindiff.training.task import Run  # noqa: E402
from tests.planning.test_planning import OF_POPULATIONS  # noqa: E402
from tests.science.helpers import sweep_cells  # noqa: E402
from tests.sweeps import Sweep  # noqa: E402

NETWORKS = names("lindiff.training.networks")
BASE = {
    "model": "mlp", "draw": "samples", "spectrum": "power_law",
    "spectrum_params": '{"exponent":1.0}', "d": 4, "n": 12, "timesteps": 20, "beta_max": 9e-3,
    "sampler": "ddim", "width": 8, "steps": 40, "learning_rate": 1e-2,
}  # fmt: skip
LOSSES = ("train_loss", "train_loss_se", "test_loss", "test_loss_se", "levels")
SAMPLES = ("kl_model_data", "bures", "memorized_fraction", "agreement", "agreement_se", "modes")
FEW = (*LOSSES, "memorized_fraction", "agreement", "proximity_bias")


def cells(**given: Any) -> pa.Table:
    return sweep_cells(**BASE | given)


def digits(**given: Any) -> pa.Table:
    pool = make_pool("digits")
    return cells(
        **{"data": "digits", "spectrum": "dataset", "d": pool.d, "draw": None,
           "spectrum_params": json.dumps({"name": "digits"}), "population_mean": None} | given
    )  # fmt: skip


def rows(table: pa.Table, wanted: tuple[str, ...] = LOSSES) -> list[dict[str, Any]]:
    return trained.run(table, wanted).to_pylist()


def by_id(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["cell_id"]: row for row in found}


def test_a_row_is_the_same_alone_together_and_in_another_order():
    many = cells(n=[6, 12, 30], seed=[0, 1], weight_decay=[0.0, 0.1], train_seed=[0, 1])
    together = rows(many, FEW)
    assert [row["cell_id"] for row in together] == many["cell_id"].to_pylist()
    assert {row["status"] for row in together} == {"ok"}
    backwards = rows(many.take(pa.array(np.arange(len(many))[::-1])), FEW)
    assert by_id(backwards) == by_id(together)
    for i in (0, 7, 23):
        (alone,) = rows(many.slice(i, 1), FEW)
        assert alone == together[i]


def test_rows_differ_where_their_settings_do():
    many = cells(seed=[0, 1], train_seed=[0, 1], weight_decay=[0.0, 0.5], width=[8])
    losses = [row["train_loss"] for row in rows(many, ("train_loss",))]
    assert len(set(losses)) == 8


def test_stops_are_snapshots_of_one_run():
    early, late = rows(cells(stop_step=[10, 0]))
    (short,) = rows(cells(steps=10))
    names = [name for name in early if name != "cell_id"]
    assert [early[name] for name in names] == [short[name] for name in names]
    assert late["train_loss"] < early["train_loss"]


def test_training_lowers_the_loss_towards_the_optimum():
    start, end = rows(
        cells(n=400, d=2, steps=600, stop_step=[1, 0], warm_up=50, learning_rate_decay="cosine"),
        (*LOSSES, "optimal_loss", "residual_loss"),
    )
    assert end["test_loss"] < start["test_loss"]
    assert end["test_loss"] < 1.1 * end["optimal_loss"]
    assert end["residual_loss"] == end["test_loss"] - end["optimal_loss"]


def test_a_model_that_diverges_is_a_row_and_the_others_do_not_feel_it():
    both = cells(learning_rate=[1e12, 1e-2], optimizer="sgd", stop_step=[1, 0], seed=3)
    found = rows(both)
    rates = both["learning_rate"].to_pylist()
    stops = both["stop_step"].to_pylist()
    lost = [
        row for row, rate, stop in zip(found, rates, stops, strict=True) if rate > 1 and not stop
    ]
    assert [row["status"] for row in lost] == ["diverged"]
    assert "not finite" in lost[0]["message"]
    assert "step" in lost[0]["message"]
    assert all(lost[0][name] is None for name in LOSSES)
    sound = [row for row, rate in zip(found, rates, strict=True) if rate < 1]
    alone = rows(cells(learning_rate=1e-2, optimizer="sgd", stop_step=[1, 0], seed=3))
    assert by_id(sound) == by_id(alone)


def test_cells_that_cannot_be_measured_fail_alone_and_are_told_once(monkeypatch, capsys):
    def fails(family, *_):
        if family.row["seed"] == 1:
            raise ZeroDivisionError("cannot be measured")
        return {}

    monkeypatch.setattr(trained, "measure", fails)
    with session(Session("cpu")):
        found = rows(cells(seed=[0, 1], weight_decay=[0.0, 0.1]))
        current().failures.sum_up()
    assert [row["status"] for row in found] == ["ok", "ok", "failed", "failed"]
    assert found[2]["message"] == found[3]["message"] == "ZeroDivisionError: cannot be measured"
    error = capsys.readouterr().err
    assert error.count("Traceback") == 1
    assert "2 cells failed with ZeroDivisionError: cannot be measured (" in error
    assert all(found[i]["cell_id"] in error for i in (2, 3))


def test_what_is_measured_is_what_was_asked():
    (row,) = rows(cells(), ("test_loss", "agreement", "memorized_fraction"))
    assert set(row) == {
        "cell_id", "test_loss", "agreement", "memorized_fraction", "status", "message",
    }  # fmt: skip
    assert None not in (row["test_loss"], row["agreement"], row["memorized_fraction"])


def test_every_metric_that_the_model_names_is_given():
    asked = columns.delivered(MODELS["mlp"].metrics)
    (row,) = rows(digits(width=8, steps=5, n=20), asked)
    absent = {name for name in MODELS["mlp"].metrics if row[name] is None}
    # After five steps no training point is copied, and pictures are of no known classes.
    assert (row["status"], row["message"], absent) == (
        "ok",
        None,
        {"copied_auc", "copied_auc_se", *OF_POPULATIONS},
    )


def test_gaussian_data_have_no_pictures():
    (row,) = rows(cells(), ("pictures", "uncentred_cosine", "test_loss"))
    assert (row["pictures"], row["uncentred_cosine"]) == (None, None)


def test_of_two_points_none_is_called_memorized():
    (row,) = rows(cells(n=2), ("memorized_fraction", "test_loss"))
    assert row["memorized_fraction"] is None
    assert "memorized_fraction needs 3 distinct training points" in row["message"]


@pytest.mark.parametrize("sampler", ["ddim", "ddpm_beta"])
def test_samples_of_few_points_are_nearer_to_their_own(sampler):
    """After one step only by the mean of their training set; in the end by its points."""
    names = ("proximity_bias", "proximity_bias_se", "memorized_fraction")
    found = {}
    for centre in ("known", "estimated"):
        table = cells(d=16, n=4, width=32, steps=400, stop_step=[1, 0], timesteps=100,
                      sampler=sampler, centre=centre)  # fmt: skip
        first, last = rows(table, names)
        assert first["memorized_fraction"] == 0
        assert last["memorized_fraction"] > 0.3
        assert last["proximity_bias"] > max(0.3, 20 * last["proximity_bias_se"])
        found[centre] = first["proximity_bias"] / last["proximity_bias"]
    assert found["known"] < 0.1 < found["estimated"] < 0.3
    (many,) = rows(cells(d=2, n=500, steps=300, width=16, timesteps=100, sampler=sampler), names)
    assert abs(many["proximity_bias"]) < 4 * many["proximity_bias_se"]


def test_a_partner_whose_samples_are_not_finite_is_told(monkeypatch):
    whole = measured.make_samples

    def make_samples(family, filters, denoise, half=0):
        if half:
            raise FloatingPointError("the generated samples are not finite")
        return whole(family, filters, denoise, half)

    monkeypatch.setattr(measured, "make_samples", make_samples)
    for name, sampler in (("agreement", "ddim"), ("proximity_bias", "ddpm_beta")):
        (row,) = rows(cells(sampler=sampler), (name, "test_loss"))
        assert (row["status"], row[name]) == ("ok", None)
        assert row["message"] == "the other half: the generated samples are not finite"


def test_float64_is_another_cell_and_nearly_the_same_numbers():
    (single,) = rows(cells(precision="float32"), ("test_loss",))
    (double,) = rows(cells(precision="float64"), ("test_loss",))
    assert single["cell_id"] != double["cell_id"]
    assert single["test_loss"] != double["test_loss"]
    assert single["test_loss"] == pytest.approx(double["test_loss"], rel=1e-3)


def test_the_u_net_denoises_pictures():
    start, end = rows(
        digits(model="unet", width=2, n=8, steps=30, stop_step=[1, 0]), ("train_loss",)
    )
    assert end["train_loss"] < start["train_loss"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_denoiser_is_its_network(name: str):
    d = make_pool("digits").d
    network = trained._network(name, "digits", d, 4, "edm")
    schedule = make_schedule("linear", 20, 1e-4, 9e-3)
    points = make_pool("digits").rows[:3]
    run = Run(torch.as_tensor(points), "k", 1e-2, scale=0.7)
    parameters = network.initial(torch.Generator().manual_seed(0))
    flat = torch.cat([parameters[part].flatten() for part in network.shapes]).double()
    denoise = trained.as_denoiser(network, flat, run, schedule)
    sigma = float(np.sqrt(schedule.q[7] / schedule.alpha_bar[7]))
    found = denoise(points, 7)
    expected = network.predict(
        {part: value[None].double() for part, value in parameters.items()},
        torch.as_tensor(points)[None], torch.full((1, 3), sigma, dtype=torch.float64),
        torch.tensor([0.7], dtype=torch.float64),
    )  # fmt: skip
    np.testing.assert_allclose(found, expected[0].numpy(), rtol=1e-12, atol=1e-12)
    assert found.dtype == np.float64


def test_models_of_a_family_train_on_its_rows_and_know_its_centre():
    table = cells(population_mean=2.0, n=30)
    (row,) = trained._task(table, pair=True, dtype=torch.float32).runs[:1]
    family = make_family(table)
    np.testing.assert_allclose(row.rows.numpy(), family.draw.centred, rtol=1e-6, atol=1e-6)
    first, second = trained._task(table, pair=True, dtype=torch.float32).runs
    assert first.key != second.key
    assert not np.allclose(first.rows.numpy(), second.rows.numpy())


ONE = "{d: 4, n: [6, 12], weight_decay: [0, 0.1], stop_step: [7, 0]}"
DEFAULTS = (
    "{model: mlp, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1], draw: samples, sampler: ddim,"
    " width: 8, steps: 40, learning_rate: 0.01,"
    " metrics: {only: [test_loss, memorized_fraction, agreement]}}"
)


class Killed(BaseException):
    """Not an error that anything handles."""


def test_a_part_after_a_kill_is_the_part_without_one(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    undisturbed, sweep = Sweep(tmp_path / "a"), Sweep(tmp_path / "b")
    for each in (undisturbed, sweep):
        each.write(each.config(ONE, defaults=DEFAULTS, shard="60"))
    plan = undisturbed.plan(undisturbed.config(ONE, defaults=DEFAULTS, shard="60"))
    undisturbed.compute(plan)
    (shard,) = plan.pending
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)
    monkeypatch.setattr(watch, "WATCH_SECONDS", 0.0)

    def die(step: int):
        def log(self: Session, line: str, share: float = 0.0) -> None:
            if f"step {step} " in line:
                raise Killed

        return log

    folder = sweep.store.checkpoints / shard.name
    for step in (16, 32):
        monkeypatch.setattr(Session, "log", die(step))
        with pytest.raises(Killed):
            sweep.compute(plan)
        assert list(folder.rglob("*.safetensors"))
        assert not sweep.store.part(shard.name).exists()
    monkeypatch.setattr(Session, "log", lambda self, line, share=0.0: None)
    capsys.readouterr()
    sweep.compute(plan)
    assert "going on from step" in capsys.readouterr().err
    assert (
        sweep.store.part(shard.name).read_bytes() == undisturbed.store.part(shard.name).read_bytes()
    )
    assert not folder.exists()
    # Killed after its part: the next run removes what is left.
    folder.mkdir()
    assert not run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))
    assert not folder.exists()
    row = read_table(sweep.store.part(shard.name)).to_pylist()[0]
    assert row["torch"] == torch.__version__


def test_progress_goes_to_the_log(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(watch, "WATCH_SECONDS", 0.0)
    monkeypatch.setattr(Session, "log", lambda self, line, share: lines.append(line))
    with session(Session("cpu")):
        rows(cells(seed=[0, 1]), ("test_loss",))
    assert lines
    assert "2 models" in lines[0]
    assert "steps/s" in lines[0]


ALL = columns.delivered(MODELS["mlp"].metrics)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("rate", [1e3, 1e10, 1e20, 1e38, 1e300])
def test_no_learning_rate_is_more_than_a_divergence(rate, optimizer, precision):
    """Not an exception, not a NaN; losses as far as they are finite."""
    table = cells(learning_rate=rate, optimizer=optimizer, precision=precision, steps=6,
                  timesteps=12, stop_step=[1, 0])  # fmt: skip
    for row in rows(table, ALL):
        assert row["status"] == "diverged"
        assert "step " in row["message"]
        assert np.isfinite([row[name] for name in ALL if isinstance(row[name], float)]).all()
        if "the training loss is" in row["message"]:
            assert row["train_loss"] > 1e6


def test_a_rate_that_no_training_survives_diverges_on_pictures_too():
    table = digits(model="unet", learning_rate=[10.0, 1e300], width=4, steps=4, timesteps=12,
                   n=12, stop_step=[1, 0])  # fmt: skip
    for row in rows(table, (*LOSSES, "linearity", "memorized_fraction", "agreement", "pictures")):
        assert row["status"] == "diverged"
        assert "step " in row["message"]


def test_samples_that_are_not_finite_are_a_divergence_with_its_losses():
    """A learning rate that no training survives, but whose parameters stay finite."""
    table = cells(d=4, n=16, steps=30, width=8, learning_rate=[0.01, 3.0], spectrum="isotropic",
                  spectrum_params="{}")  # fmt: skip
    good, bad = rows(table, (*LOSSES, "kl_model_data", "modes"))
    assert good["status"] == "ok"
    assert bad["status"] == "diverged"
    assert "not finite" in bad["message"]
    assert bad["kl_model_data"] is None
    if "samples" in bad["message"]:
        assert np.isfinite(bad["train_loss"])
        assert bad["test_loss"] > 10 * good["test_loss"]
