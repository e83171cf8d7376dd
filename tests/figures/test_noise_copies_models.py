"""The figure `noise_copies_models`, against planted losses of two models."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from lindiff.drawing import caption, compare, style, tables
from lindiff.figures import noise_copies_models
from tests.figures.feeds import noise_copies_models as feed


def data() -> Any:
    metrics, *_ = feed.sweep()
    return noise_copies_models.query(tables.plain(metrics))


@pytest.mark.parametrize("m", feed.COPIES)
@pytest.mark.parametrize("model", ["linear_exact", "mlp"])
def test_losses_of_each_model_and_m(model: str, m: float):
    found = data()
    own = {"model": model, "noises": m}
    expected = [feed.test_loss({"n": n, **own}) for n in feed.NS]
    # Two training sets at e^±1: their geometric mean; of the train loss the mean of 0 and 1 more.
    test = tables.arrays(found, quantity="test_loss", **own)
    assert (test["n"].tolist(), test["value"]) == (feed.NS, pytest.approx(expected))
    train = tables.arrays(found, quantity="train_loss", **own)
    assert train["value"] == pytest.approx([1 / loss + 0.5 for loss in expected])


def test_models_without_frozen_noises_are_left_out():
    assert compare.names(data()) == ["linear_exact", "linear_theory", "mlp"]


def test_a_column_is_a_model_and_the_theory_is_the_linear_one_s():
    figure = noise_copies_models.draw(data())
    linear, network, *_ = figure.axes

    def lines(ax: Any) -> dict[str, int]:
        drawn = [line for line in ax.lines if line.get_linestyle() == "-"]
        return {line.get_color(): len(line.get_xdata()) for line in drawn}

    assert [lines(linear)[colour] for colour in style.COLOURS[:3]] == [5, 5, 5]
    assert set(lines(network)) == {style.BLACK}
    # Without a value of the theory at N m = d its line has a gap there.
    gone = [
        row for row in data().to_pylist()
        if row["model"] != "linear_theory" or row["n"] * row["noises"] != feed.D
    ]  # fmt: skip
    apart = noise_copies_models.draw(pa.Table.from_pylist(gone, schema=data().schema))
    (one,) = (x for x in apart.axes[0].lines if x.get_gid() and x.get_color() == style.COLOURS[0])
    assert [math.isnan(y) for y in one.get_ydata()] == [n == feed.D for n in one.get_xdata()]
    words = caption.words(figure, data())
    assert "MLP: width $32$, $600$ steps" in words
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:3] == ["$m=1$", "$m=4$", r"$m=\infty$"]
    assert "line: linear theory" in names
    assert math.isclose(figure.axes[0].lines[0].get_ydata()[0], 0.5)
    assert figure.get_suptitle() == "Gaussian, isotropic, $d=8$"
