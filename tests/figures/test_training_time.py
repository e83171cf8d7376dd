"""The figure `training_time`: planted times and exponents are found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindiff.drawing import tables, times
from lindiff.figures import training_time
from lindiff.science.scaling import first_crossing
from tests.figures import synthetic
from tests.figures.feeds import training_time as feed


def query(rows: list[dict[str, Any]]) -> pa.Table:
    return training_time.query(tables.plain(synthetic.table(rows)))


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query(feed.rows())


def by_n(data: pa.Table, time: str) -> dict[int, dict[str, Any]]:
    rows = tables.keep(data, "time", [time]).to_pylist()
    return {row["n"]: row for row in rows if row["n"] is not None}


def law(data: pa.Table, time: str) -> dict[str, dict[str, Any]]:
    rows = tables.keep(data, "time", [time]).to_pylist()
    return {row["quantity"]: row for row in rows if row["n"] is None}


def test_the_planted_onset_is_found_where_every_set_reaches_it(data: pa.Table):
    found = by_n(data, "onset")
    assert list(found) == [8, 16, 32, 64, 128]  # at 256 it is step 6400, after the end
    for n, row in found.items():
        assert row["value"] == pytest.approx(feed.onset(n))
        assert row["seeds"] == 8
    deviation = math.log(feed.STEP) * math.sqrt(6)
    half = 2.364624251592785 * deviation / math.sqrt(8)
    assert found[8]["high"] / found[8]["value"] == pytest.approx(math.exp(half))
    exponent = law(data, "onset")["exponent"]
    assert exponent["value"] == pytest.approx(1)
    assert exponent["high"] == pytest.approx(1)  # the seeds differ by a factor alone
    assert law(data, "onset")["prefactor"]["value"] == pytest.approx(25)


def test_the_planted_best_stop_is_found_where_the_loss_rises_again(data: pa.Table):
    found = by_n(data, "best_stop")
    # At 256 the run ends before the loss is by 1 % above its least value.
    assert list(found) == [8, 16, 32, 64, 128]
    for n, row in found.items():
        assert row["value"] == pytest.approx(feed.best_stop(n), rel=1e-5)
    exponent = law(data, "best_stop")["exponent"]
    assert exponent["value"] == pytest.approx(0.6, abs=1e-5)
    assert exponent["seeds"] == 8


def test_the_fixed_quality_is_a_quarter_of_the_way_down_at_the_largest_n(data: pa.Table):
    runs = [[feed.test_loss(1024, step, seed) for step in feed.STOPS] for seed in feed.SEEDS]
    level = 0.75 * feed.START + 0.25 * np.mean(runs, axis=0).min()
    assert tables.facts(data)["level"] == [pytest.approx(level)]
    found = by_n(data, "quality")
    assert list(found) == [16, 32, 64, 128, 256, 512, 1024]  # the best at 8 is above it
    for n, row in found.items():
        # The loss is least·(start/least)^(share²) with the share of ln step from the best one.
        share = math.sqrt(math.log(level / feed.least(n)) / math.log(feed.START / feed.least(n)))
        exact = feed.best_stop(n) * (feed.STOPS[0] / feed.best_stop(n)) ** share
        assert row["value"] == pytest.approx(exact, rel=0.08)


def test_how_many_sizes_have_the_curves_is_said(data: pa.Table):
    assert tables.facts(data)["sizes"] == [[8, 8, 8]]
    titles = [ax.get_title(loc="left") for ax in training_time.draw(data).axes]
    assert titles[3] == r"(d) Onset $\propto N^{1.000\pm0.000}$, 5 of 8 $N$"
    assert titles[4].endswith("5 of 8 $N$")


def test_curves_of_some_sizes_are_means_over_training_sets(data: pa.Table):
    curves = tables.keep(data, "quantity", ["test_loss"])
    assert len(tables.distinct(curves, "n")) == 5
    own = tables.arrays(data, quantity="test_loss", n=8)
    assert own["step"].tolist() == feed.STOPS  # stop 0 is the end
    exact = [np.mean([feed.test_loss(8, step, seed) for seed in feed.SEEDS]) for step in feed.STOPS]
    assert own["value"] == pytest.approx(exact)
    assert np.all(own["high"][1:] > own["value"][1:])


def test_three_training_sets_have_intervals_and_two_have_none():
    three, two = query(feed.rows(seed=[0, 1, 2])), query(feed.rows(seed=[0, 1]))
    logs = [math.log(feed.factor(seed)) for seed in (0, 1, 2)]
    half = 4.302652729911275 * np.std(logs, ddof=1) / math.sqrt(3)
    found = by_n(three, "onset")[8]
    assert found["high"] / found["value"] == pytest.approx(math.exp(half))
    assert found["value"] / found["low"] == pytest.approx(math.exp(half))
    losses = [feed.test_loss(8, feed.STOPS[3], seed) for seed in (0, 1, 2)]
    curve = tables.arrays(three, quantity="test_loss", n=8)
    half = 4.302652729911275 * np.std(losses, ddof=1) / math.sqrt(3)
    assert (curve["high"] - curve["value"])[3] == pytest.approx(half)
    # Of a share, which is not normal at its ends, it takes eight.
    shares = tables.arrays(three, quantity="memorized_fraction", n=8)
    assert np.isnan(shares["low"].astype(float)).all()
    assert all(row["low"] is None for row in by_n(two, "onset").values())
    assert np.isnan(tables.arrays(two, quantity="test_loss", n=8)["low"].astype(float)).all()


def test_one_training_set_has_times_without_intervals():
    data = query(feed.rows(seed=[0]))
    assert data["low"].null_count == data.num_rows
    assert by_n(data, "onset")[8]["value"] == pytest.approx(feed.onset(8) * feed.factor(0))
    assert law(data, "onset")["exponent"]["value"] == pytest.approx(1)
    assert r"\pm" not in training_time.draw(data).axes[3].get_title(loc="left")


def test_a_size_that_one_set_does_not_reach_is_left_out_and_null_is_no_curve():
    rows = feed.rows()
    for row in rows:
        if row["n"] == 32 and row["seed"] == 3:
            row["memorized_fraction"] = 0.0
        if row["n"] == 8:
            row["memorized_fraction"] = None
    data = query(rows)
    assert list(by_n(data, "onset")) == [16, 64, 128]
    assert law(data, "onset") == {}, "three N are no power law"
    assert tables.facts(data)["sizes"] == [[7, 8, 8]]
    training_time.draw(data)


def test_nothing_is_fitted_or_marked_where_nothing_is_reached():
    rows = feed.rows()
    for row in rows:
        row |= {"memorized_fraction": None, "test_loss": 0.1 + 0.01 * row["stop_step"]}
        row["test_loss"] += 60.0 if row["stop_step"] == 0 else 0.0
    data = query(rows)
    assert data["time"].null_count == data.num_rows
    assert tables.facts(data)["level"] == [None]
    titles = [ax.get_title(loc="left") for ax in training_time.draw(data).axes]
    assert titles[3:] == [
        "(d) Onset, 0 of 0 $N$", "(e) Best stop, 0 of 8 $N$", "(f) Quality, 0 of 8 $N$",
    ]  # fmt: skip


def test_a_run_of_two_stops_is_no_curve():
    assert query(feed.rows(stop_step=[10, 0])).num_rows == 0


def test_steps_of_runs_of_another_length_are_not_mixed():
    rows = feed.rows() + feed.rows(steps=80_000, stop_step=[40_000, 0], n=[8, 16])
    assert max(tables.distinct(query(rows), "step")) == feed.STEPS


@pytest.mark.parametrize(
    ("values", "level", "expected"),
    [
        ([0.0, 0.0, 1.0], 0.5, 20 * math.sqrt(2)),
        ([1.0, 0.5, 0.0], 0.75, 10 * math.sqrt(2)),
        ([0.0, 0.4, 0.2, 1.0], 0.3, 10 * 2**0.75),
        ([0.0, 0.5, 0.0], 0.5, 20.0),
        ([0.6, 0.7, 0.8], 0.5, None),
        ([0.5, 0.6, 0.4], 0.5, None),
    ],
)
def test_crossings_by_hand(values: list[float], level: float, expected: float | None):
    steps = 10.0 * 2 ** np.arange(len(values))
    assert first_crossing(steps, np.array(values), level) == (
        None if expected is None else pytest.approx(expected)
    )


def test_an_onset_or_a_quality_before_the_first_stop_is_unknown():
    steps = np.array([10.0, 20.0, 40.0])
    assert times.onset(steps, np.array([0.2, 0.05, 0.3])) is None
    assert times.reaches(0.3)(steps, np.array([0.2, 0.4, 0.1])) is None
    assert times.best_stop(steps, np.array([0.3, 0.2, 0.1])) is None
    # Half a percent up from the least is a plateau with noise.
    assert times.best_stop(steps, np.array([0.3, 0.2, 0.201])) is None
    assert times.best_stop(steps, np.array([0.3, 0.2, 0.203])) == pytest.approx(20, rel=0.5)
    assert times.best_stop(steps, np.array([0.1, 0.2, 0.3])) is None


@given(st.floats(-1, 1), st.floats(0.2, 3), st.floats(0.05, 0.95))
def test_the_crossing_of_a_line_in_ln_step_is_exact(start: float, slope: float, share: float):
    steps = np.array([3.0, 10.0, 50.0, 400.0])
    values = start + slope * np.log(steps)
    level = values[0] + share * (values[-1] - values[0])
    assert first_crossing(steps, values, level) == pytest.approx(math.exp((level - start) / slope))
    assert first_crossing(steps, -values, -level) == pytest.approx(
        math.exp((level - start) / slope)
    )
