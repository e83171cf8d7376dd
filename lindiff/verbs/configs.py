"""Verbs of a config: check it, plan it, follow it, run it, write one to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from lindiff.config.words import json_text, printable
from lindiff.verbs.parameters import (
    FILE,
    PassingOn,
    cores_option,
    json_option,
    load_config,
    max_cells_option,
    results_option,
    settings_argument,
)


@click.command()
@click.argument("config", type=FILE)
@settings_argument
@max_cells_option
@json_option
def validate(config: Path, settings: tuple[str, ...], max_cells: int | None, as_json: bool) -> None:
    """Check CONFIG and count its cells.

    KEY=VALUE replaces a value of the config, as for lindiff sweep.
    """
    from lindiff.sweep.grid import most_cells
    from lindiff.sweep.validate import validate as check
    from lindiff.sweep.validate import warnings as warn

    loaded = load_config(config, settings, max_cells)
    grid = check(loaded)
    warnings = warn(loaded, grid)
    counts = {name: len(rows) for name, rows in grid.experiments.items()}
    searched = {name: e.refine for name, e in loaded.experiments.items() if e.refine is not None}
    most = {name: most_cells(loaded.experiments[name], counts[name]) for name in searched}
    if as_json:
        found = {"config": loaded.name, "cells": len(grid.cells), "experiments": counts}
        if searched:
            found["rounds"] = {name: search.rounds for name, search in searched.items()}
            found["most"] = most
        click.echo(json_text(found | {"warnings": warnings}, 2))
        return
    for line in warnings:
        click.echo(printable(f"warning: {line}"), err=True)
    click.echo(printable(f"{config}: {len(grid.cells):,} cells"))
    for name, number in counts.items():
        line = f"  {name}: {number:,}"
        if name in searched:
            rounds = searched[name].rounds
            line += f" in the first of {rounds} rounds at most, {most[name]:,} in all at most"
        click.echo(line)


@click.command()
@click.argument("config", type=FILE)
@settings_argument
@results_option
@max_cells_option
@json_option
@click.option("--write", type=FILE, help="Write the plan there, as the workflow does.")
@click.option("--digest", help="With --write: refuse if the plan is not this one.")
def plan(
    config: Path,
    settings: tuple[str, ...],
    results: Path,
    max_cells: int | None,
    as_json: bool,
    write: Path | None,
    digest: str | None,
) -> None:
    """Show what CONFIG would run, how long and how big.

    KEY=VALUE replaces a value of the config, as for lindiff sweep.
    """
    from lindiff.sweep.owner import check_owner
    from lindiff.sweep.plan import make_plan, write_plan_at

    loaded = load_config(config, settings, max_cells)
    check_owner(loaded, config, results if write is None else write.parent.parent)
    if write is not None:
        written = write_plan_at(loaded, write, digest)
        click.echo(
            printable(f"{write}: {written.wanted:,} cells, {len(written.pending):,} shards to run")
        )
        return
    made = make_plan(loaded, results)
    if as_json:
        from lindiff.sweep.plan import to_dict

        click.echo(json_text(to_dict(made), 2))
        return
    from lindiff.report.console import print_plan

    print_plan(made)


@click.command()
@click.argument("config", type=FILE)
@settings_argument
@results_option
@json_option
@click.option("--watch", is_flag=True, help="Show it again every two seconds until all is done.")
def status(
    config: Path, settings: tuple[str, ...], results: Path, as_json: bool, watch: bool
) -> None:
    """Show how far CONFIG is.

    KEY=VALUE replaces a value of the config, as for lindiff sweep.
    """
    from lindiff.report.status import Watcher
    from lindiff.sweep.owner import check_owner

    loaded = load_config(config, settings)
    check_owner(loaded, config, results)
    watcher = Watcher(loaded, results)
    if as_json:
        click.echo(json_text(watcher.look().to_dict(), 2))
        return
    from lindiff.report.console import print_status, watch_status

    if watch:
        watch_status(watcher)
    else:
        print_status(watcher.look())


@click.command(cls=PassingOn)
@click.argument("config", type=FILE)
@settings_argument
@results_option
@cores_option
@click.pass_context
def sweep(
    ctx: click.Context, config: Path, settings: tuple[str, ...], results: Path, cores: str | None
) -> None:
    """Run CONFIG to its figures and report, with Snakemake.

    KEY=VALUE replaces a value of the config: EXPERIMENT.SETTING, defaults.SETTING or a key at its
    top; VALUE is YAML, or a list as 32,64. The working directory is yours. What stands behind --
    goes to Snakemake as it is:

    \b
    lindiff sweep mine.yaml transition.d=32,64 'defaults.seed={range: [0, 5]}' --cores 4
    lindiff sweep mine.yaml -- -n
    lindiff sweep mine.yaml -- --workflow-profile slurm
    """
    from lindiff.report.launch import sweep as run_all
    from lindiff.sweep.owner import check_owner
    from lindiff.sweep.plan import plan_files
    from lindiff.sweep.validate import validate as check

    loaded = load_config(config, settings)
    check_owner(loaded, config, results)
    # The workflow checks the cells too, but leaves a folder of Snakemake's where it refuses them.
    if not plan_files(results / loaded.name):
        check(loaded)
    ctx.exit(run_all(config, settings, results, cores, ctx.meta["passed_on"]))


@click.command()
@click.argument("file", type=FILE, default="sweep.yaml")
def init(file: Path) -> None:
    """Write a small config to start from, of under a minute, as FILE (sweep.yaml)."""
    from lindiff.report.launch import write_config

    write_config(file)
    click.echo(printable(f"{file}: written; run it with lindiff sweep {shlex.quote(str(file))}"))
