"""The figure `differences`, against planted differences of two models and a limit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import style, tables
from lindiff.drawing.intervals import LONGER
from lindiff.figures import differences
from lindiff.models import MODELS
from tests.figures.feeds import differences as feed

VARIANCES = [0.25, 1.0, 4.0]


def query(seeds: int = 3) -> pa.Table:
    metrics, nested = feed.sweep(seeds)
    return differences.query(tables.plain(metrics), **nested)


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query()


@pytest.mark.parametrize("n", feed.NS)
@pytest.mark.parametrize(
    ("model", "quantity"),
    [("linear_exact", ""), ("mlp", ""), ("linear_theory", "_theory")],
)
def test_differences_of_each_variance_at_the_level_in_the_middle(
    data: pa.Table, model: str, quantity: str, n: int
):
    """Two modes of one variance are one point, one without variance is none."""
    found = tables.arrays(data, model=model, n=n, quantity=f"difference{quantity}")
    assert set(found["t"]) == {7}
    assert found["population_variance"].tolist() == VARIANCES
    planted = [feed.difference(model, n, s) for s in VARIANCES]
    assert found["value"] == pytest.approx(planted)


def test_two_modes_of_one_variance_are_one_value_of_a_pair(data: pa.Table):
    found = tables.arrays(data, model="mlp", n=16, quantity="difference")
    assert found["seeds"].tolist() == [3, 3, 3]


def test_a_band_from_eight_pairs_on():
    for pairs, banded in ((7, False), (8, True)):
        found = tables.arrays(query(pairs), model="mlp", n=16, quantity="difference")
        value, low, high = (found[name].astype(float) for name in ("value", "low", "high"))
        assert np.isfinite(low).all() == banded
    assert np.log(high / value) == pytest.approx(LONGER * np.log(value / low))


def test_every_panel_has_its_points_the_limit_and_the_noise(data: pa.Table):
    with style.applied():
        figure = differences.draw(data)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) linear", "(b) MLP"]
    for ax, model in zip(figure.axes, ("linear_exact", "mlp"), strict=True):
        points = {line.get_color(): line for line in ax.lines if line.get_marker() != "None"}
        limits = {line.get_color(): line for line in ax.lines if line.get_linestyle() == "-"}
        for n, colour in zip(feed.NS, style.COLOURS, strict=False):
            for line, of in ((points[colour], model), (limits[colour], "linear_theory")):
                planted = [feed.difference(of, n, s) for s in VARIANCES]
                assert list(line.get_ydata()) == pytest.approx(planted)
        guides = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert [line.get_color() for line in guides] == list(style.COLOURS[:3])
        for guide, n in zip(guides, feed.NS, strict=True):
            kappa, _ = guide.get_xdata()
            # Its own equation, at σ² = 1 and with the mean estimated.
            share = sum(s / (s + kappa) for s in feed.SPECTRUM)
            assert kappa == pytest.approx(1 + kappa * share / (n - 1))
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[-2:] == [MODELS["linear_theory"].look.label, r"$s=\kappa$"]


def test_with_a_ridge_there_is_no_mark_of_the_renormalized_noise():
    """Whose law is of denoisers without regularization."""
    metrics, nested = feed.sweep()
    plain = tables.plain(metrics)
    at = plain.column_names.index("ridge")
    ridge = pa.array([0.1] * len(plain), pa.float64())
    found = differences.query(plain.set_column(at, "ridge", ridge), **nested)
    assert set(found["quantity"].to_pylist()) == {"difference", "difference_theory"}


def test_many_n_are_thinned_and_the_theory_with_them():
    metrics, nested = feed.sweep()
    rows = [row | {"n": 10 * row["n"] + k, "cell_id": f"{row['cell_id']}-{k}"}
            for row in tables.plain(metrics).to_pylist() for k in range(3)]  # fmt: skip
    items = [item | {"cell_id": f"{item['cell_id']}-{k}"}
             for item in nested["differences"].to_pylist() for k in range(3)]  # fmt: skip
    many = pa.Table.from_pylist(rows, schema=tables.plain(metrics).schema)
    found = differences.query(many, pa.Table.from_pylist(items, nested["differences"].schema))
    sizes = {model: set(tables.where(found, model=model)["n"].to_pylist()) for model in
             ("linear_exact", "linear_theory")}  # fmt: skip
    assert len(sizes["linear_exact"]) == 4
    assert sizes["linear_theory"] == sizes["linear_exact"]
