"""Rounds of a refined axis through the stages: all that is known of them is in the store."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lindiff.config.resolve import Config
from lindiff.errors import InputError
from lindiff.report.plans import Plans
from lindiff.report.searches import estimate, told
from lindiff.report.status import Watcher
from lindiff.sweep import grid
from lindiff.sweep.collect import collect
from lindiff.sweep.garbage import find_garbage
from lindiff.sweep.grid import count, most, most_cells
from lindiff.sweep.plan import Plan, plan_files, read_plan
from lindiff.sweep.replan import replan
from lindiff.sweep.rounds import Arm, with_rounds
from tests.sweep.test_plan import edit
from tests.sweeps import Sweep

SEARCH = "{refine: test_loss, at: 0.5, within: 20%, between: [4, 256], start: 4}"
ONE = f"{{d: [12, 24], n: {SEARCH}}}"
DEFAULTS = (
    "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1, 2],"
    " metrics: {only: [train_loss]}}"
)


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def config(sweep: Sweep, one: str = ONE, **given: Any) -> Config:
    return sweep.config(one, **({"defaults": DEFAULTS, "shard": "60"} | given))


def arms(sweep: Sweep, asked: Config) -> tuple[Arm, ...]:
    return with_rounds(asked, sweep.store)[1]


def finish(sweep: Sweep, asked: Config) -> list[Plan]:
    """Round after round, then the table; the plans of the rounds."""
    plans = []
    while True:
        plan = sweep.write(asked)
        assert plan.rounds is not None
        if not plan.rounds.open:
            collect(plan, sweep.results / asked.name)
            return plans
        assert plan.pending, "an open search has something to run"
        plans.append(plan)
        sweep.compute(plan)


def values(sweep: Sweep, name: str = "tiny") -> dict[int, list[int]]:
    """The n of each d in the table."""
    found: dict[int, set[int]] = {}
    for row in sweep.rows(name).values():
        found.setdefault(row["d"], set()).add(row["n"])
    return {d: sorted(n) for d, n in sorted(found.items())}


@pytest.mark.slow
def test_the_crossing_of_each_d_is_that_of_a_dense_sweep_at_a_third_of_its_cells(
    sweep: Sweep,
) -> None:
    asked = config(sweep)
    plans = finish(sweep, asked)
    assert 1 < len(plans) <= asked.experiments["one"].refine.rounds
    dense = sorted(set(asked.experiments["one"].refine.values))
    whole = config(sweep, f"{{d: [12, 24], n: {dense}}}", name="dense",
                   defaults=DEFAULTS.replace("train_loss", "test_loss"))  # fmt: skip
    sweep.finish(whole)
    rows = sweep.rows("dense").values()
    assert 3 * len(sweep.rows()) <= 2 * len(rows)
    for arm in arms(sweep, asked):
        d = arm.where["d"]
        curve = [
            np.mean([r["test_loss"] for r in rows if (r["d"], r["n"]) == (d, n)]) for n in dense
        ]
        i = max(i for i in range(1, len(dense)) if (curve[i] > 0.5) != (curve[i - 1] > 0.5))
        assert arm.found.interval == (dense[i - 1], dense[i])
        share = math.log(0.5 / curve[i - 1]) / math.log(curve[i] / curve[i - 1])
        at = dense[i - 1] * (dense[i] / dense[i - 1]) ** share
        assert estimate(arm).value == pytest.approx(at, rel=1e-9)
    found = values(sweep)
    assert found[12] != found[24], "each d has values of its own"
    assert found.keys() == {12, 24}
    assert all(len(row["experiments"]) == 1 for row in sweep.rows().values())


def test_the_plan_says_rounds_and_cells_at_most_and_they_hold(sweep: Sweep) -> None:
    asked = config(sweep)
    plans = finish(sweep, asked)
    first = plans[0]
    assert first.rounds.most == asked.experiments["one"].refine.rounds
    assert first.wanted == count(asked.experiments["one"]) == 24
    assert first.wanted + first.rounds.more == most(asked.experiments["one"])
    for before, after in pairwise(plans):
        assert before.rounds.round < after.rounds.round <= first.rounds.most
        assert before.wanted < after.wanted <= before.wanted + before.rounds.more
        assert after.rounds.more < before.rounds.more
    assert plans[-1].rounds.more == 0 or plans[-1].rounds.round < first.rounds.most
    # Finished, it has nothing to run, and one plan.
    before = sweep.files()
    plan = sweep.plan(asked)
    assert (plan.written, plan.pending, plan.rounds.open) == (True, (), False)
    assert read_plan(plan.file).config == plan.config
    assert read_plan(plan.file).rounds == plan.rounds
    assert sweep.files() == before
    # A plan file that is lost is that plan again, also without the short way.
    plan.file.unlink()
    again = sweep.plan(asked)
    assert (again.digest, again.pending) == (plan.digest, ())
    sweep.write(asked)
    assert find_garbage(sweep.results, parts=True) == [], "cells of rounds are wanted"


def test_later_rounds_are_planned_from_the_plan_alone(sweep: Sweep, tmp_path: Path) -> None:
    """The config and a matrix of the user, which the first plan has read, are not read again."""
    rows = np.random.default_rng(0).standard_normal((400, 3))
    np.save(tmp_path / "rows.npy", rows)
    search = SEARCH.replace("256", "128").replace("start: 4", "start: 3")
    asked = config(sweep, f"{{data: {{file: rows.npy}}, draw: samples, n: {search}}}")
    plan = sweep.write(asked)
    for file in ("rows.npy", "tiny.yaml"):
        (tmp_path / file).unlink()
    plans = [plan]
    while plan.rounds.open:
        sweep.compute(plan)
        plan = replan(plan.file, plan.file.with_name(f"plan-{len(plans)}.json"))
        plans.append(plan)
        assert plan_files(sweep.results / "tiny") == [plan.file]
    assert len(plans) > 2
    assert (plan.pending, plan.done) == ((), plan.wanted)
    end = replan(plan.file, plan.file.with_name("plan-end.json"))
    assert plan_files(sweep.results / "tiny") == [end.file]
    again = sweep.plan(asked)
    assert (again.digest, again.file, again.written) == (end.digest, end.file, True)
    collect(read_plan(end.file), sweep.results / "tiny")
    assert len(sweep.rows()) == end.wanted


def test_no_plan_follows_one_whose_parts_are_not_all_there(sweep: Sweep) -> None:
    plan = sweep.write(config(sweep, shard="1.0e-6"))
    sweep.compute(plan, len(plan.pending) - 1)
    before = sweep.files()
    (lost,) = {shard.name for shard in plan.pending} - {p.stem for p in sweep.store.parts.iterdir()}
    later = plan.file.with_name("plan-later.json")
    with pytest.raises(InputError, match=f"{lost} is to be computed again: parts were removed"):
        replan(plan.file, later)
    with pytest.raises(InputError, match=r"the plan after .* is .*/tiny/plan-….json"):
        replan(plan.file, sweep.folder / "plan-later.json")
    assert sweep.files() == before


def test_of_two_plans_that_a_kill_left_none_serves(sweep: Sweep) -> None:
    """Jobs on other machines go by the one plan file that is there."""
    asked = config(sweep)
    plan = sweep.write(asked)
    sweep.compute(plan)
    old = plan.file.read_bytes()
    later = replan(plan.file, plan.file.with_name("plan-later.json"))
    assert sweep.plan(asked).written
    plan.file.write_bytes(old)
    again = sweep.plan(asked)
    assert (again.digest, again.written) == (later.digest, False)
    assert sweep.write(asked).file.parent == plan.file.parent
    assert plan_files(plan.file.parent) == [again.file]
    finish(sweep, asked)
    (last,) = plan_files(plan.file.parent)
    last.with_name("plan-other.json").write_bytes(old)
    over = sweep.plan(asked)
    assert (over.pending, over.written) == ((), False)
    sweep.write(asked)
    assert plan_files(plan.file.parent) == [over.file]


def test_the_plans_of_a_run_have_names_of_their_own(sweep: Sweep) -> None:
    asked = config(sweep)
    plan = sweep.write(asked)
    run = Plans(plan, True, list)
    stem = f"{plan.file.parent}/plan-{plan.digest}"
    assert (run.searching, run.last) == (True, f"{stem}-end.json")
    assert run.following == f"{stem}-next-{{number}}.json"
    plan.file.with_name(f"plan-{plan.digest}-next-1.json").touch()
    assert Plans(plan, True, list).last == f"{stem}-1-end.json"
    told: list[Plan] = []
    run = Plans(plan, True, told.append)
    sweep.compute(plan)
    later = replan(plan.file, Path(run.following.format(number=1)))
    assert run.before(2, lambda number: run.following.format(number=number)).file == later.file
    assert [t.file for t in told] == [later.file]
    shard = later.pending[0]
    assert (run.file_with(shard.name), run.shard(shard.name)) == (str(later.file), shard)
    assert run.file_with(plan.pending[0].name) == str(plan.file)
    assert len(run.pending) == len(plan.pending) + len(later.pending)
    # A job elsewhere has its one plan; a plan without refined axes is of no search.
    assert Plans(plan, False, list).last == str(plan.file)
    plain = sweep.config("{d: 12, n: 8}", name="plain", defaults=DEFAULTS)
    alone = Plans(sweep.plan(plain), True, list)
    assert (alone.refined, alone.searching, alone.last) == (False, False, alone.planned)


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_and_ends_the_same(sweep: Sweep, tmp_path: Path) -> None:
    small = {"one": ONE.replace("[12, 24]", "12").replace("start: 4", "start: 3")}
    small["defaults"] = DEFAULTS.replace("0, 1, 2", "0, 1")
    other = Sweep(tmp_path / "other")
    other.folder.mkdir()
    finish(other, config(other, **small))
    asked = config(sweep, shard="1.0e-6", **small)
    while (plan := sweep.write(asked)).rounds.open:
        # Killed after each shard: the plan of what is left is that of the round.
        sweep.compute(plan, 1)
        again = sweep.plan(asked)
        assert {shard.name for shard in again.pending} >= {s.name for s in plan.pending[1:]}
    collect(plan, sweep.results / "tiny")
    assert sweep.rows() == other.rows()


def test_one_search_goes_on_while_another_waits(sweep: Sweep) -> None:
    asked = config(sweep)
    sweep.compute(sweep.write(config(sweep, ONE.replace("[12, 24]", "12"), name="six")))
    plan = sweep.plan(asked)
    assert [arm.found.round for arm in arms(sweep, asked)] == [2, 1]
    assert plan.wanted == 24 + 3
    assert plan.rounds.round == 2


@pytest.mark.slow
def test_a_part_that_is_lost_is_computed_again_and_nothing_else(sweep: Sweep) -> None:
    asked = config(sweep)
    finish(sweep, asked)
    rows, parts = sweep.rows(), set(sweep.store.parts.iterdir())
    lost = min(parts)
    lost.unlink()
    plan = sweep.write(asked)
    assert {shard.name for shard in plan.pending} == {lost.stem}
    finish(sweep, asked)
    assert sweep.rows() == rows
    assert set(sweep.store.parts.iterdir()) == parts


@pytest.mark.slow
def test_cells_of_older_code_do_not_decide_unless_they_are_kept(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(sweep, config(sweep))
    whole = len(sweep.rows())
    edit(monkeypatch)
    plan = sweep.plan(config(sweep))
    assert (plan.rounds.round, plan.done, plan.wanted) == (1, 0, 24)
    kept = sweep.plan(config(sweep, more="stale: keep"))
    assert (kept.rounds.open, kept.done, kept.wanted) == (False, whole, whole)


@pytest.mark.slow
def test_a_minimum_along_ridge_and_theory_with_a_search_of_its_own(sweep: Sweep) -> None:
    one = (
        "{d: 6, n_over_d: [1, 4], model: [linear_exact, linear_theory],"
        " ridge: {refine: test_loss, at: minimum, within: 30%, between: [0.01, 10]}}"
    )
    asked = config(sweep, one)
    finish(sweep, asked)
    found = arms(sweep, asked)
    assert [(a.where["model"], a.where["n_over_d"], a.repeats) for a in found] == [
        ("linear_exact", 1.0, 3), ("linear_exact", 4.0, 3),
        ("linear_theory", 1.0, 1), ("linear_theory", 4.0, 1),
    ]  # fmt: skip
    for arm in found:
        low, high = arm.found.interval
        assert high <= 1.3 * low
        mean = arm.curves.mean(axis=0)
        assert low < arm.found.asked[int(np.argmin(mean))] < high
        assert low < estimate(arm).value < high
        assert "test_loss is least, model linear_" in told(arm)


def test_n_over_d_is_searched_along_too(sweep: Sweep) -> None:
    asked = config(sweep, f"{{d: 6, n_over_d: {SEARCH.replace('[4, 256]', '[0.7, 40]')}}}")
    finish(sweep, asked)
    (arm,) = arms(sweep, asked)
    low, high = arm.found.interval
    assert high <= 1.2 * low
    assert low <= estimate(arm).value <= high
    rows = sweep.rows().values()
    assert {row["n"] for row in rows} <= {max(round(6 * x), 2) for x in arm.found.asked}


def test_settings_that_are_held_are_told_and_the_schedule_is_not(sweep: Sweep) -> None:
    one = ONE.replace("{", "{ridge: 0.5, stop: [10, 20], sampler: ddim, ", 1)
    found = arms(sweep, config(sweep, one))
    assert {tuple(arm.where) for arm in found} == {("model", "d", "stop")}
    held = {"spectrum": {"kind": "isotropic"}, "sampler": "ddim", "ridge": 0.5}
    assert [arm.held for arm in found] == [held] * 4


def test_without_a_crossing_it_ends_with_its_table_and_says_what_was_seen(sweep: Sweep) -> None:
    asked = config(sweep, ONE.replace("0.5", "1.0e-9"))
    plans = finish(sweep, asked)
    assert len(plans) == 1
    assert len(sweep.rows()) == 24
    first, _ = map(told, arms(sweep, asked))
    assert first.startswith(
        "one: n where mean test_loss = 1e-09, model linear_exact, d 12 (spectrum isotropic): "
        "it does not"
    )
    assert "over n from 4 to 256: from" in first


def test_spectra_without_one_of_the_d_are_no_search(sweep: Sweep) -> None:
    one = (
        "{spectrum: [{eigenvalues: [1, 2, 3]}, {eigenvalues: [1, 2]}],"
        f" n: {SEARCH.replace('20%', '100%')}}}"
    )
    asked = config(sweep, one)
    finish(sweep, asked)
    found = [(len(arm.where["spectrum"]["values"]), arm.where["d"]) for arm in arms(sweep, asked)]
    assert sorted(found) == [(2, 2), (3, 3)]


def test_a_setting_without_effect_makes_no_search_of_its_own(sweep: Sweep) -> None:
    one = (
        "{d: 4, draw: samples, augmentation: [none, signs], group_size: [2, 4],"
        f" n: {SEARCH.replace('20%', '100%')}}}"
    )
    asked = config(sweep, one)
    first = finish(sweep, asked)[0]
    at_most = most_cells(asked.experiments["one"], first.wanted)
    assert at_most == first.wanted + first.rounds.more == 3 / 4 * most(asked.experiments["one"])
    found = arms(sweep, asked)
    assert [arm.where for arm in found] == [
        {"model": "linear_exact", "augmentation": "none"},
        {"model": "linear_exact", "augmentation": "signs", "group_size": 2},
        {"model": "linear_exact", "augmentation": "signs", "group_size": 4},
    ]
    asked_for = {(arm.where.get("group_size"), n) for arm in found for n in arm.found.asked}
    assert {(row["group_size"], row["n"]) for row in sweep.rows().values()} == asked_for


def test_a_plan_looks_at_no_more_values_than_rounds_have_asked_for(sweep: Sweep, monkeypatch):
    """All that a narrow search may ask for are thousands, each with its cells."""
    seen = set()

    def spy(experiment, model):
        seen.update(experiment.axes_of(model)["n"])
        return grid.in_order(experiment, model)

    monkeypatch.setattr("lindiff.sweep.rounds.in_order", spy)
    asked = config(sweep)
    finish(sweep, asked)
    found = {value for arm in arms(sweep, asked) for value in arm.found.asked}
    refinement = asked.experiments["one"].refine
    assert seen == found < set(refinement.values)


def test_cells_are_expanded_once_while_a_sweep_is_watched(sweep: Sweep, monkeypatch):
    expanded = []
    monkeypatch.setattr(
        "lindiff.report.status.wanted", lambda of: expanded.append(of) or grid.wanted(of)
    )
    plain = sweep.config("{d: 12, n: [8, 16]}", defaults=DEFAULTS, shard="60")
    watcher = Watcher(plain, sweep.results)
    before = watcher.look()
    sweep.compute(sweep.write(plain))
    after = watcher.look()
    assert (before.shards > 0, after.shards, len(expanded)) == (True, 0, 1)
