"""Single values of a config, checked against their columns in the words that a user sees.

Every check returns the value in its column's type or raises a ValueError whose text is the end of a
message (``must be at least 1``); the position in the file is added by `lindiff.config.resolve`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lindiff.columns import SETTING, Column
from lindiff.columns.groups import GAUSSIAN, ONE_CLASS
from lindiff.config.datafile import read_matrix
from lindiff.config.eigenvaluefile import read_eigenvalues
from lindiff.config.words import canonical_json, cut, known_word, suggestion
from lindiff.config.yamlfile import shown
from lindiff.science.datasets import BUNDLED, remember
from lindiff.science.mixture import KEYS as OF_MIXTURE
from lindiff.science.mixture import standard
from lindiff.science.pools import make_pool

N_OVER_D = Column(
    "n_over_d", "float", "$N/d$",
    "Instead of `n`: the number of training samples per dimension; n is the nearest whole number "
    "to n_over_d · d, at least 2.",
    low=0, low_open=True,
)  # fmt: skip

# What each kind of spectrum takes besides its name; one bare value is enough where it takes one.
SPECTRA: dict[str, tuple[Column, ...]] = {
    "isotropic": (),
    "power_law": (Column("exponent", "float", "exponent", "k in s_j ∝ j^-k."),),
    "spiked": (
        Column("spike", "float", "spike", "The raised eigenvalues.", low=0, low_open=True),
        Column("count", "int", "count", "How many are raised, at most d.", low=1),
    ),
    "two_level": (
        Column("ratio", "float", "ratio", "Upper over lower level.", low=0, low_open=True),
        Column(
            "fraction", "float", "fraction", "Share of the modes that are on the upper level.",
            low=0, low_open=True, high=1, high_open=True,
        ),
    ),
    "low_rank": (
        Column("rank", "int", "rank", "Directions with variance, at most d.", low=1),
    ),
    "eigenvalues": (
        Column(
            "values", "json", "values",
            "The eigenvalues, or a file with them, relative to the config's folder: .npy of one "
            "row or column, or text, one a line or all in one line, parted by white space, commas "
            "or semicolons.",
        ),
    ),
    "dataset": (
        Column("name", "json", "name", "The data set, as in `data`: a name, or `{file: PATH}`."),
    ),
}  # fmt: skip

_EIGENVALUE = Column("eigenvalue", "float", "eigenvalue", "", low=0)
_ROUNDING = 1e-12
_KINDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


def checked(column: Column, value: object) -> Any:
    """`value` in the type of `column`.

    Args:
        column: What the value is for; a column with choices, or of type int, float, bool, or
            `mixture`.
        value: Plain data, as YAML gave it.

    Returns:
        A str, int, float or bool. A whole number becomes a float where the column holds floats.

    Raises:
        ValueError: The type is wrong, the value is not a choice, not finite or out of bounds.
    """
    if value is None:
        raise ValueError(f"empty; {_KINDS[column.type]} is needed")
    if column.choices:
        return known_word(value, column.choices)
    if column.name == "mixture":
        return mixture(value)
    if column.type == "bool":
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value
    number = _number(column, value)
    _within(column, number)
    return number


def _number(column: Column, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        what = "true or false" if isinstance(value, bool) else _name_of(value)
        raise ValueError(f"must be {_KINDS[column.type]}, not {what}")
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"must be {_KINDS[column.type]}, not NaN")
    if column.type == "int":
        if isinstance(value, float):
            whole = f"; write {int(value)}" if value.is_integer() and abs(value) < 2**53 else ""
            raise ValueError(f"must be a whole number, written without a decimal point{whole}")
        if abs(value) >= 2**63:
            raise ValueError("does not fit in 64 bits")
        return value
    try:
        number = float(value) + 0.0  # −0.0 becomes 0.0: one number, one cell.
    except OverflowError:
        raise ValueError("is too large for a floating-point number") from None
    if math.isinf(number) and not (column.infinite and number > 0):
        raise ValueError("must be finite")
    if column.whole and math.isfinite(number) and not number.is_integer():
        raise ValueError("must be a whole number")
    return number


def _name_of(value: object) -> str:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return "text"
        if math.isinf(float(value)) or math.isnan(float(value)):
            return f"text (YAML's infinity is {'-' if value.startswith('-') else ''}.inf)"
        return "text (remove the quotes)"
    return "a mapping" if isinstance(value, dict) else "a list"


def _within(column: Column, number: int | float) -> None:
    if number < column.low or (column.low_open and number == column.low):
        raise ValueError(f"must be {'more than' if column.low_open else 'at least'} {column.low:,}")
    above = number > column.high or (column.high_open and number == column.high)
    if above and not math.isinf(number):
        bound = "less than" if column.high_open else "at most"
        raise ValueError(f"must be {bound} {column.high:,}")


def spectrum(value: object, folder: Path) -> dict[str, Any]:
    """A spectrum as ``{"kind": …, **parameters}``.

    Args:
        value: The name of a spectrum without parameters, or ``{name: parameters}``.
        folder: The folder that the path of an eigenvalue file is relative to.

    Returns:
        The kind and its parameters; eigenvalues of a file are in ``values``.

    Raises:
        ValueError: The spectrum or its parameters are not understood or out of bounds.
    """
    known = SETTING["spectrum"].choices
    if not isinstance(value, dict):
        kind = known_word(value, known)
        if SPECTRA[kind]:
            raise ValueError(f"needs {_form(kind)}")
        return {"kind": kind}
    if len(value) != 1:
        raise ValueError("must be one spectrum with its parameters; several go in a list")
    ((kind, given),) = value.items()
    known_word(kind, known)
    if kind == "eigenvalues":
        return {"kind": kind, "values": eigenvalues(given, folder)}
    if kind == "dataset":
        inner = given["name"] if isinstance(given, dict) and list(given) == ["name"] else given
        return {"kind": kind, "name": data_set(inner, folder)}
    return {"kind": kind, **_parameters(kind, given)}


def _form(kind: str) -> str:
    names = [column.name for column in SPECTRA[kind]]
    inner = names[0] if len(names) == 1 else "{" + ", ".join(f"{n}: …" for n in names) + "}"
    return f"{{{kind}: {inner}}}" if names else kind


def _parameters(kind: str, given: object) -> dict[str, Any]:
    columns = {column.name: column for column in SPECTRA[kind]}
    if len(columns) == 1 and not isinstance(given, dict):
        given = dict.fromkeys(columns, given)
    if not isinstance(given, Mapping) or not columns:
        raise ValueError(f"write {_form(kind)}")
    for name in given:
        if name not in columns:
            near = suggestion(name, columns)
            raise ValueError(f"unknown parameter {name!r}{near}; write {_form(kind)}")
    result = {}
    for name, column in columns.items():
        if name not in given:
            raise ValueError(f"the parameter {name} is missing; write {_form(kind)}")
        try:
            result[name] = checked(column, given[name])
        except ValueError as error:
            raise ValueError(f"{name} = {shown(given[name])} {error}") from None
    return result


def mixture(value: object) -> str:
    """A value of the setting `mixture`: `none`, or one JSON text for one mixture.

    Raises:
        ValueError: It is neither `none` nor a mapping of what `lindiff.science.mixture.standard`
            takes, or that refuses it.
    """
    form = (
        f"write {ONE_CLASS}, {{weights: [w, …], between: b}} or {{weights: [w, …], "
        "means: [[m, …], …]}, to both variances: [v, …]"
    )
    if value == ONE_CLASS:
        return ONE_CLASS
    if not isinstance(value, Mapping):
        raise ValueError(f"not a mixture; {form}")
    for key in value:
        if key not in OF_MIXTURE:
            raise ValueError(f"unknown key {key!r}{suggestion(str(key), OF_MIXTURE)}; {form}")
    return canonical_json(standard(value))


def data(value: object, folder: Path) -> str:
    """A value of the setting `data`: `gaussian`, or what `data_set` returns."""
    return GAUSSIAN if value == GAUSSIAN else data_set(value, folder, also=(GAUSSIAN,))


def data_set(value: object, folder: Path, also: tuple[str, ...] = ()) -> str:
    """The name of a data set, which is loaded, so that all that is wrong with it shows.

    Args:
        value: A name of `lindiff.science.datasets.BUNDLED`, or ``{file: PATH}`` with the keys of
            `lindiff.config.datafile.read_matrix` where needed.
        folder: The folder that the path is relative to.
        also: Further words that could stand here, for the message.

    Returns:
        The name; of a file ``FILENAME@HASH``, whose matrix is remembered; the keys `drop` and
        `standardize` add words to the file's name, and change the hash. Pictures add their size.

    Raises:
        ValueError: There is no such data set, its package is missing, or the file does not hold a
            matrix that can be a pool and held-out rows.
    """
    if isinstance(value, dict):
        name, path = _file_of_data(value, folder)
    elif isinstance(value, str) and Path(value).suffix:
        raise ValueError(f"a file is written {{file: {value}}}")
    else:
        name, path = known_word(value, (*also, *BUNDLED)), None
    try:
        make_pool(name)
    except ValueError as error:
        raise ValueError(str(error) if path is None else f"{path}: {error}") from None
    return name


_DATA_FILE = ("file", "array", "drop", "standardize")


def _file_of_data(value: Mapping[str, object], folder: Path) -> tuple[str, Path]:
    form = "write {file: PATH} or {file: PATH, array: NAME, drop: [COLUMN], standardize: true}"
    for key in value:
        if key not in _DATA_FILE:
            raise ValueError(f"unknown key {key!r}{suggestion(str(key), _DATA_FILE)}; {form}")
    if "file" not in value:
        raise ValueError(f"the key file is missing; {form}")
    for key in ("file", "array"):
        text = value.get(key, "-")
        if not isinstance(text, str) or not text:
            raise ValueError(f"{key} must be text, not {shown(text)}; {form}")
    standardize = value.get("standardize", False)
    if not isinstance(standardize, bool):
        raise ValueError(f"standardize must be true or false, not {shown(standardize)}")
    path = folder / str(value["file"])
    array = str(value["array"]) if "array" in value else None
    drop = _columns(value.get("drop", []))
    matrix = read_matrix(path, array, drop, standardize)
    # Figures and tables tell the versions of one file apart by these words.
    words = [f"-{cut(str(column), 20)}" for column in drop[:3]] + ["-…"] * (len(drop) > 3)
    title = " ".join([path.name, *words, *["standardized"] * standardize])
    return remember(matrix.values, title, matrix.notes, matrix.picture), path


def _columns(drop: object) -> list[str | int]:
    """Distinct names or numbers of columns, in order; one needs no list."""
    found: set[str | int] = set()
    for column in drop if isinstance(drop, list) else [drop]:
        if isinstance(column, bool) or not isinstance(column, str | int):
            raise ValueError(f"drop must be names or numbers of columns, not {shown(column)}")
        found.add(column)
    return sorted(found, key=lambda column: (isinstance(column, str), column))


def eigenvalues(given: object, folder: Path) -> list[float]:
    """The eigenvalues of a list, or of a file (text, or .npy without pickles).

    Raises:
        ValueError: The file is missing or not readable, a value is no number or negative, or all
            are zero.
    """
    source = ""
    if isinstance(given, str):
        source = f"{given}: "
        given = read_eigenvalues(folder / given)
    if not isinstance(given, list):
        raise ValueError("eigenvalues must be a list of numbers or the name of a file")
    if not given:
        raise ValueError(f"{source}no eigenvalues")
    if all(value == 0 and not isinstance(value, bool) for value in given):
        raise ValueError(f"{source}all eigenvalues are zero")
    result = []
    for i, value in enumerate(given):
        try:
            result.append(checked(_EIGENVALUE, value))
        except ValueError as error:
            what = f"{source}eigenvalue {i + 1} = {shown(value)} {error}"
            # What is 0 comes out of a decomposition as ± rounding errors of the largest.
            null = isinstance(value, int | float) and abs(value) <= _ROUNDING * max(map(abs, given))
            zero = " (write 0 for a direction without variance)" if null else ""
            raise ValueError(what + zero) from None
    return result
