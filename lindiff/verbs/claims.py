"""The verb that decides published claims."""

from __future__ import annotations

from pathlib import Path

import click

from lindiff.config.words import printable
from lindiff.verbs.parameters import FILE, PassingOn, cores_option, results_option


@click.command(cls=PassingOn)
@click.argument("files", type=FILE, nargs=-1, metavar="[FILE]...")
@results_option
@cores_option
@click.option("--cluster", is_flag=True, help="Sweep at the size for a cluster that FILE states.")
@click.pass_context
def claims(
    ctx: click.Context, files: tuple[Path, ...], results: Path, cores: str | None, cluster: bool
) -> None:
    """Decide published claims: sweep what feeds each FILE, and say what is confirmed.

    Without FILE all that come with lindiff are decided. The verdicts are left in
    results/claims/claims.parquet, and with their evidence in results/claims/index.html. What stands
    behind -- goes to Snakemake as it is.
    """
    from lindiff.claims.run import FOLDER, PAGE, Run, run, sources

    found = sources(files, cluster=cluster)
    code, verdicts = run(found, Run(results, cores, ctx.meta["passed_on"]))
    for verdict in verdicts:
        why = f": {verdict.reason}" if verdict.reason else ""
        click.echo(printable(f"{verdict.verdict:>9}  {verdict.source.name}.{verdict.name}{why}"))
    if verdicts:
        click.echo(printable(f"claims:   {results / FOLDER / PAGE}"))
    ctx.exit(code)
