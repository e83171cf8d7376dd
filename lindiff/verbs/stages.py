"""Verbs that the workflow calls, one a rule; the figures are in `lindiff.verbs.papers`."""

from __future__ import annotations

from pathlib import Path

import click

from lindiff.config.words import printable
from lindiff.verbs.parameters import FILE, device_option


@click.command()
@click.argument("spec", type=FILE)
@click.option("--out", required=True, type=FILE, help="The part to write.")
@device_option
def run(spec: Path, out: Path, device: str) -> None:
    """Compute the shard of SPEC."""
    from lindiff.sweep.run import run_spec

    if not run_spec(spec, out, device):
        click.echo(printable(f"{out}: already there"))


@click.command()
@click.argument("plan_file", type=FILE)
@click.option("--out", required=True, type=FILE, help="The plan file to write.")
def replan(plan_file: Path, out: Path) -> None:
    """Write the plan that follows the one in PLAN_FILE, whose shards are finished."""
    from lindiff.sweep.replan import replan as plan_again

    plan = plan_again(plan_file, out)
    click.echo(printable(f"{out}: {plan.wanted:,} cells, {len(plan.pending):,} shards to run"))


@click.command()
@click.argument("plan_file", type=FILE)
def collect(plan_file: Path) -> None:
    """Write the tables of the plan in PLAN_FILE beside it."""
    from lindiff.sweep.collect import collect as gather
    from lindiff.sweep.plan import read_plan

    for line in gather(read_plan(plan_file), plan_file.parent).lines():
        click.echo(printable(line))


@click.command()
@click.argument("plan_file", type=FILE)
def answers(plan_file: Path) -> None:
    """Write the answers in words of the plan in PLAN_FILE, from the data of its figures."""
    from lindiff.report.answers import write
    from lindiff.sweep.plan import read_plan

    path = plan_file.parent / "answers.html"
    write(plan_file.parent, read_plan(plan_file).figures, path)
    click.echo(printable(str(path)))


@click.command()
@click.argument("plan_file", type=FILE)
def page(plan_file: Path) -> None:
    """Write the page of the plan in PLAN_FILE: answers, figures, an explorer of the table."""
    from lindiff.report.page.write import write
    from lindiff.report.searches import found
    from lindiff.sweep.derived import PAGE
    from lindiff.sweep.plan import read_plan

    plan, path = read_plan(plan_file), plan_file.parent / PAGE
    searches = found(plan.config, plan_file.parent.parent)
    write(plan_file.parent, plan.figures, plan.tables, path, searches)
    click.echo(printable(str(path)))
