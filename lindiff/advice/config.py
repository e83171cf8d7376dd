"""The sweep of the same data, as a config: linear denoisers with their theory, and networks."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lindiff import files
from lindiff.advice.ask import Data
from lindiff.advice.result import Advice
from lindiff.config.resolve import load
from lindiff.config.sources import TABLES
from lindiff.config.words import printable
from lindiff.errors import InputError
from lindiff.sweep.validate import validate

_POOL = 0.8  # of the rows: what a sweep of data trains on
_TEXT = """\
# Made by lindiff advise from {name}; sweep it with: lindiff sweep {file}
defaults: {defaults}
experiments:
  linear:                        # exact, with the theory{beside}
    model: linear_exact{both}
    n: {n}
    seed: {{range: [0, 5]}}
    ridge: {{log: [1.0e-5, 1, 11], also: [0]}}
    sampler: {sampler}
    theory: {{}}
    metrics: [modes]
    figures: {figures}
  early_stopping:
    model: linear_exact
    n: {n}
    seed: {{range: [0, 5]}}
    stop: {{log: [0.1, 1.0e+5, 25], also: [.inf]}}
    sampler: ddim
    metrics: [modes]
    figures: [early_stopping]
  networks:                      # from memorizing to generalizing
    model: [linear_exact, mlp, empirical]{samples}
    n: {few}
    seed: {{range: [0, 3]}}
    timesteps: 100
    sampler: ddim
    width: 128
    steps: 2000
    learning_rate: 6.0e-3
    metrics: [memorized_fraction, agreement, pictures]
    figures: [transition_models, memorization]
"""
_FAR, _FEW = 30.0, 4.0  # largest N of a sweep of a spectrum, in units of d: exact, networks


def write_config_of_spectrum(advice: Advice, file: Path | None, path: Path) -> None:
    """Write a config that sweeps Gaussian data of a spectrum, whole or not at all.

    Args:
        advice: What was found.
        file: A file of these eigenvalues; None where there is none, and the config has them all.
        path: The config.
    """
    values: Any = advice.spectrum[0].tolist()
    if file is not None:
        values = os.path.relpath(file.resolve(), path.parent.resolve())
    text = _TEXT.format(
        name=_comment(advice.name), file=_comment(str(path)), beside="", both="",
        defaults=f"{{spectrum: {{eigenvalues: {json.dumps(values, ensure_ascii=False)}}}}}",
        n=_between(advice.d, _FAR * advice.d, 8), few=_between(advice.d, _FEW * advice.d, 5),
        sampler="ddim", figures="[kl, regularization]", samples="\n    draw: samples",
    )  # fmt: skip
    _write(text, path)


def write_config(advice: Advice, data: Data, how: Mapping[str, Any], path: Path) -> None:
    """Write a config that sweeps the same data, whole or not at all.

    Args:
        advice: What was found.
        data: The data.
        how: `array`, `drop` and `standardize` as they were given.
        path: The config.

    Raises:
        InputError: The data are too few for a sweep: a pool and held-out rows.
    """
    most = _POOL * data.source.rows
    reference = data.name
    if data.path is not None:
        # JSON, which is YAML whatever is in a name.
        reference = json.dumps(_named(data.path, how, path), ensure_ascii=False)
    text = _TEXT.format(
        name=_comment(advice.name), file=_comment(str(path)), defaults=f"{{data: {reference}}}",
        beside=" and Gaussian data of the same covariance",
        both=f"\n    data: [{reference}, gaussian]",
        n=_of_pool(advice.d, most), few=_between(advice.d, 0.5 * most, 5),
        sampler="ideal", figures="[real_data]", samples="",
    )  # fmt: skip
    _write(text, path)


def _named(file: Path, how: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The data as a config names them; the path relative to the config."""
    # A config counts the columns of an array, where an option is text.
    drop = [name if file.suffix.lower() in TABLES else int(name) for name in how["drop"]]
    place = os.path.relpath(file.resolve(), path.parent.resolve())
    given = {"file": place, "array": how["array"], "drop": drop, "standardize": how["standardize"]}
    return {key: value for key, value in given.items() if value}


def _comment(text: str) -> str:
    """A name within a comment of one line."""
    return " ".join(printable(text).split())


def _write(text: str, path: Path) -> None:
    files.write_text(text, path)
    try:
        validate(load(path))
    except InputError:
        path.unlink()
        raise


def _of_pool(d: int, most: float) -> list[int]:
    """N of a pool, of which an answer is said at d, and compared up to a tenth of the pool."""
    tenth = math.floor(most / 10)
    more = {tenth} if 4 <= tenth < d / 4 else set()
    return sorted({*_between(d, 0.6 * most, 8), *more, *({d} if 0.6 * most < d <= most else ())})


def _between(d: int, most: float, count: int) -> list[int]:
    """N from d/4 to `most`, evenly in ln N."""
    least = min(max(4.0, d / 4), most / 2)
    ratio = (most / least) ** (1 / (count - 1))
    return sorted({math.floor(least * ratio**i) for i in range(count)})
