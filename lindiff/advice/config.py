"""The sweep of the same data, as a config: linear denoisers with their theory, and networks."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lindiff import files
from lindiff.advice.ask import Data
from lindiff.advice.result import Advice
from lindiff.advice.sample import Source
from lindiff.config.datafile import FORMATS
from lindiff.config.resolve import load
from lindiff.config.words import printable
from lindiff.errors import InputError
from lindiff.sweep.validate import validate

_POOL = 0.8  # of the rows: what a sweep of data trains on
_TEXT = """\
# Made by lindiff advise from {name}; sweep it with: make CONFIG={file}
experiments:
  linear:                        # exact, with the theory and Gaussian data of the same covariance
    model: linear_exact
    data: [{data}, gaussian]
    n: {n}
    seed: {{range: [0, 5]}}
    ridge: {{log: [1.0e-5, 1, 11], also: [0]}}
    sampler: ideal
    theory: {{}}
    metrics: [modes]
    figures: [real_data]
  early_stopping:
    model: linear_exact
    data: {data}
    n: {n}
    seed: {{range: [0, 5]}}
    stop: {{log: [0.1, 1.0e+5, 25], also: [.inf]}}
    sampler: ddim
    metrics: [modes]
    figures: [early_stopping]
  networks:                      # from memorizing to generalizing
    model: [linear_exact, mlp, empirical]
    data: {data}
    n: {few}
    seed: {{range: [0, 2]}}
    timesteps: 100
    sampler: ddim
    width: 128
    steps: 2000
    learning_rate: 6.0e-3
    metrics: [memorized_fraction, agreement]
    figures: [transition_models]
"""


def write_config(advice: Advice, data: Data, how: Mapping[str, Any], path: Path) -> None:
    """Write a config that sweeps the same data, whole or not at all.

    Data of a format that a config does not read, or of which columns were chosen, are written
    beside it as ``.npy``.

    Args:
        advice: What was found.
        data: The data.
        how: `array`, `columns`, `drop` and `standardize` as they were given.
        path: The config.

    Raises:
        InputError: A file that would be written is there already.
    """
    copy: Path | None = None
    if data.path is None:
        reference = data.name
    elif data.path.suffix in FORMATS and not how["columns"]:
        reference = _json(_named(data.path, how, path))
    else:
        copy = path.with_suffix(".npy")
        reference = _json({"file": copy.name})
    for file in (path, copy):
        if file is not None and file.exists():
            raise InputError(f"{file}: there is one already; give another name to --write")
    text = _TEXT.format(
        name=_comment(advice.name), file=_comment(str(path)), data=reference,
        n=_spread(advice, 8, 1.0), few=_spread(advice, 5, 0.5),
    )  # fmt: skip
    if copy is not None:
        _write_rows(data.source, copy)
    files.write_text(text, path)
    validate(load(path))


def _named(file: Path, how: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The data as a config names them; the path relative to the config."""
    # A config counts the columns of an array, where an option is text.
    drop = [name if file.suffix == ".parquet" else int(name) for name in how["drop"]]
    place = os.path.relpath(file.resolve(), path.parent.resolve())
    given = {"file": place, "array": how["array"], "drop": drop, "standardize": how["standardize"]}
    return {key: value for key, value in given.items() if value}


def _json(value: dict[str, Any]) -> str:
    """JSON, which is YAML whatever is in a name."""
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> str:
    """A name within a comment of one line."""
    return " ".join(printable(text).split())


def _write_rows(source: Source, path: Path) -> None:
    """All rows as float64, block by block, whole or not at all."""
    with files.atomic(path) as temporary, temporary.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (source.rows, source.columns)}
        np.lib.format.write_array_header_1_0(file, header)
        for block in source.blocks():
            file.write(np.ascontiguousarray(block, dtype="<f8").data)


def _spread(advice: Advice, count: int, share: float) -> list[int]:
    """N from d/4 to what the pool of the data allows, evenly in ln N."""
    most = share * _POOL * advice.sample.rows
    least = min(max(4.0, advice.sample.d / 4), most / 2)
    ratio = (most / least) ** (1 / (count - 1))
    return sorted({math.floor(least * ratio**i) for i in range(count)})
