import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindiff.science.datasets import remember
from lindiff.science.named import names
from lindiff.science.pools import make_pool
from lindiff.science.spectrum import make_spectrum

SPECTRA = names("lindiff.science.spectra")

PARAMS = {
    "isotropic": {},
    "power_law": {"exponent": 1.5},
    "spiked": {"spike": 10.0, "count": 2},
    "two_level": {"ratio": 5.0, "fraction": 0.25},
    "low_rank": {"rank": 3},
    "eigenvalues": {"values": [3.0, 1.0, 2.0, 5.0, 4.0, 1.0, 1.0, 1.0]},
    "dataset": {"name": remember(np.random.default_rng(0).standard_normal((50, 8)), "m.npy")},
}


@pytest.mark.parametrize("name", SPECTRA)
def test_every_spectrum_is_sorted_with_trace_d(name):
    s = make_spectrum(name, 8, **PARAMS[name])
    assert s.sum() == pytest.approx(8, rel=1e-14)
    assert np.all(np.diff(s) <= 0)
    assert np.count_nonzero(s) == PARAMS[name].get("rank", 8)
    assert np.all(s >= 0)


@given(st.integers(1, 60), st.floats(-3, 3))
def test_power_law_ratios(d, exponent):
    s = make_spectrum("power_law", d, exponent=exponent)
    assert s.max() / s.min() == pytest.approx(d ** abs(exponent), rel=1e-10)


def test_shapes_of_the_named_spectra():
    spiked = make_spectrum("spiked", 8, spike=10.0, count=2)
    np.testing.assert_allclose(spiked / spiked[-1], [10, 10, 1, 1, 1, 1, 1, 1], rtol=1e-14)
    two = make_spectrum("two_level", 8, ratio=5.0, fraction=0.25)
    np.testing.assert_allclose(two / two[-1], [5, 5, 1, 1, 1, 1, 1, 1], rtol=1e-14)
    low = make_spectrum("low_rank", 8, rank=3)
    np.testing.assert_allclose(low / low[0], [1, 1, 1, 0, 0, 0, 0, 0], rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("eigenvalues", {"values": [1.0, -1.0]}, "not negative"),
        ("eigenvalues", {"values": [0.0, 0.0]}, "are zero"),
        ("low_rank", {"rank": 3}, "rank = 3 is more than d = 2"),
        ("eigenvalues", {"values": [1.0, np.nan]}, "finite"),
        ("eigenvalues", {"values": [1.0]}, "1 values for d = 2"),
        ("spiked", {"spike": 2.0, "count": 3}, "count = 3"),
        ("two_level", {"ratio": 2.0, "fraction": 1.5}, "fraction"),
    ],
)
def test_bad_spectra_are_refused(name, params, message):
    with pytest.raises(ValueError, match=message):
        make_spectrum(name, 2, **params)


def test_a_data_set_has_the_spectrum_of_its_pool():
    found = make_spectrum("dataset", 61, name="digits")
    np.testing.assert_allclose(found, make_pool("digits").spectrum, rtol=1e-14)
    with pytest.raises(ValueError, match="digits has d = 61, not 64"):
        make_spectrum("dataset", 64, name="digits")


@pytest.mark.parametrize(("fraction", "level"), [(0.01, "upper"), (0.99, "lower")])
def test_a_fraction_that_rounds_to_no_mode_is_refused(fraction, level):
    with pytest.raises(ValueError, match=f"of d = 8 leaves no mode on the {level} level"):
        make_spectrum("two_level", 8, ratio=100, fraction=fraction)
    assert len(set(make_spectrum("two_level", 64, ratio=100, fraction=fraction))) == 2
