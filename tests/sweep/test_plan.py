"""Plans: what is covered, what is packed, what identifies a plan."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff import fingerprint, planning
from lindiff.columns import REQUESTABLE, cell_schema
from lindiff.errors import InputError
from lindiff.fingerprint import fingerprints
from lindiff.report import workflow
from lindiff.sweep import plan
from lindiff.sweep.bits import bits, names
from lindiff.sweep.collect import collect
from lindiff.sweep.packing import Target, pack
from lindiff.sweep.plan import _seal, find_plan, make_plan, read_plan, write_plan, write_plan_at
from lindiff.sweep.store import FORMAT, read_table
from tests.sweeps import ONE, Sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def ids(table: pa.Table) -> set[str]:
    return set(table["cell_id"].to_pylist())


def spec_ids(sweep: Sweep, name: str) -> set[str]:
    return ids(read_table(sweep.store.spec(name)))


# What is packed ---------------------------------------------------------------------------------


def made_cells(counts: list[int]) -> pa.Table:
    """Cells of families with these numbers of cells, sorted by id."""
    rng = np.random.default_rng(len(counts))
    family = np.repeat(np.arange(len(counts)), counts)
    order = rng.permutation(len(family))
    family = family[order]
    rows = len(family)
    values = {
        "cell_id": pa.array([f"{i:032x}" for i in range(rows)]),
        "family_id": pa.array([f"{i:032x}" for i in family]),
        "model": pa.array(["linear_exact"] * rows),
        "draw": pa.array(["wishart"] * rows),
        "d": pa.array(4 * (family % 3 + 1)),
        "n": pa.array(family + 2),
        "timesteps": pa.array([10] * rows),
        "seed": pa.array(family),
    }
    schema = cell_schema()
    columns = {f.name: values.get(f.name, pa.nulls(rows, f.type)).cast(f.type) for f in schema}
    return pa.table(columns, schema=schema)


COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(counts=COUNTS, seconds=st.sampled_from([1e-4, 0.01, 0.05, 1.0, 1e6]), data=st.data())
def test_packing_covers_what_is_missing_once(
    counts: list[int], seconds: float, data: st.DataObject
) -> None:
    cells = made_cells(counts)
    masks = [np.uint64(0), bits(["test_loss"]), bits(["test_loss", "c_mean"])]
    lack = np.array(data.draw(st.lists(st.sampled_from(masks), min_size=len(cells),
                                       max_size=len(cells))), np.uint64)  # fmt: skip
    packed = list(pack(cells, lack, Target(seconds, 2**30), fingerprints(cells)))
    taken = np.zeros(len(cells), np.uint64)
    for shard, rows in packed:
        assert len(rows) == shard.cells > 0
        assert not np.any(taken[rows])
        taken[rows] = bits(shard.metrics)
        families = cells["family_id"].take(pa.array(rows)).to_pylist()
        runs = [f for i, f in enumerate(families) if i == 0 or f != families[i - 1]]
        assert len(runs) == len(set(runs)) == shard.families, "the cells of a family stand together"
    assert np.array_equal(taken, lack)
    again = list(pack(cells, lack, Target(seconds, 2**30), fingerprints(cells)))
    assert [shard for shard, _ in again] == [shard for shard, _ in packed]
    assert len({shard.name for shard, _ in packed}) == len(packed)


@settings(deadline=None, max_examples=30)
@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_families_stay_whole(counts: list[int]) -> None:
    cells = made_cells(counts)
    lack = np.full(len(cells), bits(["test_loss"]), np.uint64)
    shards_of: dict[str, set[str]] = {}
    for shard, rows in pack(cells, lack, Target(0.05, 2**30), fingerprints(cells)):
        for family in cells["family_id"].take(pa.array(rows)).to_pylist():
            shards_of.setdefault(family, set()).add(shard.name)
    assert all(len(shards) == 1 for shards in shards_of.values())


def whole(count: int, cells_each: int) -> tuple[pa.Table, np.ndarray, float]:
    """Equal families, all missing, and the estimated seconds of all."""
    cells = made_cells([cells_each] * count)
    lack = np.full(len(cells), bits(["test_loss"]), np.uint64)
    everything = list(pack(cells, lack, Target(1e9, 2**40), fingerprints(cells)))
    return cells, lack, sum(shard.seconds for shard, _ in everything)


def test_shards_are_near_equal() -> None:
    cells, lack, total = whole(400, 5)
    target = total / 7.5
    seconds = [s.seconds for s, _ in pack(cells, lack, Target(target, 2**40), fingerprints(cells))]
    assert len(seconds) == 8
    assert max(seconds) < 1.2 * min(seconds)
    assert max(seconds) < 1.1 * target


def test_small_sweeps_use_several_cores() -> None:
    cells, lack, total = whole(40, 5)
    factor = 6 / total
    estimate = planning.estimate

    def scaled(model, families, metrics):  # six seconds in all
        seconds, size = estimate(model, families, metrics)
        return seconds * factor, size

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "estimate", scaled)
        assert len(list(pack(cells, lack, Target(60, 2**40), fingerprints(cells)))) == 4


def test_family_over_the_target_is_split_where_that_helps() -> None:
    cells, lack, total = whole(1, 5000)
    shards = list(pack(cells, lack, Target(total / 3.5, 2**40), fingerprints(cells)))
    assert 4 <= len(shards) <= 5
    assert sum(shard.cells for shard, _ in shards) == 5000
    # Where the draw costs most, it is not repeated.
    cells, lack, total = whole(1, 2)
    assert len(list(pack(cells, lack, Target(total / 4, 2**40), fingerprints(cells)))) == 1


def test_memory_of_a_shard_is_bounded() -> None:
    cells, lack, _ = whole(50, 1000)
    shards = list(pack(cells, lack, Target(1e9, 4 * 10**8), fingerprints(cells)))
    assert len(shards) > 1
    assert max(shard.bytes for shard, _ in shards) < 6 * 10**8


def test_metrics_as_bits() -> None:
    assert names(bits(REQUESTABLE)) == tuple(sorted(REQUESTABLE))
    assert names(np.uint64(0)) == ()
    assert bits(["no longer a metric"]) == 0


# What is covered --------------------------------------------------------------------------------


def test_planning_only_reads(sweep: Sweep) -> None:
    config = sweep.config()
    before = sweep.files()
    made = sweep.plan(config)
    assert sweep.files() == before
    assert not sweep.results.exists()
    assert (made.wanted, made.done, len(made.pending), made.written) == (8, 0, 4, False)
    assert made.file == sweep.results / "tiny" / f"plan-{made.digest}.json"


def test_plan_is_the_same_before_during_and_after(sweep: Sweep) -> None:
    config = sweep.config()
    first = sweep.write(config)
    for finished in range(5):
        now = sweep.plan(config)
        assert (now.digest, now.file, now.written) == (first.digest, first.file, True)
        assert len(now.reuse) == finished
        assert set(now.parts) == set(first.parts)
        assert now.done == 2 * finished
        sweep.compute(now, 1)


def test_order_of_keys_and_axes_changes_no_shard(sweep: Sweep) -> None:
    one = sweep.plan(sweep.config("{d: 4, n: [3, 8], weight_decay: [0, 0.1]}", two="{d: 5, n: 9}"))
    other = sweep.plan(
        sweep.config("{d: 5, n: 9}", two="{weight_decay: [0.1, 0], n: [8, 3], d: 4}")
    )
    assert {s.name for s in one.pending} == {s.name for s in other.pending}


def test_finished_plan_needs_no_grid(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    config = sweep.config()
    sweep.finish(config)
    monkeypatch.setattr(plan, "validate", None)
    made = sweep.plan(config)
    assert made.written
    assert (made.wanted, made.done, made.pending) == (8, 8, ())


def test_added_value_packs_only_new_cells(sweep: Sweep) -> None:
    sweep.finish(sweep.config())
    old = ids(sweep.plan(sweep.config(more="max_cells: 99")).grid.cells)
    made = sweep.write(sweep.config("{d: 4, n: [3, 8], weight_decay: [0, 0.1, 0.2]}"))
    new = set().union(*(spec_ids(sweep, shard.name) for shard in made.pending))
    assert len(new) == 4
    assert not new & old
    assert (made.wanted, made.done) == (12, 8)


def test_added_metric_packs_only_that_metric(sweep: Sweep) -> None:
    sweep.finish(sweep.config())
    defaults = "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1]}"
    only = "{d: 4, n: 3, metrics: {only: [test_loss, train_loss]}}"
    made = sweep.plan(sweep.config(only, defaults=defaults))
    assert {shard.metrics for shard in made.pending} == {("train_loss",)}
    assert sum(shard.cells for shard in made.pending) == 2


def test_pending_specs_are_used_only_if_all_their_cells_are_missing(sweep: Sweep) -> None:
    first = sweep.write(sweep.config(shard="60"))
    assert len(first.pending) == 1
    # Another config computes one of its cells: the spec does not fit any more.
    sweep.finish(sweep.config("{d: 4, n: 3}", name="other"))
    made = sweep.plan(sweep.config(shard="60"))
    assert {s.name for s in made.pending}.isdisjoint({s.name for s in first.pending})
    assert sum(shard.cells for shard in made.pending) == 6
    assert len(made.reuse) == 2
    # A config that wants more takes the waiting spec and packs the rest.
    more = sweep.plan(sweep.config("{d: 5, n: [3, 8]}", name="third", shard="60"))
    sweep.write(sweep.config("{d: 5, n: [3, 8]}", name="third", shard="60"))
    both = sweep.plan(sweep.config("{d: 5, n: [3, 8, 9]}", name="fourth", shard="60"))
    assert both.pending[0] == more.pending[0]
    assert [shard.cells for shard in both.pending] == [4, 2]


def test_damaged_parts_are_run_again(sweep: Sweep) -> None:
    config = sweep.config()
    sweep.finish(config)
    name = sweep.plan(config).reuse[0]
    sweep.store.part(name).write_bytes(b"")
    made = sweep.plan(config)
    assert list(made.damaged) == [name]
    assert [shard.name for shard in made.pending] == [name]
    assert not made.written
    assert made.file.name == f"plan-{made.digest}-1.json"
    write_plan(made, sweep.results)
    after = sweep.plan(config)
    assert after.written
    assert after.file == made.file
    assert not after.damaged
    assert [path.name for path in made.file.parent.glob("plan-*")] == [made.file.name]


def test_damaged_ids_are_found_while_covering(sweep: Sweep) -> None:
    config = sweep.config()
    sweep.finish(config)
    name = sweep.plan(config).reuse[0]
    data = bytearray(sweep.store.part(name).read_bytes())
    data[60] ^= 0xFF
    sweep.store.part(name).write_bytes(bytes(data))
    made = sweep.plan(sweep.config(more="max_cells: 99"))
    assert "damaged data" in made.damaged[name]
    assert [shard.name for shard in made.pending] == [name]


def test_damaged_spec_is_written_again(sweep: Sweep) -> None:
    config = sweep.config()
    first = sweep.write(config)
    spec = sweep.store.spec(first.pending[0].name)
    data = spec.read_bytes()
    spec.write_bytes(data[:-9])
    made = sweep.write(config)
    assert {s.name for s in made.pending} == {s.name for s in first.pending}
    assert spec.read_bytes() == data


def test_old_plans_and_their_waiting_specs_are_dropped(sweep: Sweep) -> None:
    first = sweep.write(sweep.config())
    sweep.compute(first, 1)
    shared = sweep.write(sweep.config("{d: 4, n: 8, weight_decay: [0, 0.1]}", name="other"))
    sweep.write(sweep.config("{d: 7, n: 3}"))
    specs = {path.stem for path in sweep.store.specs.iterdir()}
    finished = first.pending[0].name
    kept = {finished, *(shard.name for shard in shared.pending)}
    assert {s.name for s in first.pending} & specs == kept & {s.name for s in first.pending}
    assert len(list((sweep.results / "tiny").glob("plan-*.json"))) == 1


@pytest.mark.parametrize("step", range(9))
def test_planning_killed_at_any_step_is_healed(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Nine changes: a part aside, two specs, the plan, four specs dropped, the old plan removed."""
    sweep.finish(sweep.config("{d: 4, n: 3}"))
    name = sorted(path.stem for path in sweep.store.parts.iterdir())[0]
    sweep.write(sweep.config("{d: 5, n: [3, 4]}"))
    sweep.store.part(name).write_bytes(b"")
    config = sweep.config("{d: 4, n: 3}", two="{d: 4, n: 8, weight_decay: [0, 0.1]}")
    changes = 0
    replace, unlink = os.replace, Path.unlink

    def count() -> None:
        nonlocal changes
        changes += 1
        if changes > step:
            raise KeyboardInterrupt

    def counted_replace(source: Path, target: Path) -> None:
        count()
        replace(source, target)

    def counted_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.exists() and not path.name.endswith(".tmp"):
            count()
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", counted_replace)
        patch.setattr(Path, "unlink", counted_unlink)
        try:
            sweep.write(config)
        except KeyboardInterrupt:
            assert changes == step + 1
        else:
            assert changes == step
    made = sweep.write(config)
    assert sweep.plan(config).file == made.file
    assert [path.name for path in made.file.parent.glob("plan-*")] == [made.file.name]
    sweep.compute(made)
    collect(made, sweep.results / "tiny")
    assert len(sweep.rows()) == 6
    specs = {path.name for path in sweep.store.specs.iterdir()}
    assert {path.name for path in sweep.store.parts.iterdir()} == specs


# Code that has changed --------------------------------------------------------------------------


@pytest.fixture
def edited(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A finished sweep whose model's code has changed since."""
    sweep.finish(sweep.config())
    edit(monkeypatch)
    return sweep


def edit(monkeypatch: pytest.MonkeyPatch, module: str = "") -> None:
    """Change the code of a module, or of all."""
    before = fingerprint.code
    for user in (fingerprint, plan):
        monkeypatch.setattr(
            user, "code", lambda name: "f" * 16 if module in ("", name) else before(name)
        )


EDITED = fingerprint.joined(["f" * 16])


def test_stale_cells_run_again_by_default(edited: Sweep) -> None:
    made = edited.plan(edited.config())
    assert (made.done, len(made.pending), made.reuse) == (0, 4, ())
    (stale,) = made.stale
    assert (stale.model, stale.policy, stale.cells) == ("linear_exact", "rerun", 8)
    edited.finish(edited.config())
    after = edited.plan(edited.config(more="max_cells: 99"))
    assert (after.done, after.pending, after.stale) == (8, (), ())
    assert {row["fingerprint"] for row in edited.rows().values()} == {EDITED}


def test_stale_cells_can_be_an_error_with_the_bill(edited: Sweep) -> None:
    bill = r"8 finished cells of linear_exact are of older code; .* takes about \d+ s on one core"
    with pytest.raises(InputError, match=bill):
        edited.plan(edited.config(more="stale: error"))
    # A value that was never computed is no stale cell.
    made = edited.plan(edited.config("{d: 9, n: 3}", more="stale: error"))
    assert made.stale == ()


def test_stale_cells_can_be_kept_and_are_told_apart(edited: Sweep) -> None:
    old = {row["fingerprint"] for row in edited.rows().values()}
    config = edited.config("{d: 4, n: [3, 8], weight_decay: [0, 0.1, 0.2]}", more="stale: keep")
    made = edited.plan(config)
    assert (made.done, made.wanted) == (8, 12)
    assert made.stale[0].cells == 8
    edited.finish(config)
    found = [row["fingerprint"] for row in edited.rows().values()]
    assert found.count(EDITED) == 4
    assert set(found) == {EDITED, *old}
    assert edited.plan(config).written


def test_an_edit_makes_only_the_cells_stale_that_use_it(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a part whose rows have two samplers and spectra, those of one pair."""
    many = "{d: 4, n: [3, 8], sampler: [ddpm_beta, ddim], spectrum: [isotropic, {power_law: 1}]}"
    sweep.finish(sweep.config(many))
    before = sweep.rows()
    edit(monkeypatch, "lindiff.science.samplers.ddim")
    made = sweep.plan(sweep.config(many))
    stale = [row for row in before.values() if row["sampler"] == "ddim"]
    assert 0 < len(stale) < len(before)
    assert made.wanted - made.done == len(stale) == made.stale[0].cells
    assert made.reuse
    sweep.finish(sweep.config(many))
    after = sweep.rows()
    changed = {key for key in before if before[key]["fingerprint"] != after[key]["fingerprint"]}
    assert changed == {row["cell_id"] for row in stale}
    assert sweep.plan(sweep.config(many)).done == made.wanted
    # The parts of old and new rows are merged again, in whatever order: the new ones count.
    sweep.finish(sweep.config(many, more="max_cells: 99"))
    assert {k: row["fingerprint"] for k, row in sweep.rows().items()} == {
        k: row["fingerprint"] for k, row in after.items()
    }


# Plan files -------------------------------------------------------------------------------------


def test_plan_file_says_all_that_later_stages_need(sweep: Sweep) -> None:
    config = sweep.config("{d: 4, n: 3, stop: [1, .inf]}")
    made = sweep.write(config)
    read = read_plan(made.file)
    assert read.config == config
    assert (read.digest, read.pending, read.reuse) == (made.digest, made.pending, made.reuse)
    assert find_plan(sweep.results, "tiny").digest == made.digest


def test_plan_files_that_cannot_be_used(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 plan files instead of one"):
        find_plan(sweep.results, "tiny")
    with pytest.raises(InputError, match="no such plan file"):
        read_plan(tmp_path / "absent.json")
    made = sweep.write(sweep.config())
    path = made.file.with_name("plan-0.json")
    newer = {"format": 99}
    for text, message in (
        ("{", "no plan of this lindiff, or damaged"),
        ("[]", "no plan of this lindiff, or damaged"),
        (json.dumps({"format": 1, "digest": "0"}), "run snakemake again, which plans anew"),
        (json.dumps(newer | {"seal": _seal(newer)}), "newer lindiff"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_plan(path)
    with pytest.raises(InputError, match="2 plan files instead of one"):
        find_plan(sweep.results, "tiny")
    # Planning itself is not troubled by a damaged one, and removes it.
    path.write_text("{")
    write_plan_at(sweep.config(), made.file, made.digest)
    assert find_plan(sweep.results, "tiny").digest == made.digest


def test_plan_is_written_only_if_it_is_the_announced_one(sweep: Sweep) -> None:
    config = sweep.config()
    made = sweep.plan(config)
    with pytest.raises(InputError, match="has changed since it was planned"):
        write_plan_at(config, made.file, "0" * 16)
    with pytest.raises(InputError, match=r"RESULTS/tiny/plan-….json"):
        write_plan_at(config, sweep.results / "other" / made.file.name, made.digest)
    assert not sweep.results.exists()
    assert write_plan_at(config, made.file, made.digest).file == made.file


def test_store_is_no_name_for_a_config(sweep: Sweep) -> None:
    with pytest.raises(InputError, match="may not be called store"):
        make_plan(sweep.config(name="store"), sweep.results)


def test_newer_store_is_refused(sweep: Sweep) -> None:
    config = sweep.config()
    sweep.finish(config)
    (sweep.store.root / "FORMAT").write_text(f"{FORMAT + 1}\n")
    with pytest.raises(InputError, match="newer lindiff"):
        sweep.plan(config)


def test_adding_theory_runs_only_theory_cells(sweep: Sweep) -> None:
    sweep.finish(sweep.config())
    before = sweep.rows()
    with_theory = sweep.config(ONE[:-1] + ", theory: {n: [3, 6, 8]}}")
    made = sweep.write(with_theory)
    models = {read_table(sweep.store.spec(s.name))["model"][0].as_py() for s in made.pending}
    assert models == {"linear_theory"}
    assert sum(shard.cells for shard in made.pending) == 6
    sweep.compute(made)
    collect(made, sweep.results / "tiny")
    after = sweep.rows()
    assert {key: after[key] for key in before} == before
    theory = [row for key, row in after.items() if key not in before]
    assert {row["model"] for row in theory} == {"linear_theory"}
    assert all(row["seed"] is None and row["test_loss"] > 0 for row in theory)


@pytest.mark.parametrize("value", [20241128, 1000.0, True])
def test_a_results_name_that_snakemake_took_for_a_number_is_refused(
    value: object, sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    """How it was written is lost: 2024_11_28 comes as 20241128, 1e3 as 1000.0."""
    sweep.config()
    with pytest.raises(SystemExit) as ended:
        workflow.Sweep.open({"sweep": str(sweep.folder / "tiny.yaml"), "results": value}, main=True)
    assert ended.value.code == 2
    assert f"results = {value!r}: Snakemake took the name for" in capsys.readouterr().err
    assert not sweep.results.exists()
