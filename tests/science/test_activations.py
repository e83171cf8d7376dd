"""Gaussian expectations of activations against integrals."""

from itertools import islice

import numpy as np
import pytest
from scipy.special import erf

from lindiff.columns import SETTING
from lindiff.science.activations import ACTIVATIONS

# A dense grid for integrals over one standard normal number: both halves end at kinks.
GRID = np.linspace(-12, 12, 200_001)
WEIGHT = np.exp(-(GRID**2) / 2) / np.sqrt(2 * np.pi) * (GRID[1] - GRID[0])


def test_every_choice_has_its_function():
    assert SETTING["activation"].choices == tuple(ACTIVATIONS)


def test_values_are_those_of_their_names():
    x = np.array([-2.0, 0.0, 0.5])
    assert np.array_equal(ACTIVATIONS["erf"].value(x), erf(x))
    assert np.array_equal(ACTIVATIONS["relu"].value(x), [0, 0, 0.5])
    assert np.array_equal(ACTIVATIONS["identity"].value(x), x)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_coefficients_are_their_integrals(name):
    activation = ACTIVATIONS[name]
    mean, deviation = np.array([0.0, 0.4, -1.3]), np.array([0.7, 1.1, 0.4])
    before, now = np.zeros_like(GRID), np.ones_like(GRID)
    values = activation.value(mean[:, None] + deviation[:, None] * GRID)
    for k, found in enumerate(islice(activation.coefficients(mean, deviation), 12)):
        assert found == pytest.approx(values @ (WEIGHT * now), abs=2e-9), k
        before, now = now, (GRID * now - np.sqrt(k) * before) / np.sqrt(k + 1)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("correlation", [-1.0, -0.97, -0.3, 0.0, 0.6, 0.99, 1.0])
def test_a_pair_is_its_double_integral(name, correlation):
    """Over Y given X in closed form, by its zeroth coefficient; over X on the grid."""
    activation = ACTIVATIONS[name]
    for m, n, s, r in ((0.0, 0.0, 1.0, 1.0), (0.5, -0.7, 0.8, 1.3), (-2.0, 0.1, 0.3, 2.0)):
        given = n + r * correlation * GRID
        left = r * np.sqrt(1 - correlation**2)
        inner = (
            next(activation.coefficients(given, np.full_like(given, left)))
            if left
            else activation.value(given)
        )
        expected = (activation.value(m + s * GRID) * inner) @ WEIGHT
        numbers = (np.array([v]) for v in (m, n, s, r, correlation))
        assert activation.pair(*numbers)[0] == pytest.approx(expected, abs=3e-9)


def test_the_arcsine_law_and_the_arc_cosine_kernel():
    """Of means 0: Williams (1997) for erf, Cho and Saul (2009) for ReLU."""
    correlation = np.linspace(-1, 1, 21)
    zero, one = np.zeros(1), np.ones(1)
    found = ACTIVATIONS["erf"].pair(zero, zero, one, one, correlation)
    assert found == pytest.approx(2 / np.pi * np.arcsin(2 / 3 * correlation), abs=1e-15)
    angle = np.arccos(correlation)
    kernel = (np.sin(angle) + (np.pi - angle) * correlation) / (2 * np.pi)
    found = ACTIVATIONS["relu"].pair(zero, zero, one, one, correlation)
    assert found == pytest.approx(kernel, abs=1e-15)
