"""Figures of a user's matrix: the theory of its covariance drawn as for Gaussian data, its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff import figures
from lindiff.drawing import caption, drawn, style, tables
from tests.once import once
from tests.sweeps import Sweep

RIDGE = (
    "data: {file: measurements.npy}, n: [6, 12, 24, 48], ridge: [0, 1.0e-3, 1.0e-2, 0.1, 1],"
    " metrics: [levels], figures: [transition, kl, tuned]"
)
STOP = (
    "data: {file: measurements.npy}, n: [6, 12, 24, 48], stop: [1, 10, 100, 1000, .inf],"
    " metrics: [modes], figures: [early_stopping]"
)
OWN = ("transition", "kl", "tuned", "early_stopping")


def matrix() -> np.ndarray:
    """300 rows of 12 columns with variances 1/j along directions that are no columns."""
    rng = np.random.default_rng(1)
    turn, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    return (rng.normal(size=(300, 12)) / np.sqrt(np.arange(1, 13))) @ turn.T


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of `own`, with the theory, and of `bare`, without."""

    def make(folder: Path) -> None:
        np.save(folder / "measurements.npy", matrix())
        sweep = Sweep(folder)
        for name, theory in (("own", ", theory: {}"), ("bare", "")):
            defaults = "{model: linear_exact, timesteps: 100, seed: [0, 1, 2]}"
            config = sweep.config(
                f"{{{RIDGE}{theory}}}", stops=f"{{{STOP}{theory}}}", name=name, defaults=defaults,
                shard="60",
            )  # fmt: skip
            sweep.finish(config)

    return once(tmp_path_factory, "figures_of_own_data", make) / "results"


def data_of(results: Path, config: str, name: str) -> pa.Table:
    experiment = "stops" if name == "early_stopping" else "one"
    return figures.figure_data(name, results / config, [experiment])


def drawing(name: str, data: pa.Table) -> Any:
    with style.applied():
        return figures.drawing(name, data)


def words_of(figure: Any) -> list[str]:
    """The words of the legend."""
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize("name", OWN)
def test_the_theory_of_own_data_is_drawn_under_their_name(results: Path, name: str) -> None:
    data = data_of(results, "own", name)
    assert tables.has_theory(data)
    figure = drawing(name, data)
    assert figure.get_suptitle().startswith("measurements.npy")
    words = caption.words(figure, data)
    assert "Held fixed: measurements.npy, " in words
    assert "@" not in words
    assert "From $N=48$ on training sets are more than 1/10 of the pool, not like" in words
    assert not any(drawn.empty(ax) for ax in figure.axes)
    assert "theory" in " ".join(words_of(figure))


@pytest.mark.parametrize("name", OWN)
def test_a_legend_names_no_theory_where_none_is_drawn(results: Path, name: str) -> None:
    figure = drawing(name, data_of(results, "bare", name))
    assert not [word for word in words_of(figure) if "theory" in word]
    handles = [handle for legend in figure.legends for handle in legend.legend_handles]
    coloured = [h for h in handles if h.get_marker() not in ("", "None", "none")]
    if name != "early_stopping":  # whose filters are lines of their own
        assert {handle.get_linestyle() for handle in coloured} == {"None"}


def test_theory_agrees_with_training_sets_of_own_data(results: Path) -> None:
    """Gaussian rows: the mean of three sets is near the theory where it applies."""
    data = data_of(results, "own", "transition")
    measured, theory = (
        tables.arrays(data, quantity=name, t=None, n=24, strength=0.001)["value"]
        for name in ("train_loss", "train_loss_theory")
    )
    assert measured == pytest.approx(theory, rel=0.15)


def test_the_laws_of_the_kl_say_whose_they_are(results: Path) -> None:
    words = words_of(drawing("kl", data_of(results, "own", "kl")))
    assert "mean of Gaussian data, no regularization, no sampler" in words
    assert "theory of Gaussian data" in words
