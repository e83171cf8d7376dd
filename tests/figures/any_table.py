"""Tables of results drawn at random from the registries, for any figure there is.

What is drawn are populations, settings within the columns' own bounds and choices, models with the
metrics that they give, and for each metric what its values are like: some, all 0, infinite, null,
equal, tiny, huge or a mixture. Settings satisfy what the figure needs, or not quite.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from lindiff import columns, figures
from lindiff.columns.groups import GAUSSIAN
from lindiff.models import EXACT, MODELS, THEORY
from tests.figures import synthetic

POPULATIONS = [
    (GAUSSIAN, "isotropic", "{}", 1),
    (GAUSSIAN, "isotropic", "{}", 8),
    (GAUSSIAN, "power_law", '{"exponent":1.0}', 8),
    (GAUSSIAN, "power_law", '{"exponent":1.0}', 16),
    (GAUSSIAN, "power_law", '{"exponent":2.0}', 3),
    ("digits", "dataset", '{"name":"digits"}', 61),
    (GAUSSIAN, "dataset", '{"name":"digits"}', 61),
]
_POPULATION = ("data", "spectrum", "spectrum_params", "d")
SIZES = [2, 3, 4, 9, 16, 17, 61, 64, 1000]
# Held at one value: a schedule of many steps is slow, and these four must fit each other.
HELD = {"schedule": "linear", "timesteps": 20, "beta_min": 1e-4, "beta_max": 1e-2}
HELD |= {"sampling_steps": None, "precision": "float32"}
LIKE = ("some", "some", "some", "zero", "infinite", "null", "equal", "tiny", "huge", "mixed")
SHARES = (
    "memorized_fraction",
    "overlap_1",
    "copied_auc",
    "copied_auc_se",
    "agreement",
    "uncentred_cosine",
    "pool_fraction",
    "shrinkage",
)
SIGNED = (
    "residual_loss", "monte_carlo_gap", "agreement", "uncentred_cosine", "c_mean",
    "proximity_bias",
)  # fmt: skip
_ROWS = 90  # of a model


def _values(column: columns.Column) -> list[Any]:
    """Some of the values that a setting may have."""
    if column.type == "bool":
        return [False, True]
    if column.choices:
        return list(column.choices)
    whole = column.type == "int"
    some = [0, 1, 5, 20, 64] if whole else [0.0, 1e-3, 0.1, 0.5, 10.0, 1e6]
    inside = [
        v for v in some
        if (column.low < v if column.low_open else column.low <= v)
        and (v < column.high if column.high_open else v <= column.high)
    ]  # fmt: skip
    return [*inside, *([np.inf] if column.infinite else [])]


@st.composite
def settings_of(draw: st.DrawFn, name: str) -> dict[str, dict[str, list[Any]]]:
    """The values of every setting of each model of a sweep that might feed a figure."""
    need = figures.needs(name)
    wanted = {value for setting, value in need.settings if setting == "model"}
    able = [m for m in MODELS if MODELS[m].metrics & set(need.metrics)]
    few = draw(st.lists(st.sampled_from(able), min_size=1, max_size=3, unique=True))
    usual = {EXACT} & set(able) if draw(st.integers(0, 4)) else set()
    models = {
        *few,
        *usual,
        *(wanted if draw(st.integers(0, 4)) else ()),
        *([EXACT] if THEORY in few else ()),
    }
    free = {*need.axes, *draw(st.lists(st.sampled_from(sorted(columns.SETTING)), max_size=3))}
    chosen: dict[str, list[Any]] = {}
    for column in columns.SETTINGS:
        if column.name in (*_POPULATION, "n", "seed", "model") or column.name in HELD:
            continue
        neutral = None if column.neutral is columns.REQUIRED else column.neutral
        if column.name in free and (values := _values(column)):
            least = 2 if column.name in need.axes and draw(st.integers(0, 4)) else 1
            picked = draw(
                st.lists(st.sampled_from(values), min_size=least, max_size=4, unique=True)
            )
            also = [v for s, v in need.settings if s == column.name]
            chosen[column.name] = [*dict.fromkeys([*picked, *also])]
        else:
            chosen[column.name] = [_values(column)[-1] if neutral is None else neutral]
    least = 2 if draw(st.integers(0, 4)) else 1
    chosen["n"] = draw(st.lists(st.sampled_from(SIZES), min_size=least, max_size=4, unique=True))
    chosen["seed"] = list(range(draw(st.integers(1, 3))))
    chosen["population"] = draw(
        st.lists(st.sampled_from(POPULATIONS), min_size=1, max_size=3, unique=True)
    )
    read = {model: {*MODELS[model].settings, "population"} for model in sorted(models)}
    return {model: {k: v for k, v in chosen.items() if k in read[model]} for model in read}


def _column(rng: np.random.Generator, name: str, like: str, count: int) -> list[Any]:
    """The values of a metric."""
    some = rng.lognormal(sigma=1.0, size=count)
    if name in SIGNED:
        some *= rng.choice([-1, 1], count)
    if name in SHARES:
        some = np.clip(some, -1 if name in SIGNED else 0, 1)
    worst = 1.0 if name in SHARES else np.inf
    values: dict[str, Any] = {
        "some": some, "zero": np.zeros(count), "infinite": np.full(count, worst),
        "equal": np.full(count, 0.5), "tiny": 1e-17 * some,
        "huge": some if name in SHARES else 1e12 * some,
    }  # fmt: skip
    if like == "null":
        return [None] * count
    if like != "mixed":
        return list(map(float, values[like]))
    which = rng.integers(0, 4, count)
    return [(float(some[i]), 0.0, worst, None)[which[i]] for i in range(count)]


@st.composite
def sweeps(draw: st.DrawFn, name: str) -> tuple[pa.Table, dict[str, pa.Table]]:
    """``metrics.parquet`` and the nested tables of a sweep that might feed a figure."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows: list[dict[str, Any]] = []
    for model, axes in draw(settings_of(name)).items():
        held = {key: value for key, value in HELD.items() if key in MODELS[model].settings}
        product = list(itertools.product(*axes.values()))
        kept = sorted(rng.permutation(len(product))[:_ROWS])
        for values in (product[i] for i in kept):
            row = dict(zip(axes, values, strict=True)) | held
            row |= dict(zip(_POPULATION, row.pop("population"), strict=True))
            if "data" not in MODELS[model].settings:
                row["data"] = None
            none = {key: None for key in columns.SETTING if key not in MODELS[model].settings}
            rows += synthetic.rows(**none | row | {"model": model})
    known = {row["cell_id"]: row for row in rows}
    rows = list(known.values())
    failing = draw(st.sampled_from([0.0, 0.0, 0.0, 0.2, 1.0]))
    for row in rows:
        if rng.random() < failing:
            row["status"] = str(rng.choice(["failed", "diverged"]))
    ok = [row for row in rows if row["status"] == "ok"]
    for column in columns.METRICS:
        if column.nested:
            continue
        values = _column(rng, column.name, draw(st.sampled_from(LIKE)), len(ok))
        for row, value in zip(ok, values, strict=True):
            given = (column.part_of or column.name) in MODELS[row["model"]].metrics
            row[column.name] = value if given else None
    nested = {key: draw(_nested(key, ok, rng)) for key in columns.NESTED}
    return synthetic.table(rows), {key: synthetic.nested(key, of) for key, of in nested.items()}


@st.composite
def _nested(
    draw: st.DrawFn, name: str, rows: list[dict[str, Any]], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """The rows of a nested metric of the cells that give it."""
    fields = synthetic.item_schema(name).names[1:]
    times = sorted(draw(st.sets(st.sampled_from([1, 2, 5, 10, 15, 20]), min_size=1)))
    found: list[dict[str, Any]] = []
    for row in rows:
        if name in MODELS[row["model"]].metrics:
            found += [{"cell_id": row["cell_id"], **own} for own in _items(name, row, times, rng)]
    for field in fields:
        if found and field not in found[0]:
            values = _column(rng, field, draw(st.sampled_from(LIKE)), len(found))
            for own, value in zip(found, values, strict=True):
                own[field] = value
    return found


def _items(
    name: str, row: dict[str, Any], times: list[int], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """What is counted, not measured, of the rows of a nested metric of one cell."""
    at = [{"t": t, "alpha_bar": float(np.exp(-0.008 * t**2))} for t in times]
    rank = min(row["n"] - 1, row["d"], 9)
    eigenvalues = [*np.sort(rng.lognormal(size=rank))[::-1].tolist(), *([0.0] * (rank < row["d"]))]
    modes = [{"mode": i + 1, "eigenvalue": v} for i, v in enumerate(eigenvalues)]
    if name == "modes":
        return [
            own | {"multiplicity": 1 if own["eigenvalue"] else row["d"] - rank} for own in modes
        ]
    if name == "directions":
        return [a | b for a in at for b in modes]
    if name == "differences":
        spectrum = [{"mode": i + 1, "population_variance": 1 / (i + 1)} for i in range(rank)]
        return [a | b for a in at for b in spectrum]
    if name == "feature_spectrum":
        bins = [{"eigenvalue": 10 ** (k / 20 - 3), "count": 1 + k % 3} for k in range(9)]
        return [a | b for a in at for b in bins]
    if name == "classes":
        return [{"class": k + 1, "weight": w} for k, w in enumerate((0.75, 0.25))]
    if name == "coverage":
        return [{"point": i, "copied": i % 3} for i in range(min(row["n"], 9))]
    if name == "pictures":
        grey = {"height": 2, "generated": [0.0, 0.5, 1.0, 0.2], "nearest": [0.0, 1.0, 1.0, 0.0]}
        return [{"sample": i, **grey} for i in range(2)] if row["data"] == "digits" else []
    return at
