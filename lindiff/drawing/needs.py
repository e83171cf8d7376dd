"""What an experiment must have to feed a figure, and what it must have to fill each panel of it.

Without what `Needs` lists outright an experiment is refused. A `Condition` is softer: the figure is
drawn without it, with a panel, or a page, that says what is missing; `lindiff validate` warns in
the same words where the settings alone tell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import METRIC, delivered, with_standard_errors
from lindiff.drawing.tables import distinct, distinct_keys, keep
from lindiff.models import EXACT, MODELS

FEWEST_STRENGTHS = 3  # strengths between which a curve can have a minimum


@dataclass(frozen=True)
class Condition:
    """What the cells of a figure must have for it, or for a panel of it, not to stay empty.

    Attributes:
        words: What that is and the setting that brings it; they follow "it takes".
        met: Whether cells (a table with the columns of all settings) have it; None where only
            results tell.
    """

    words: str
    met: Callable[[pa.Table], bool] | None = None


@dataclass(frozen=True)
class Needs:
    """What an experiment must have to feed a figure.

    Attributes:
        axes: Settings that must have at least two values; ``n`` is met by ``n_over_d`` as well.
        metrics: Names of `lindiff.columns.REQUESTABLE` that must be asked for.
        settings: ``(setting, value)`` pairs: values that must be among that setting's.
        conditions: What the cells must have besides, for nothing to stay empty.
        also: Metrics that it draws where they are.
    """

    axes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    settings: tuple[tuple[str, object], ...] = ()
    conditions: tuple[Condition, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The metrics that its query gets: those above with their parts and standard errors."""
        return delivered(with_standard_errors((*self.metrics, *self.also, "pool_fraction")))

    def unmet(self, cells: pa.Table) -> tuple[str, ...]:
        """The words of the conditions that the settings of `cells` do not meet."""
        tested = (one for one in self.conditions if one.met is not None and not one.met(cells))
        return tuple(one.words for one in tested)


def reasons(need: Needs, cells: pa.Table, left_out: int) -> list[str]:
    """Why a figure has nothing to draw, a sentence each.

    Args:
        need: What the figure needs.
        cells: Rows of ``metrics.parquet`` that feed it, those with status ``ok``.
        left_out: Number of rows of another status.
    """
    if not cells.num_rows:
        return [f"None of its {left_out} cells is ok: all failed or diverged."]
    said = [f"None of its {cells.num_rows} cells can be drawn."]
    if left_out:
        said[0] = f"{left_out} of its cells failed or diverged, none of the others can be drawn."
    for metric in need.metrics:
        if METRIC[metric].nested or metric not in cells.column_names:
            continue
        known = cells[metric].drop_null()
        if not len(known):
            said.append(f"{metric} is null in every cell.")
        elif pc.all(pc.is_inf(known)).as_py():
            said.append(f"{metric} is infinite in every cell.")
    words = need.unmet(cells) or tuple(one.words for one in need.conditions if one.met is None)
    return said + [f"It takes {one}." for one in words]


def three_strengths(*names: str) -> Condition:
    """Enough strengths of one of these regularizations for a curve with a minimum."""

    def met(cells: pa.Table) -> bool:
        exact = keep(cells, "model", [EXACT])
        inside = ([0 < x < math.inf for x in distinct(exact, name)] for name in names)
        return any(sum(values) >= FEWEST_STRENGTHS for values in inside)

    return Condition(
        f"at least {FEWEST_STRENGTHS} values of {_either(names)} between 0 and infinity", met
    )


def ratio_between(low: float, high: float) -> Condition:
    """Cells with N/d inside a range."""

    def met(cells: pa.Table) -> bool:
        return any(
            low < n / d < high for n, d in distinct_keys(keep(cells, "model", [EXACT]), ("n", "d"))
        )

    return Condition(f"values of n or n_over_d with N/d between {low:g} and {high:g}", met)


def one_ratio_at_several_d() -> Condition:
    """Cells of several d at one N/d."""

    def met(cells: pa.Table) -> bool:
        sizes = distinct_keys(keep(cells, "model", [EXACT]), ("n", "d"))
        return any(count > 1 for count in Counter(n / d for n, d in sizes).values())

    return Condition("one value of n_over_d at two values of d or more", met)


def finite_kl(*, least: str = "") -> Condition:
    """Cells, of the least value of a setting if one is named, that generate variance everywhere."""

    def met(cells: pa.Table) -> bool:
        if least:
            cells = keep(cells, least, distinct(keep(cells, "model", [EXACT]), least)[:1])
        names = ("n", "d", "ridge", "weight_decay", "stop", "final_noise")
        keys = distinct_keys(keep(cells, "model", [EXACT]), names)
        return any(
            n > d or (ridge or 0) > 0 or (decay or 0) > 0 or math.isfinite(stop or 0) or bool(noise)
            for n, d, ridge, decay, stop, noise in keys
        )

    at = f" at the least {least}" if least else ""
    return Condition(
        f"a finite KL{at}: n above d, or a ridge, a weight_decay, a finite stop or "
        "final_noise: true",
        met,
    )


def stops(count: int) -> Condition:
    """Enough stops of one trained model."""

    def met(cells: pa.Table) -> bool:
        trained = [name for name, model in MODELS.items() if model.trained]
        found = (distinct(keep(cells, "model", [name]), "stop_step") for name in trained)
        return any(len(values) >= count for values in found)

    return Condition(f"a trained model with at least {count} values of stop_step", met)


def modes_at_least(count: int) -> Condition:
    """Training sets whose covariance has enough modes with λ > 0."""

    def met(cells: pa.Table) -> bool:
        return any(min(n - 1, d) >= count for n, d in distinct_keys(cells, ("n", "d")))

    return Condition(f"{count} modes with λ > 0: n of at least {count + 1} and d of {count}", met)


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
