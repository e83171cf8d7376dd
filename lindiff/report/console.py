"""Tables on the console: plans, status, cells. Plain text where there is no terminal."""

from __future__ import annotations

import shlex
import textwrap
import time
from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from lindiff.columns import SETTING
from lindiff.columns.arrays import plain
from lindiff.config.words import json_text, printable
from lindiff.progress import duration
from lindiff.report.curve import Curve
from lindiff.report.ending import memory
from lindiff.report.listing import as_words, listing
from lindiff.report.recompute import Compared, Recomputed
from lindiff.report.status import Status, Watcher
from lindiff.report.summary import summary
from lindiff.sweep.garbage import Garbage
from lindiff.sweep.plan import Plan
from lindiff.sweep.rounds import Rounds

_INTERVAL = 2.0
_MOST_SHARDS = 12
_MOST_MESSAGES = 10
# Characters of a line with a metric's name, two numbers of all digits and their difference.
_ALL_DIGITS = 100


def _table(*columns: str, left: int = 1) -> Table:
    """A table without lines; the first `left` columns are text."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index < left else "right", overflow="fold")
    return table


def _size(number: float) -> str:
    return f"{number / 1e6:,.0f} MB" if number < 1e9 else f"{number / 1e9:,.1f} GB"


def print_plan(plan: Plan) -> None:
    """What would run, how long, how big."""
    console = Console(highlight=False)
    for line in summary(plan):
        console.print(_plain(line), soft_wrap=True)
    if not plan.pending:
        return
    table = _table("shard", "model", "metrics", "families", "cells", "time", "memory", left=3)
    largest = sorted(plan.pending, key=lambda shard: (-shard.seconds, shard.name))
    for shard in largest[:_MOST_SHARDS]:
        table.add_row(
            shard.name,
            shard.model,
            str(len(shard.metrics)),
            f"{shard.families:,}",
            f"{shard.cells:,}",
            duration(shard.seconds),
            _size(memory(shard, 1) * 1e6),
        )
    console.print(table)
    if len(largest) > _MOST_SHARDS:
        console.print(f"… and {len(largest) - _MOST_SHARDS:,} more shards")


def print_status(status: Status) -> None:
    """How far a config is."""
    Console(highlight=False).print(_status(status))


def watch_status(watcher: Watcher) -> None:
    """Show the status every two seconds until everything is done or the user stops it."""
    status = watcher.look()
    with Live(_status(status), auto_refresh=False) as live:
        try:
            while status.shards:
                time.sleep(_INTERVAL)
                status = watcher.look()
                live.update(_status(status), refresh=True)
        except KeyboardInterrupt:
            pass  # That is how one stops watching.


def _status(status: Status) -> RenderableType:
    table = _table("experiment", "wanted", "done", "running", "computed", "waiting", "not ok")
    for row in status.rows:
        bad = ", ".join(f"{number:,} {name}" for name, number in sorted(row.bad.items()))
        numbers = (row.wanted, row.done, row.running, row.computed, row.waiting)
        table.add_row(row.name, *(f"{number:,}" for number in numbers), bad or "0")
    parts: list[RenderableType] = [table]
    if status.jobs:
        jobs = _table("shard", "state", "cells", "last report", "where", left=2)
        for job in status.jobs:
            cells = f"{job.done:,}/{job.total:,}"
            jobs.add_row(job.shard, job.state, cells, f"{duration(job.age)} ago", job.host)
        parts += ["", jobs]
        parts += [f"{job.shard}: {job.message}" for job in status.jobs if job.message]
    if status.failures:
        parts += ["", "cells that are not ok:"]
        parts += [f"  {number:,} × {text}" for text, number in status.failures[:_MOST_MESSAGES]]
    if status.failed_parts:
        some = " ".join(shlex.quote(path) for path in status.failed_parts[:_MOST_MESSAGES])
        more = " …" if len(status.failed_parts) > _MOST_MESSAGES else ""
        parts.append(f"to run failed cells again, remove their parts: rm {some}{more}")
    for stale in status.stale:
        parts.append(
            f"{stale.cells:,} finished cells of {stale.model} are of older code "
            f"(stale: {stale.policy})"
        )
    if status.damaged:
        parts.append(f"damaged parts, to be run again: {', '.join(status.damaged)}")
    if status.shards:
        number = f"{status.shards:,} shard{'s' if status.shards > 1 else ''}"
        parts += [
            "",
            f"left: {number}, about {duration(status.time_left)} "
            f"({duration(status.seconds_left)} on one core)" + _of_round(status.rounds),
        ]
    if status.searches:
        parts += ["", "refined axes:", *(f"  {line}" for line in status.searches)]
    return Group(*(_plain(part) for part in parts))


def _of_round(rounds: Rounds | None) -> str:
    """That what is left is of one round, where later ones may ask for more."""
    if rounds is None or not rounds.open:
        return ""
    return f", in {rounds.text}" + (
        f"; later ones add {rounds.more:,} cells at most" if rounds.more else ""
    )


def _plain(part: RenderableType) -> RenderableType:
    """Text without markup: messages hold brackets of their own."""
    from rich.text import Text

    return Text(printable(part)) if isinstance(part, str) else part


def print_garbage(found: Sequence[Garbage], removed: bool) -> None:
    """What of a results folder nothing wants, with sizes, and whether it goes."""
    from rich.text import Text

    console = Console(highlight=False)
    for garbage in found:
        number = f"{len(garbage.paths):,}"
        console.print(Text(f"{garbage.kind}: {number} ({_size(garbage.bytes)})"), soft_wrap=True)
        for path in garbage.paths[:_MOST_SHARDS]:
            console.print(Text(f"  {path}"), soft_wrap=True)
        if len(garbage.paths) > _MOST_SHARDS:
            console.print(f"  … and {len(garbage.paths) - _MOST_SHARDS:,} more")
    size = _size(sum(garbage.bytes for garbage in found))
    if not found:
        console.print("nothing to remove")
    elif removed:
        console.print(f"removed: {size}")
    else:
        console.print(f"in all {size}; nothing is removed without --yes")


def print_cells(table: pa.Table, limit: int) -> None:
    """The first `limit` rows, all columns."""
    from rich.text import Text

    shown = _table(*table.column_names)
    for row in table.slice(0, limit).to_pylist():
        shown.add_row(*(Text(as_words(value)) for value in row.values()))
    console = Console(highlight=False)
    console.print(shown)
    console.print(_count(table, limit))


def print_listing(table: pa.Table, limit: int) -> None:
    """The first `limit` rows of cells: what tells them apart, and metrics, that the line holds."""
    from rich.text import Text

    console = Console(highlight=False)
    found = listing(table, limit, console.width)
    if found.shared:
        console.print(Text(_filled(found.shared, console.width)), end="\n\n")
    shown = _table(*found.rows, left=0)
    for row in zip(*found.rows.values(), strict=True):
        shown.add_row(*map(Text, row))
    if found.rows:
        console.print(shown)
    console.print(_count(table, limit))
    for words, names in (("settings that differ too", found.differ), ("metrics", found.more)):
        if names:
            console.print(Text(f"{words}, with --columns: {', '.join(names)}"))


def _filled(words: Sequence[str], width: int) -> str:
    """Words between commas, in lines that break between them only."""
    kept = ", ".join(word.replace(" ", "\N{NO-BREAK SPACE}") for word in words)
    return textwrap.fill(kept, width).replace("\N{NO-BREAK SPACE}", " ")


def _count(table: pa.Table, limit: int) -> str:
    first = f", the first {limit:,} shown" if len(table) > limit else ""
    return f"{len(table):,} cell{'s' * (len(table) != 1)}{first}"


def print_recomputed(found: Recomputed) -> None:
    """Settings of the cell, a line a metric, what has changed since, and whether it agrees."""
    from rich.text import Text

    console = Console(highlight=False)
    settings = found.cell.select([n for n in found.cell.column_names if n in SETTING])
    words = (f"cell_id = {found.cell_id}", *listing(settings, 1, console.width).shared)
    console.print(Text(_filled(words, console.width)), end="\n\n")
    table = _table("metric", "now", "in the table", "difference")
    for metric in found.metrics:
        values = (_in_full(metric.now), _in_full(metric.table))
        table.add_row(*map(Text, (metric.name, *values, _off(metric))))
    # No number is broken in two, however narrow the terminal.
    Console(highlight=False, width=max(_ALL_DIGITS, console.width)).print(table)
    for line in (*found.notes, found.verdict()):
        console.print(_plain(line), soft_wrap=True)


def _in_full(value: object) -> str:
    """A number with all its digits, of rows their number."""
    if isinstance(value, list):
        return f"{len(value):,} row{'s' * (len(value) != 1)}"
    return "–" if value is None else repr(value)


def _off(metric: Compared) -> str:
    return "none" if metric.difference == 0 else f"{metric.difference:.1e}"


def print_curve(curve: Curve) -> None:
    """The settings that all points share, then a row per point, then why values are missing."""
    from rich.text import Text

    console = Console(highlight=False)
    names = [*curve.curves, *(n for n in curve.table.column_names if n not in curve.curves)]
    shared = [name for name in names if name in curve.fixed]
    settings = (f"{name} = {as_words(curve.fixed[name])}" for name in shared)
    console.print(Text(f"linear_theory: {', '.join(settings)}"), soft_wrap=True)
    rest = [name for name in names if name not in (*shared, "message")]
    shown_rows = _table(*rest, left=0)
    for row in curve.table.select(rest).to_pylist():
        shown_rows.add_row(*(Text("–" if v is None else as_words(v)) for v in row.values()))
    console.print(shown_rows)
    for message, n in _reasons(curve.table).items():
        console.print(Text(f"n = {n}: {message}"), soft_wrap=True)


def _reasons(table: pa.Table) -> dict[str, str]:
    """Why values are missing, with the N concerned."""
    if "message" not in table.column_names:
        return {}
    rows = table.select(["n", "message"]).to_pylist()
    messages = dict.fromkeys(row["message"] for row in rows if row["message"])
    sizes = {m: sorted({row["n"] for row in rows if row["message"] == m}) for m in messages}
    return {m: ", ".join(map(str, n[:_MOST_MESSAGES])) + " …" * (len(n) > _MOST_MESSAGES)
            for m, n in sizes.items()}  # fmt: skip


def write_csv(table: pa.Table, file: BinaryIO) -> None:
    """All rows as CSV; a list is joined by spaces, one of rows with names written as JSON."""
    for index, field in enumerate(table.schema):
        if pa.types.is_list(field.type) and pa.types.is_nested(field.type.value_type):
            rows = table[field.name].to_pylist()
            texts = [None if row is None else json_text(row) for row in rows]
            table = table.set_column(index, field.name, pa.array(texts, pa.string()))
        elif pa.types.is_list(field.type):
            words = table[field.name].cast(pa.list_(pa.string()))
            joined = pc.binary_join(words, " ")
            table = table.set_column(index, field.name, joined)
    pyarrow.csv.write_csv(plain(table), file)
