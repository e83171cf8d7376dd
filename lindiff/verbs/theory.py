"""A curve of the theory, without a sweep."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lindiff.config.words import json_text, printable
from lindiff.verbs.parameters import PATH, json_option

# Points of a curve of the theory, unless asked for more: those of some minutes.
MOST_POINTS = 10_000


@click.command()
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--metric", "metrics", multiple=True, help="A metric; may be given several times.")
@click.option("--out", type=PATH, help="Write a table (.csv, .parquet) or picture (.pdf, .png).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--max-cells", type=int, default=MOST_POINTS, show_default=True, help="Most points.")
@json_option
def theory(
    settings: tuple[str, ...],
    metrics: tuple[str, ...],
    out: Path | None,
    as_csv: bool,
    max_cells: int,
    as_json: bool,
) -> None:
    """Compute a curve of the large-system theory, without a sweep.

    The settings are those of an experiment in a config: KEY=VALUE with VALUE in YAML. One of them
    may have several values, and another one, which then tells curves apart:

    \b
    lindiff theory d=200 'n_over_d={log: [0.1, 100, 25]}' ridge=0.01
    lindiff theory d=200 n=400 'spectrum={power_law: 1}' 'ridge={log: [1.0e-4, 1, 30]}' \\
        'sampler=[ddpm_beta, ddim]' --metric kl_model_data --out curve.png
    """
    from lindiff.report.curve import make_curve

    if out is not None:
        from lindiff.report.curve_files import check_path, write_curve

        check_path(out)
    curve = make_curve(settings, metrics, max_cells)
    for line in curve.warnings:
        click.echo(printable(f"warning: {line}"), err=True)
    if out is not None:
        write_curve(curve, out)
        click.echo(printable(f"{out}: {len(curve.table):,} points"))
    if as_csv:
        from lindiff.report.console import write_csv

        write_csv(curve.table, sys.stdout.buffer)
    elif as_json:
        click.echo(json_text(curve.table.to_pylist(), 1))
    elif out is None:
        from lindiff.report.console import print_curve

        print_curve(curve)
