"""Planted emergence of modes, and its power law, are found; what cannot be known is left out."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lindiff.drawing import caption, compare, crossings, style, tables
from lindiff.figures import modes
from lindiff.science.emergence import learning_constant
from tests.figures import synthetic
from tests.figures.feeds.modes import (
    EIGENVALUES,
    EXPONENTS,
    PREFACTOR,
    STOPS,
    as_tables,
    cells,
    sweep,
)

T_2 = 4.302652729696  # 97.5 % quantile of Student's t with two degrees of freedom


def query(metrics: pa.Table, nested: dict[str, pa.Table]) -> pa.Table:
    return modes.query(tables.plain(metrics), modes=nested["modes"])


def of(data: pa.Table, quantity: str, key: tuple[str, str | None] = ("mlp", "sgd")):
    own = tables.where(data, model=key[0], optimizer=key[1])
    return tables.arrays(own, quantity=quantity)


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query(*sweep())


@pytest.mark.parametrize("key", EXPONENTS)
def test_the_planted_power_law_is_found(data: pa.Table, key: tuple[str, str | None]):
    steps = of(data, "emergence_step", key)
    mean = np.mean(EXPONENTS[key])
    assert steps["mode"].tolist() == list(range(1, 17))
    assert steps["mode_eigenvalue"] == pytest.approx(np.array(EIGENVALUES))
    assert steps["value"] == pytest.approx(PREFACTOR * steps["mode_eigenvalue"] ** mean, rel=0.02)
    assert of(data, "exponent", key)["value"] == pytest.approx([mean], abs=0.01)
    assert of(data, "prefactor", key)["value"] == pytest.approx([PREFACTOR], rel=0.02)


def test_the_interval_of_an_exponent_is_over_training_sets(data: pa.Table):
    (low,), (high,) = (of(data, "exponent")[end] for end in ("low", "high"))
    assert (high - low) / 2 == pytest.approx(T_2 * 0.1 / math.sqrt(3), rel=0.02)
    assert of(data, "exponent")["seeds"] == [3]
    # Points of three runs have no band.
    assert np.isnan(of(data, "emergence_step")["low"]).all()
    eight = query(*as_tables(cells("mlp", "sgd", seed=list(range(8)))))
    assert np.isfinite(of(eight, "emergence_step")["low"]).all()
    assert (of(eight, "generated_variance")["seeds"] == 8).all()


def test_trainings_of_one_set_are_told_from_sets():
    made = cells("mlp", "sgd", seed=[1], train_seed=[0, 1, 2])
    found = query(*as_tables(made))
    assert set(found["seeds"].drop_null().to_pylist()) == {1}
    assert tables.facts(found)["trainings"] == 3
    assert np.isfinite(of(found, "exponent")["low"]).all()
    with style.applied():
        assert "3 trainings" in caption.words(modes.draw(found), found)
    # Of two sets with three trainings each there are two independent values: no interval.
    found = query(*as_tables(cells("mlp", "sgd", seed=[0, 1], train_seed=[0, 1, 2])))
    assert of(found, "exponent")["value"] == pytest.approx([-0.95], abs=0.01)
    assert np.isnan(of(found, "exponent")["low"]).all()
    assert of(found, "exponent")["seeds"] == [2]


def test_the_end_of_the_run_is_its_last_step(data: pa.Table):
    for key in list(EXPONENTS)[:3]:
        steps = of(data, "generated_variance", key)["step"]
        assert sorted(set(steps)) == [*sorted(set(STOPS)), 40_000]
    assert len(of(data, "generated_variance", ("linear_exact", None))["step"]) == 0


def test_a_few_modes_are_followed_from_the_leading_to_the_trailing(data: pa.Table):
    followed = of(data, "generated_variance")
    assert sorted(set(followed["mode"])) == [1, 2, 4, 8, 16]
    at_end = followed["step"] == 40_000
    assert followed["value"][at_end] == pytest.approx(followed["mode_eigenvalue"][at_end], rel=1e-3)


def test_modes_that_emerge_late_in_the_run_count_as_later():
    # A quarter of 1600 steps is 400, the step of λ = 1: of 4.7/j the first four are above.
    key = ("linear_trained", "sgd")
    made = cells(*key, steps=1600, stop_step=[0, *(s for s in STOPS if s < 1600)])
    found = query(*as_tables(made))
    assert of(found, "emergence_step", key)["mode"].tolist() == [1, 2, 3, 4]
    later = of(found, "emergence_later", key)
    assert later["mode"].tolist() == list(range(5, 17))
    assert later["value"] == pytest.approx(400)
    with style.applied():
        figure = modes.draw(found)
    (legend,) = figure.legends
    assert "emerges later than this" in [text.get_text() for text in legend.get_texts()]
    assert of(found, "exponent", key)["value"] == pytest.approx([-1], abs=0.03)
    # Nothing emerges in ten steps, but the variances are drawn.
    made = cells("linear_trained", "sgd", steps=10, stop_step=[0, 1, 3, 5])
    found = query(*as_tables(made))
    assert set(found["quantity"].to_pylist()) <= {"generated_variance", "emergence_later"}
    with style.applied():
        modes.draw(found)


def test_leaving_late_modes_out_would_bias_the_exponent_and_their_bounds_do_not():
    """Steps that scatter about λ^−1, of which those above a level are known to be above only."""
    rng = np.random.default_rng(0)
    x, found, left_out = np.linspace(-2, 2, 16), [], []
    for _ in range(200):
        y = -x + rng.normal(0, 0.5, 16)
        late = y > 0.3
        bounds = np.where(late, 0.3, y)
        found.append(crossings.censored_fit(x, bounds, late.astype(int))[0])
        left_out.append(np.polyfit(x[~late], y[~late], 1)[0])
    assert np.mean(found) == pytest.approx(-1, abs=3 * np.std(found) / math.sqrt(200) + 0.03)
    assert np.mean(left_out) > -0.85


def test_without_bounds_the_fit_is_least_squares():
    x, y = np.arange(5.0), np.array([1.0, 3, 4, 8, 8])
    side = np.zeros(5, dtype=int)
    assert crossings.censored_fit(x, y, side) == pytest.approx(np.polyfit(x, y, 1))
    # Upper bounds count too: values on a line, and one that is known to be below what it would be.
    bound = np.array([0, 0, 0, 0, -1])
    line = np.array([0.0, 1, 2, 3, 9])
    assert crossings.censored_fit(x, line, bound) == pytest.approx([1, 0], abs=1e-3)


def test_the_harmonic_definition_is_that_of_a_fall_from_far_above(data: pa.Table):
    """Where v falls from far above λ to λ both definitions are the step of 2λ."""
    for key in (("mlp", "sgd"), ("linear_trained", "sgd")):
        (ours,), (theirs,) = (
            of(data, name, key)["value"] for name in ("exponent", "harmonic_exponent")
        )
        assert theirs == pytest.approx(ours, abs=0.02)
    steps = np.array([1.0, 10.0, 100.0, 1000.0])
    # Through the level, below it, and back: theirs is the first time, ours the last.
    variance = np.array([[[100.0, 4, 0.1, 2], [1, 1, 1, 1]]])
    found = crossings.Runs(np.zeros(1), np.array([1, 2]), steps, np.array([[2.0, 1]]), variance)
    level = 2 / (1 / 100 + 1 / 2)
    at = 10 ** (math.log(100 / level) / math.log(100 / 4)) if level > 4 else None
    first = 10 ** (1 + math.log(4 / level) / math.log(4 / 0.1)) if at is None else at
    assert found.harmonic[0, 0] == pytest.approx(first)
    assert np.isnan(found.harmonic[0, 1]), "nothing falls"
    assert found.late[0, 0]
    assert found.early[0, 1]


def test_three_modes_have_no_exponent():
    steps = np.array([1.0, 10.0, 100.0, 1e4])
    ranks, eigenvalues = np.arange(1, 5), np.array([[2.0, 1, 0.5, 0.25]])
    variance = np.array([[[9.0, 9, 1, 1], [9, 9, 9, 1], [9, 4, 1, 1], [9, 9, 3, 1]]])
    found = crossings.Runs(np.zeros(1), ranks, steps, eigenvalues, variance)
    assert found.learned.tolist() == [True] * 4
    assert found.power_law() is not None
    rising = np.array([[[0.1, 0.1, 1, 1], *variance[0, 1:3].tolist(), [1, 1, 1, 1]]])
    found = crossings.Runs(np.zeros(1), ranks, steps, eigenvalues, rising)
    # What rises counts as what falls; what is at its end from the first step on has no time.
    assert found.learned.tolist() == [True, True, True, False]
    assert found.early[0].tolist() == [False, False, False, True]
    assert 10 < found.emergence[0, 0] < 100
    assert found.power_law() is None


def legend(found: pa.Table) -> list[str]:
    with style.applied():
        figure = modes.draw(found)
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_legend_says_of_how_many_modes_an_exponent_is_or_that_they_are_too_few():
    key = ("linear_trained", "sgd")
    # A quarter of 800 steps is that of λ = 2: of 4.7/j two modes have a step, and 16 get to 2λ.
    few = query(*as_tables(cells(*key, steps=800, stop_step=[0, *(s for s in STOPS if s < 800)])))
    assert len(of(few, "emergence_step", key)["mode"]) == 2
    assert len(of(few, "exponent", key)["value"]) == 0
    reached = int(of(few, "harmonic_modes", key)["value"][0])
    assert 4 <= reached < 16
    (text,) = (text for text in legend(few) if "trained" in text)
    assert "no exponent (2 modes with a step)" in text
    assert f"of {reached} modes" in text
    # Of all modes the count is not said.
    (text,) = (text for text in legend(query(*as_tables(cells(*key)))) if "trained" in text)
    assert "WP" in text
    assert "modes" not in text


def test_three_modes_give_no_exponent_to_the_shape_of_the_linear_denoiser():
    metrics, nested = as_tables(cells("mlp", "sgd"))
    for count, fitted in ((4, True), (3, False)):
        kept = nested["modes"].filter(pc.less_equal(nested["modes"]["mode"], count))
        found = query(metrics, {"modes": kept})
        assert len(of(found, "emergence_step")["mode"]) == count
        assert ("linear_exponent" in found["quantity"].to_pylist()) == fitted
        assert ("exponent" in found["quantity"].to_pylist()) == fitted
        assert ("harmonic_exponent" in found["quantity"].to_pylist()) == fitted
        (text,) = (text for text in legend(found) if "shape: linear" in text)
        assert ("lambda" in text) == fitted


def test_without_linear_training_the_closed_form_has_no_step():
    """A network descends on another multiple of the loss, so its rate says nothing of τ."""
    made = [*cells("mlp", "adam"), *cells("mlp", "sgd"), *cells("linear_exact", None)]
    assert set(query(*as_tables(made))["model"].to_pylist()) == {"mlp", None}
    made += cells("linear_trained", "sgd", learning_rate=0.2)
    found = query(*as_tables(made))
    exact, twice = (of(found, "emergence_step", ("linear_exact", None)), PREFACTOR / 2)
    assert exact["value"] * exact["mode_eigenvalue"] == pytest.approx(twice, rel=0.02)


@pytest.mark.parametrize("sizes", [[16], [4, 16]])
def test_the_largest_n_is_that_of_the_place_that_is_shown(sizes: list[int]):
    """Gaussian data come first, whatever N a data set has."""
    made = [row for n in sizes for row in cells("mlp", "sgd", n=n)]
    other = cells("mlp", "sgd", n=64, data="zoo")
    for row in other:
        row["cell_id"] += "zoo"
    found = query(*as_tables([*made, *other]))
    assert {own["data"] for own in compare.populations(found)} == {"gaussian"}
    assert tables.facts(found)["fixed"]["n"] == 16
    assert tables.facts(found)["choice"].get("n", [16]) == sizes
    assert of(found, "exponent")["value"] == pytest.approx(
        [np.mean(EXPONENTS["mlp", "sgd"])], abs=0.01
    )


def test_an_epsilon_network_is_shown_where_there_is_one():
    other = [row | {"preconditioning": "edm"} for row in cells("mlp", "sgd", width=8)]
    for row in other:
        row["cell_id"] += "edm"
    data = query(*as_tables([*cells("mlp", "sgd"), *other]))
    (held,) = tables.facts(data)["training"]
    assert (held["preconditioning"], held["width"]) == ("none", 64)


def test_shapes_go_through_the_mean_of_the_first_series(data: pa.Table):
    first = of(data, "emergence_step", ("mlp", "adam"))
    law, linear = (tables.arrays(data, quantity=f"{name}_shape") for name in ("law", "linear"))
    assert np.ptp(law["value"] * law["mode_eigenvalue"]) == pytest.approx(0, abs=1e-6)
    for shape in (law, linear):
        at = np.interp(
            np.log(first["mode_eigenvalue"]), np.log(shape["mode_eigenvalue"]),
            np.log(shape["value"]),
        )  # fmt: skip
        assert at.mean() == pytest.approx(np.log(first["value"]).mean(), abs=1e-3)
    # The exponent is of these modes, of which most have small λ, as those of the trainings are.
    log = np.log(first["mode_eigenvalue"])
    curve = np.interp(log, np.log(linear["mode_eigenvalue"]), np.log(linear["value"]))
    (slope,) = tables.arrays(data, quantity="linear_exponent")["value"]
    assert slope == pytest.approx(np.polyfit(log, curve, 1)[0], abs=1e-6)
    even = np.polyfit(np.log(linear["mode_eigenvalue"]), np.log(linear["value"]), 1)[0]
    assert slope < even


def test_of_many_modes_some_are_marked():
    many = np.geomspace(1e-2, 1, 1000) ** 2
    for values in (many, many[::-1]):
        some = modes._marked(values)
        assert len(some) == 40
        assert np.abs(np.diff(np.log(values[some]))).max() < 0.25
    assert modes._marked(many[:40]).tolist() == list(range(40))


def test_the_linear_denoiser_has_the_law_as_its_limit():
    (cell,) = synthetic.rows(sampler="ddim")
    nodes, times = crossings.linear_times(cell, np.array([0.004, 0.008]))
    assert nodes[[0, -1]] == pytest.approx([0.004, 0.008])
    assert times * nodes == pytest.approx(learning_constant("ddim"), rel=0.05)
    # Where λ is not small training saturates: the step depends on λ far less.
    nodes, times = crossings.linear_times(cell | {"timesteps": 100}, np.array(EIGENVALUES))
    assert -0.6 < np.polyfit(np.log(nodes), np.log(times), 1)[0] < -0.2


def test_without_modes_there_is_nothing_to_draw():
    metrics, _ = sweep()
    empty = {"modes": synthetic.nested("modes", [])}
    assert query(metrics, empty).num_rows == 0
    exact = as_tables(cells("linear_exact", None))
    assert query(*exact).num_rows == 0
    made = cells("mlp", "sgd")
    metrics, nested = as_tables(made)
    rows = nested["modes"].to_pylist()
    for row in rows[: len(rows) // 2]:
        row["generated_variance"] = None
    found = query(metrics, {"modes": synthetic.nested("modes", rows)})
    assert found.num_rows > 0
