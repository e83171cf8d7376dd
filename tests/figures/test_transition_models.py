"""The figure `transition_models`, and what figures of several models share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import caption, compare, style, tables
from lindiff.drawing.intervals import mean_interval
from lindiff.figures import transition_models
from lindiff.models import MODELS
from tests.figures import synthetic
from tests.figures.feeds import transition_models as feed

T_7 = 2.364624251592785  # 97.5 % quantile of Student's t with seven degrees of freedom


def query(rows: list[dict[str, Any]]) -> pa.Table:
    return transition_models.query(tables.plain(synthetic.table(rows)))


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query(feed.rows())


def at(table: pa.Table, **equal: Any) -> dict[str, Any]:
    return tables.arrays(table, **equal)


@pytest.mark.parametrize("loss", ["test_loss", "train_loss"])
@pytest.mark.parametrize(("data_name", "d", "ns"), [("gaussian", 16, 10), ("digits", 61, 9)])
def test_means_over_training_sets_with_intervals(
    data: pa.Table, loss: str, data_name: str, d: int, ns: int
):
    factors = feed.STEP ** (np.arange(8) - 3.5)
    half = T_7 * factors.std(ddof=1) / np.sqrt(8)
    for model in ("linear_exact", "mlp", "empirical"):
        found = at(data, quantity=loss, model=model, data=data_name)
        exact = np.array([getattr(feed, loss)(model, d, n) for n in feed.NS[:ns]])
        assert found["n"].tolist() == feed.NS[:ns]
        assert found["value"] == pytest.approx(exact * factors.mean())
        assert found["low"] == pytest.approx(exact * (factors.mean() - half))
        assert found["high"] == pytest.approx(exact * (factors.mean() + half))
        assert set(found["seeds"]) == {8}


def test_a_model_has_the_places_and_the_sizes_that_it_was_run_at(data: pa.Table):
    assert at(data, model="unet", data="gaussian")["n"].size == 0
    unet = at(data, model="unet", quantity="test_loss")
    assert unet["n"].tolist() == [4, 16, 64, 256, 1024]
    assert np.isnan(unet["low"]).all()
    assert np.isnan(unet["high"]).all()
    theory = at(data, model="linear_theory", quantity="test_loss_theory")
    assert set(theory["data"]) == {"gaussian"}
    assert len(theory["n"]) == 18
    exact = [feed.test_loss("linear_exact", 16, n) for n in theory["n"]]
    assert theory["value"] == pytest.approx(exact)


def test_the_optimum_spans_the_sizes_of_its_place(data: pa.Table):
    gaussian = at(data, quantity="optimal_loss", data="gaussian")
    assert gaussian["n"].tolist() == [4, 2048]
    assert gaussian["value"] == pytest.approx([0.35, 0.35])
    assert at(data, quantity="optimal_loss", data="digits")["n"].tolist() == [4, 1024]
    rows = feed.rows()
    for row in rows:
        row["optimal_loss"] = None
    assert "optimal_loss" not in query(rows)["quantity"].to_pylist()


def test_the_optimum_of_a_data_set_is_not_mixed_with_that_of_its_theory():
    rows = feed.rows()
    theory = [row for row in rows if row["model"] == "linear_theory"]
    digits = next(row for row in rows if row["data"] == "digits")
    keys = ("spectrum", "spectrum_params", "d")
    own = {key: digits[key] for key in keys} | {"optimal_loss": 0.01}
    rows += [row | own | {"cell_id": row["cell_id"] + "digits", "n": 4096} for row in theory]
    found, plain = (
        at(query(given), quantity="optimal_loss", data="digits") for given in (rows, feed.rows())
    )
    assert found["value"].tolist() == plain["value"].tolist()
    assert found["n"].tolist() == [4, 1024]


def test_the_training_losses_of_a_data_set_have_no_line_of_held_out_rows(data: pa.Table):
    with style.applied():
        lines = [
            sum(line.get_color() == style.BLACK for line in ax.lines)
            for ax in transition_models.draw(data).axes
        ]
    assert lines == [1, 1, 1, 0]


def test_what_sets_a_model_apart_is_said():
    rows = feed.rows()
    for row in rows:
        if row["model"] == "linear_exact":
            row["ridge"] = 0.1
        if row["model"] == "mlp":
            row |= {"stop_step": 10, "preconditioning": "none"}
    linear, *others = compare.budgets(query(rows))
    assert linear == "linear: ridge $c=0.1$"
    own = [text for text in others if text.startswith("MLP")]
    assert own
    assert all("taken after $10$" in text and "not preconditioned" in text for text in own)


def test_what_is_null_is_left_out():
    rows = feed.rows()
    for row in rows:
        if row["model"] == "empirical":
            row["test_loss"] = None
        if row["model"] == "mlp" and row["n"] == 8 and row["seed"] == 0:
            row["train_loss"] = None
        if row["model"] == "linear_trained":
            row |= {"train_loss": None, "test_loss": None}
    data = query(rows)
    assert at(data, model="empirical", quantity="test_loss")["n"].size == 0
    assert at(data, model="empirical", quantity="train_loss")["n"].size == 19
    seven = at(data, model="mlp", quantity="train_loss", n=8)
    assert set(seven["seeds"]) == {7}
    assert np.isnan(seven["low"]).all()
    assert "linear_trained" not in compare.names(data)
    figure = transition_models.draw(data)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "linear, trained" not in texts
    assert "MLP" in texts


def test_training_is_held_for_each_model_and_place_and_said():
    rows = feed.rows()
    wide = {**feed.BUDGET["mlp"], "width": 512}
    rows += synthetic.rows(
        **feed.DIGITS, **feed.SAMPLING, **wide, n=[4, 8], seed=0, model="mlp", test_loss=9.0
    )
    for row in rows:
        if row["model"] == "mlp" and row["d"] == 16:
            row["steps"] = 2000
    data = query(rows)
    assert max(at(data, model="mlp", quantity="test_loss", data="digits")["value"]) < 9
    budgets = compare.budgets(data)
    assert budgets[0] == "linear, trained: $1000$ steps, batch $64$, learning rate $0.01$"
    assert budgets[1].startswith("MLP, Gaussian: width $256$, $2000$ steps, batch $64$")
    assert budgets[2].startswith("MLP, digits: width $256$, $4000$ steps, batch $64$")
    assert budgets[3].endswith(r"learning rate $3\times10^{-3}$ (cosine)")
    held = [own for own in tables.facts(data)["training"] if own["model"] == "mlp"]
    assert [own["steps"] for own in held] == [4000, 2000]
    words = caption.words(transition_models.draw(data), data)
    assert "Training sets behind a point: 1 to 8." in words
    assert all(budget in words for budget in budgets)


def test_the_task_is_held_where_most_models_meet():
    rows = feed.rows()
    for row in feed.rows():
        if row["model"] == "linear_exact":
            own = {"sampler": "ddpm_beta", "test_loss": 9.0, "cell_id": row["cell_id"] + "ddpm"}
            rows.append(row | own)
    data = query(rows)
    facts = tables.facts(data)
    assert facts["fixed"]["sampler"] == "ddim"
    assert facts["choice"]["sampler"] == ["ddim", "ddpm_beta"]
    assert max(at(data, model="linear_exact", quantity="test_loss")["value"]) < 9
    fed = {row["model"] for row in feed.rows()}
    assert compare.names(data) == [name for name in MODELS if name in fed]
    cells = tables.plain(synthetic.table(rows))
    chosen = compare.side_by_side(cells, ("linear_exact",), choices={"sampler": max})
    assert tables.distinct(chosen, "sampler") == ["ddpm_beta"]


def test_the_places_with_the_most_models_are_shown_gaussian_first():
    rows = feed.rows()
    for d in (4, 8):
        linear = {"d": d, "draw": "samples", "test_loss": 1.0, "train_loss": 1.0}
        rows += synthetic.rows(**linear, **feed.SAMPLING, n=[4, 8])
    data = query(rows)
    assert [(own["data"], own["d"]) for own in compare.populations(data)] == [
        ("gaussian", 4), ("gaussian", 16), ("digits", 61),
    ]  # fmt: skip
    words = [compare.population_words(own) for own in compare.populations(data)]
    assert words[0] == "Gaussian, isotropic, $d=4$"
    assert words[2] == "digits, $d=61$"


def test_a_surrogate_s_theory_stands_beside_its_data():
    rows = feed.rows()
    surrogate = feed.DIGITS | {"data": None, "seed": None, "model": "linear_theory"}
    rows += synthetic.rows(**surrogate, **feed.SAMPLING, n=[4, 8], test_loss=2.0, train_loss=0.1)
    theory = at(query(rows), data="digits", quantity="test_loss_theory")
    assert theory["value"].tolist() == [2.0, 2.0]


def test_a_model_looks_the_same_whatever_stands_beside_it(data: pa.Table):
    def colours(table: pa.Table) -> dict[str, Any]:
        handles = transition_models.draw(table).legends[0].legend_handles
        return {handle.get_label(): (handle.get_color(), handle.get_marker()) for handle in handles}

    every = colours(data)
    two = colours(query([row for row in feed.rows() if row["model"] in ("mlp", "empirical")]))
    assert two["MLP"] == every["MLP"] == (style.COLOURS[1], "s")
    assert two["empirical score"] == every["empirical score"]
    looks = [(model.look.colour, model.look.marker) for model in MODELS.values()]
    assert len(set(looks)) == len(looks)


def test_no_band_for_fewer_than_eight_training_sets():
    values = [1.0, 2.0, 4.0, 3.0, 2.0, 1.0, 5.0, 2.5]
    assert compare.means(values) == mean_interval(values)
    seven = compare.means(values[:7])
    assert seven.value == pytest.approx(np.mean(values[:7]))
    assert np.isnan([seven.low, seven.high]).all()
    assert np.isnan(compare.geometric_means(values[:7]).high)
    assert compare.geometric_means(values).high > 0


def test_no_rows_give_no_data():
    assert query(synthetic.rows(n=[4, 8], model="mlp", width=8, steps=1)).num_rows == 0


def test_models_that_know_of_no_mixture_have_the_population_of_the_others():
    common = {"d": 8, "n": [4, 16], "draw": "samples", "seed": [0, 1], "sampler": "ddim"}
    made = synthetic.rows(**common)
    made += synthetic.rows(**common, model="random_features", mixture=None, features=32)
    for row in made:
        row |= {"train_loss": 0.1, "test_loss": 0.5, "optimal_loss": 0.4}
    found = transition_models.query(tables.plain(synthetic.table(made)))
    assert set(found["model"].drop_null().to_pylist()) == {"linear_exact", "random_features"}
    assert set(found["mixture"].to_pylist()) == {"none"}
