"""Searches on curves that are known: what is found is what a sweep of all values would find."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.columns import SETTING
from lindiff.config.refine import Refinement, lattice
from lindiff.sweep.search import Search, search


@cache
def sought(level: float | None, low: float, high: float, *, start=5, within=0.05, axis="ridge"):
    values, step = lattice(SETTING[axis], low, high, start, within, 1 if level is not None else 2)
    return Refinement(
        axis=axis, metric="test_loss", level=level, within=within, values=values, step=step
    )


def run(refinement: Refinement, curve: Callable[[float], float]) -> tuple[Search, int]:
    """The end of a search, and how many rounds asked for something."""
    known: dict[float, float] = {}
    rounds = 0
    while (found := search(refinement, known)).open:
        new = [value for value in found.asked if value not in known]
        assert new, "an open search asks for something"
        known |= {value: curve(value) for value in new}
        rounds += 1
    assert set(found.asked) == set(known)
    return found, rounds


@settings(max_examples=60, deadline=None)
@given(
    place=st.floats(0.02, 0.98),
    power=st.floats(0.3, 6),
    falls=st.booleans(),
    within=st.sampled_from([0.02, 0.05, 0.3]),
    axis=st.sampled_from(["ridge", "n"]),
)
def test_a_crossing_is_bracketed_by_the_neighbours_that_a_dense_sweep_has(
    place, power, falls, within, axis
):
    low, high = (8, 4096) if axis == "n" else (1e-3, 10.0)
    at = low * (high / low) ** place
    refinement = sought(1.0, low, high, within=within, axis=axis)

    def curve(x: float) -> float:
        return float((x / at) ** (-power if falls else power))

    found, rounds = run(refinement, curve)
    a, b = found.interval
    assert found.reason == ""
    assert a * (1 - 1e-12) <= at <= b * (1 + 1e-12)
    assert b <= a * (1 + within) or (axis == "n" and b == a + 1)
    assert rounds <= refinement.rounds
    assert len(found.asked) <= refinement.most
    dense = sorted(set(refinement.values))
    beyond = [(curve(x) > 1.0) for x in dense]
    i = max(i for i in range(1, len(dense)) if beyond[i] != beyond[i - 1])
    assert (a, b) == (dense[i - 1], dense[i])
    assert 3 * len(found.asked) <= len(dense) or within == 0.3


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0.05, 0.95), power=st.floats(0.5, 3), skew=st.floats(0.3, 3))
def test_a_minimum_is_between_its_neighbours(place, power, skew):
    low, high = 1e-3, 10.0
    at = low * (high / low) ** place
    refinement = sought(None, low, high, within=0.1)

    def curve(x: float) -> float:
        away = math.log(x / at)
        return 1 + abs(away) ** power * (skew if away > 0 else 1)

    found, rounds = run(refinement, curve)
    if found.interval is None:
        # The first round has its least value at an end: nothing is on one side of it.
        assert "it is least at an end" in found.reason
        start = refinement.start
        assert min(start, key=curve) in (start[0], start[-1])
        return
    a, b = found.interval
    assert a <= at <= b
    assert b <= a * 1.1
    assert rounds <= refinement.rounds
    assert len(found.asked) <= refinement.most


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([None, 1.0]))
def test_on_noise_it_ends_too_and_says_where_it_is_or_why_not(seed, level):
    refinement = sought(level, 8, 4096, axis="n")
    dense = sorted(set(refinement.values))
    noise = np.random.default_rng(seed).uniform(0, 2, len(dense)).tolist()
    curve = dict(zip(dense, noise, strict=True))
    found, rounds = run(refinement, lambda x: curve[x])
    assert rounds <= refinement.rounds
    assert len(found.asked) <= refinement.most
    assert (found.interval is None) == bool(found.reason)
    if level is not None and found.interval is not None:
        a, b = found.interval
        assert (curve[a] > level) != (curve[b] > level)


def test_it_is_a_function_of_what_is_known_and_not_of_the_order():
    refinement = sought(1.0, 8, 4096, axis="n")
    whole, _ = run(refinement, lambda x: 100 / x)
    known = {x: 100 / x for x in sorted(set(refinement.values), reverse=True)}
    assert replace(search(refinement, known), round=whole.round) == whole
    for count in range(len(whole.asked)):
        part = search(refinement, {x: 100 / x for x in whole.asked[:count]})
        assert part.open
        assert set(part.asked) <= set(whole.asked)


def test_the_last_of_several_crossings_is_taken():
    refinement = sought(1.0, 1.0, 81.0)
    found, _ = run(refinement, lambda x: 2.0 if x < 3 or 9 <= x < 50 else 0.5)
    assert found.interval[0] < 50 <= found.interval[1]


def test_no_crossing_is_said_with_what_was_seen():
    refinement = sought(0.5, 8, 4096, axis="n")
    found, rounds = run(refinement, lambda x: 1 - x / 10000)
    assert (rounds, found.interval) == (1, None)
    assert found.reason == (
        "it does not cross over n from 8 to 4096: from 0.999 to 0.59, all between 0.59 and 0.999"
    )
    found, _ = run(sought(None, 8, 4096, axis="n"), lambda x: 1 - x / 10000)
    assert found.reason == "it is least at an end: 0.59 at n = 4096, of n from 8 to 4096"


def test_infinite_values_are_on_their_side_of_a_level_and_nowhere_least():
    found, _ = run(sought(1.0, 8, 4096, axis="n"), lambda x: math.inf if x < 100 else 0.0)
    assert found.interval[0] < 100 <= found.interval[1]
    found, _ = run(sought(None, 8, 4096, axis="n"), lambda x: math.inf)
    assert found.interval is None
    assert "least at an end" in found.reason


def test_values_without_a_number_end_the_search_there_and_are_named():
    refinement = sought(1.0, 8, 4096, axis="n")

    def holed(x: float) -> float:
        return math.nan if 100 < x < 900 else 300 / x

    found, _ = run(refinement, holed)
    a, b = found.interval
    assert a <= 100
    assert b >= 900
    assert found.reason == "no cell has test_loss at 181, 861"
    found, _ = run(refinement, lambda x: math.nan)
    assert found.interval is None
    assert found.reason == "0 of the 5 values of n have test_loss"
