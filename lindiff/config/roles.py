"""Columns of a user's data that may be no features: counters of rows, labels, weights.

Nothing is decided here. Each is pointed out with what it looks like and how to leave it out, from
its values, which are the same in every format, and from its name where the format has names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lindiff.config.spelling import IN_YAML, Name, Spelling
from lindiff.config.yamlfile import shown

Array = NDArray[np.float64]

_COUNTERS = frozenset(("id", "ids", "index", "idx", "row", "rowid", "uid", "uuid", "level_0"))
_LABELS = frozenset(("label", "labels", "target", "targets", "class", "classes", "y"))
_WEIGHTS = frozenset(("weight", "weights"))
# Of more different values a column is no label.
_MOST_CLASSES = 1000
_ROWS_OF_A_CLASS = 5
_MOST_NAMES = 5


def pointed_out(
    values: Array,
    columns: Sequence[Name],
    categories: frozenset[Name] = frozenset(),
    spelling: Spelling = IN_YAML,
) -> list[str]:
    """What is to be known of columns that may be no features, one sentence for each reason.

    Args:
        values: The data, shape (rows, columns), finite.
        columns: How a config calls each column: its name, or its number; the numbers of a list
            have one name, and only that is looked at.
        categories: Columns that their file calls categories.
        spelling: How the user leaves out columns.
    """
    names = [column if isinstance(column, str) else "" for column in columns]
    by_value, times = _by_value(values), Counter(columns)
    reasons: dict[str, list[Name]] = {}
    for j, column in enumerate(columns):
        reason = _by_name(names[j], names, values[:, j])
        if not reason and column in categories:
            reason = "the file has it as categories"
        if not reason and times[column] == 1:
            reason = by_value[j]
        if reason and column not in reasons.setdefault(reason, []):
            reasons[reason].append(column)
    return [_sentence(reason, found, spelling) for reason, found in reasons.items() if found]


def _sentence(reason: str, columns: list[Name], spelling: Spelling) -> str:
    some = ", ".join(shown(column) for column in columns[:_MOST_NAMES])
    more = f", … ({len(columns):,} in all)" if len(columns) > _MOST_NAMES else ""
    head = "the column" if len(columns) == 1 else "the columns"
    what, it = ("feature", "it") if len(columns) == 1 else ("features", "them")
    return (
        f"{head} {some}{more} may be no {what} ({reason}); `{spelling.drop(columns)}` leaves {it} "
        "out"
    )


def _by_name(name: str, names: Sequence[str], column: Array) -> str:
    """What a name says, or nothing."""
    word = name.strip().lower()
    # Beside x it is a coordinate.
    is_coordinate = word == "y" and "x" in (other.strip().lower() for other in names)
    if word.rpartition("_")[2] in _LABELS - {"y"} or (word == "y" and not is_coordinate):
        return "named as a label is"
    if word in _COUNTERS or word.endswith("_id") or word.startswith(("__index", "unnamed:")):
        return "named as an index is"
    if word.removeprefix("sample_") in _WEIGHTS and bool((column >= 0).all()):
        return "named as weights of the rows are"
    return ""


def _by_value(values: Array) -> list[str]:
    """What the values of each column say, or nothing."""
    looks = [_Look.of(values[:, j]) for j in range(values.shape[1])]
    varying = [look for look in looks if look.low < look.high]
    broken = sum(not look.whole for look in varying)
    spans = Counter((look.low, look.high) for look in varying)
    result = [""] * len(looks)
    for j, look in enumerate(looks):
        others = len(varying) - 1
        if look.counts_rows:
            result[j] = "it counts or orders the rows"
        elif look.few and 2 * broken > others:
            result[j] = "few different whole numbers beside columns that are not whole"
        # Where all are whole numbers, as pixels are, a label stands at an end.
        elif (
            look.balanced
            and j in (0, len(looks) - 1)
            and 2 * (spans[look.low, look.high] - 1) < others
        ):
            result[j] = "few whole numbers, each of them often, unlike the other columns"
    return result


@dataclass(frozen=True)
class _Look:
    """What the values of a column look like.

    Attributes:
        low: The smallest value.
        high: The largest one.
        whole: Whether all are whole numbers.
        counts_rows: Whether they only say which row it is.
        few: Whether they are whole, vary, and each stands in several rows on average.
        balanced: Whether, besides, they are all of 0 or 1 to the largest, none of them rare.
    """

    low: float
    high: float
    whole: bool
    counts_rows: bool = False
    few: bool = False
    balanced: bool = False

    @classmethod
    def of(cls, column: Array) -> _Look:
        low, high = float(column.min()), float(column.max())
        whole = max(-low, high) < 2**53 and bool((column == np.rint(column)).all())
        if low == high:
            return cls(low, high, whole)
        counts_rows = _is_in_order(column, whole)
        if not whole or high - low > max(_MOST_CLASSES, len(column)):
            return cls(low, high, whole, counts_rows)
        counts = np.bincount((column - low).astype(np.int64))
        # The numbers of the rows in another order, after shuffling.
        counts_rows |= int(counts.max()) == 1 and len(counts) == len(column)
        classes = int(np.count_nonzero(counts))
        few = classes <= min(len(column) / _ROWS_OF_A_CLASS, _MOST_CLASSES)
        rare = int(counts.min()) < len(column) / (5 * len(counts))
        return cls(low, high, whole, counts_rows, few, few and low in (0, 1) and not rare)


def _is_in_order(column: Array, whole: bool) -> bool:
    """Whether values rise, or fall, from row to row: whole numbers, or by equal steps."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(column)
        equal = np.ptp(steps) <= 1e-6 * abs(steps[0])
    return bool(((steps > 0).all() or (steps < 0).all()) and (whole or equal))
