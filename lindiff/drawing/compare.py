"""What figures of several models share: how a model looks, and the slice of a sweep that they show.

A model has its colour and marker by its name, in every figure. All models of a figure are held at
one value of what sets the task (schedule, sampler, centre, …), each at one of its own of what sets
its training (width, steps, learning rate, …), which is null where a model is not trained. A
population is what training sets are drawn from: the pool of a data set, or Gaussian data, of one
class or of several, of one spectrum and dimension.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from lindiff.columns import EXACT_DESCENT, REQUIRED, SETTING, SETTINGS
from lindiff.columns.groups import (
    GAUSSIAN,
    NETWORK,
    ONE_CLASS,
    RANDOM_FEATURES,
    REGULARIZATION,
    RUN,
    SPECTRUM,
)
from lindiff.drawing import labels, record, slices, style, tables
from lindiff.drawing.intervals import Estimator, Interval, geometric_mean_interval, mean_interval
from lindiff.models import LIMITS, MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POPULATION = ("data", *SPECTRUM, "d", "mixture")
# In the order of the table, in which `_own` holds them one after the other.
TRAINING = tuple(
    column.name
    for column in SETTINGS
    if column.name in {*REGULARIZATION, *RUN, "stop_step", *NETWORK, *RANDOM_FEATURES, "train_seed"}
)
# Networks before the linear models.
TRAINED = tuple(
    sorted(
        (name for name, model in MODELS.items() if model.trained),
        key=lambda name: "width" not in MODELS[name].settings,
    )
)
FEWEST = 8  # training sets behind a point that has a band


def giving(*metrics: str) -> tuple[str, ...]:
    """The models that give all of these metrics, in the order of the registry."""
    return tuple(name for name, model in MODELS.items() if set(metrics) <= model.metrics)


def side_by_side(
    metrics: pa.Table,
    models: Collection[str],
    shown: Collection[str] = ("n",),
    choices: Mapping[str, slices.Choice] = MappingProxyType({}),
    count: int = 3,
) -> pa.Table:
    """The rows of `models` at up to `count` populations, all other settings held; seeds are kept.

    What sets the task is held at its choice of `choices`, else at the value that most models and
    populations have (the neutral one of several); what sets the training by `_own`, for each model
    and population. Rows of the theory, which have no data, go to every population of their spectrum
    and d.

    Args:
        metrics: Rows of ``metrics.parquet``.
        models: Names of models.
        shown: Settings that stay free, beside model, population and seed.
        choices: Functions of the sorted values of a setting, as in `slices.pick`.
        count: Most populations: those with the most models, Gaussian data first.

    Returns:
        The rows; their facts have ``fixed`` and ``choice``, as `slices.pick`, of the task, and
        ``training``: the settings of each model and population, as a list of mappings; of
        `slices.with_few`, how many populations are left out.
    """
    every = _with_classes(tables.keep(metrics, "model", list(models)))
    table = _of_populations(every, count)
    fixed: dict[str, Any] = {}
    choice: dict[str, list[Any]] = {}
    for column in SETTINGS:
        name = column.name
        values = tables.distinct(table, name)
        if name in (*POPULATION, *TRAINING, *shown, "model", "seed") or not values:
            continue
        fixed[name] = choices[name](values) if name in choices else _commonest(table, name)
        if len(values) > 1:
            choice[name] = values
            table = table.filter(pc.fill_null(pc.equal(table[name], fixed[name]), True))
    parts, training = [table.slice(0, 0)], []
    for key in tables.distinct_keys(table, ("model", *POPULATION)):
        own = dict(zip(("model", *POPULATION), key, strict=True))
        part, held = _own(tables.where(table, **own), shown, choices)
        parts.append(part)
        training.append(own | held)
    made = tables.with_facts(pa.concat_tables(parts), fixed=fixed, choice=choice, training=training)
    kinds = {tuple(own[name] for name in POPULATION) for own in training if own["data"] is not None}
    return slices.with_few(made, "data", len(kinds), len(populations(every)))


def _with_classes(table: pa.Table) -> pa.Table:
    """The rows with one class as the mixture of Gaussian data of models that know of no other."""
    at = table.column_names.index("mixture")
    # A limit has no data, and is that of Gaussian data.
    gaussian = pc.fill_null(pc.equal(table["data"], GAUSSIAN), True)
    one = pc.and_(gaussian, pc.is_null(table["mixture"]))
    field = table.schema.field(at)
    named = pc.if_else(one, pa.scalar(ONE_CLASS, field.type), table["mixture"])
    return table.set_column(at, field, named)


def _of_populations(table: pa.Table, count: int) -> pa.Table:
    """The rows of the populations with the most models, those of the theory with their data."""
    own = table.filter(pc.is_valid(table["data"]))
    found: dict[tuple[Any, ...], set[str]] = {}
    for model, *population in tables.keys_of(own, ("model", *POPULATION)):
        found.setdefault(tuple(population), set()).add(model)
    best = sorted(found, key=lambda key: (-len(found[key]), *_order(key)))[:count]
    keys = tables.keys_of(own, POPULATION)
    parts = [own.filter(pa.array([key in best for key in keys], pa.bool_()))]
    for key in best:
        own = dict(zip(POPULATION, key, strict=True))
        # The theory of a data set is that of one Gaussian; its cells know of no data.
        part = tables.where(table, **own | {"data": None, "mixture": own["mixture"] or ONE_CLASS})
        for name in ("data", "mixture"):
            field = table.schema.field(name)
            named = pa.array([own[name]] * part.num_rows, field.type)
            part = part.set_column(table.column_names.index(name), field, named)
        parts.append(part)
    return pa.concat_tables(parts)


def _order(population: Sequence[Any]) -> tuple[Any, ...]:
    return population[0] != GAUSSIAN, *population


def _commonest(table: pa.Table, name: str) -> Any:
    """The value of a setting that the most models and populations have."""
    pairs = set(tables.keys_of(table, (name, "model", *POPULATION)))
    return _leading(Counter(value for value, *_ in pairs if value is not None), name)


def _leading(counts: Mapping[Any, int], name: str) -> Any:
    """The value with the largest count; of several the neutral one, else the largest."""
    neutral = SETTING[name].neutral
    return max(counts, key=lambda value: (counts[value], value == neutral, value))


def _own(
    part: pa.Table, shown: Collection[str], choices: Mapping[str, slices.Choice]
) -> tuple[pa.Table, dict[str, Any]]:
    """The rows of one model and population with its training held, and what it is held at.

    That is its choice, else the neutral value where it occurs, else the most frequent one.
    """
    held: dict[str, Any] = {}
    for name in TRAINING:
        values = tables.distinct(part, name)
        if name in shown or not values:
            continue
        neutral = SETTING[name].neutral
        if name in choices:
            value = choices[name](values)
        elif neutral is not REQUIRED and neutral in values:
            value = neutral
        else:
            value = _leading(Counter(part[name].drop_null().to_pylist()), name)
        held[name] = value
        part = tables.where(part, **{name: value})
    return part, held


def means(values: ArrayLike) -> Interval:
    """`mean_interval`, without an interval for fewer than `FEWEST` values."""
    return mean_interval(values).of_enough(FEWEST)


def geometric_means(values: ArrayLike) -> Interval:
    """`geometric_mean_interval`, without an interval for fewer than `FEWEST` values."""
    return geometric_mean_interval(values).of_enough(FEWEST)


def summary(
    cells: pa.Table,
    keys: Sequence[str],
    quantities: Sequence[str],
    estimator: Estimator = mean_interval,
    fewest: int = FEWEST,
) -> pa.Table:
    """`tables.summarise` of all models but the limits, then these as ``NAME_theory``.

    Without an interval for fewer than `fewest` values.
    """
    theory = limits(cells)

    def of_enough(values: ArrayLike) -> Interval:
        return estimator(values).of_enough(fewest)

    found = tables.summarise(cells.filter(pc.invert(theory)), keys, quantities, of_enough)
    return tables.with_theory(found, cells.filter(theory), keys, quantities)


def limits(table: pa.Table) -> pa.ChunkedArray:
    """Whether the model of each row is a limit."""
    return pc.is_in(table["model"].cast("string"), value_set=pa.array(LIMITS.values()))


def names(data: pa.Table) -> list[str]:
    """The models of a figure's data, in the order of the registry."""
    found = set(data["model"].to_pylist())
    return [name for name in MODELS if name in found]


def populations(data: pa.Table) -> list[dict[str, Any]]:
    """The populations in a figure's data, Gaussian ones first: conditions for `tables.arrays`."""
    keys = [key for key in tables.distinct_keys(data, POPULATION) if key[0] is not None]
    return [dict(zip(POPULATION, key, strict=True)) for key in sorted(keys, key=_order)]


def optimum(cells: pa.Table, population: dict[str, Any]) -> list[dict[str, Any]]:
    """The optimal loss of a population, over the range of N there; nothing where no cell has it."""
    own = tables.where(cells, **population)
    # The theory's optimum is of Gaussian data, also at the population of a data set.
    own = own.filter(pc.invert(limits(own)))
    known = own["optimal_loss"].drop_null()
    if not len(known):
        return []
    value = pc.mean(known).as_py()
    sizes = tables.distinct(own, "n")
    return [
        population | {"n": n, "quantity": "optimal_loss", "value": value}
        for n in (sizes[0], sizes[-1])
    ]


def population_words(population: Mapping[str, Any]) -> str:
    """A population in words: ``digits, d = 61``; of a Gaussian the spectrum instead of the name."""
    name = _named(str(population["data"]))
    if population["data"] == GAUSSIAN:
        one = population["mixture"] == ONE_CLASS
        name = name if one else labels.mixture(population["mixture"])
        name += f", {labels.spectrum(population['spectrum'], population['spectrum_params'])}"
    return f"{name}, {labels.setting('d', population['d'])}"


def _named(data: str) -> str:
    return "Gaussian" if data == GAUSSIAN else labels.data_set(data)


def points(
    ax: Axes, x: NDArray[Any], data: Mapping[str, NDArray[Any]], model: str, *, filled: bool = False
) -> None:
    """`style.points` in the colour and marker of a model."""
    look = MODELS[model].look
    style.points(ax, x, data, look.colour, look.marker, filled=filled)


def mark_dimension(ax: Axes, population: Mapping[str, Any]) -> None:
    """A thin dotted line at N = d, on an axis of N."""
    style.n_is_d(ax, population["d"])


def entry(model: str, *, filled: bool = True) -> Any:
    """The entry of a model in a legend; a line for the theory."""
    look = MODELS[model].look
    if model in LIMITS.values():
        return style.handle(look.colour, look.label, dash="-")
    return style.handle(look.colour, look.label, marker=look.marker, filled=filled)


def heading(figure: Figure, data: pa.Table, *, without: Iterable[str] = (), note: str = "") -> None:
    """`style.heading`, with the training of each trained model in the caption."""
    style.heading(figure, data, without=tuple(without), note=note)
    if found := budgets(data):
        record.of(figure).words.append(f"Training: {'; '.join(found)}.")


def title(figure: Figure, data: pa.Table) -> None:
    """The population above a drawing of one."""
    for population in populations(data):
        figure.suptitle(population_words(population))


def budgets(data: pa.Table) -> list[str]:
    """The training of each model of a figure's data in words, populations named if they differ.

    ``MLP: width 256, 4000 steps, batch 64, learning rate 0.006 (cosine)``; nothing of a linear
    model without regularization.
    """
    lines = []
    for model in names(data):
        own = [held for held in tables.facts(data)["training"] if held["model"] == model]
        said = {_budget(held): held for population in populations(data) for held in own
                if {k: held[k] for k in POPULATION} == population}  # fmt: skip
        several = len({held["data"] for held in said.values()}) > 1
        for text, held in said.items():
            at = f", {_named(str(held['data']))}" if several else ""
            if text:
                lines.append(f"{MODELS[model].look.label}{at}: {text}")
    return lines


def _budget(held: Mapping[str, Any]) -> str:
    words = []
    for name, text in (
        ("width", "width {}"),
        ("features", "{} features"),
        ("steps", "{} steps"),
        ("batch_size", "batch {}"),
        ("learning_rate", "learning rate {}"),
    ):
        drawn = name != "batch_size" or held.get("optimizer") != EXACT_DESCENT
        if drawn and held.get(name):
            words.append(text.format(labels.number(held[name])))
    if held.get("learning_rate_decay", "constant") != "constant":
        words[-1] += f" ({held['learning_rate_decay']})"
    if held.get("stop_step"):
        words.append(f"taken after {labels.number(held['stop_step'])}")
    for name in ("ridge", "weight_decay", "weighting", "stop", "ema", "dropout"):
        if held.get(name, SETTING[name].neutral) not in (None, SETTING[name].neutral):
            words.append(labels.setting(name, held[name]))
    output = held.get("preconditioning")
    if output not in (None, "edm"):
        words.append("not preconditioned" if output == "none" else f"output {output}")
    if held.get("optimizer", "adam") != "adam":
        words.append(labels.number(held["optimizer"]))
    return ", ".join(words)
