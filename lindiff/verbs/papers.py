"""Verbs for papers: figures and tables from the data that a sweep left."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from lindiff.config.words import printable
from lindiff.errors import InputError
from lindiff.verbs.parameters import FILE, PathName, load_config, results_option


@click.command()
@click.argument("file", type=FILE, metavar="CONFIG")
@click.argument("names", nargs=-1)
@results_option
@click.option("--panel", help="One panel, by its letter.")
@click.option(
    "--width",
    type=click.Choice(["column", "text", "slide"]),
    help="3.4 or 7 inches with text of 8 points, or 10 inches in 16:9 with text of 16.",
)
@click.option("--format", "formats", help="Of pdf, svg, pgf, png; several with commas.")
@click.option("--out", type=PathName(file_okay=False), help="The folder to write to.")
def figures(file: Path, names: tuple[str, ...], results: Path, **asked: Any) -> None:
    """Draw the figures NAMES (all by default) of CONFIG for a paper or a talk.

    They are drawn from the data that the sweep left in results/CONFIG/figures, into the folder
    papers there or --out, as PDF at the width of a page's text unless asked otherwise.

    \b
    lindiff figures config/mine.yaml kl --panel a --width column
    lindiff figures config/mine.yaml transition --width slide --format svg,png --out talk

    Of a plan file (results/CONFIG/plan-….json) instead of CONFIG, as the workflow calls it, the
    figures of the sweep are drawn anew from its tables.
    """
    if file.suffix == ".json":
        _figures_of_plan(file, names, asked)
        return
    from lindiff.report import papers
    from lindiff.sweep.owner import check_owner
    from lindiff.sweep.plan import find_plan

    loaded = load_config(file)
    check_owner(loaded, file, results)
    plan = find_plan(results, loaded.name)
    width = asked["width"] or "text"
    formats = "pdf" if asked["formats"] is None else asked["formats"]
    options = {"results": results, "panel": asked["panel"], "width": width, "format": formats}
    options["out"] = asked["out"]
    given = [f"--{key}={value}" for key, value in options.items() if value is not None]
    command = shlex.join(["lindiff", "figures", *given, "--", str(file), *names])
    request = papers.Request(width, papers.formats(formats), asked["panel"], asked["out"], command)
    for path in papers.draw(plan, names or plan.figures, request):
        click.echo(printable(str(path)))


def _figures_of_plan(plan_file: Path, names: tuple[str, ...], asked: dict[str, Any]) -> None:
    """The figures of a sweep, from its tables."""
    from lindiff.figures import check_listed, draw_figure
    from lindiff.sweep.plan import read_plan

    if given := [key for key, value in asked.items() if value is not None]:
        raise InputError(
            f"{plan_file}: --{given[0].rstrip('s')} is for the figures of a config; name its file"
        )
    plan = read_plan(plan_file)
    for name in names:
        check_listed(name, plan_file.parent, plan.config.feeding(name))
    for name in dict.fromkeys(names or plan.figures):
        for path in draw_figure(name, plan_file.parent, plan.config.feeding(name)):
            click.echo(printable(str(path)))


@click.command()
@click.argument("config", type=FILE)
@results_option
@click.option("--bibtex", is_flag=True, help="Print the works that CONFIG rests on instead.")
def latex(config: Path, results: Path, bibtex: bool) -> None:
    """Print LaTeX tables of the exponents and optima of CONFIG, from the data of its figures.

    Comments at their head name the packages that the document needs: booktabs, and longtable where
    a table goes over pages.

    \b
    lindiff latex config/mine.yaml > tables.tex
    lindiff latex config/mine.yaml --bibtex > lindiff.bib
    """
    from lindiff.report.latex import document, references
    from lindiff.sweep.owner import check_owner
    from lindiff.sweep.plan import find_plan

    loaded = load_config(config)
    check_owner(loaded, config, results)
    plan = find_plan(results, loaded.name)
    click.echo(references(plan) if bibtex else document(plan), nl=False)
