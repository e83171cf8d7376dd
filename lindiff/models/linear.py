"""The exact linear model: one draw and one eigendecomposition give all cells of a family.

Each cell is a filter; the family's draw, and the population, are measures (docs/theory.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models.linear_cells import Filters, groups, spectrum
from lindiff.science import measure, metrics, vectors
from lindiff.science.draws import Draw, generator, make_draw
from lindiff.science.exact import divergences
from lindiff.science.filters import Bank
from lindiff.science.tables import Range, Table, node_range

Array = NDArray[np.float64]

_LEVELS = 25
_NESTED = ("levels", "modes")
_KL = ("kl_model_data", "kl_data_model")


@dataclass(frozen=True, eq=False)
class Family:
    """What all cells of a family share.

    Attributes:
        population: Spectrum, its parameters, d and the population mean: hashable.
        draw: The training set.
        mu: Its measure.
        span: Range of λ of its tables.
        key: What names the draw.
    """

    population: tuple[str, str, int, float]
    draw: Draw
    mu: measure.Measure
    span: Range
    key: dict[str, object]


def _family(cells: pa.Table) -> Family:
    row = cells.slice(0, 1).to_pylist()[0]
    d, n, mean = row["d"], row["n"], row["population_mean"]
    s = spectrum(row["spectrum"], row["spectrum_params"], d)
    key = {"spectrum": row["spectrum"], "params": row["spectrum_params"]}
    draw = make_draw(row["draw"], s, n, row["seed"], key, mean, row["centre"] == "known")
    population = (row["spectrum"], row["spectrum_params"], d, mean)
    key = {**key, "d": d, "n": n, "seed": row["seed"]}
    return Family(population, draw, measure.of_draw(draw), node_range(s, n), key)


@lru_cache(maxsize=16)
def _table(filters: Filters, span: Range) -> Table:
    return Table(filters.make_bank(), filters.make_sampler(), span)


@lru_cache(maxsize=256)
def _optimal_loss(name: str, params: str, d: int, schedule: tuple[Any, ...]) -> float:
    """Test loss of the population optimum, mean over levels."""
    made = Filters(schedule, None, ()).make_schedule()
    signal = made.alpha_bar[:, None] * spectrum(name, params, d)
    return float(np.mean(signal / (signal + made.q[:, None])))


@lru_cache(maxsize=16)
def _at_infinity(
    population: tuple[str, str, int, float], filters: Filters, span: Range
) -> dict[str, Array]:
    """Both KL of the same denoisers and sampler at N = ∞, shape (F,)."""
    name, params, d, population_mean = population
    s, mean = spectrum(name, params, d), np.full(d, population_mean)
    limit = Draw(s, mean, 0, mean, s[::-1], np.eye(d)[:, ::-1])
    mu = measure.of_population(s)
    return divergences(limit, mu, _table(filters, span).at(mu.nodes), filters.root_alpha_bar)


def _levels(mu: measure.Measure, bank: Bank) -> list[list[dict[str, float]]]:
    """Losses at noise levels log-spaced in t, one list a filter."""
    schedule = bank.schedule
    chosen = np.unique(np.rint(np.geomspace(1, schedule.timesteps, _LEVELS)).astype(int)) - 1
    rows: list[list[dict[str, float]]] = [[] for _ in bank.trainings]
    for index in chosen.tolist():
        residual, gain = bank.losses(mu.nodes, index)
        base = mu.identity @ residual
        train = (base + (mu.identity * mu.nodes) @ gain) / mu.d
        test = (base + (mu.sigma + mu.error) @ gain) / mu.d
        level = {"t": index + 1, "alpha_bar": float(schedule.alpha_bar[index])}
        for row, a, b in zip(rows, train.tolist(), test.tolist(), strict=True):
            row.append(level | {"train_loss": a, "test_loss": b})
    return rows


def _modes(draw: Draw, mu: measure.Measure, log_v: Array) -> list[list[dict[str, Any]]]:
    """Every mode of Σ0 from the largest; the null space is one row with its multiplicity."""
    ranked = draw.vectors[: len(draw.eigenvalues), ::-1].diagonal()[::-1] ** 2
    overlap = [None] * bool(draw.null) + ranked.tolist()
    fixed = [
        {
            "mode": len(mu.nodes) - i,
            "multiplicity": int(mu.identity[i]),
            "eigenvalue": float(mu.nodes[i]),
            "population_variance": float(mu.sigma[i] / mu.identity[i]),
            "overlap": overlap[i],
        }
        for i in range(len(mu.nodes))
    ]
    return [
        [row | {"generated_variance": x} for row, x in zip(fixed, v, strict=True)][::-1]
        for v in np.exp(log_v).T.tolist()
    ]


def _as_objects(lists: list[list[dict[str, Any]]]) -> NDArray[Any]:
    """The lists as the elements of one array; NumPy would otherwise stack those of equal length."""
    array = np.empty(len(lists), dtype=object)
    for i, values in enumerate(lists):
        array[i] = values
    return array


def _group_metrics(
    family: Family, filters: Filters, wanted: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """Metric columns of the cells of one schedule and sampler, arrays of shape (F,)."""
    draw, mu, root = family.draw, family.mu, filters.root_alpha_bar
    table = _table(filters, family.span)
    evaluated = table.at(mu.nodes)
    result: dict[str, NDArray[Any]] = metrics.losses(mu, evaluated)
    result |= divergences(draw, mu, evaluated, root)
    result["optimal_loss"] = np.full_like(
        result["test_loss"], _optimal_loss(*family.population[:3], filters.schedule)
    )
    result["residual_loss"] = result["test_loss"] - result["optimal_loss"]
    result["overlap_1"] = np.full_like(result["test_loss"], vectors.leading_overlap(draw))
    if wanted & {f"{name}_floor" for name in _KL}:
        limit = _at_infinity(family.population, filters, family.span)
        result |= {f"{name}_floor": limit[name] for name in _KL}
    if "bures" in wanted:
        result["bures"] = vectors.bures(draw, evaluated, root)
    if "monte_carlo_gap" in wanted:
        rng = generator("monte_carlo_gap", **family.key)
        gap = vectors.monte_carlo_gap(draw, table.bank, rng)
        result["monte_carlo_gap"], result["monte_carlo_gap_se"] = gap
    if "levels" in wanted:
        result["levels"] = _as_objects(_levels(mu, table.bank))
    if "modes" in wanted:
        result["modes"] = _as_objects(_modes(draw, mu, evaluated.pointwise("log_v")))
    return result


def _unstable(family: Family, filters: Filters) -> list[str | None]:
    """For each filter why its gradient descent diverges on this draw, or None."""
    if not filters.discrete:
        return [None] * len(filters.trainings)
    largest = filters.make_bank().largest_stable_rate(float(family.draw.eigenvalues[-1]))
    return [
        f"gradient descent diverges: learning_rate = {training.learning_rate:g}, "
        f"largest stable {rate:.4g}"
        if training.discrete and training.learning_rate >= rate
        else None
        for training, rate in zip(filters.trainings, largest, strict=True)
    ]


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: Settings that the model cannot compute.
    """
    family = _family(cells)
    columns = {name: _empty(name, len(cells)) for name in wanted}
    message: list[str | None] = [None] * len(cells)
    for rows, filters in groups(cells):
        reasons = _unstable(family, filters)
        for row, reason in zip(rows, reasons, strict=True):
            message[row] = reason
        sound = [i for i, reason in enumerate(reasons) if reason is None]
        if not sound:
            continue
        if len(sound) < len(rows):
            filters = replace(filters, trainings=tuple(filters.trainings[i] for i in sound))
        result = _group_metrics(family, filters, frozenset(wanted))
        lost = np.isnan(result["test_loss"] + result["kl_model_data"] + result["kl_data_model"])
        for i in np.flatnonzero(lost).tolist():
            message[rows[sound[i]]] = "a loss or a divergence is not a number"
        for name, column in columns.items():
            column[np.array(rows)[sound]] = result[name]
    status = ["ok" if reason is None else "diverged" for reason in message]
    return _as_table(cells, columns, status, message)


def _empty(name: str, length: int) -> NDArray[Any]:
    """A column of undefined values: NaN, or None for lists."""
    if name in _NESTED:
        return np.full(length, None, dtype=object)
    return np.full(length, np.nan)


def _as_table(
    cells: pa.Table, columns: dict[str, NDArray[Any]], status: list[str], message: list[str | None]
) -> pa.Table:
    # A metric that is undefined is null, never NaN: `from_pandas` reads NaN as null.
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    outcome = {"status": pa.array(status), "message": pa.array(message, pa.string())}
    return pa.table({"cell_id": cells["cell_id"]} | arrays | outcome)
