"""The figure `agreement`, against a planted N/(N + d)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lindiff.drawing import tables
from lindiff.figures import agreement
from tests.figures.feeds import agreement as feed

T_1 = 12.706204736432095  # 97.5 % quantile of Student's t with one degree of freedom


def values(**equal: Any) -> dict[str, Any]:
    metrics, *_ = feed.sweep()
    return tables.arrays(agreement.query(tables.plain(metrics)), **equal)


@pytest.mark.parametrize("kind", ["isotropic", "power_law"])
def test_agreement_and_what_it_lacks(kind: str):
    found = values(spectrum=kind, strength=0.0, quantity="agreement")
    assert found["value"] == pytest.approx([1 / 3, 1 / 2, 8 / 9])
    # Two pairs at ±0.01: a standard error of 0.01.
    assert found["high"] - found["value"] == pytest.approx([0.01 * T_1] * 3)
    lack = values(spectrum=kind, strength=0.1, quantity="disagreement")
    assert lack["value"] == pytest.approx(2 / (np.array([4, 8, 64]) + 2))
    theory = values(spectrum=kind, strength=0.1, quantity="disagreement_theory")
    assert theory["n"].tolist() == [4, 8, 16, 32, 64]
    assert theory["value"] == pytest.approx(2 / (theory["n"] + 2))


def test_ddim_is_taken_of_the_samplers_and_those_without_agreement_are_no_reason_to_fail():
    metrics, *_ = feed.sweep()
    data = agreement.query(tables.plain(metrics))
    assert tables.facts(data)["fixed"]["sampler"] == "ddim"
    assert np.all(np.isfinite(tables.arrays(data)["value"]))
