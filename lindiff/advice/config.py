"""The sweep of the same data, as a config: linear denoisers with their theory, and networks."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lindiff import files
from lindiff.advice.result import Advice
from lindiff.config.datafile import FORMATS
from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.sweep.validate import validate

_POOL = 0.8  # of the rows: what a sweep of data trains on
_TEXT = """\
# Made by `lindiff advise {name} --write`: sweep it with  make CONFIG={file}
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


def write_config(advice: Advice, source: str, options: Mapping[str, Any], path: Path) -> None:
    """Write a config that sweeps the same data, whole or not at all.

    Args:
        advice: What was found.
        source: The data: a bundled data set, or a file of a format that a config reads.
        options: `array`, `drop` and `standardize` as they were given.
        path: The config. What is there already is not overwritten.

    Raises:
        InputError: There is a file of that name, or the data are of another format.
    """
    if path.exists():
        raise InputError(f"{path}: there is one already; give another name")
    file = Path(source)
    data: str = advice.name
    if file.exists():
        if file.suffix not in FORMATS:
            raise InputError(
                f"{path} cannot name {file}: a config reads {', '.join(FORMATS)}; save the rows "
                "as one of these and ask for advice on that"
            )
        data = _reference(file, options, path)
    text = _TEXT.format(
        name=advice.name, file=path, data=data,
        n=_spread(advice, 8, 1.0), few=_spread(advice, 5, 0.5),
    )  # fmt: skip
    files.write_text(text, path)
    try:
        validate(load(path))
    except InputError:
        path.unlink()
        raise


def _reference(file: Path, options: Mapping[str, Any], path: Path) -> str:
    """The data as a config names them: JSON, which is YAML; the path relative to the config."""
    # A config counts the columns of an array, where an option is text.
    drop = list(options.get("drop") or ())
    if file.suffix != ".parquet":
        drop = [int(name) for name in drop]
    place = os.path.relpath(file.resolve(), path.parent.resolve())
    given = {"file": place, "array": options.get("array"), "drop": drop}
    given["standardize"] = options.get("standardize")
    return json.dumps({key: value for key, value in given.items() if value}, ensure_ascii=False)


def _spread(advice: Advice, count: int, share: float) -> list[int]:
    """N from d/4 to what the pool of the data allows, evenly in ln N."""
    most = share * _POOL * advice.sample.rows
    least = min(max(4.0, advice.sample.d / 4), most / 2)
    ratio = (most / least) ** (1 / (count - 1))
    return sorted({math.floor(least * ratio**i) for i in range(count)})
