"""Advice on data or a spectrum, without a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lindiff.config.words import json_text, printable
from lindiff.verbs.parameters import FILE, json_option


@click.command()
@click.argument("data")
@click.option("--gap", default="5%", show_default=True, help="Target for the loss, a share.")
@click.option("--kl", type=float, default=0.01, show_default=True, help="Target for both KL, nats.")
@click.option(
    "--n", "ns", type=click.IntRange(4, 10**15), multiple=True, help="Advise on this N too."
)
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
    "--out", type=FILE, multiple=True, help="Write a page (.html) or picture (.pdf, .png)."
)
@click.option("--write", type=FILE, help="Write a config that sweeps the same data.")
@json_option
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
    given = ["lindiff", "advise", data, *(["--eigenvalues"] if eigenvalues else []), *_options(how)]
    again = shlex.join([*given, "--write", str(write or "mine.yaml")])
    if how["columns"]:  # which a config does not keep
        again = ""
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
    if again and write is None and not as_json:
        click.echo(printable(f"\nAs a sweep, with networks: {again}"))


def _options(how: Mapping[str, Any]) -> list[str]:
    """What says how the data are read, as it was written on the command line."""
    found = []
    for name, value in how.items():
        if value is True:
            found.append(f"--{name}")
        elif value:
            for one in [value] if isinstance(value, str) else value:
                found += [f"--{name}", one]
    return found
