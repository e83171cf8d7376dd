"""A matrix of the user from the plan through the store to the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.science import datasets, pools
from lindiff.sweep.collect import collect
from lindiff.sweep.run import run_spec
from lindiff.sweep.validate import validate, warnings
from tests.configs import FREE, Maker, message, save, values
from tests.sweeps import Sweep

EXPERIMENT = (
    "{data: [{file: m.npy}, gaussian], n: [3, 20], timesteps: 20, beta_max: 9.0e-3, seed: [0, 1]}"
)
DEFAULTS = "{model: [linear_exact, linear_theory], metrics: {only: [test_loss, c_mean]}}"


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    save(tmp_path, values())
    return Sweep(tmp_path)


@pytest.fixture
def elsewhere(monkeypatch):
    """Forgets what was read, as another process would not know it."""

    def forget():
        monkeypatch.setattr(datasets, "_known", {})
        pools.make_pool.cache_clear()

    return forget


def planned(sweep):
    config = sweep.config(EXPERIMENT, defaults=DEFAULTS)
    return config, sweep.write(config)


def test_jobs_need_only_the_store(sweep, elsewhere):
    config, plan = planned(sweep)
    (sweep.folder / "m.npy").unlink()
    elsewhere()
    sweep.compute(plan)
    collected = collect(plan, sweep.results / config.name)
    assert collected.status == {"ok": 10, "diverged": 0, "failed": 0}
    name = f"m.npy@{datasets.digest(values())}"
    assert sorted({str(row["data"]) for row in sweep.rows().values()}) == ["None", "gaussian", name]
    # The same cells, computed where the matrix was read.
    other = Sweep(sweep.folder / "other")
    other.folder.mkdir()
    save(other.folder, values())
    other.finish(other.config(EXPERIMENT, defaults=DEFAULTS))
    for cell, row in other.rows().items():
        assert row == sweep.rows()[cell]


def test_a_job_is_another_process(sweep):
    _, plan = planned(sweep)
    (sweep.folder / "m.npy").unlink()
    shard = plan.pending[0]
    out = sweep.store.part(shard.name)
    command = [sys.executable, "-m", "lindiff.cli", "run", str(sweep.store.spec(shard.name))]
    subprocess.run([*command, "--out", str(out)], check=True, cwd=sweep.folder)
    assert out.exists()


def test_the_matrix_is_written_once_by_the_plan(sweep):
    config = sweep.config(EXPERIMENT, defaults=DEFAULTS)
    plan = sweep.plan(config)
    assert not sweep.results.exists()
    sweep.write(config)
    (path,) = sweep.store.data.iterdir()
    assert path.name == f"{datasets.digest(values())}.npy"
    np.testing.assert_array_equal(np.load(path), values())
    before = path.stat()
    other = sweep.config("{data: {file: m.npy}, n: 5, seed: 0}", name="second", defaults=DEFAULTS)
    sweep.write(other)
    assert path.stat() == before
    assert plan.digest == sweep.plan(config).digest


def test_a_changed_matrix_is_another_data_set(sweep):
    config, plan = planned(sweep)
    sweep.compute(plan)
    done = {row["cell_id"] for row in plan.grid.cells.to_pylist()}
    save(sweep.folder, values(seed=1))
    changed = sweep.config(EXPERIMENT, defaults=DEFAULTS)
    assert changed != config
    again = sweep.write(changed)
    assert again.done == 0
    assert not done & {row["cell_id"] for row in again.grid.cells.to_pylist()}
    assert len(list(sweep.store.data.iterdir())) == 2


def test_a_lost_matrix_is_named_and_planned_again(sweep, elsewhere):
    config, plan = planned(sweep)
    (path,) = sweep.store.data.iterdir()
    path.unlink()
    elsewhere()
    shard = plan.pending[0]
    spec, part = sweep.store.spec(shard.name), sweep.store.part(shard.name)
    with pytest.raises(InputError, match=r"data set m\.npy@\w+: .*not there, or damaged"):
        run_spec(spec, part)
    assert not part.exists()
    again = sweep.plan(sweep.config(EXPERIMENT, defaults=DEFAULTS))
    assert not again.written
    assert set(again.pending) == set(plan.pending)
    sweep.write(config)
    assert path.exists()
    assert sweep.plan(config).written
    sweep.compute(plan)
    # It is kept while figures may ask for its spectrum.
    path.unlink()
    finished = sweep.plan(config)
    assert (finished.written, finished.pending) == (False, ())


def test_another_file_in_its_place_is_refused(sweep, elsewhere):
    _, plan = planned(sweep)
    (path,) = sweep.store.data.iterdir()
    np.save(path, values(seed=3))
    elsewhere()
    shard = plan.pending[0]
    with pytest.raises(InputError, match=r"data set m\.npy@\w+: .*not there, or damaged"):
        run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))


def test_what_killed_writers_left_is_removed(sweep):
    config = sweep.config(EXPERIMENT, defaults=DEFAULTS)
    sweep.store.data.mkdir(parents=True)
    leftover = sweep.store.data / f".{datasets.digest(values())}.npy.1-00.tmp"
    leftover.touch()
    sweep.write(config)
    assert [path.name for path in sweep.store.data.iterdir()] == [
        f"{datasets.digest(values())}.npy"
    ]


def said(folder, array):
    """What `lindiff validate` says of a matrix."""
    path = Maker(folder)(f"data: {save(folder, array)}", FREE)
    config = load(path)
    (line,) = [text for text in warnings(config, validate(config)) if "a pool of" in text]
    return line


def test_repeated_rows_are_said(tmp_path):
    line = said(tmp_path, np.repeat(values(count=100), 3, axis=0))
    assert line.endswith(
        "a pool of 240 rows, 60 held out, d = 4; 300 of all 300 rows repeat each other, as 100 "
        "distinct rows (equal in every column to 1e-06 of its standard deviation), and copies of a "
        "row are all in the pool or all held out"
    )


def test_columns_of_small_units_are_named(tmp_path):
    line = said(tmp_path, values(100) * [1e7, 1, 1, 1e7])
    assert "left out of 4 columns: 2 with less than 1e-12 of the largest variance" in line
    assert "of so little variance: columns 2, 3, which `standardize: true` beside `file`" in line


@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_an_offset_changes_nothing_or_is_refused(tmp_path, kind):
    whole = np.round(4 * values(100))
    assert said(tmp_path, (whole + 2.0**51).astype(kind)).endswith(
        "a pool of 80 rows, 20 held out, d = 4"
    )
    path = Maker(tmp_path)(f"data: {save(tmp_path, 2 * whole + 2.0**58, 'far.npy')}", FREE)
    assert "numbers up to 2.882e+17, which are 64 apart in float64" in message(path)


def test_few_rows_of_many_columns_are_not_tested(tmp_path):
    line = said(tmp_path, values(count=30, columns=60))
    assert "37 beyond the 23 directions that its 24 distinct rows span" in line
    assert "is null)" in line
