"""Numbers of statements, read off made-up tables."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lindiff.claims.reading import points
from lindiff.claims.statement import PLACES, ROWS
from lindiff.claims.taking import Undecided
from tests.claims.helpers import noisy, statement, table

NS = (5, 10, 20, 40, 80, 160)


def law(n: int, d: int = 10) -> float:
    return 3.0 * d / n


def exact(**keys):
    """Five sets of one curve each, without noise."""
    return table({"n": n, "seed": s, "test_loss": law(n)} | keys for n in NS for s in range(5))


def read(cells, other=None, **keys):
    return points(cells, cells if other is None else other, statement(**keys), 0.95)[1]


def test_a_mean_at_each_point():
    cells = table({"n": n, "seed": s, "test_loss": n + s} for n in (5, 10) for s in range(3))
    first, second = read(cells)
    assert (first.settings, second.settings) == ({"n": 5}, {"n": 10})
    assert first.interval.value == pytest.approx(6)
    assert first.interval.low < 6 < first.interval.high
    assert (first.sets, first.cells, first.reason) == (3, 3, "")


def test_the_jackknife_of_a_mean_is_the_t_interval_of_what_is_negative_too():
    values = [-1.0, 0.5, 2.0, 3.5]
    (point,) = read(table({"seed": s, "test_loss": v} for s, v in enumerate(values)))
    half = 3.182446305284263 * np.std(values, ddof=1) / 2  # Student's t of 3 degrees of freedom
    assert point.interval.value == pytest.approx(1.25)
    assert (point.interval.low, point.interval.high) == pytest.approx((1.25 - half, 1.25 + half))


def test_trainings_of_one_set_are_one_value():
    cells = table(
        {"seed": s, "train_seed": t, "test_loss": 1.0 + s + t} for s in range(3) for t in range(2)
    )
    (point,) = read(cells)
    assert (point.sets, point.cells) == (3, 6)
    assert point.interval.value == pytest.approx(2.5)


def test_where_a_curve_falls_and_rises():
    (falls,) = read(exact(), take={"along": "n", "of": "falls", "level": 0.5})
    assert falls.interval.value == pytest.approx(60, rel=1e-9)  # 3·10/n = 0.5, a power law
    (ratio,) = read(exact(), take={"along": "n_over_d", "of": "falls", "level": 0.5})
    assert ratio.interval.value == pytest.approx(6, rel=1e-9)
    rising = table({"n": n, "seed": s, "test_loss": n / 40} for n in NS for s in range(3))
    (rises,) = read(rising, take={"along": "n", "of": "rises", "level": 1.5})
    assert 40 < rises.interval.value < 80


def test_the_last_fall_counts_and_a_fall_to_zero_is_read():
    values = (2.0, 0.1, 2.0, 1.0, 0.0, 0.0)
    cells = table(
        {"n": n, "seed": s, "test_loss": v}
        for n, v in zip(NS, values, strict=True)
        for s in range(3)
    )
    (point,) = read(cells, take={"along": "n", "of": "falls", "level": 0.5})
    assert point.interval.value == pytest.approx(math.sqrt(40 * 80))


@pytest.mark.parametrize("level", [0.01, 100])
def test_a_level_that_is_not_crossed_decides_nothing(level):
    with pytest.raises(Undecided, match="cross"):
        read(exact(), take={"along": "n", "of": "falls", "level": level})


def test_the_least_value_and_where_it_is():
    ridges = np.geomspace(0.01, 100, 21)
    cells = table(
        {"ridge": r, "seed": s, "test_loss": 2 + (math.log(r / 0.7)) ** 2}
        for r in ridges
        for s in range(4)
    )
    (least,) = read(cells, take={"along": "ridge", "of": "minimum"})
    (where,) = read(cells, take={"along": "ridge", "of": "argmin"})
    assert least.interval.value == pytest.approx(2, abs=1e-3)
    assert where.interval.value == pytest.approx(0.7, rel=1e-2)
    falling = table({"ridge": r, "seed": s, "test_loss": 1 / r} for r in ridges for s in range(4))
    with pytest.raises(Undecided, match="end"):
        read(falling, take={"along": "ridge", "of": "argmin"})


def test_the_exponent_over_d_of_a_needed_n():
    cells = table(
        {"d": d, "n": d * n // 10, "seed": s, "test_loss": law(d * n // 10, d)}
        for d in (10, 20, 40, 80)
        for n in NS
        for s in range(3)
    )
    (point,) = read(cells, take={"along": "n", "of": "falls", "level": 0.5}, exponent="d")
    assert point.settings == {}
    assert point.interval.value == pytest.approx(1, abs=1e-9)
    (point,) = read(exact(), exponent="n")
    assert point.interval.value == pytest.approx(-1, abs=1e-9)


def test_the_exponent_over_d_at_one_n():
    """N/d varies with d, and tells no curves apart."""
    cells = table(
        {"d": d, "n": 1000, "stop_step": t, "seed": s, "test_loss": t / d**2}
        for d in (4, 5, 6, 8)
        for t in (1, 3, 10, 30, 100, 300)
        for s in range(3)
    )
    (point,) = read(cells, take={"along": "stop_step", "of": "rises", "level": 1}, exponent="d")
    assert point.settings == {}
    assert point.interval.value == pytest.approx(2, abs=1e-9)


def test_a_power_law_takes_four_points():
    cells = table({"n": n, "seed": s, "test_loss": law(n)} for n in NS[:3] for s in range(5))
    (point,) = read(cells, exponent="n")
    assert math.isnan(point.interval.low)
    assert "3 points only" in point.reason


def test_a_ratio_to_other_cells_is_paired_by_set():
    rng = np.random.default_rng(0)
    base = rng.uniform(1, 5, 6)
    cells = table(
        {"n": n, "ridge": r, "seed": s, "test_loss": v * n * (0.25 if r else 1)}
        for n in (5, 10)
        for r in (0.0, 0.5)
        for s, v in enumerate(base)
    )
    own, other = (cells.filter(pa_equal(cells["ridge"], r)) for r in (0.5, 0.0))
    found = read(own, other, against={"where": ["ridge=0"]})
    assert [p.settings for p in found] == [{"n": 5}, {"n": 10}]
    for point in found:
        ends = (point.interval.value, point.interval.low, point.interval.high)
        assert ends == pytest.approx((0.25,) * 3)  # the sets' own scatter is not in it


def pa_equal(column, value):
    import pyarrow.compute as pc

    return pc.equal(column, value)


def test_too_few_sets_infinities_and_nulls_give_no_interval():
    (point,) = read(table({"seed": s, "test_loss": 1.0} for s in range(2)))
    assert math.isnan(point.interval.low)
    assert "2 training sets only" in point.reason
    (point,) = read(table({"seed": s, "test_loss": math.inf} for s in range(4)))
    assert math.isnan(point.interval.low)
    with pytest.raises(Undecided, match="test_loss is null"):
        read(table({"seed": s, "test_loss": None} for s in range(4)))


def test_a_spectrum_is_named_whole_though_its_kind_is_one():
    cells = table(
        {"spectrum": "spiked", "spectrum_params": f'{{"spike":{spike}}}', "seed": s, "test_loss": 1}
        for spike in (10, 20)
        for s in range(3)
    )
    assert [point.settings["spectrum"] for point in read(cells)] == ["spiked", "spiked"]


def test_a_table_from_before_some_settings_is_read_without_them():
    kept = [name for name in exact().column_names if name not in ("noises", "stop_step", "width")]
    assert read(exact().select(kept)) == read(exact())


def test_rows_of_a_table_are_points_by_their_level():
    cells = exact(ridge=0.5)
    levels = pa.concat_tables(
        cells.append_column("t", pa.array([t] * len(cells))).append_column(
            "alpha_bar", pa.array([1 - t / 100] * len(cells))
        )
        for t in (1, 50)
    )
    found = read(levels, quantity="test_loss * alpha_bar", table="levels")
    assert [p.settings for p in found] == [{"n": n, "t": t} for t in (1, 50) for n in NS]
    assert found[-1].interval.value == pytest.approx(law(160) / 2)
    along = read(levels, quantity="alpha_bar", table="levels", take={"along": "t", "of": "minimum"})
    assert [p.interval.value for p in along] == [0.5] * len(NS)


def test_places_tell_the_rows_of_every_table_apart():
    for name, numbers in ROWS.items():
        assert set(numbers) & set(PLACES), name


def test_a_power_law_of_sets_that_differ_is_none():
    cells = table(
        {"n": n, "seed": 10 * i + s, "test_loss": law(n)}
        for i, n in enumerate(NS)
        for s in range(3)
    )
    with pytest.raises(Undecided, match="no training set in common"):
        read(cells, exponent="n")


def test_the_stop_at_the_end_is_its_step():
    cells = table(
        {"stop_step": step, "steps": 80, "seed": s, "test_loss": (step or 80) / 80}
        for step in (10, 20, 40, 0)
        for s in range(3)
    )
    (point,) = read(cells, take={"along": "stop_step", "of": "rises", "level": 0.75})
    assert point.interval.value == pytest.approx(60, rel=0.02)
    (point,) = read(cells, exponent="stop_step")
    assert point.interval.value == pytest.approx(1)


def test_what_is_measured_of_the_population_has_the_interval_of_its_error():
    def cells(**keys):
        own = {"model": "empirical", "speciation_time": 3.0, "speciation_time_se": 0.01} | keys
        return table({"seed": s} | own for s in range(4))

    (point,) = read(cells(), quantity="speciation_time / (2 * d)")
    half = 1.959964 * 0.01 / 20
    ends = point.interval.value, point.interval.low, point.interval.high
    assert ends == pytest.approx((0.15, 0.15 - half, 0.15 + half), rel=1e-6)
    with pytest.raises(Undecided, match="speciation_time_se was not asked for"):
        read(cells(speciation_time_se=None), quantity="speciation_time")
    with pytest.raises(Undecided, match="error of its own"):
        read(cells(), cells(), quantity="speciation_time", against={"where": ["n=20"]})
    # Exact: the model has no such error.
    (point,) = read(exact().filter(pc.equal(exact()["n"], 20)))
    assert point.interval.low == pytest.approx(point.interval.high, rel=1e-12)


def test_theory_has_no_interval_and_no_sets():
    (point,) = read(table([{"model": "linear_theory", "seed": None, "test_loss": 2.0}]))
    assert (point.interval.low, point.interval.high, point.sets) == (2.0, 2.0, 0)


@pytest.mark.parametrize(
    ("keys", "truth"),
    [
        ({}, 1.5),
        ({"take": {"along": "n", "of": "falls", "level": 0.5}}, 60),
        ({"exponent": "n"}, -1),
    ],
)
def test_intervals_cover(keys, truth):
    """Of 400 tables of 6 sets that scatter by 10 %, of set and of cell; 0.92 to 0.98."""
    rng = np.random.default_rng(7)
    width = 0.1
    sizes = NS if keys else (20,)
    factor = math.exp(width**2)  # mean of the scatter, which the mean curve has
    truth *= {"falls": factor}.get(keys.get("take", {}).get("of"), 1 if keys else factor)
    hits = 0
    for _ in range(400):
        cells = noisy(law, [{"n": n} for n in sizes], 6, rng, width)
        _, (point,) = points(cells, cells, statement(**keys), 0.95)
        hits += point.interval.low <= truth <= point.interval.high
    assert 0.92 <= hits / 400 <= 0.98


def test_draws_are_divided_by_their_limit():
    """Which has no seed and is the same for all of them."""
    cells = table({"n": n, "seed": s, "test_loss": 2.0 + s} for n in (5, 10) for s in range(3))
    limit = table({"n": n, "seed": None, "test_loss": n / 10} for n in (5, 10))
    first, second = read(cells, limit, against={"where": ["model=linear_theory"]})
    assert (first.interval.value, second.interval.value) == pytest.approx((6.0, 3.0))
    assert (first.sets, first.cells) == (3, 4)
    assert first.interval.low < 6 < first.interval.high
