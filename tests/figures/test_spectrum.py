"""The figure `spectrum`, against planted values and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lindiff.drawing import tables
from lindiff.figures import spectrum
from lindiff.science import laws
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.figures import synthetic
from tests.figures.feeds import spectrum as feed


def values(**equal: Any) -> dict[str, Any]:
    data = spectrum.query(tables.plain(synthetic.table(feed.rows())))
    return tables.arrays(data, **equal)


@pytest.mark.parametrize("kind", feed.SPECTRA)
def test_gap_and_kl_are_those_planted(kind: str):
    _, gap, floor = feed.SPECTRA[kind]
    found = values(spectrum=kind, strength=0.1, quantity="exact_gap")
    # Three of five sets a tenth above, two a tenth below.
    assert found["value"] == pytest.approx(1.02 * gap / np.array(feed.NS))
    assert found["n_over_d"] == pytest.approx(np.array(feed.NS) / feed.D)
    assert np.all(found["seeds"] == 5)
    theory = values(spectrum=kind, strength=0.1, quantity="exact_gap_theory")
    assert theory["n"].tolist() == feed.FINER
    assert theory["value"] == pytest.approx(gap / np.array(feed.FINER))
    median = values(spectrum=kind, strength=0.1, quantity="kl_data_model")
    assert median["value"] == pytest.approx(2 * (floor + 1.1 * feed.D / (4 * np.array(feed.NS))))


def test_without_ridge_all_spectra_have_one_kl_and_infinite_ones_are_left_out():
    for kind in feed.SPECTRA:
        found = values(spectrum=kind, strength=0.0, quantity="kl_model_data")
        assert found["n"].tolist() == [16, 64]
        assert found["value"] == pytest.approx([1.1 / 8, 1.1 / 32])
        theory = values(spectrum=kind, strength=0.0, quantity="kl_model_data_theory")
        assert theory["n"].tolist() == [16, 32, 64]


def test_gap_of_a_mode_averages_to_the_large_n_law():
    alpha_bar = make_schedule().alpha_bar
    found = values(spectrum="isotropic", quantity="mode_gap")
    # All modes alike: m = ᾱ and v = ᾱ(1−ᾱ).
    v = alpha_bar * (1 - alpha_bar)
    expected = np.mean(2 * (feed.D + 1) * alpha_bar * v + 2 * v) / feed.D
    assert found["value"] == pytest.approx([expected] * feed.D)
    assert found["eigenvalue"] == pytest.approx([1] * feed.D)
    power = values(spectrum="power_law", quantity="mode_gap")
    s = make_spectrum("power_law", feed.D, exponent=1.0)
    whole = laws.gap_tail(alpha_bar, s).mean() / feed.D
    assert power["value"].mean() == pytest.approx(whole)
    assert power["eigenvalue"] == pytest.approx(s)
    assert np.all(np.diff(power["value"]) < 0)


def test_modes_of_a_schedule_without_ends_of_beta():
    """Of `cosine` the settings beta_min and beta_max are null."""
    rows = [row | {"schedule": "cosine", "beta_min": None, "beta_max": None} for row in feed.rows()]
    data = spectrum.query(tables.plain(synthetic.table(rows)))
    found = tables.arrays(data, spectrum="power_law", quantity="mode_gap")
    s = make_spectrum("power_law", feed.D, exponent=1.0)
    exact = laws.gap_tail(make_schedule("cosine").alpha_bar, s)
    assert found["value"].mean() == pytest.approx(exact.mean() / feed.D)


def test_kl_of_a_mode_is_that_of_one_gaussian():
    """A variance s generated as s + c."""
    ends = {
        name: values(spectrum="two_level", quantity=f"mode_{name}") for name in spectrum.DIRECTIONS
    }
    for s, one, other in zip(
        ends["kl_model_data"]["eigenvalue"],
        *(ends[name]["value"] for name in spectrum.DIRECTIONS),
        strict=True,
    ):
        ratio = (s + 0.1) / s
        assert one == pytest.approx((ratio - 1 - math.log(ratio)) / 2)
        assert other == pytest.approx((1 / ratio - 1 + math.log(ratio)) / 2)
    # Large eigenvalues differ from small ones by 100, and so by about 10⁴ in KL above c.
    assert ends["kl_model_data"]["value"].max() > 1000 * ends["kl_model_data"]["value"].min()


def test_the_ideal_sampler_is_taken_where_the_sweep_has_it():
    other = synthetic.rows(d=8, n=[16, 64], ridge=[0.0, 0.1], test_loss=9.0, train_loss=0.0)
    for row in other:
        row |= {"kl_model_data": 9.0, "kl_data_model": 9.0}
    metrics = tables.plain(synthetic.table(feed.rows() + other))
    data = spectrum.query(metrics)
    assert tables.facts(data)["fixed"]["sampler"] == "ideal"
    assert max(tables.arrays(data, quantity="kl_data_model")["value"]) < 9
