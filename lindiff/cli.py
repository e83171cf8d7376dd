"""The command line ``lindiff``: what the workflow calls, and what a user asks.

Modules are imported by the verbs that use them, so that ``lindiff run`` starts fast.
"""

from __future__ import annotations

import errno
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lindiff.config.words import json_text, message, printable
from lindiff.errors import InputError, is_of_machine, machine_text
from lindiff.session import DEVICES

if TYPE_CHECKING:
    from lindiff.config.resolve import Config


class _Group(click.Group):
    """A group whose verbs end with a message: on an `InputError` with code 2, else with 1.

    Any other error than those of the user and of the machine is ours, and has its traceback. A
    reader that has gone (`lindiff cells … | head`) is click's own case, no error to speak of.
    """

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with _printable():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _printable():
                return super().invoke(ctx)
        except InputError as error:
            click.echo(message(error), err=True)
            ctx.exit(2)
        except Exception as error:
            gone = isinstance(error, OSError) and error.errno == errno.EPIPE
            if gone or not is_of_machine(error):
                raise
            click.echo(printable(machine_text(error)), err=True)
            ctx.exit(1)


@contextmanager
def _printable() -> Iterator[None]:
    """What click says of an argument, it says with the argument in it."""
    try:
        yield
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]
        raise


class _Path(click.Path):
    """A path; an empty one, as of a variable that is not set, would be the working directory."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if value == "":
            self.fail("the name is empty", param, ctx)
        try:
            str(value).encode()
        except UnicodeEncodeError:
            self.fail(f"{value} is not UTF-8, as names of files are here", param, ctx)
        converted: Any = super().convert(value, param, ctx)
        return Path(converted)


class _File(_Path):
    """A file that is read: no folder, and no pipe or device, which may never end."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = super().convert(value, param, ctx)
        if path.exists() and not path.is_file():
            self.fail(f"{path} is not a regular file", param, ctx)
        return path


_results = click.option(
    "--results",
    type=_Path(file_okay=False),
    default=Path("results"),
    show_default=True,
    help="The results folder.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON; infinities as texts.")
_max_cells = click.option("--max-cells", type=int, help="Lift the limit on the size of the grid.")
_path, _file = _Path(), _File()
# Beside a config: what replaces its values.
_settings = click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
# Points of a curve of the theory, unless asked for more: those of some minutes.
MOST_POINTS = 10_000


def _load(file: Path, settings: tuple[str, ...] = (), max_cells: int | None = None) -> Config:
    from lindiff.config.resolve import load

    return load(file, settings if max_cells is None else (*settings, f"max_cells={max_cells}"))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lindiff")
def main() -> None:
    """Sweeps, theory and figures for linear diffusion models."""


@main.command()
@click.argument("config", type=_file)
@_settings
@_max_cells
@_json
def validate(config: Path, settings: tuple[str, ...], max_cells: int | None, as_json: bool) -> None:
    """Check CONFIG and count its cells."""
    from lindiff.sweep.validate import validate as check
    from lindiff.sweep.validate import warnings as warn

    loaded = _load(config, settings, max_cells)
    grid = check(loaded)
    warnings = warn(loaded, grid)
    counts = {name: len(rows) for name, rows in grid.experiments.items()}
    if as_json:
        found = {"config": loaded.name, "cells": len(grid.cells), "experiments": counts}
        click.echo(json_text(found | {"warnings": warnings}, 2))
        return
    for line in warnings:
        click.echo(printable(f"warning: {line}"), err=True)
    click.echo(printable(f"{config}: {len(grid.cells):,} cells"))
    for name, number in counts.items():
        click.echo(f"  {name}: {number:,}")


@main.command()
@click.argument("config", type=_file)
@_settings
@_results
@_max_cells
@_json
@click.option("--write", type=_file, help="Write the plan there, as the workflow does.")
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
    """Show what CONFIG would run, how long and how big."""
    from lindiff.sweep.owner import check_owner
    from lindiff.sweep.plan import make_plan, write_plan_at

    loaded = _load(config, settings, max_cells)
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


@main.command()
@click.argument("spec", type=_file)
@click.option("--out", required=True, type=_file, help="The part to write.")
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where models are trained.",
)
def run(spec: Path, out: Path, device: str) -> None:
    """Compute the shard of SPEC."""
    from lindiff.sweep.run import run_spec

    if not run_spec(spec, out, device):
        click.echo(printable(f"{out}: already there"))


@main.command()
@click.argument("plan_file", type=_file)
def collect(plan_file: Path) -> None:
    """Write the tables of the plan in PLAN_FILE beside it."""
    from lindiff.sweep.collect import collect as gather
    from lindiff.sweep.plan import read_plan

    for line in gather(read_plan(plan_file), plan_file.parent).lines():
        click.echo(printable(line))


@main.command()
@click.argument("file", type=_file, metavar="CONFIG")
@click.argument("names", nargs=-1)
@_results
@click.option("--panel", help="One panel, by its letter.")
@click.option(
    "--width",
    type=click.Choice(["column", "text", "slide"]),
    help="3.4 or 7 inches with text of 8 points, or 10 inches in 16:9 with text of 16.",
)
@click.option("--format", "formats", help="Of pdf, svg, pgf, png; several with commas.")
@click.option("--out", type=_Path(file_okay=False), help="The folder to write to.")
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

    loaded = _load(file)
    check_owner(loaded, file, results)
    plan = find_plan(results, loaded.name)
    width, formats = asked["width"] or "text", asked["formats"] or "pdf"
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


@main.command()
@click.argument("config", type=_file)
@_results
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

    loaded = _load(config)
    check_owner(loaded, config, results)
    plan = find_plan(results, loaded.name)
    click.echo(references(plan) if bibtex else document(plan), nl=False)


@main.command()
@click.argument("plan_file", type=_file)
def answers(plan_file: Path) -> None:
    """Write the answers in words of the plan in PLAN_FILE, from the data of its figures."""
    from lindiff.report.answers import write
    from lindiff.sweep.plan import read_plan

    path = plan_file.parent / "answers.html"
    write(plan_file.parent, read_plan(plan_file).figures, path)
    click.echo(printable(str(path)))


@main.command()
@click.argument("plan_file", type=_file)
def page(plan_file: Path) -> None:
    """Write the page of the plan in PLAN_FILE: answers, figures, an explorer of the table."""
    from lindiff.report.page.write import write
    from lindiff.sweep.derived import PAGE
    from lindiff.sweep.plan import read_plan

    plan, path = read_plan(plan_file), plan_file.parent / PAGE
    write(plan_file.parent, plan.figures, plan.tables, path)
    click.echo(printable(str(path)))


@main.command()
@click.argument("config", type=_file)
@_settings
@_results
@_json
@click.option("--watch", is_flag=True, help="Show it again every two seconds until all is done.")
def status(
    config: Path, settings: tuple[str, ...], results: Path, as_json: bool, watch: bool
) -> None:
    """Show how far CONFIG is."""
    from lindiff.report.status import Watcher
    from lindiff.sweep.owner import check_owner

    loaded = _load(config, settings)
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


@main.command()
@_results
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


@main.command()
@click.argument("folder", type=_path)
@click.argument("conditions", nargs=-1)
@click.option("--columns", help="Columns to show, separated by commas.")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="Most rows in the table."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print all rows as CSV.")
@_json
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


@main.command()
@click.argument("data")
@click.option("--gap", default="5%", show_default=True, help="Target for the loss, a share.")
@click.option("--kl", type=float, default=0.01, show_default=True, help="Target for both KL, nats.")
@click.option("--n", "ns", type=click.IntRange(4), multiple=True, help="Advise on this N too.")
@click.option("--array", help="Which array of a file of several.")
@click.option("--columns", multiple=True, help="A column to keep; may be given several times.")
@click.option("--drop", multiple=True, help="A column to leave out; likewise.")
@click.option("--standardize", is_flag=True, help="Divide columns by their standard deviation.")
@click.option(
    "--eigenvalues",
    is_flag=True,
    help="DATA is no sample, but the spectrum of a covariance: a text file, .npy, or 4,2,1,1.",
)
@click.option(
    "--out", type=_file, multiple=True, help="Write a page (.html) or picture (.pdf, .png)."
)
@click.option("--write", type=_file, help="Write a config that sweeps the same data.")
@_json
def advise(
    data: str, gap: str, kl: float, ns: tuple[int, ...], eigenvalues: bool, out: tuple[Path, ...],
    write: Path | None, as_json: bool, **how: Any,
) -> None:  # fmt: skip
    """How many samples DATA needs, which regularization, and when to stop.

    DATA is a file with one sample a row (.npy, .npz, .parquet, .csv, .tsv, .h5, .hdf5,
    .safetensors), a folder of pictures (.png, .jpg, .jpeg), or digits, mnist or patches.

    \b
    lindiff advise digits
    lindiff advise table.csv --drop label --out advice.html --write config/mine.yaml
    lindiff advise spectrum.txt --eigenvalues --n 500
    """
    from lindiff.advice.config import write_config, write_config_of_spectrum
    from lindiff.advice.outputs import check_outputs, positive, share, write_outputs

    check_outputs(out, write, how["columns"])
    gap_share = share("--gap", gap)
    positive("--kl", kl)
    given = ["lindiff", "advise", data, *(["--eigenvalues"] if eigenvalues else [])]
    again = shlex.join([*given, "--write", str(write or "config/mine.yaml")])
    if eigenvalues:
        from lindiff.advice.ask import advise_spectrum, no_options, open_spectrum, told

        no_options(how)
        values, file = open_spectrum(data)
        with told(Path(data)):
            name = file.name if file else data
            advice = advise_spectrum(values, name, gap=gap_share, kl=kl, n=ns)
    else:
        from lindiff.advice.ask import open_data, told
        from lindiff.advice.make import make_advice

        found = open_data(data, **how)
        with told(Path(data)):
            advice = make_advice(
                found.source, found.name, gap=gap_share, kl=kl, others=ns, notes=found.notes
            )
    write_outputs(advice, out, again)
    if write is not None and eigenvalues:
        write_config_of_spectrum(advice, file if len(values) == advice.d else None, write)
    elif write is not None:
        write_config(advice, found, how, write)
    click.echo(json_text(advice.to_dict(), 1) if as_json else printable(str(advice)))
    for path in (*out, *((write,) if write else ())):
        click.echo(printable(f"{path}: written"), err=as_json)
    if write is None and not as_json:
        click.echo(printable(f"\nAs a sweep, with networks: {again}"))


@main.command()
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--metric", "metrics", multiple=True, help="A metric; may be given several times.")
@click.option("--out", type=_path, help="Write a table (.csv, .parquet) or picture (.pdf, .png).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--max-cells", type=int, default=MOST_POINTS, show_default=True, help="Most points.")
@_json
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


class _PassingOn(click.Command):
    """A command that keeps what stands behind ``--`` as it is, in ``ctx.meta["passed_on"]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["passed_on"] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- SNAKEMAKE OPTIONS]"]


class _Cores(click.ParamType):  # type: ignore[type-arg]
    """A number of cores, or ``all``."""

    name = "cores"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return "all" if value == "all" else str(click.IntRange(1).convert(value, param, ctx))


@main.command(cls=_PassingOn)
@click.argument("config", type=_file)
@_settings
@_results
@click.option("--cores", type=_Cores(), metavar="N|all", help="Cores to use; by default all.")
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

    loaded = _load(config, settings)
    check_owner(loaded, config, results)
    # The workflow checks the cells too, but leaves a folder of Snakemake's where it refuses them.
    if not plan_files(results / loaded.name):
        check(loaded)
    ctx.exit(run_all(config, settings, results, cores, ctx.meta["passed_on"]))


@main.command()
@click.argument("file", type=_file, default="sweep.yaml")
def init(file: Path) -> None:
    """Write a small config to start from, of under a minute, as FILE (sweep.yaml)."""
    from lindiff.report.launch import write_config

    write_config(file)
    click.echo(printable(f"{file}: written; run it with lindiff sweep {shlex.quote(str(file))}"))


if __name__ == "__main__":
    main()
