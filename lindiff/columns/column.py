"""What a column of the table is: its name, type, bounds, conditions, label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

SAMPLERS_WITH_NETWORK = ("ddpm_beta", "ddpm_beta_tilde", "ddim", "euler", "heun")


class _Required:
    """The neutral of a setting that has none: it is always part of the cell id."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True)
class Column:
    """One column of the table: a setting (an input) or a metric (an output).

    Attributes:
        name: The one name, from YAML key to Parquet column.
        type: ``str``, ``int``, ``float``, ``bool``, ``json`` (canonical JSON text), or the name
            of a nested metric, a list of rows.
        label: Axis label, matplotlib mathtext allowed.
        help: One sentence for ``config/README.md`` and the schema metadata.
        neutral: For settings: the frozen value that is left out of the cell id, or `REQUIRED`.
        unit: Unit, empty where the number has none.
        choices: The allowed values of a ``str`` setting.
        low: Smallest allowed value; `low_open` says that it is itself excluded.
        high: Largest allowed value; `high_open` says that it is itself excluded.
        infinite: Whether ``inf`` is allowed.
        whole: Whether a ``float`` must be a whole number, or ``inf``: an ``int`` that may be it.
        only_with: ``(setting, values)``: a value other than the neutral one is an error unless
            that setting has one of those values.
        void_when: ``(setting, value)``: where that setting has that value this one has no effect
            and is reset to its neutral value, so that both spellings are one cell.
        void_unless: ``(setting, values)``: where that setting has none of these values this one
            has no effect, whatever it is, and is null.
        code: For settings whose values are names of modules: their package, in which a value that
            has no module (`ideal`) stands for nothing.
        default: For metrics: computed unless the experiment lists its own metrics.
        part_of: For metrics: delivered together with that metric, not asked for by itself.
    """

    name: str
    type: Literal[
        "str", "int", "float", "bool", "json",
        "levels", "modes", "linearity", "directions", "differences", "feature_spectrum", "classes",
        "coverage", "pictures",
    ]  # fmt: skip
    label: str
    help: str
    neutral: Any = REQUIRED
    unit: str = ""
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    low_open: bool = False
    high: float = math.inf
    high_open: bool = False
    infinite: bool = False
    whole: bool = False
    only_with: tuple[str, tuple[str, ...]] | None = None
    void_when: tuple[str, Any] | None = None
    void_unless: tuple[str, tuple[str, ...]] | None = None
    code: str = ""
    default: bool = True
    part_of: str = ""

    @property
    def arrow_type(self) -> pa.DataType:
        """The column's Arrow type in specs, parts and ``metrics.parquet``."""
        return _ARROW[self.type]

    @property
    def nested(self) -> bool:
        """Whether a value is a list of rows, which `collect` unfolds into a table of its own."""
        return self.type in _ROWS

    @property
    def axis_label(self) -> str:
        """Label with the unit in brackets, for an axis of a figure."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


_TEXT = pa.dictionary(pa.int32(), pa.string())
_ARROW: dict[str, pa.DataType] = {
    "str": _TEXT,
    "json": _TEXT,
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
}
# What a row of a nested metric holds, and of the table of its name that `collect` unfolds it into.
_ROWS: dict[str, list[tuple[str, pa.DataType]]] = {
    "levels": [
        ("t", pa.int32()),
        ("alpha_bar", pa.float64()),
        ("train_loss", pa.float64()),
        ("test_loss", pa.float64()),
    ],
    "modes": [
        ("mode", pa.int32()),
        ("multiplicity", pa.int32()),
        ("eigenvalue", pa.float64()),
        ("generated_variance", pa.float64()),
        ("population_variance", pa.float64()),
        ("overlap", pa.float64()),
    ],
    "linearity": [
        ("t", pa.int32()),
        ("alpha_bar", pa.float64()),
        ("nonlinearity", pa.float64()),
        ("nonlinearity_se", pa.float64()),
    ],
    "directions": [
        ("t", pa.int32()),
        ("alpha_bar", pa.float64()),
        ("mode", pa.int32()),
        ("eigenvalue", pa.float64()),
        ("distance", pa.float64()),
        ("distance_se", pa.float64()),
    ],
    "differences": [
        ("t", pa.int32()),
        ("alpha_bar", pa.float64()),
        ("mode", pa.int32()),
        ("population_variance", pa.float64()),
        ("difference", pa.float64()),
        ("difference_se", pa.float64()),
    ],
    "feature_spectrum": [
        ("t", pa.int32()),
        ("alpha_bar", pa.float64()),
        ("eigenvalue", pa.float64()),
        ("count", pa.int32()),
    ],
    "classes": [
        ("class", pa.int32()),
        ("weight", pa.float64()),
        ("training_fraction", pa.float64()),
        ("fraction", pa.float64()),
        ("fraction_se", pa.float64()),
        ("memorized_fraction", pa.float64()),
    ],
    "coverage": [
        ("point", pa.int32()),
        ("own_time", pa.float64()),
        ("own_time_se", pa.float64()),
        ("nearest", pa.float64()),
        ("second", pa.float64()),
        ("log_density", pa.float64()),
        ("copied", pa.int32()),
    ],
    "pictures": [
        ("sample", pa.int32()),
        ("height", pa.int32()),
        ("generated", pa.list_(pa.float32())),
        ("nearest", pa.list_(pa.float32())),
        ("ratio", pa.float64()),
    ],
}
_ARROW |= {name: pa.list_(pa.struct(fields)) for name, fields in _ROWS.items()}
