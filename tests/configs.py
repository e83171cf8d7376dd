"""Small configs for tests, and what the user sees when one is wrong."""

from pathlib import Path

import numpy as np
import pytest

from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.sweep.validate import validate

BASE = """\
experiments:
  a:
    model: linear_exact
    d: 4
    n: 8
    seed: 0
"""
# Without d, for data that fix it; keys added start on line 6.
FREE = BASE.replace("    d: 4\n", "")


def values(count: int = 40, columns: int = 4, seed: int = 0) -> np.ndarray:
    """A matrix of samples."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, columns)) @ rng.standard_normal((columns, columns))


def save(folder: Path, array: np.ndarray, name: str = "m.npy") -> str:
    """Save a matrix, and how a config writes it."""
    np.save(folder / name, array, allow_pickle=True)
    return f"{{file: {name}}}"


class Maker:
    """Writes a config; keys added to its experiment `a` start on line 7."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "c.yaml"

    def __call__(self, added: str = "", base: str = BASE) -> Path:
        self.path.write_text(base + "".join(f"    {line}\n" for line in added.splitlines()))
        return self.path


def message(path: Path, **overrides: object) -> str:
    """What the user sees, without the folder of the file."""
    with pytest.raises(InputError) as caught:
        validate(load(path, [f"{key}={value}" for key, value in overrides.items()]))
    return str(caught.value).replace(f"{path.parent}/", "")
