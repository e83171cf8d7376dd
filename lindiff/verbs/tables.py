"""Verbs of results: rows of a table, one of its cells again, what nothing wants any more."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lindiff.config.words import json_text
from lindiff.verbs.parameters import PATH, device_option, json_option, results_option


@click.command()
@click.argument("folder", type=PATH)
@click.argument("conditions", nargs=-1)
@click.option("--columns", help="Columns to show, separated by commas.")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="Most rows in the table."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print all rows as CSV.")
@json_option
def cells(
    folder: Path,
    conditions: tuple[str, ...],
    columns: str | None,
    limit: int,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show the cells of results/CONFIG that meet all CONDITIONS, such as 'd=64' 'ridge=0,0.01'."""
    from lindiff.report.console import print_cells, print_listing, write_csv
    from lindiff.report.query import matching, select

    every = matching(folder, conditions)
    table = select(every, columns.split(",") if columns else ())
    limit = min(limit, len(table))  # a slice takes no more than 64 bits
    if as_csv:
        write_csv(table, sys.stdout.buffer)
    elif as_json:
        click.echo(json_text(table.to_pylist(), 1))
    elif columns or "model" not in every.column_names:
        print_cells(table, limit)
    else:
        print_listing(every, limit)


@click.command()
@click.argument("folder", type=PATH)
@click.argument("cell_id")
@device_option
@json_option
@click.pass_context
def recompute(ctx: click.Context, folder: Path, cell_id: str, device: str, as_json: bool) -> None:
    """Compute one cell of results/CONFIG again and compare it with the table.

    CELL_ID is its id as lindiff cells prints it, or its first digits where no other cell begins
    so. The settings are those of its row, values beside the config included. It is computed as in
    a sweep, on one core; nothing is written. A model that is trained is trained again, which costs
    what its training costs.

    The exit code is 0 where every metric agrees: equal, or as near as rounding in other company
    leaves it (docs/sweep.md); else 1, and 2 where there is nothing to compute.

    \b
    lindiff recompute results/mine 3f29a0c1
    lindiff recompute results/mine 3f29a0c1 --json
    """
    from lindiff.report.recompute import recompute as compute_again

    found = compute_again(folder, cell_id, device)
    if as_json:
        click.echo(json_text(found.to_dict(), 2))
    else:
        from lindiff.report.console import print_recomputed

        print_recomputed(found)
    ctx.exit(0 if found.agrees else 1)


@click.command()
@results_option
@click.option("--yes", is_flag=True, help="Remove it; without this nothing is removed.")
@click.option(
    "--parts",
    is_flag=True,
    help="Also finished parts that no plan takes a number from, such as those of older code and of "
    "values that no config asks for any more: their numbers are lost, and computed again if they "
    "are asked for again.",
)
def gc(results: Path, yes: bool, parts: bool) -> None:
    """Show what is in the results that nothing wants any more, and with --yes remove it.

    Wanted is what the last plan of each config in the results folder names. Finished parts stay,
    whoever wants them, unless --parts is given.
    """
    from lindiff.report.console import print_garbage
    from lindiff.sweep.garbage import alone, find_garbage

    with alone(results):
        found = find_garbage(results, parts)
        print_garbage(found, removed=yes)
        if yes:
            for garbage in found:
                garbage.remove()
