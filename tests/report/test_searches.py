"""What searches have found, in words and with intervals."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from lindiff.columns import SETTING
from lindiff.config.refine import Refinement, lattice
from lindiff.report.searches import estimate, told
from lindiff.sweep.rounds import Arm
from lindiff.sweep.search import search

VALUES, STEP = lattice(SETTING["ridge"], 1.0, 100.0, 5, 0.05, 1)


def arm(curves: np.ndarray, level: float | None = 1.0, where: dict | None = None) -> Arm:
    """The search on curves over all of `VALUES`, finished; shape (seeds, values)."""
    sought = Refinement(
        axis="ridge", metric="test_loss", level=level, within=0.05, values=VALUES, step=STEP
    )
    mean = [row[~np.isnan(row)].mean() if not np.isnan(row).all() else math.nan for row in curves.T]
    found = search(sought, dict(zip(VALUES, mean, strict=True)))
    kept = [VALUES.index(value) for value in found.asked]
    return Arm(
        "one", sought, where or {"model": "mlp", "d": 8}, found, curves[:, kept], len(curves)
    )


def falling(places: list[float]) -> np.ndarray:
    return np.array([place / np.array(VALUES) for place in places])


def test_a_crossing_has_its_interval_and_whether_rounds_would_narrow_it():
    one = told(arm(falling([10.0, 10.1, 9.9, 10.0])))
    assert one == (
        "one: ridge where mean test_loss = 1, model mlp, d 8: 10, between 9.647 and 10; "
        "95 % interval over 4 seeds 9.871 to 10.13 (10 values)"
    )
    wide = told(arm(falling([6.0, 10.0, 14.0])))
    assert "; 95 % interval over 3 seeds 3.6" in wide
    assert "which more seeds would narrow and more rounds would not" in wide


def test_two_seeds_have_no_interval():
    text = told(arm(falling([9.0, 11.0])))
    assert "95 %" not in text
    assert math.isnan(estimate(arm(falling([9.0, 11.0]))).low)


def test_a_spectrum_is_told_in_words():
    where = {"model": "mlp", "spectrum": {"kind": "power_law", "exponent": 1.0}}
    text = told(arm(falling([10.0]), where=where))
    assert "model mlp, spectrum power_law exponent 1: 10, between" in text


def test_what_a_search_holds_for_is_told():
    held = {"d": 16, "spectrum": {"kind": "isotropic"}, "steps": 800}
    text = told(dataclasses.replace(arm(falling([10.0])), held=held))
    assert "model mlp, d 8 (d 16, spectrum isotropic, steps 800): 10, between" in text
    many = {"spectrum": {"kind": "eigenvalues", "values": [1.0] * 256}}
    text = told(dataclasses.replace(arm(falling([10.0])), held=many))
    assert "(spectrum eigenvalues values of 256 numbers)" in text


def test_cells_without_the_metric_are_counted_and_are_in_no_number():
    curves = falling([9.0, 10.0, 11.0])
    curves[2, VALUES.index(VALUES[::STEP][1])] = math.nan
    text = told(arm(curves))
    assert text.endswith("; 1 of its cells has no test_loss")
    assert "95 % interval over 3 seeds" in text


def test_without_a_crossing_it_says_what_was_seen():
    text = told(arm(falling([1e-3, 2e-3])))
    assert text == (
        "one: ridge where mean test_loss = 1, model mlp, d 8: it does not cross over ridge "
        "from 1 to 100: from 0.0015 to 1.5e-05, all between 1.5e-05 and 0.0015"
    )


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 10])
def test_intervals_of_crossings_cover_as_they_say(seeds):
    rng = np.random.default_rng(7)
    spread, hits, runs = 0.15, 0, 1500
    # The mean of curves that are moved by e^(spread z) crosses at e^(spread²/2).
    true = 10 * math.exp(spread**2 / 2)
    for _ in range(runs):
        curves = falling((10 * np.exp(spread * rng.standard_normal(seeds))).tolist())
        found = estimate(arm(curves))
        hits += found.low <= true <= found.high
    assert 0.92 <= hits / runs <= 0.98
