"""Variance that trained denoisers generate along the modes of Σ0 over training, and its emergence.

Points are geometric means over runs (with their 95 % interval as band from 8 on), over the steps
joined by lines, dotted lines the targets λ. A mode emerges at the step from which its variance v
stays within a factor of 2 of that at the end of the run; carets are modes that do so after its
first quarter, when their end is not known: they count as later than that. Exponents are means over
runs of a fit (the coloured line) to the steps and bounds of all modes of each (95 % t-interval from
3 on), WP those of the first step at the harmonic mean of the first v and λ, of the modes that get
there (Wang and Pehlevan, arXiv 2503.03206); both take 4 modes with a step in every run. Black lines
are fitted to nothing but moved to the mean of the first series: what gradient flow of the linear
denoiser does, mode by mode whatever d, with its exponent over the modes of that series (of 4 or
more), and 1/λ, its limit for β₁ ≪ λ ≪ 1. Of more modes than 40 those are marked that are evenly
spaced in ln λ.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import EXACT_DESCENT
from lindiff.columns.arrays import steps_made
from lindiff.drawing import compare, crossings, drawn, labels, slices, style, tables
from lindiff.drawing.needs import Needs
from lindiff.models import EXACT, MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Rows = list[dict[str, Any]]

NEEDS = Needs(axes=("stop_step",), metrics=("modes",))
CATEGORY = "Networks"
OPTIMIZERS = {
    "adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "gradient_descent": "gradient descent",
}  # fmt: skip
_SERIES = ("model", "optimizer")
_KEYS = (*compare.POPULATION, *_SERIES, "mode", "mode_eigenvalue", "step")
_CHOICES: dict[str, slices.Choice] = {
    # ε̂ itself first.
    "preconditioning": lambda names: min(names, key=lambda name: (name != "none", name)),
    "sampler": lambda names: min(names, key=lambda name: (name != "ddim", name)),
}
_FOLLOWED, _PANELS, _MARKED = 5, 3, 40
_LATER = "$\\wedge$"  # an open end above


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """Variance over the step for a few modes, the emergence of all, and laws; by series."""
    cells, facts = _cells(metrics)
    found = {key: crossings.runs(tables.join(modes, own)) for key, own in cells.items()}
    found = {key: runs for key, runs in found.items() if runs.variance.size}
    trained = [key for key in found if key[0] != EXACT]
    typed = tables.with_nulls(
        metrics.slice(0, 0), mode=pa.int64(), mode_eigenvalue=pa.float64(), step=pa.float64()
    )
    trainings = max((len(runs.sets) for runs in found.values()), default=0)
    typed = tables.with_facts(typed, **facts, trainings=trainings)
    like = tables.summary_schema(typed, _KEYS).empty_table()
    if not trained:
        return like
    few = _spread(found[trained[0]])
    rows: Rows = []
    for key, runs in found.items():
        own = {name: cells[key][name][0].as_py() for name in (*compare.POPULATION, *_SERIES)}
        own["seeds"] = len(np.unique(runs.sets))
        if key in trained[:_PANELS]:
            rows += [own | row for row in _variances(runs, few)]
        rows += [own | row for row in _emergence(runs)]
    cell = cells[trained[0]].slice(0, 1).to_pylist()[0]
    return tables.curve(like, rows + _shapes(rows, cell))


def _cells(metrics: pa.Table) -> tuple[dict[tuple[str, Any], pa.Table], dict[str, Any]]:
    """The cells of each model and optimizer with their ``step``, and the facts of all."""
    shown = (*compare.TRAINING, "n")
    table = compare.side_by_side(metrics, (*compare.TRAINED, EXACT), shown, _CHOICES, count=1)
    facts = tables.facts(table) | {"training": []}
    found: dict[tuple[str, Any], pa.Table] = {}
    sizes = tables.distinct(tables.keep(table, "model", compare.TRAINED), "n")
    if not sizes:
        return found, facts
    table = tables.where(table, n=max(sizes))
    facts["fixed"] = facts["fixed"] | {"n": max(sizes)}
    facts["choice"] = facts["choice"] | ({"n": sizes} if len(sizes) > 1 else {})
    for model in (name for name in compare.names(table) if name != EXACT):
        of_model = tables.where(table, model=model)
        for optimizer in tables.distinct(of_model, "optimizer"):
            own = tables.where(of_model, optimizer=optimizer)
            own = compare.side_by_side(own, [model], ("n", "stop_step", "train_seed"), _CHOICES)
            facts["training"] += tables.facts(own)["training"]
            step = steps_made(own).cast(pa.float64())
            found[model, optimizer] = tables.with_columns(own, step=step)
    exact = compare.side_by_side(table, [EXACT], ("n", "stop", "learning_rate"), _CHOICES)
    rate = _rate(found)
    if rate is not None and any(0 < stop < math.inf for stop in tables.distinct(exact, "stop")):
        found[EXACT, None] = tables.with_columns(exact, step=pc.divide(exact["stop"], rate))
    return dict(sorted(found.items(), key=lambda item: _order(item[0]))), facts


def _order(key: tuple[str, Any]) -> tuple[bool, int, str]:
    """Networks first, then the linear models."""
    model, optimizer = key
    return model == EXACT, compare.TRAINED.index(model) if model != EXACT else 0, optimizer or ""


def _rate(cells: dict[tuple[str, Any], pa.Table]) -> float | None:
    """η that turns a training time into steps: of the linear training, or none."""
    linear = [name for name in compare.TRAINED if "width" not in MODELS[name].settings]
    for key in itertools.product(linear, (EXACT_DESCENT, "sgd")):
        rates = tables.distinct(cells[key], "learning_rate") if key in cells else []
        if rates and rates[0] > 0:
            return float(rates[0])
    return None


def _spread(runs: crossings.Runs) -> list[int]:
    """Ranks of a few modes that all runs have, evenly spread in ln λ."""
    log = np.log(runs.eigenvalue).mean(axis=0)
    have = np.isfinite(log)
    if not have.any():
        return []
    targets = np.linspace(np.nanmax(log), np.nanmin(log), _FOLLOWED)
    log = np.where(have, log, np.inf)
    return sorted({int(runs.modes[np.argmin(np.abs(log - target))]) for target in targets})


def _variances(runs: crossings.Runs, ranks: list[int]) -> Rows:
    """v of the modes of these ranks over the step."""
    return [
        {"mode": int(mode), "mode_eigenvalue": runs.geometric_mean(runs.eigenvalue[:, i]).value}
        | {"step": float(step), "quantity": "generated_variance"}
        | runs.geometric_mean(runs.variance[:, i, k]).columns()
        for i, mode in enumerate(runs.modes)
        for k, step in enumerate(runs.steps)
        if mode in ranks and np.isfinite(runs.variance[:, i, k]).all()
    ]


def _emergence(runs: crossings.Runs) -> Rows:
    """The step of every mode or its bound, and exponent and prefactor of their power law."""
    late = np.atleast_1d(runs.late.any(axis=0))
    found: Rows = [
        {"mode": int(runs.modes[i]), "quantity": "emergence_later" if late[i] else "emergence_step"}
        | {"mode_eigenvalue": runs.geometric_mean(runs.eigenvalue[:, i]).value}
        | ({"value": runs.latest} if late[i] else _columns(runs, runs.emergence[:, i]))
        for i in np.flatnonzero(runs.learned | late)
        if np.isfinite(runs.eigenvalue[:, i]).all()
    ]
    law, harmonic = runs.power_law(), runs.harmonic_law()
    if law is not None:
        found.append({"quantity": "exponent"} | law[0].columns())
        found.append({"quantity": "prefactor", "value": law[1]})
    if harmonic is not None:
        found.append({"quantity": "harmonic_exponent"} | harmonic.columns())
        found.append({"quantity": "harmonic_modes", "value": float(runs.harmonic_modes)})
    return found


def _columns(runs: crossings.Runs, values: Any) -> dict[str, Any]:
    return dict(runs.geometric_mean(values).columns())


def _shapes(rows: Rows, cell: dict[str, Any]) -> Rows:
    """The linear denoiser and 1/λ over the modes of the first series, moved to their mean."""
    steps = [row for row in rows if row["quantity"] == "emergence_step" and row["model"] != EXACT]
    steps = [row for row in steps if all(row[key] == steps[0][key] for key in _SERIES)]
    if len(steps) < 2:
        return []
    x, y = (np.log([row[name] for row in steps]) for name in ("mode_eigenvalue", "value"))
    found = [row for row in rows if row["quantity"].startswith("emergence_")]
    first = [row for row in found if all(row[key] == steps[0][key] for key in _SERIES)]
    every, own = (np.array([row["mode_eigenvalue"] for row in of]) for of in (found, first))
    nodes, times = crossings.linear_times(cell, every)
    shift = y.mean() - np.interp(x, np.log(nodes), np.log(times)).mean()
    shapes = {"linear_shape": times * math.exp(shift), "law_shape": np.exp((x + y).mean()) / nodes}
    # Of the same modes as the fits to trainings: the law is no straight line, and weights count.
    own = np.log(own[(own >= nodes[0]) & (own <= nodes[-1])])
    made: Rows = [
        {"quantity": name, "mode_eigenvalue": value, "value": step}
        for name, curve in shapes.items()
        for value, step in zip(nodes.tolist(), curve.tolist(), strict=True)
    ]
    if len(own) >= crossings.FEWEST_MODES:
        slope = np.polyfit(own, np.interp(own, np.log(nodes), np.log(times)), 1)[0]
        made.append({"quantity": "linear_exponent", "value": float(slope)})
    return made


def draw(data: pa.Table) -> Figure:
    """The emergence of the modes of all, then a panel of variances per trained series."""
    series = _series(data)
    followed = tables.keep(data, "quantity", ["generated_variance"])
    shown = [key for key in series if key in set(tables.keys_of(followed, _SERIES))]
    columns = len(shown) + 1 if len(shown) < _PANELS else 2
    rows = math.ceil((len(shown) + 1) / columns)
    figure, axes = style.panels(rows, columns, height=1.6 + 1.4 / rows)
    shades = _shades(followed)
    _emergence_panel(axes.flat[0], data, series)
    for ax, (model, optimizer) in zip(axes.flat[1:], shown, strict=False):
        _variance_panel(ax, followed, model, optimizer, shades)
    style.titles(axes, ["emergence", *(_name(*key) for key in shown)])
    sets, trainings = max(data["seeds"].drop_null().to_pylist()), tables.facts(data)["trainings"]
    notes = [f"{trainings} trainings"] * (trainings > sets)
    if any(model == EXACT for model, _ in series):
        words = MODELS[EXACT].look.label
        at = r"$\tau=\eta\cdot$ step, η of the linear training"
        notes.append(f"{words} is the closed form at {at}")
    notes += [compare.population_words(population) for population in compare.populations(data)]
    compare.heading(figure, data, note=", ".join(notes))
    entries = [entry for *_, entry in shades.values()]
    entries.append(style.handle(style.GREY, r"target $\lambda$", dash=style.DASHES[2]))
    entries += [_entry(data, *key, filled=filled) for key, filled in series.items()]
    entries.append(style.handle(style.GREY, "emerges later than this", marker=_LATER))
    text = "shape: linear denoiser"
    for slope in tables.arrays(data, quantity="linear_exponent")["value"]:
        text += rf", $\lambda^{{{slope:.2f}}}$"
    entries.append(style.handle(style.BLACK, text, dash="-"))
    entries.append(style.handle(style.BLACK, r"shape: $1/\lambda$", dash=style.DASHES[1]))
    style.legend(figure, entries, columns=2)
    return figure


def _series(data: pa.Table) -> dict[tuple[str, Any], bool]:
    """The series in order, and whether their markers are filled: those of a model's first."""
    keys = [key for key in tables.distinct_keys(data, _SERIES) if key[0] is not None]
    found: dict[tuple[str, Any], bool] = {}
    for key in sorted(keys, key=_order):
        found[key] = all(model != key[0] for model, _ in found)
    return found


def _name(model: str, optimizer: str | None) -> str:
    words = MODELS[model].look.label
    return f"{words}, {OPTIMIZERS[optimizer]}" if optimizer else words


def _shades(followed: pa.Table) -> dict[int, tuple[Any, str, Any]]:
    """Colour, marker and legend entry of each mode, from the leading to the trailing one."""
    from matplotlib import colormaps

    modes = tables.distinct(followed, "mode")
    colours = colormaps["viridis"](np.linspace(0, 0.85, len(modes)))
    found = {}
    for mode, colour, marker in zip(modes, colours, style.MARKERS, strict=False):
        value = tables.arrays(followed, mode=mode)["mode_eigenvalue"][0]
        text = rf"mode {mode}, $\lambda$ = {labels.number(float(f'{value:.2g}'))}"
        found[mode] = (colour, marker, style.handle(colour, text, marker=marker, dash="-"))
    return found


def _variance_panel(
    ax: Axes, followed: pa.Table, model: str, optimizer: str, shades: dict[int, Any]
) -> None:
    """v over the step, with λ as a thin line."""
    own = tables.where(followed, model=model, optimizer=optimizer)
    for mode, (colour, marker, _) in shades.items():
        part = tables.arrays(own, mode=mode)
        if len(part["step"]):
            style.line(ax, part["step"], part["value"], colour, linewidth=0.6, zorder=1)
            style.points(ax, part["step"], part, colour, marker)
            target = part["mode_eigenvalue"][0]
            ax.axhline(target, color=colour, linestyle=style.DASHES[2], linewidth=0.7, zorder=0)
    style.axis(ax, "stop_step", "generated_variance")


def _emergence_panel(ax: Axes, data: pa.Table, series: dict[tuple[str, Any], bool]) -> None:
    """The step over λ with the power law of each series, and the shapes of laws."""
    for (model, optimizer), filled in series.items():
        own = tables.where(data, model=model, optimizer=optimizer)
        part = tables.arrays(own, quantity="emergence_step")
        order = np.argsort(part["mode_eigenvalue"])
        part = {name: column[order] for name, column in part.items()}
        x = part["mode_eigenvalue"]
        some = _marked(x)
        compare.points(ax, x[some], {k: v[some] for k, v in part.items()}, model, filled=filled)
        later = tables.arrays(own, quantity="emergence_later")
        some = _marked(later["mode_eigenvalue"])
        ax.scatter(later["mode_eigenvalue"][some], later["value"][some], s=14, marker=_LATER,
                   gid=_LATER, c=MODELS[model].look.colour, linewidths=0.7)  # fmt: skip
        x = np.sort(np.append(x, later["mode_eigenvalue"]))
        law = tables.arrays(own, quantity="exponent")["value"]
        if len(law):
            y = tables.arrays(own, quantity="prefactor")["value"][0] * x ** law[0]
            style.line(ax, x, y, MODELS[model].look.colour, linewidth=0.8, zorder=2)
    for name, dash in (("linear_shape", "-"), ("law_shape", style.DASHES[1])):
        part = tables.arrays(data, quantity=name)
        style.line(ax, part["mode_eigenvalue"], part["value"], style.BLACK, dash, linewidth=0.7)
    style.axis(ax, "mode_eigenvalue", "emergence_step")
    if drawn.empty(ax):
        drawn.nothing(
            ax, "modes that emerge within the run: more steps, earlier values of stop_step"
        )
    steps = [tables.arrays(data, quantity=f"emergence_{of}")["value"] for of in ("step", "later")]
    style.fit(ax, np.concatenate(steps), log=True)


def _marked(eigenvalues: NDArray[Any]) -> NDArray[np.int64]:
    """Indices of the modes that are marked: of many the first in each of even parts of ln λ."""
    if len(eigenvalues) <= _MARKED:
        return np.arange(len(eigenvalues))
    log = np.log(eigenvalues)
    part = np.floor((log - log.min()) / max(np.ptp(log), 1e-9) * (_MARKED - 1))
    return np.sort(np.unique(part, return_index=True)[1])


def _entry(data: pa.Table, model: str, optimizer: str | None, *, filled: bool) -> Any:
    """The legend entry of a series, with its exponent and that of the other definition.

    What has too few modes for an exponent says how many.
    """
    own = tables.where(data, model=model, optimizer=optimizer)
    law = tables.where(own, quantity="exponent").to_pylist()
    steps, later = (len(tables.where(own, quantity=f"emergence_{of}")) for of in ("step", "later"))
    text = f"{_name(model, optimizer)}: " + (_exponent(law[0]) if law else _too_few(steps))
    for row in tables.where(own, quantity="harmonic_exponent").to_pylist():
        text += rf", WP $\lambda^{{{row['value']:.2f}}}$"
        count = int(tables.where(own, quantity="harmonic_modes")["value"][0].as_py())
        text += f" of {count} modes" if count < steps + later else ""
    look = MODELS[model].look
    dash = "-" if law else None
    return style.handle(look.colour, text, marker=look.marker, dash=dash, filled=filled)


def _exponent(row: dict[str, Any]) -> str:
    text = rf"$\lambda^{{{row['value']:.2f}}}$"
    if row["low"] is not None:
        text += f" ({row['low']:.2f} to {row['high']:.2f})".replace("-", "−")
    return text


def _too_few(count: int) -> str:
    return f"no exponent ({count} mode{'s' * (count != 1)} with a step)"
