"""What the data of an experiment decide: the spectrum of a data set, and d.

A data set has its own covariance, so `data` fixes `spectrum`; a data set and listed eigenvalues fix
`d`. What is given beside them must agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from lindiff.columns.groups import GAUSSIAN
from lindiff.science.pools import make_pool

Spectrum = Mapping[str, Any]


class Written(Protocol):
    """What knows where in a file an axis is written: `lindiff.config.resolve.Experiment`."""

    def line(self, key: str, message: str, value: object = None) -> str:
        """The message with file, line and key."""


def data_sets(axes: Mapping[str, list[Any]]) -> list[str]:
    """Names of the data sets that the axes `data` and `spectrum` name, each once."""
    samples = [name for name in axes.get("data", []) if name != GAUSSIAN]
    surrogates = [s["name"] for s in axes.get("spectrum", []) if s["kind"] == "dataset"]
    return list(dict.fromkeys([*samples, *surrogates]))


def sizes(names: Iterable[str]) -> dict[str, int]:
    """d of each data set."""
    return {name: make_pool(name).d for name in names}


def fixed_dimension(spectrum: Spectrum, known: Mapping[str, int]) -> int | None:
    """The d that a spectrum has, if only one.

    Args:
        spectrum: ``{"kind": …, **parameters}``.
        known: d of the data sets.
    """
    if spectrum["kind"] == "dataset":
        return known[spectrum["name"]]
    return len(spectrum["values"]) if spectrum["kind"] == "eigenvalues" else None


def resolve(written: Written, given: dict[str, Any], known: Mapping[str, int]) -> list[str]:
    """Fill in `spectrum` and `d` where the data decide them.

    Args:
        written: Gives messages their position in the file.
        given: The axes of an experiment, inheritance resolved; changed in place.
        known: d of the data sets that they name.

    Returns:
        What does not agree, one line each.
    """
    samples = [name for name in given.get("data", []) if name != GAUSSIAN]
    key = "spectrum" if "spectrum" in given else "data"
    if samples and key == "data":
        given["spectrum"] = [{"kind": "dataset", "name": name} for name in samples]
    spectra = given.get("spectrum", [])
    own = {spectrum.get("name") for spectrum in spectra}
    problems = [
        written.line(
            "data",
            f"has a spectrum of its own: leave spectrum out, or list {{dataset: {name}}} there",
            name,
        )
        for name in samples
        if name not in own
    ]
    lengths = [fixed_dimension(spectrum, known) for spectrum in spectra]
    if "d" not in given and spectra and None not in lengths:
        given["d"] = list(dict.fromkeys(lengths))
        return problems
    for spectrum, length in zip(spectra, lengths, strict=True):
        dimensions = given.get("d", [])
        other = [d for d in dimensions if length not in (None, d)]
        if other:
            what = (
                f"{spectrum['name']} fixes" if "name" in spectrum else f"{length} eigenvalues fix"
            )
            problems.append(written.line(key, f"{what} d = {length}, but d = {other[0]}"))
        for name in {"count", "rank"} & spectrum.keys():
            small = [d for d in dimensions if d < spectrum[name]]
            if small:
                message = f"{name} = {spectrum[name]} is more than d = {small[0]}"
                problems.append(written.line("spectrum", message))
    return problems
