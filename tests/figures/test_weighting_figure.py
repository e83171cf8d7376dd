"""The figure `weighting`, against planted losses of levels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import caption, compare, labels, layout, style, tables
from lindiff.drawing.intervals import LONGER
from lindiff.figures import weighting
from lindiff.science.schedule import make_schedule
from lindiff.science.weighting import make_weights
from tests.figures.feeds import weighting as feed


def query(seeds: int = 3, features: bool = False) -> pa.Table:
    metrics, nested = feed.sweep(seeds, features)
    return weighting.query(tables.plain(metrics), **nested)


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query()


@pytest.mark.parametrize("n", [4, 64])
@pytest.mark.parametrize("name", feed.WEIGHTINGS)
@pytest.mark.parametrize(
    ("model", "quantity"), [("mlp", "level_ratio"), ("linear_theory", "level_ratio_theory")]
)
def test_ratios_are_to_the_same_training_set_with_uniform(
    data: pa.Table, model: str, quantity: str, name: str, n: int
):
    found = tables.arrays(data, model=model, weighting=name, n=n, quantity=quantity)
    assert found["t"].tolist() == list(feed.LEVELS)
    assert found["value"] == pytest.approx([feed.ratio(model, name, n, t) for t in feed.LEVELS])


def test_only_the_ends_of_n_are_drawn_and_models_that_know_weightings(data: pa.Table):
    assert tables.distinct(data, "n") == [4, 64]
    assert compare.names(data) == ["linear_theory", "mlp"]


def test_weights_are_those_of_training_at_every_level(data: pa.Table):
    for name in feed.WEIGHTINGS:
        found = tables.arrays(data, quantity="loss_weight", weighting=name)
        exact = make_weights(name, make_schedule("linear", feed.TIMESTEPS))
        assert found["t"].tolist() == list(range(1, feed.TIMESTEPS + 1))
        assert np.array_equal(found["value"], exact)


def test_a_band_from_eight_training_sets_on():
    for seeds, banded in ((7, False), (8, True)):
        found = tables.arrays(query(seeds), quantity="level_ratio", weighting="x0", n=4)
        value, low, high = (found[name].astype(float) for name in ("value", "low", "high"))
        assert np.isfinite(low).all() == banded
    assert np.log(value / low) == pytest.approx(LONGER * np.log(high / value))


def test_without_a_loss_of_uniform_there_is_nothing_to_draw():
    metrics, nested = feed.sweep()
    plain = tables.plain(metrics)
    rest = tables.keep(plain, "weighting", ["x0", "edm"])
    assert weighting.query(rest, **nested).num_rows == 0


def test_panels_are_the_weights_and_each_n(data: pa.Table):
    with style.applied():
        figure = weighting.draw(data)
        words = caption.words(figure, data)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["(a) weights", "(b) MLP, $N=4$", "(c) MLP, $N=64$"]
    for ax, n in zip(figure.axes[1:], (4, 64), strict=True):
        points = {line.get_color(): line for line in ax.lines if line.get_linestyle() == "None"}
        assert set(points) == {style.COLOURS[1], style.COLOURS[2]}
        drawn = list(points[style.COLOURS[1]].get_ydata())
        assert drawn == pytest.approx([feed.ratio("mlp", "x0", n, t) for t in feed.LEVELS])
        theory = [line for line in ax.lines if line.get_linestyle() == "-" and line.get_gid()]
        assert [set(line.get_ydata()) for line in theory] == [{1.0}] * len(feed.WEIGHTINGS)
    assert "MLP: width $32$, $600$ steps" in words
    assert figure.get_suptitle() == r"Gaussian, power law $s_j\propto j^{-1}$, $d=8$"


def test_random_features_stand_in_a_row_of_their_own_with_their_own_limit():
    data = query(features=True)
    with style.applied():
        figure = weighting.draw(data)
        words = caption.words(figure, data)
    rows = {
        "MLP,": ("mlp", "linear_theory"),
        "random": ("random_features", "random_features_theory"),
    }
    drawn = [ax for ax in figure.axes if "$N=" in ax.get_title(loc="left")]
    assert len(drawn) == 4
    letters = [ax.get_title(loc="left")[:3] for ax in figure.axes if ax.axison]
    assert letters == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    for ax in drawn:
        title = ax.get_title(loc="left").split()
        model, limit = rows[title[1]]
        n = int(title[-1].strip("$N="))
        lines = [line for line in ax.lines if line.get_gid()]
        colour = style.COLOURS[feed.WEIGHTINGS.index("edm")]
        (line,) = (one for one in lines if one.get_color() == colour)
        expected = [feed.ratio(limit, "edm", n, t) for t in feed.LEVELS]
        assert list(line.get_ydata()) == pytest.approx(expected)
        assert (line.get_linestyle() == "-") == (limit == "linear_theory")
        (points,) = (
            one for one in ax.lines
            if one.get_linestyle() == "None" and one.get_color() == colour
        )  # fmt: skip
        expected = [feed.ratio(model, "edm", n, t) for t in feed.LEVELS]
        assert list(points.get_ydata()) == pytest.approx(expected)
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named[:5] == [*feed.WEIGHTINGS, "linear, theory", "random features, theory"]
    assert (
        r"random features, theory: $32$ features, batch $64$, weight decay $\gamma=10^{-3}$"
        in words
    )


def test_a_panel_alone_keeps_its_own_ordinate(data: pa.Table):
    """Not that of the weights, which stand at the left of its row."""
    with style.applied():
        figure = weighting.draw(data)
        figure.set_layout_engine("none")
        layout.arrange(figure, "weighting", layout.WIDTHS["column"], "c")
    (ax,) = figure.axes
    assert ax.get_ylabel() == labels.label("level_ratio")
