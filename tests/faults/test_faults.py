"""Faults of files and memory, one by one: what is damage, what is a result, what heals."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from lindiff import files
from lindiff.cli import main
from lindiff.errors import InputError, is_of_machine
from lindiff.science.pools import make_pool
from lindiff.sweep import run as running
from lindiff.sweep import store as storing
from lindiff.sweep.collect import collect
from lindiff.sweep.digests import digests
from lindiff.sweep.plan import make_plan
from lindiff.sweep.run import run_spec
from lindiff.sweep.store import DamagedError, read_header, read_table, write_spec
from tests.sweeps import Sweep


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0))
    return Sweep(tmp_path)


@pytest.fixture
def finished(sweep: Sweep) -> Sweep:
    sweep.finish(sweep.config())
    return sweep


def parts_of(sweep: Sweep) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sweep.store.parts.iterdir()}


class Failing:
    """A function of pyarrow that fails for some calls, as a network file system does."""

    def __init__(self, real: Callable[..., Any], number: int, times: int) -> None:
        self.real, self.number, self.left = real, number, times

    def __call__(self, path: Any, *arguments: Any, **named: Any) -> Any:
        if self.left:
            self.left -= 1
            raise OSError(self.number, os.strerror(self.number))
        return self.real(path, *arguments, **named)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
@pytest.mark.parametrize("function", ["read_metadata", "ParquetFile"])
def test_a_file_that_cannot_be_read_is_not_damaged(
    finished: Sweep, monkeypatch: pytest.MonkeyPatch, number: int, function: str
) -> None:
    before, config = parts_of(finished), finished.config()
    plan = finished.plan(config)
    fail = Failing(getattr(pq, function), number, 10**6)
    monkeypatch.setattr(storing.pq, function, fail)
    spec, part = (f(plan.reuse[0]) for f in (finished.store.spec, finished.store.part))
    attempts: list[Callable[[], object]] = [lambda: collect(plan, finished.results / "tiny")]
    if function == "read_metadata":
        attempts += [lambda: finished.plan(config), lambda: run_spec(spec, part)]
    for attempt in attempts:
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            attempt()
        assert caught.value.errno == number
        assert str(caught.value.filename).endswith(".parquet")
    assert parts_of(finished) == before
    assert not finished.store.damaged.exists()


def test_an_error_that_passes_is_survived(finished: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    config = finished.config()
    for function in ("read_metadata", "ParquetFile"):
        monkeypatch.setattr(storing.pq, function, Failing(getattr(pq, function), errno.EIO, 2))
        plan = finished.plan(config)
        assert (len(plan.reuse), plan.pending) == (4, ())
        collect(plan, finished.results / "tiny")


def test_a_folder_that_cannot_be_listed_is_not_empty(
    finished: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "listdir", Failing(os.listdir, errno.EACCES, 10**6))
    with pytest.raises(PermissionError):
        finished.store.find_parts()


LACKS = [
    MemoryError(),
    np._core._exceptions._ArrayMemoryError((10**6, 10**6), np.dtype(float)),  # type: ignore[attr-defined]
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.EIO, "Input/output error"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("can't start new thread"),
    ImportError("libfoo.so: failed to map segment from shared object"),
]


@pytest.mark.parametrize("error", LACKS, ids=lambda error: type(error).__name__)
def test_an_error_of_the_machine_is_no_result(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    plan = sweep.write(sweep.config())
    shard = plan.pending[0]

    def run(cells: pa.Table, metrics: Sequence[str]) -> pa.Table:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(running, "load_model", lambda *arguments: run)
        with pytest.raises(type(error)):
            run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))
    assert not sweep.store.part(shard.name).exists()
    sweep.compute(plan)
    collect(plan, sweep.results / "tiny")
    assert {row["status"] for row in sweep.rows().values()} == {"ok"}


def test_an_error_with_a_cause_of_the_machine_is_of_the_machine() -> None:
    error = ValueError("no data")
    error.__cause__ = OSError(errno.EIO, "Input/output error")
    assert is_of_machine(error)
    assert not is_of_machine(np.linalg.LinAlgError("SVD did not converge"))
    assert not is_of_machine(OSError("Unexpected end of stream"))  # Arrow's word on a file


def test_memory_that_is_limited_fails_the_shard_and_no_cell(sweep: Sweep) -> None:
    """By the limit of the system, in a process of its own."""
    config = sweep.config("{d: 1200, n: 1200, spectrum: isotropic}")
    plan = sweep.write(config)
    (shard, *_) = plan.pending
    code = (
        "import resource, sys; from lindiff.cli import main; import lindiff.models.linear;"
        "import lindiff.sweep.run, re;"
        "used = int(re.search(r'VmSize:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024;"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**24, -1)); main()"
    )
    spec, part = sweep.store.spec(shard.name), sweep.store.part(shard.name)
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(spec), "--out", str(part)],
        capture_output=True, text=True, check=False, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "this is of the machine" in done.stderr
    assert "Traceback" not in done.stderr
    assert not part.exists()


def edited(path: Path, name: str, change: Callable[[pa.ChunkedArray], pa.Array]) -> None:
    """Change a column of a Parquet file by hand; its metadata are kept."""
    table = pq.read_table(path)
    index = table.column_names.index(name)
    column = change(table[name]).cast(table.schema.field(name).type)
    pq.write_table(table.set_column(index, table.schema.field(name), column), path)


def test_a_spec_changed_by_hand_is_refused_and_written_anew(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    shard = plan.pending[0]
    spec, part = sweep.store.spec(shard.name), sweep.store.part(shard.name)
    edited(spec, "ridge", lambda column: pc.add(column.cast(pa.float64()), 0.5))
    with pytest.raises(InputError, match=r"column ridge is not what was written.*plan again"):
        run_spec(spec, part)
    assert not part.exists()
    assert not spec.exists()  # moved aside
    again = sweep.write(sweep.config())
    assert again.digest == plan.digest
    sweep.compute(again)


def test_settings_that_are_not_those_of_their_ids_are_refused(sweep: Sweep) -> None:
    """Also where digests were made anew: a result must be of the cell that it names."""
    plan = sweep.write(sweep.config())
    shard = plan.pending[0]
    spec = sweep.store.spec(shard.name)
    cells = read_table(spec)
    index = cells.column_names.index("ridge")
    other = cells.set_column(index, cells.schema.field("ridge"), pa.repeat(0.5, len(cells)))
    write_spec(spec, shard, other)
    with pytest.raises(InputError, match="its settings are not those of its ids"):
        run_spec(spec, sweep.store.part(shard.name))


def test_a_part_changed_by_hand_is_moved_aside_and_computed_anew(finished: Sweep) -> None:
    right = finished.rows()
    part = min(finished.store.parts.iterdir())
    edited(part, "test_loss", lambda column: pc.multiply(column, 2.0))
    plan = finished.plan(finished.config())
    with pytest.raises(InputError, match="was damaged; run snakemake again"):
        collect(plan, finished.results / "tiny")
    assert (finished.store.damaged / part.name).exists()
    finished.finish(finished.config())
    assert finished.rows() == right


def test_a_footer_that_is_damaged_is_damage_whatever_arrow_says(finished: Sweep) -> None:
    """Every byte of the footer, one bit of each: found, or of no matter to what is read."""
    part = min(finished.store.parts.iterdir())
    data = part.read_bytes()
    right = digests(pq.read_table(part))
    length = int.from_bytes(data[-8:-4], "little")
    rng = np.random.default_rng(1)
    found = 0
    for place in range(len(data) - 8 - length, len(data), 29):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        part.write_bytes(flipped)
        try:
            read_header(part, "part")
            assert digests(read_table(part)) == right
        except DamagedError:
            found += 1
    assert found > 30


def test_a_damaged_matrix_is_written_anew(sweep: Sweep) -> None:
    np.save(sweep.folder / "own.npy", np.random.default_rng(0).normal(size=(40, 3)))
    config = sweep.config("{data: {file: own.npy}, n: [4, 8]}")
    plan = sweep.write(config)
    (matrix,) = sweep.store.data.iterdir()
    whole = matrix.read_bytes()
    for damaged in (whole[:-8], whole[:-1] + b"\x01", b"", b"\x93NUMPY", whole[:20] + b"9" * 80):
        matrix.write_bytes(damaged)
        make_pool.cache_clear()
        shard = plan.pending[0]
        with pytest.raises(InputError, match="plan again, which writes it anew"):
            run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))
        assert not sweep.plan(config).written
        sweep.write(config)
        assert matrix.read_bytes() == whole
    sweep.compute(plan)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("reuse"),
        lambda data: data.update(pending=[]),
        lambda data: data["config"].update(name="other"),
        lambda data: data.update(digest="0" * 16),
        lambda data: data.clear(),
    ],
)
def test_a_plan_changed_by_hand_is_made_anew(
    sweep: Sweep, change: Callable[[dict[str, Any]], object]
) -> None:
    config = sweep.config()
    plan = sweep.write(config)
    data = json.loads(plan.file.read_text())
    change(data)
    plan.file.write_text(json.dumps(data))
    result = CliRunner().invoke(main, ["collect", str(plan.file)])
    assert result.exit_code == 2
    assert "run snakemake again, which plans anew" in result.output
    again = sweep.write(config)
    assert again.file != plan.file
    sweep.compute(again)
    collect(again, sweep.results / "tiny")
    assert [path.name for path in (sweep.results / "tiny").glob("plan-*")] == [again.file.name]


def test_a_store_that_was_moved_is_used_where_it_is(finished: Sweep) -> None:
    np.save(finished.folder / "own.npy", np.random.default_rng(0).normal(size=(40, 3)))
    config = finished.config(two="{data: {file: own.npy}, n: [4, 8]}")
    finished.finish(config)
    right, before = finished.rows(), parts_of(finished)
    finished.results.rename(finished.folder / "elsewhere")
    (finished.folder / "elsewhere").rename(finished.folder / "results of mine")
    moved = finished.folder / "results of mine"
    plan = make_plan(config, moved)
    assert (plan.pending, plan.damaged) == ((), {})
    collect(plan, moved / "tiny")
    table = pq.read_table(moved / "tiny/metrics.parquet").drop_columns(["seconds"])
    assert {row["cell_id"]: row for row in table.to_pylist()} == right
    assert {path.name: path.read_bytes() for path in (moved / "store/parts").iterdir()} == before


def test_reports_are_not_needed(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    plan = sweep.write(sweep.config())
    sweep.store.progress.rmdir()
    sweep.store.progress.write_text("no folder")
    sweep.compute(plan)
    collect(plan, sweep.results / "tiny")
    assert "cannot be written" in capsys.readouterr().err


def test_a_full_disk_is_one_sentence(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = sweep.write(sweep.config())
    shard = plan.pending[0]
    monkeypatch.setattr(files.os, "fsync", Failing(os.fsync, errno.ENOSPC, 10**6))
    spec, part = sweep.store.spec(shard.name), sweep.store.part(shard.name)
    result = CliRunner().invoke(main, ["run", str(spec), "--out", str(part)])
    assert result.exit_code == 1
    assert "No space left on device (errno 28)" in result.output
    assert "Traceback" not in result.output
    assert not part.exists()


def test_a_store_that_cannot_be_written_is_said(sweep: Sweep) -> None:
    sweep.results.mkdir()
    sweep.store.root.write_text("no folder")
    with pytest.raises(InputError, match="a run writes here, and that is not possible"):
        files.lock_run(sweep.store.root)
