"""What a config still needs: wanted cells against the store.

`make_plan` only reads. Wanted cells are covered by finished parts, then by pending specs all of
whose cells are still missing; the rest is packed into new shards. The plan is identified by the set
of parts that it ends with, which does not change while they are computed: a run that was killed, or
is over, has the same plan. `write_plan` writes it as ``results/<config>/plan-<digest>.json``, which
holds the resolved config: later stages read that file and never the YAML.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from lindiff import checksums
from lindiff.columns import NESTED
from lindiff.columns.arrays import Rows
from lindiff.config.resolve import Config, Experiment
from lindiff.errors import InputError
from lindiff.files import free_name, names_in, patiently, remove_leftovers, write_text
from lindiff.fingerprint import closure, code, modules
from lindiff.sweep.coverage import Stale, cover, stale_policy
from lindiff.sweep.derived import made, tidy
from lindiff.sweep.grid import Wanted
from lindiff.sweep.packing import Target, pack
from lindiff.sweep.rounds import Rounds, rounds_of, with_rounds
from lindiff.sweep.store import FORMAT, Shard, Store, newer, write_spec
from lindiff.sweep.validate import validate

# The code of these rooms decides, together with the resolved config, which cells are wanted.
_MEANING = ("lindiff.columns", "lindiff.config", "lindiff.models", "lindiff.sweep")


@dataclass(frozen=True)
class Plan:
    """What a config needs.

    Attributes:
        config: The resolved config, with what rounds of refined axes have added so far.
        digest: Identifies the config and the parts that its table is made of.
        file: The plan file: of this plan if `written`, else where it is to be written.
        written: Whether `file` is on disk and serves.
        reuse: Names of finished parts, in the order in which they cover cells.
        pending: Shards to run.
        wanted: Number of cells wanted.
        done: Number of them that finished parts cover.
        stale: Finished cells of older code.
        rounds: How far searches along refined axes were when it was made; None without any.
        damaged: What is wrong with damaged parts, by name.
        damaged_derived: What is wrong with damaged tables, figures and pages, by path.
        new: Rows of the cells of each shard of `pending` that has no spec yet.
        grid: The wanted cells; None where they were not needed.
    """

    config: Config
    digest: str
    file: Path
    written: bool
    reuse: tuple[str, ...]
    pending: tuple[Shard, ...]
    wanted: int
    done: int
    stale: tuple[Stale, ...] = ()
    rounds: Rounds | None = None
    damaged: Mapping[str, str] = field(default_factory=dict)
    damaged_derived: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, Rows] = field(default_factory=dict, repr=False)
    grid: Wanted | None = field(default=None, repr=False, compare=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of all parts of the table, in the order in which they cover cells."""
        return (*self.reuse, *(shard.name for shard in self.pending))

    @property
    def seconds(self) -> float:
        """Estimated time of the shards to run, on one core."""
        return sum(shard.seconds for shard in self.pending)

    @property
    def tables(self) -> tuple[str, ...]:
        """File names of the tables that the config asks for."""
        asked = {metric for e in self.config.experiments.values() for metric in e.metrics}
        nested = [f"{name}.parquet" for name in NESTED if name in asked]
        return ("metrics.parquet", *nested)

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that the config asks for, sorted."""
        return tuple(sorted({f for e in self.config.experiments.values() for f in e.figures}))


def store_of(results: Path) -> Store:
    """The store of a results folder, checked.

    Raises:
        InputError: A newer lindiff wrote it.
    """
    store = Store(Path(results) / "store")
    store.check()
    return store


def make_plan(config: Config, results: Path) -> Plan:
    """What `config` needs, given what is in the results folder; reads only.

    Raises:
        InputError: The config asks for what cannot be, the store was written by a newer lindiff,
            or there are stale cells and the config's ``stale`` is ``error``.
    """
    if config.name == "store":
        raise InputError("a config may not be called store: results/store is the store of all")
    store = store_of(results)
    config, arms = with_rounds(config, store)
    rounds = rounds_of(arms)
    key = _key(config)
    folder = Path(results) / config.name
    existing = {path: _read(path) for path in plan_files(folder)}
    stored = all(store.has_matrix(name) for name in config.matrices)
    for path, data in existing.items():
        if stored and data.get("key") == key and (plan := _finished(config, path, store)):
            return _with_derived(replace(plan, rounds=rounds), alone=len(existing) == 1)
    grid = validate(config)
    found = cover(grid, store, config)
    packed = list(
        pack(
            grid.cells,
            found.lack,
            Target(config.target_seconds, config.target_bytes),
            found.fingerprints,
        )
    )
    pending = (*found.pending, *(shard for shard, _ in packed))
    digest = _digest(key, [*found.reuse, *(shard.name for shard in pending)])
    serving = [path for path, data in existing.items() if data.get("digest") == digest]
    # One of several is made anew, which drops the others: after a kill before they were dropped.
    written = len(existing) == len(serving) == 1 and not (packed or found.damaged) and stored
    return Plan(
        config=config,
        digest=digest,
        file=serving[0] if written else _unused(folder, digest),
        written=written,
        reuse=found.reuse,
        pending=pending,
        wanted=len(grid.cells),
        done=found.done,
        stale=found.stale,
        rounds=rounds,
        damaged=found.damaged,
        new={shard.name: rows for shard, rows in packed},
        grid=grid,
    )


def _with_derived(plan: Plan, alone: bool) -> Plan:
    """A finished plan, under a new name if what was made from it is damaged: all is made anew.

    So it is where its file is not `alone`, for jobs elsewhere go by the one that is there.
    """
    folder = plan.file.parent
    damaged = checksums.damaged(folder, made(folder, plan.tables, plan.figures))
    if alone and not damaged:
        return plan
    reasons = {str(path): reason for path, reason in damaged.items()}
    file = _unused(folder, plan.digest)
    return replace(plan, file=file, written=False, damaged_derived=reasons)


def write_plan(plan: Plan, results: Path) -> None:
    """Write a plan: damaged parts aside, matrices of the user, specs, the plan file.

    What older plans left is dropped.

    Specs that older plans of the same config wait for are dropped unless this plan, or one of
    another config, needs them.
    """
    store = store_of(results)
    store.create()
    for name, reason in plan.damaged.items():
        store.quarantine(store.part(name), reason)
    for name in plan.config.matrices:
        store.write_matrix(name)
    for shard in plan.pending:
        if shard.name in plan.new:
            assert plan.grid is not None
            cells = plan.grid.cells.take(plan.new[shard.name])
            write_spec(store.spec(shard.name), shard, cells)
    plan.file.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(plan.file)
    tidy(plan.file.parent, plan.tables, plan.figures)
    data = to_dict(plan)
    write_text(json.dumps(data | {"seal": _seal(data)}, indent=1) + "\n", plan.file)

    old = [path for path in plan_files(plan.file.parent) if path != plan.file]
    waiting = {shard["name"] for path in old for shard in _read(path).get("pending", [])}
    for path in (path for folder in Path(results).glob("*") for path in plan_files(folder)):
        if path not in old:
            waiting.difference_update(shard["name"] for shard in _read(path).get("pending", []))
    for name in sorted(waiting):
        if not store.part(name).exists():
            store.drop_spec(name)
    # Last: after a kill before this line the specs to drop are still known.
    for path in old:
        path.unlink()


def write_plan_at(config: Config, file: Path, digest: str | None) -> Plan:
    """Plan `config` and write the plan to `file`, ``results/<config>/plan-….json``.

    Args:
        config: The config.
        file: The plan file, whose folder says which results.
        digest: The plan that was announced.

    Returns:
        The plan.

    Raises:
        InputError: The plan is another than the one announced, or see `make_plan`.
    """
    results = file.parent.parent
    if file.parent.name != config.name or not file.match("plan-*.json"):
        raise InputError(f"{file}: a plan of this config is RESULTS/{config.name}/plan-….json")
    plan = replace(make_plan(config, results), file=file)
    if digest is not None and plan.digest != digest:
        raise InputError(
            f"{file}: the config or the store has changed since it was planned; run snakemake again"
        )
    write_plan(plan, results)
    return plan


def read_plan(path: Path) -> Plan:
    """The plan in a plan file; what is finished by now is not looked at.

    Raises:
        InputError: There is no such file, or it is not a plan of this lindiff.
    """
    path = Path(path)
    data = _read(path)
    if "digest" not in data:
        raise InputError(
            f"{path}: no plan of this lindiff, or damaged; run snakemake again, which plans anew"
        )
    return Plan(
        config=Config.from_json(json.dumps(data["config"])),
        digest=data["digest"],
        file=path,
        written=True,
        reuse=tuple(data["reuse"]),
        pending=tuple(Shard.from_dict(shard) for shard in data["pending"]),
        wanted=data["wanted"],
        done=data["done"],
        stale=tuple(Stale(**entry) for entry in data["stale"]),
        rounds=Rounds(**data["rounds"]) if "rounds" in data else None,
    )


def find_plan(results: Path, name: str) -> Plan:
    """The plan of the config `name`, for a job that must not plan and for what reads results.

    Raises:
        InputError: There is no plan file, or more than one.
    """
    files = plan_files(Path(results) / name)
    if len(files) != 1:
        how = "" if files else ": run the sweep first (lindiff sweep CONFIG)"
        raise InputError(f"{Path(results) / name}: {len(files)} plan files instead of one{how}")
    return read_plan(files[0])


def _key(config: Config) -> str:
    """Hash of what decides what a config asks for: itself, its cells' code, its meaning."""
    named = {name for experiment in config.experiments.values() for name in _modules(experiment)}
    models = sorted({model for e in config.experiments.values() for model in e.axes["model"]})
    meaning = closure("lindiff.sweep.grid", _MEANING, packages=True)
    known = [
        config.to_json(),
        *(f"{model} {stale_policy(config, model)}" for model in models),
        *(f"{name} {code(name)}" for name in sorted(named)),
        *(path.read_text(encoding="utf-8") for _, path in sorted(meaning.items())),
    ]
    return blake2b("\0".join(known).encode(), digest_size=8).hexdigest()


def _modules(experiment: Experiment) -> set[str]:
    """The modules that the cells of an experiment start from."""
    found: set[str] = set()
    for model in experiment.axes["model"]:
        axes = experiment.axes_of(model)
        kinds = [spectrum["kind"] for spectrum in axes.get("spectrum", [])]
        for name, values in (axes | {"spectrum": kinds}).items():
            found.update(module for v in values for module in modules({"model": model, name: v}))
    return found


def _digest(key: str, parts: Iterable[str]) -> str:
    return blake2b("\0".join([key, *sorted(parts)]).encode(), digest_size=8).hexdigest()


def _unused(folder: Path, digest: str) -> Path:
    """A name that no plan file has: one that is there, but does not serve, must be made again."""
    return free_name(folder / f"plan-{digest}.json")


def _finished(config: Config, path: Path, store: Store) -> Plan | None:
    """The plan of a plan file if all its parts are finished: the short way, without a grid."""
    plan = read_plan(path)
    found, _ = store.find_parts(plan.parts)
    if len(found) < len(plan.parts):
        return None
    return Plan(
        config=config,
        digest=plan.digest,
        file=path,
        written=True,
        reuse=plan.parts,
        pending=(),
        wanted=plan.wanted,
        done=plan.wanted,
        stale=plan.stale,
    )


def to_dict(plan: Plan) -> dict[str, Any]:
    """A plan as plain data: the content of a plan file, but for its seal."""
    return {
        "format": FORMAT,
        "key": _key(plan.config),
        "digest": plan.digest,
        "wanted": plan.wanted,
        "done": plan.done,
        "reuse": plan.reuse,
        "pending": [asdict(shard) for shard in plan.pending],
        "stale": [asdict(entry) for entry in plan.stale],
        "config": json.loads(plan.config.to_json()),
        **({"rounds": asdict(plan.rounds)} if plan.rounds else {}),
    }


def _seal(data: dict[str, Any]) -> str:
    """Digest of the content of a plan file."""
    return blake2b(json.dumps(data, sort_keys=True).encode(), digest_size=16).hexdigest()


def plan_files(folder: Path) -> list[Path]:
    """The plan files of a config's folder, sorted; none of what is no folder."""
    if not folder.is_dir():
        return []
    return [folder / f"{name}.json" for name in names_in(folder, ".json") if name[:5] == "plan-"]


def _read(path: Path) -> dict[str, Any]:
    """The content of a plan file; empty if it is of an older format, damaged or no plan.

    A plan is made anew in no time, so nothing is taken from one that is not what was written.

    Raises:
        InputError: There is no such file, or a newer lindiff wrote it.
        OSError: It cannot be read at present.
    """
    try:
        content = patiently(path.read_bytes, path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such plan file") from None
    try:
        data: dict[str, Any] = json.loads(content)
        if data.pop("seal") != _seal(data):
            return {}
        number = int(data["format"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    if number > FORMAT:
        raise InputError(f"{path}: {newer(number)}")
    return data
