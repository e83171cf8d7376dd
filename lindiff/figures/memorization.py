"""Memorized fraction over N, agreement of models of disjoint training sets, and samples.

A sample is memorized where its distance to the nearest training point is below 1/3 of that to the
second-nearest, the ratio that stands below each picture; agreement is the correlation about the
population mean of the samples of two models trained on disjoint sets of N and given the same noise.
Points are means over training sets, bands their 95 % t-intervals, drawn where at least 8 sets stand
behind a point, the line the large-system theory of the linear model; pictures are the first samples
of one training set above their nearest training points, on a scale from the least to the largest
pixel of these.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.drawing import compare, labels, slices, style, tables
from lindiff.drawing.needs import Needs
from lindiff.models import MODELS, THEORY
from lindiff.science.datasets import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTITIES = ("memorized_fraction", "agreement", "uncentred_cosine")
NEEDS = Needs(axes=("n",), metrics=("memorized_fraction", "agreement", "pictures"),
              also=("uncentred_cosine",))  # fmt: skip
CATEGORY = "Networks"
_MODELS = tuple(name for name, model in MODELS.items() if model.metrics & set(QUANTITIES[:2]))
_KEYS = ("model", *compare.POPULATION, "n")
_PICTURE = ("sample", "height", "generated", "nearest")
_SIZES, _SAMPLES = 4, 4  # training sets of a strip, and samples of each


def query(metrics: pa.Table, pictures: pa.Table) -> pa.Table:
    """The three quantities over N of each model, and rows of pictures with their ratio as value.

    Rows of the quantity `picture` have its training set's `seed`, the `sample`, its `height` in
    pixels, and the pixels of `generated` and `nearest`, row by row.
    """
    known = pc.or_(*(pc.is_valid(metrics[name]) for name in QUANTITIES[:2]))
    cells = compare.side_by_side(
        metrics.filter(known), _MODELS, choices={"sampler": _without_noise}
    )
    found = compare.summary(cells, _KEYS, QUANTITIES)
    types = {name: pictures.schema.field(name).type for name in _PICTURE}
    found = tables.with_nulls(found, seed=pa.int64(), **types)
    rows = tables.join(pictures, cells)
    shown = [row for population in compare.populations(cells) for row in _strip(rows, population)]
    return tables.curve(found, shown)


def _without_noise(names: list[str]) -> str:
    """DDIM, whose samples of two models agree or do not; else the first sampler."""
    return min(names, key=lambda name: (name != "ddim", name))


def _strip(rows: pa.Table, population: dict[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a population: of the first network that has any, of its seed with most N."""
    rows = tables.where(rows, **population)
    own = [name for name in compare.names(rows) if name in compare.giving("pictures")]
    if not own:
        return []
    rows = tables.where(rows, model=own[0])
    seeds = [seed for seed, _ in set(tables.keys_of(rows, ("seed", "n")))]
    rows = tables.where(rows, seed=max(set(seeds), key=lambda seed: (seeds.count(seed), -seed)))
    rows = tables.keep(rows, "n", slices.spread(tables.distinct(rows, "n"), _SIZES))
    rows = tables.keep(rows, "sample", tables.distinct(rows, "sample")[:_SAMPLES])
    names = (*_KEYS, "seed", *_PICTURE)
    return [
        {name: row[name] for name in names} | {"quantity": "picture", "value": row["ratio"]}
        for row in rows.sort_by([("n", "ascending"), ("sample", "ascending")]).to_pylist()
    ]


def draw(data: pa.Table) -> Figure:
    """A column for each kind of data, memorized fraction above agreement; below, pictures."""
    populations = compare.populations(data)
    pictures = (tables.arrays(data, quantity="picture", **own) for own in populations)
    strips = [strip for strip in pictures if len(strip["n"])]
    figure, axes, images = _panels(len(populations), len(strips))
    for column, population in zip(axes.T, populations, strict=True):
        _memorized(column[0], data, population)
        _agreement(column[1], data, population)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[0]:
        ax.set_xlabel("")
    texts = [compare.population_words(own) for own in populations] + [""] * len(populations)
    style.titles(
        np.append(axes.ravel(), images[:, 0]), texts + [_source(strip) for strip in strips]
    )
    for row, strip in zip(images, strips, strict=True):
        _pictures(row, strip)
        style.together([ax for ax in row if ax.get_visible()])
    compare.heading(figure, data)
    style.legend(
        figure, _entries(data), columns=4 if figure.get_figwidth() > style.ONE_COLUMN else 3
    )
    return figure


def _panels(columns: int, strips: int) -> tuple[Figure, NDArray[Any], NDArray[Any]]:
    """The panels of the curves, shape (2, columns), and of the pictures, (strips, `_SIZES`)."""
    from matplotlib.figure import Figure

    wide = columns > 1 or strips
    heights = (2 * 1.85, 1.65 * strips) if strips else (2 * 2.1,)
    figure = Figure(figsize=(style.TWO_COLUMNS if wide else style.ONE_COLUMN, sum(heights)))
    parts = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes = parts[0].subgridspec(2, columns).subplots(squeeze=False, sharex="col", sharey="row")
    if not strips:
        return figure, axes, np.empty((0, _SIZES), object)
    apart = {"wspace": 0.08}
    return figure, axes, parts[1].subgridspec(strips, _SIZES, **apart).subplots(squeeze=False)


def _memorized(ax: Axes, data: pa.Table, population: dict[str, Any]) -> None:
    for model in compare.names(data):
        part = tables.arrays(data, quantity="memorized_fraction", model=model, **population)
        compare.points(ax, part["n"], part, model, filled=True)
    _share(ax, population, "memorized_fraction", 0.0)


def _agreement(ax: Axes, data: pa.Table, population: dict[str, Any]) -> None:
    """Agreement of the models, theory as a line."""
    theory = tables.arrays(data, quantity="agreement_theory", **population)
    style.line(ax, theory["n"], theory["value"], MODELS[THEORY].look.colour, linewidth=0.8)
    values = [theory["value"]]
    for model in compare.names(data):
        part = tables.arrays(data, quantity="agreement", model=model, **population)
        compare.points(ax, part["n"], part, model, filled=True)
        values.append(part["value"])
    _share(ax, population, "agreement", min(np.concatenate(values).min(initial=0.0), 0.0))


def _share(ax: Axes, population: dict[str, Any], name: str, least: float) -> None:
    """The axes of a quantity that is at most 1."""
    style.axis(ax, "n", name, log="x")
    ax.set_ylim(least - 0.05, 1.05)
    compare.mark_dimension(ax, population)


def _source(strip: dict[str, NDArray[Any]]) -> str:
    """What the title of a strip says, which stands above its first pictures."""
    name = labels.data_set(str(strip["data"][0]))
    return f"{name}, {MODELS[strip['model'][0]].look.label}, {_size(strip['n'][0])}"


def _size(n: int) -> str:
    return labels.setting("n", int(n))


def _pictures(row: NDArray[Any], strip: dict[str, NDArray[Any]]) -> None:
    """A panel for each N: samples side by side, each above its nearest training point."""
    pixels = np.concatenate(strip["nearest"])
    low, high = float(pixels.min()), float(pixels.max())
    sizes = np.unique(strip["n"])
    for ax in row[len(sizes) :]:
        ax.set_visible(False)
    for ax, n in zip(row, sizes, strict=False):
        own = {name: column[strip["n"] == n] for name, column in strip.items()}
        wall, width, height = _wall(own, *(picture(str(own["data"][0])) or ())[2:])
        if wall.ndim == 3:
            # Coloured pixels have no limits of their own.
            wall = np.nan_to_num(np.clip((wall - low) / ((high - low) or 1), 0, 1), nan=1.0)
        ax.imshow(wall, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        ax.set_xticks((np.arange(len(own["n"])) + 0.5) * (width + 1) - 1,
                      [f"{ratio:.2f}" for ratio in own["value"]])  # fmt: skip
        ax.set_yticks([])
        ax.tick_params(length=0, labelsize=6)
        ax.spines[:].set_visible(False)
        if ax is row[0]:
            ax.set_yticks([height / 2, 1.5 * height + 1], ["sample", "nearest"])
            ax.set_xlabel("distance ratio", fontsize=6, labelpad=1)
        else:
            ax.set_title(_size(n), loc="left")


def _wall(own: dict[str, NDArray[Any]], *colours: int) -> tuple[NDArray[np.float64], int, int]:
    """Samples above their nearest points, nan between them; width and height of a picture."""
    height = int(own["height"][0])
    width = len(own["generated"][0]) // math.prod((height, *colours))
    wall = np.full((2 * height + 1, len(own["n"]) * (width + 1) - 1, *colours), np.nan)
    for i, pair in enumerate(zip(own["generated"], own["nearest"], strict=True)):
        for j, pixels in enumerate(pair):
            top, left = j * (height + 1), i * (width + 1)
            wall[top : top + height, left : left + width] = pixels.reshape(height, width, *colours)
    return wall, width, height


def _entries(data: pa.Table) -> list[Any]:
    return [compare.entry(model) for model in compare.names(data)]
