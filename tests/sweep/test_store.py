"""The store: headers, damage, atomic writes, locks, progress."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lindiff import progress
from lindiff.columns import cell_schema, part_schema
from lindiff.errors import InputError
from lindiff.files import atomic, lock_run, lock_shard, remove_leftovers, write_text
from lindiff.progress import Heartbeat, Progress, duration, read_progress
from lindiff.sweep.store import (
    FORMAT,
    DamagedError,
    Shard,
    Store,
    _digest,
    read_header,
    read_table,
    shard_name,
    write_part,
    write_spec,
)

METRICS = ("test_loss",)


def cells(count: int = 3) -> pa.Table:
    schema = cell_schema()
    ids = {"cell_id": [f"{i:032x}" for i in range(count)], "family_id": ["f" * 32] * count}
    return pa.table(
        {f.name: ids.get(f.name, pa.nulls(count, f.type)) for f in schema}, schema=schema
    )


def part(count: int = 3) -> pa.Table:
    schema = part_schema(METRICS)
    table = cells(count)
    values = {name: table[name] for name in table.column_names}
    values |= {"test_loss": pa.array([0.5] * count), "status": pa.array(["ok"] * count)}
    return pa.table({f.name: values.get(f.name, pa.nulls(count, f.type)) for f in schema}).cast(
        schema
    )


def shard(count: int = 3, **changes: object) -> Shard:
    name = shard_name("linear_exact", METRICS, "0" * 16, cells(count)["cell_id"].to_pylist())
    made = Shard(name, "linear_exact", METRICS, "0" * 16, count, 1, 1.5, 10**8)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.create()
    return made


def test_spec_and_part_say_what_they_hold(store: Store) -> None:
    one = shard()
    write_spec(store.spec(one.name), one, cells())
    write_part(store.part(one.name), one, part())
    assert read_header(store.spec(one.name), "spec") == one
    assert store.find_parts() == ({one.name: one}, {})
    assert read_table(store.spec(one.name)).cast(cell_schema()).equals(cells())
    assert read_table(store.part(one.name), ["test_loss"])["test_loss"].to_pylist() == [0.5] * 3


def test_same_part_gives_the_same_bytes(store: Store, tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole.parquet", tmp_path / "pieces.parquet"
    write_part(whole, shard(), part())
    write_part(pieces, shard(), pa.concat_tables([part().slice(0, 1), part().slice(1)]))
    assert whole.read_bytes() == pieces.read_bytes()


def test_name_is_a_hash_of_what_is_asked() -> None:
    ids = ["a", "b"]
    name = shard_name("m", ["x", "y"], "f", ids)
    assert name == "dde39adc007b7241"  # b2sum -l 64 of the JSON
    assert shard_name("m", ["y", "x"], "f", ids) == name
    others = [
        shard_name("n", ["x", "y"], "f", ids),
        shard_name("m", ["x"], "f", ids),
        shard_name("m", ["x", "y"], "g", ids),
        shard_name("m", ["x", "y"], "f", ["a"]),
    ]
    assert len({name, *others}) == 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path, data: path.write_bytes(data[:-50]), "truncated or not Parquet"),
        (lambda path, data: path.write_bytes(b""), "truncated or not Parquet"),
        (lambda path, data: path.write_text("no table"), "truncated or not Parquet"),
        (lambda path, data: pq.write_table(pa.table({"a": [1]}), path), "not written by lindiff"),
        (lambda path, data: write_part(path, shard(4), part(3)), "3 rows instead of 4"),
        (lambda path, data: write_part(path, shard(4), part(4)), "holds part"),
        (lambda path, data: write_spec(path, shard(), cells()), "not a part"),
        (
            lambda path, data: pq.write_table(
                pa.table({"a": [1]}).replace_schema_metadata({b"lindiff": b"{"}), path
            ),
            "not written by lindiff",
        ),
    ],
)
def test_damaged_part_is_found(store: Store, damage, message: str) -> None:
    one = shard()
    path = store.part(one.name)
    write_part(path, one, part())
    damage(path, path.read_bytes())
    found, damaged = store.find_parts()
    assert found == {}
    assert message in damaged[one.name]
    assert store.find_parts([one.name, "absent"]) == (found, damaged)


def test_damaged_data_is_found_by_its_checksum(store: Store) -> None:
    one = shard()
    path = store.part(one.name)
    write_part(path, one, part())
    data = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(0).column(0).dictionary_page_offset or 4
    data[start + 60] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedError, match="damaged data"):
        read_table(path)


def test_newer_part_is_an_error_not_damage(store: Store) -> None:
    one = shard()
    path = store.part(one.name)
    header = {"format": FORMAT + 1, "kind": "part"}
    header["digest"] = _digest(header)
    table = part().replace_schema_metadata({b"lindiff": json.dumps(header).encode()})
    pq.write_table(table, path)
    with pytest.raises(InputError, match=rf"newer lindiff \(format {FORMAT + 1}"):
        store.find_parts()


@pytest.mark.parametrize(
    ("text", "message"), [(f"{FORMAT + 1}\n", "newer lindiff"), ("x", "not a format")]
)
def test_format_of_the_store(store: Store, text: str, message: str) -> None:
    store.check()
    (store.root / "FORMAT").write_text(text)
    with pytest.raises(InputError, match=message):
        store.check()


def test_quarantine_keeps_every_damaged_file(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"one", b"two"):
        store.part("abc").write_bytes(content)
        store.quarantine(store.part("abc"), "reason")
    assert {p.name: p.read_bytes() for p in store.damaged.iterdir()} == {
        "abc.parquet": b"one",
        "abc-1.parquet": b"two",
    }
    assert not store.part("abc").exists()
    assert capsys.readouterr().err.count("reason; moved to") == 2


def test_atomic_write_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text("old", path)

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / ".file.1-2.tmp").write_text("left by a kill")
    (tmp_path / ".other.1-2.tmp").write_text("another's")
    remove_leftovers(path)
    assert {p.name for p in tmp_path.iterdir()} == {"file", ".other.1-2.tmp"}


def test_lock_of_a_run_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from lindiff.files import lock_run;"
        "held = lock_run(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=rf"at work on this store \(process {holder.pid} on"):
            lock_run(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    os.close(lock_run(tmp_path))


def test_lock_of_a_shard_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec"
    spec.write_text("")
    order = []

    def second() -> None:
        with lock_shard(spec):
            order.append("second")

    thread = threading.Thread(target=second)
    with lock_shard(spec):
        thread.start()
        while "waiting" not in capsys.readouterr().err:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert spec.read_text() == ""


REPORT = Progress("s", 1, 3, 100.0, 110.0, 10.0, "elsewhere", 1, "running")


@pytest.mark.parametrize(
    ("report", "now", "alive"),
    [
        (REPORT, 111.0, True),
        (REPORT, 110.0 + progress.PATIENCE + 1, False),
        (replace(REPORT, state="finished"), 111.0, False),
        (replace(REPORT, state="failed"), 111.0, False),
        (replace(REPORT, host=socket.gethostname(), pid=os.getpid()), 111.0, True),
        (replace(REPORT, host=socket.gethostname(), pid=2**22 + 1), 111.0, False),
    ],
)
def test_alive(report: Progress, now: float, alive: bool) -> None:
    assert report.alive(now) is alive


def test_dead_process_that_is_not_reaped_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    report = replace(REPORT, host=socket.gethostname(), pid=child.pid)
    assert not report.alive(111.0)
    child.wait()


def test_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    path = tmp_path / "progress/s.json"
    with Heartbeat(path, "s", 3) as beat:
        beat.start(2)
        beat.finish()
        beat.start(1)
        beat.hear("step 5 of 10", 0.5)
        deadline = time.monotonic() + 10
        while (report := read_progress(path)) is None or not report.part:
            assert time.monotonic() < deadline
        assert (report.state, report.total, report.family_seconds) == ("running", 3, ())
        assert report.alive(time.time())
        assert (report.message, report.share) == ("step 5 of 10", pytest.approx(2.5 / 3))
        beat.finish()
        beat.family_seconds = [0.25, 0.5]
    report = read_progress(path)
    assert report is not None
    assert (report.state, report.done, report.family_seconds) == ("finished", 3, (0.25, 0.5))

    def fail() -> None:
        with Heartbeat(path, "s", 3):
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        fail()
    report = read_progress(path)
    assert report is not None
    assert (report.state, report.message) == ("failed", "ValueError: why")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"shard": "s"}'])
def test_unreadable_report_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    assert read_progress(tmp_path / "s.json") is None
    assert read_progress(tmp_path / "absent.json") is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (40, "40 s"), (600, "10 min"), (10_000, "2.8 h"), (400_000, "4.6 days")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
