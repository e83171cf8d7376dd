"""Data and settings as a notebook gives them: one cell, its family, and the way to its vectors."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lindiff.columns import EXACT_DESCENT, SETTING
from lindiff.columns.groups import AUGMENTATION, GAUSSIAN
from lindiff.config import values
from lindiff.config.datafile import picture_size
from lindiff.config.resolve import Experiment, resolve
from lindiff.config.words import suggestion
from lindiff.config.yamlfile import Document, shown
from lindiff.errors import InputError
from lindiff.models import MODELS, Model
from lindiff.models.linear_family import (
    Family,
    make_family,
    population_of,
    scaled_pool,
    spectrum_key,
)
from lindiff.planning.augmentation import CHECKS
from lindiff.planning.cells import find
from lindiff.science import datasets, measure
from lindiff.science.draws import Draw
from lindiff.science.pictures import Picture, picture_of
from lindiff.science.pools import Pool, make_pool
from lindiff.science.tables import node_range
from lindiff.surface.vectors import Vectors, as_numbers
from lindiff.sweep.grid import expand
from lindiff.sweep.validate import validate

WHO = "lindiff.train"
_NAME = "model"
_OF_DRAW = (
    "data", "spectrum", "scale", "population_mean", "mixture", "centre", "n_over_d", "draw",
    *AUGMENTATION,
)  # fmt: skip
_ELSEWHERE = {
    "metrics": "ask for them by .metrics(NAME, …) of what this returns",
    "figures": "a figure is of a sweep",
    "theory": "lindiff.linear_theory has the numbers",
}


@dataclass(frozen=True, eq=False)
class Given:
    """One cell.

    Attributes:
        cells: The cell, a table of one row.
        family: Its family.
        vectors: How the data become its vectors.
        picture: How the vectors are pictures, where they are.
    """

    cells: pa.Table
    family: Family
    vectors: Vectors
    picture: Picture | None


def known_model(name: str) -> Model:
    """A model that is trained, and can be here.

    Raises:
        InputError: There is no such model, it is not trained, or torch is missing.
    """
    trained = [model.name for model in MODELS.values() if model.trained]
    if name not in trained:
        near = suggestion(str(name), trained)
        raise InputError(f"{WHO}: model = {name!r}: trained are {', '.join(trained)}{near}")
    if importlib.util.find_spec("torch") is None:
        raise InputError(
            f"{WHO}: {name} is trained and needs the package torch: pip install 'lindiff[train]'"
        )
    return MODELS[name]


def given(
    data: Any,
    model: Model,
    settings: Mapping[str, Any],
    name: str,
    picture: tuple[int, int] | None,
) -> Given:
    """The cell of data and settings, after every check of a config.

    Args:
        data: As of `lindiff.train`.
        model: What is trained.
        settings: By name, as in a config; `n` None is all there is.
        name: What a matrix is called.
        picture: Height and width of the pictures that the rows of a matrix are.

    Raises:
        InputError: One line for each thing that is wrong.
    """
    own = {key: _plain(key, value) for key, value in settings.items() if value is not None}
    if not isinstance(name, str) or not name:
        raise InputError(f"{WHO}: name = {name!r}: a text is needed")
    if picture is not None and not _is_pair(picture):
        raise InputError(f"{WHO}: picture = {picture!r}: (height, width) are needed")
    if isinstance(data, Draw):
        return _of_draw(data, model, own, picture)
    if isinstance(data, str | Mapping):
        if picture is not None:
            raise InputError(f"{WHO}: picture is for an array; a data set knows its own")
        return _of_data_set(data, model, own)
    return _of_array(data, model, own, name, picture)


def _plain(key: str, value: Any) -> Any:
    """A value as YAML gives it."""
    if key in _ELSEWHERE:
        raise InputError(f"{WHO}: {key}: {_ELSEWHERE[key]}")
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, list | tuple) or (
        isinstance(value, dict) and key not in ("spectrum", "mixture")
    ):
        raise InputError(f"{WHO}: {key} = {value!r}: one value is needed; a sweep takes several")
    return value


def _is_pair(value: Any) -> bool:
    """Whether a value is two whole numbers."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(side, int | np.integer) for side in value)
    )


def _experiment(model: Model, own: Mapping[str, Any]) -> Experiment:
    """The experiment of one cell, checked.

    Raises:
        InputError: One line for each thing that is wrong.
    """
    document = Document(WHO, {"experiments": {_NAME: {"model": model.name} | dict(own)}})
    try:
        config = resolve(document, Path(), _NAME)
        validate(config)
    except InputError as error:
        text = str(error).replace(f"experiments.{_NAME}.", "")
        raise InputError(text.replace(f"experiments.{_NAME}: ", "")) from None
    return config.experiments[_NAME]


def _of_data_set(data: str | Mapping[str, Any], model: Model, own: dict[str, Any]) -> Given:
    written = dict(data) if isinstance(data, Mapping) else data
    try:
        name = values.data(written, Path())
    except ValueError as error:
        raise InputError(f"{WHO}: data = {shown(written)}: {error}") from None
    if name != GAUSSIAN and not {"n", "n_over_d"} & set(own):
        own = own | {"n": make_pool(name).size}
    cells = expand(_experiment(model, own | {"data": written}))
    if name == GAUSSIAN:
        return Given(cells, make_family(cells), Vectors((cells["d"][0].as_py(),)), None)
    return _of_pool(cells, scaled_pool(name, cells["scale"][0].as_py()), None)


def _of_array(
    data: Any, model: Model, own: dict[str, Any], name: str, picture: tuple[int, int] | None
) -> Given:
    rows = as_numbers(data, f"{WHO}: data")
    shape = rows.shape[1:]
    _said(own, "the data say it", "data", "spectrum", "d", "population_mean", "mixture", "draw")
    if model.pictures or picture:
        size: tuple[int, ...] | None = _picture_of(shape, picture)
    else:
        size = picture_size(shape)
    name = datasets.remember(rows.reshape(len(rows), -1), name, picture=size)
    try:
        pool = make_pool(name)
    except ValueError as error:
        raise InputError(f"{WHO}: data: {error}") from None
    if "n" not in own and "n_over_d" not in own:
        own = own | {"n": pool.size}
    # What a config has no form for: a matrix in memory. So the checks are of Gaussian data of as
    # many dimensions and of a model that takes them.
    like = next(m for m in MODELS.values() if m.module == model.module and not m.pictures)
    plain = {key: value for key, value in own.items() if key not in AUGMENTATION}
    experiment = _experiment(like, plain | {"d": pool.d, "draw": "samples"})
    axes = (
        experiment.axes
        | _group(own)
        | {
            "model": [model.name],
            "data": [name],
            "spectrum": [{"kind": "dataset", "name": name}],
        }
    )
    cells = expand(experiment.model_copy(update={"axes": axes, "sizes": {name: pool.d}}))
    if (n := cells["n"][0].as_py()) > pool.size:
        raise InputError(f"{WHO}: n = {n}: of {len(rows):,} rows {pool.size:,} are to train on")
    for _, key, why in find(cells, CHECKS):
        raise InputError(f"{WHO}: {key} = {shown(cells[key][0].as_py())}: {why}")
    return _of_pool(cells, scaled_pool(name, cells["scale"][0].as_py()), shape)


def _group(own: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The axes of the settings `AUGMENTATION` that are given.

    Raises:
        InputError: A value is none of its setting.
    """
    found = {}
    for key in AUGMENTATION:
        if key in own:
            try:
                found[key] = [values.checked(SETTING[key], own[key])]
            except ValueError as error:
                raise InputError(f"{WHO}: {key} = {shown(own[key])}: {error}") from None
    return found


def _said(own: Mapping[str, Any], why: str, *names: str) -> None:
    """Refuse settings that the data decide.

    Raises:
        InputError: One of them is given.
    """
    if given := [name for name in names if name in own]:
        raise InputError(f"{WHO}: {given[0]}: {why}")


def _picture_of(shape: tuple[int, ...], picture: tuple[int, int] | None) -> tuple[int, ...]:
    """The size of samples of a shape, as of `lindiff.science.datasets.Rows`.

    Raises:
        InputError: They are no pictures, or `picture` says otherwise.
    """
    found = picture if picture is not None and len(shape) == 1 else picture_size(shape)
    if found is None or int(np.prod(found)) != int(np.prod(shape)):
        raise InputError(
            f"{WHO}: data of samples of shape {shape}"
            + (f" with picture = {picture}" if picture is not None else "")
            + ": pictures are needed, (rows, height, width), coloured (rows, height, width, 3), or "
            "picture=(height, width) beside (rows, height · width)"
        )
    if picture is not None and tuple(picture) != found[:2]:
        raise InputError(f"{WHO}: picture = {picture}: the samples are {found[0]} × {found[1]}")
    return tuple(found)


def _of_pool(cells: pa.Table, pool: Pool, shape: tuple[int, ...] | None) -> Given:
    vectors = Vectors(shape or pool.picture or (pool.columns,), pool.unit, pool.origin, pool.axes)
    return Given(cells, make_family(cells), vectors, picture_of(pool))


def _of_draw(
    draw: Draw, model: Model, own: dict[str, Any], picture: tuple[int, int] | None
) -> Given:
    if picture is not None or model.pictures:
        raise InputError(f"{WHO}: a draw of Gaussian samples has no pictures; give an array")
    if draw.held_out is not None:
        raise InputError(f"{WHO}: a draw of rows: give the rows themselves")
    exact = own.get("optimizer") == EXACT_DESCENT and not model.samples
    if draw.centred is None and not exact:
        raise InputError(f"{WHO}: the draw has no samples: make_draw('samples', …) has them")
    for name, of_draw in (("n", draw.n), ("d", draw.d)):
        if own.setdefault(name, of_draw) != of_draw:
            raise InputError(f"{WHO}: {name} = {own[name]}: the draw has {of_draw}")
    _said(own, "the draw says it", *_OF_DRAW)
    scale = float(np.sqrt(draw.spectrum.mean()))
    own |= {
        "spectrum": {"eigenvalues": draw.spectrum.tolist()},
        "scale": scale,
        # A setting has one for all axes; the numbers hang on the mean of the draw itself.
        "population_mean": float(draw.mean.mean()) / scale,
        "centre": "estimated" if draw.offset.any() else "known",
        "draw": "wishart" if draw.centred is None else "samples",
    }
    cells = expand(_experiment(model, own))
    row = cells.to_pylist()[0]
    key = spectrum_key(row)
    key = {**key, "d": draw.d, "n": draw.n, "seed": row["seed"]}
    span = node_range(draw.spectrum, draw.n)
    family = Family(row, population_of(row), draw, measure.of_draw(draw), span, key)
    return Given(cells, family, Vectors((draw.d,)), None)
