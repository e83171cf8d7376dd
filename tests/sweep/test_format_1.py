"""A store that format 1 left (commit f8cd5a9, `format_1/`): three parts, and a spec that waits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lindiff.config.resolve import load
from lindiff.sweep.collect import collect
from lindiff.sweep.store import FORMAT, Store
from tests.sweeps import Sweep

HERE = Path(__file__).parent / "format_1"


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    shutil.copytree(HERE, tmp_path / "old")
    return Sweep(tmp_path / "old")


def test_old_parts_are_used_as_they_are(sweep: Sweep, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sweep.store.parts.iterdir()}
    config = load(sweep.folder / "tiny.yaml")  # it says `stale: keep`
    plan = sweep.write(config)
    assert (len(plan.reuse), len(plan.pending), plan.damaged) == (3, 1, {})
    sweep.compute(plan)
    collect(plan, sweep.results / "tiny")
    assert {path: path.read_bytes() for path in before} == before
    assert (sweep.store.root / "FORMAT").read_text() == f"{FORMAT}\n"

    (tmp_path / "new").mkdir()
    new = Sweep(tmp_path / "new")
    new.finish(new.config())
    old_rows, new_rows = sweep.rows(), new.rows()
    assert sorted(old_rows) == sorted(new_rows)
    for cell, row in new_rows.items():
        assert row["test_loss"] == pytest.approx(old_rows[cell]["test_loss"], rel=1e-12)


def test_an_old_plan_says_to_plan_again(sweep: Sweep) -> None:
    config = load(sweep.folder / "tiny.yaml")
    (old,) = (sweep.results / "tiny").glob("plan-*.json")
    plan = sweep.plan(config)
    assert plan.file != old
    sweep.write(config)
    assert not old.exists()


def test_damage_of_an_old_part_is_seen(sweep: Sweep) -> None:
    """Its name is a hash of model, metrics, code and cells; a footer that is nonsense is damage."""
    store = Store(sweep.results / "store")
    part = min(store.parts.iterdir())
    data = part.read_bytes()
    for old, new in ((b'"test_loss"]', b'"test_lost"]'), (b'"linear_exact"', b'"linear_exbct"')):
        assert old in data
        part.write_bytes(data.replace(old, new))
        plan = sweep.plan(load(sweep.folder / "tiny.yaml"))
        assert part.stem not in plan.reuse
    part.write_bytes(data.replace(b"cell_id", b"cell_i\xff"))
    assert list(store.find_parts()[1]) == [part.stem]
