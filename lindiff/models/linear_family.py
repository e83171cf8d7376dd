"""What every exact linear model makes of a family of cells: draw, filters, common metrics, table.

A model differs in the eigenvalues at which its filters are evaluated, and in what it adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns import METRIC
from lindiff.columns.groups import GAUSSIAN, ONE_CLASS
from lindiff.models.augmented import is_augmented, orbit_of_draw, orbit_of_rows
from lindiff.models.linear_cells import Filters, spectrum
from lindiff.science import datasets, measure, metrics, vectors
from lindiff.science.agreement import Halves, make_halves
from lindiff.science.draws import Draw, draw_about, generator, make_draw
from lindiff.science.exact import divergences
from lindiff.science.mixture import Mixture, make_mixture, one_class
from lindiff.science.pools import Pool, make_pool
from lindiff.science.speciation import bayes_loss as mixture_loss
from lindiff.science.tables import Evaluated, FilterTable, Range, node_range

Array = NDArray[np.float64]

# Of a Gaussian population: the settings `COVARIANCE`, and the coordinates of its mean.
PopulationKey = tuple[str, str, int, float, float]

# The same of a mixture, and what says its classes.
MixtureKey = tuple[PopulationKey, str]

KL = ("kl_model_data", "kl_data_model")
FLOORS = frozenset(f"{name}_floor" for name in (*KL, "bures"))
# Of the best of all denoisers, which is not linear where the data are not Gaussian.
OF_ALL = frozenset(("bayes_loss", "excess_loss"))
# What is measured on held-out rows; of `levels` the test loss is.
OF_HELD_OUT = frozenset(
    (
        "test_loss", "test_loss_se", "residual_loss", "optimal_loss", "null_loss", "linearity",
        "directions",
    )
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Family:
    """What all cells of a family share.

    Attributes:
        row: The settings of its first cell.
        population: The settings `COVARIANCE` and the population mean: hashable.
        draw: The training set.
        mu: Its measure.
        span: Range of λ of its tables.
        key: What names the draw.
    """

    row: dict[str, Any]
    population: PopulationKey
    draw: Draw
    mu: measure.Measure
    span: Range
    key: dict[str, object]

    @cached_property
    def halves(self) -> Halves:
        """The training set and its partner, which is drawn on first use."""
        return make_halves(self.draw, _draw(self.row, half=1))


def population_of(row: dict[str, Any]) -> PopulationKey:
    """The population of a cell; its mean is multiplied as the data are."""
    mean = (row["population_mean"] or 0.0) * row["scale"]
    return row["spectrum"], row["spectrum_params"], row["d"], row["scale"], mean


@lru_cache(maxsize=8)
def scaled_pool(data: str, scale: float) -> Pool:
    """The pool of a data set, its rows multiplied by `scale`."""
    pool = make_pool(data)
    return pool if scale == 1 else pool.scaled(scale)


def spectrum_key(row: dict[str, Any]) -> dict[str, Any]:
    """What of a spectrum and of the classes in it the random numbers of a draw hang on."""
    key = {"spectrum": row["spectrum"], "params": datasets.plain(row["spectrum_params"])}
    return key | ({"mixture": row["mixture"]} if is_mixture(row) else {})


def is_mixture(row: dict[str, Any]) -> bool:
    """Whether the data of a cell are several Gaussian classes; null where a model reads none."""
    return row["mixture"] not in (None, ONE_CLASS)


def mixture_of(row: dict[str, Any]) -> Mixture:
    """The classes of a cell's population, one of a Gaussian, about its mean."""
    return _mixture((population_of(row), row["mixture"] or ONE_CLASS))


@lru_cache(maxsize=16)
def _mixture(name: MixtureKey) -> Mixture:
    population, classes = name
    s = spectrum(*population[:-1])
    return one_class(s) if classes == ONE_CLASS else make_mixture(s, **json.loads(classes))


def _draw(row: dict[str, Any], half: int) -> Draw:
    """The training set of a family (half 0), or the set disjoint from it (half 1)."""
    known = row["centre"] == "known"
    if row["data"] != GAUSSIAN:
        pool, start = scaled_pool(row["data"], row["scale"]), half * row["n"]
        if is_augmented(row):
            return orbit_of_rows(row, pool, pool.subset(row["n"], row["seed"], start), known)
        return pool.draw(row["n"], row["seed"], known, start)
    *covariance, mean = population_of(row)
    s = spectrum(*covariance)
    key = spectrum_key(row)
    if half:
        # Not in the key of the first: it keeps its numbers whether or not there is a second.
        key["half"] = half
    if is_mixture(row):
        draw = _draw_mixture(row, s, mean, key)
    else:
        draw = make_draw(row["draw"], s, row["n"], row["seed"], key, mean, known)
    return orbit_of_draw(row, draw, known) if is_augmented(row) else draw


def _draw_mixture(row: dict[str, Any], s: Array, mean: float, key: dict[str, object]) -> Draw:
    """Samples of several classes; a smaller set is a prefix of a larger one.

    Raises:
        ValueError: The draw is of the covariance alone, whose law is not that of a mixture.
    """
    if row["draw"] != "samples":
        raise ValueError("a mixture is drawn as samples: set `draw: samples`")
    named = {"d": row["d"], "seed": row["seed"], **key}
    labels, rng = (generator(purpose, **named) for purpose in ("classes", "samples"))
    rows, _ = mixture_of(row).sample(row["n"], labels, rng)
    return draw_about(s, np.full(len(s), mean), rows, row["centre"] == "known")


def make_family(cells: pa.Table) -> Family:
    """The family of `cells`, from its first."""
    row = cells.slice(0, 1).to_pylist()[0]
    d, n = row["d"], row["n"]
    draw = _draw(row, half=0)
    key = spectrum_key(row)
    key = {**key, "d": d, "n": n, "seed": row["seed"]}
    span = node_range(draw.spectrum, n)
    return Family(row, population_of(row), draw, measure.of_draw(draw), span, key)


@lru_cache(maxsize=16)
def make_table(filters: Filters, span: Range) -> FilterTable:
    """The table of filters of one schedule and sampler."""
    return FilterTable(filters.make_bank(), filters.make_sampler(), span)


@lru_cache(maxsize=256)
def optimal_loss(population: PopulationKey, schedule: tuple[Any, ...]) -> float:
    """Test loss of the population optimum, mean over levels."""
    made = Filters(schedule, None, ()).make_schedule()
    signal = made.alpha_bar[:, None] * spectrum(*population[:-1])
    return float(np.mean(signal / (signal + made.q[:, None])))


def bayes_loss(family: Family, schedule: tuple[Any, ...]) -> float:
    """The least test loss of all denoisers, mean over levels; NaN of a data set."""
    row = family.row
    if row["data"] != GAUSSIAN:
        return np.nan
    if not is_mixture(row):
        return optimal_loss(family.population, schedule)
    return _mixture_loss((family.population, row["mixture"]), schedule)


@lru_cache(maxsize=256)
def _mixture_loss(name: MixtureKey, schedule: tuple[Any, ...]) -> float:
    (kind, params, d, *_), classes = name
    rng = generator("bayes_loss", spectrum=kind, params=params, d=d, mixture=classes)
    return mixture_loss(_mixture(name), Filters(schedule, None, ()).make_schedule(), rng)[0]


def against_all(
    family: Family, filters: Filters, test_loss: Array, wanted: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """`bayes_loss` and `excess_loss` of linear models, where they are wanted, shape (F,)."""
    if not wanted & OF_ALL:
        return {}
    best = bayes_loss(family, filters.schedule)
    return {"bayes_loss": np.full_like(test_loss, best), "excess_loss": test_loss - best}


@lru_cache(maxsize=256)
def _held_out_loss(data: str, scale: float, schedule: tuple[Any, ...]) -> float:
    """Test loss on held-out rows of the optimum for the whole pool, mean over levels."""
    made, pool = Filters(schedule, None, ()).make_schedule(), scaled_pool(data, scale)
    signal, q = made.alpha_bar[:, None] * pool.spectrum, made.q[:, None]
    square = np.diagonal(pool.moments.covariance) + pool.moments.mean**2
    gain = made.alpha_bar[:, None] * q / (signal + q) ** 2
    return float(np.mean((signal / (signal + q)) ** 2 + gain * square))


@lru_cache(maxsize=16)
def at_infinity(population: PopulationKey, filters: Filters, span: Range) -> dict[str, Array]:
    """`FLOORS`: both KL and `bures` of the same denoisers and sampler at N = ∞, shape (F,)."""
    s, root = spectrum(*population[:-1]), filters.root_alpha_bar
    mean = np.full(len(s), population[-1])
    limit = Draw(s, mean, 0, np.zeros(len(s)), s[::-1], np.eye(len(s))[:, ::-1])
    mu = measure.of_population(s)
    evaluated = make_table(filters, span).at(mu.nodes)
    found = divergences(limit, mu, evaluated, root)
    floors = {f"{name}_floor": found[name] for name in KL}
    return floors | {"bures_floor": vectors.bures_of_population(limit, evaluated, root)}


def of_data(family: Family, schedule: tuple[Any, ...]) -> tuple[float, float]:
    """`optimal_loss` on a schedule and `pool_fraction`, which no model changes."""
    data = family.row["data"]
    if data == GAUSSIAN:
        return optimal_loss(family.population, schedule), np.nan
    fraction = family.row["n"] / make_pool(data).size
    return _held_out_loss(data, family.row["scale"], schedule), fraction


def common_metrics(
    family: Family, filters: Filters, evaluated: Evaluated, wanted: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """The metrics that every exact linear model has.

    Args:
        family: The family.
        filters: F filters of one schedule and sampler.
        evaluated: Those filters at the eigenvalues that the model gives to the modes of Σ0, in the
            order of the measure's nodes.
        wanted: Names of the metric columns: the floors are computed where they are among them.

    Returns:
        Arrays of shape (F,) by name.
    """
    result: dict[str, NDArray[Any]] = metrics.losses(family.mu, evaluated)
    result |= divergences(family.draw, family.mu, evaluated, filters.root_alpha_bar)
    optimum, fraction = of_data(family, filters.schedule)
    result["optimal_loss"] = np.full_like(result["test_loss"], optimum)
    result["residual_loss"] = result["test_loss"] - optimum
    result["overlap_1"] = np.full_like(result["test_loss"], vectors.leading_overlap(family.draw))
    result["pool_fraction"] = np.full_like(result["test_loss"], fraction)
    if wanted & FLOORS:
        result |= at_infinity(family.population, filters, family.span)
    return result


def mode_rows(draw: Draw, mu: measure.Measure, generated: Array) -> list[list[dict[str, Any]]]:
    """The metric `modes`: every mode of Σ0 from the largest, the null space as one row.

    Args:
        draw: The training set.
        mu: Its measure, of m nodes.
        generated: Generated variance of each of F models at each node, shape (F, m).
    """
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
        for v in generated.tolist()
    ]


def training_key(row: dict[str, Any], key: dict[str, object]) -> str:
    """What the random numbers of a training run hang on: its training set and `train_seed`.

    So runs that differ in learning rate, weight decay or width see the same rows and noises.

    Args:
        row: Settings of the family.
        key: What names the training set.
    """
    named = {**key, "data": datasets.plain(row["data"]), "train_seed": row["train_seed"]}
    return json.dumps(named, sort_keys=True)


def as_table(
    cells: pa.Table,
    wanted: Iterable[str],
    results: Iterable[tuple[list[int], dict[str, NDArray[Any]]]],
    message: list[str | None],
) -> pa.Table:
    """What a model's `run` returns.

    Args:
        cells: The cells of a family.
        wanted: Names of the metric columns.
        results: Rows of `cells` and their metrics, in the order of the rows.
        message: For each cell why it has no metrics, or None.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        KeyError: A metric is wanted that the model does not give.
    """
    message = list(message)
    results = list(results)
    for rows, result in results:
        lost = np.isnan(result["test_loss"] + result["kl_model_data"] + result["kl_data_model"])
        # A divergence may be infinite, a loss is not: it passed what float64 can hold.
        lost |= ~np.isfinite(result["test_loss"])
        for i in np.flatnonzero(lost).tolist():
            message[rows[i]] = "a loss is not finite, or a divergence is not a number"
            for name in ("train_loss", "test_loss", "null_loss", "residual_loss"):
                if not np.isfinite(result[name][i]):
                    result[name][i] = np.nan
    status = ["ok" if reason is None else "diverged" for reason in message]
    return to_table(cells, wanted, results, status, message)


def to_table(
    cells: pa.Table,
    wanted: Iterable[str],
    results: Iterable[tuple[list[int], Mapping[str, NDArray[Any]]]],
    status: list[str],
    message: Sequence[str | None],
) -> pa.Table:
    """As `as_table`, with a status and a message for each cell; NaN becomes null.

    So do metrics of held-out rows where these are mostly outside the pool's directions.
    """
    columns = {name: undefined(name, len(cells)) for name in wanted}
    for rows, result in results:
        for name, column in columns.items():
            # A model that measures a metric may have no parts of it.
            if name in result or not METRIC[name].part_of:
                column[rows] = result[name]
    untested = _untested(cells["data"][0].as_py())
    if untested is not None and OF_HELD_OUT & columns.keys():
        columns |= {name: undefined(name, len(cells)) for name in OF_HELD_OUT & columns.keys()}
        message = [untested if why is None else f"{why}; {untested}" for why in message]
    if untested is not None and "levels" in columns:
        for levels in columns["levels"]:
            for level in levels or ():
                level["test_loss"] = None
    # A metric that is undefined is null, never NaN: `from_pandas` reads NaN as null.
    arrays = {
        name: pa.array(values, METRIC[name].arrow_type, from_pandas=True)
        for name, values in columns.items()
    }
    outcome = {"status": pa.array(status), "message": pa.array(message, pa.string())}
    return pa.table({"cell_id": cells["cell_id"]} | arrays | outcome)


def _untested(data: str | None) -> str | None:
    """Why metrics of held-out rows are null, or None; theory reads no data."""
    return None if data in (None, GAUSSIAN) else make_pool(data).untested


def as_objects(lists: Sequence[list[dict[str, Any]] | None]) -> NDArray[Any]:
    """The lists as the elements of one array; NumPy would otherwise stack those of equal length."""
    array = np.empty(len(lists), dtype=object)
    for i, values in enumerate(lists):
        array[i] = values
    return array


def undefined(name: str, length: int) -> NDArray[Any]:
    """A column of undefined values: NaN, or None for lists."""
    if METRIC[name].nested:
        return np.full(length, None, dtype=object)
    return np.full(length, np.nan)
