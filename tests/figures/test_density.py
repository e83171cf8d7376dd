"""The numbers of the figure `density` against counts and integrals done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff import figures
from lindiff.drawing import tables
from lindiff.figures import density
from lindiff.science.draws import make_draw
from tests.figures import synthetic


def cells(rows: list[dict[str, Any]], values: list[list[float]]) -> tuple[pa.Table, pa.Table]:
    """Metrics and modes of cells whose Σ0 has these eigenvalues, null space apart."""
    modes = []
    for row, eigenvalues in zip(rows, values, strict=True):
        null = row["d"] - len(eigenvalues)
        for i, value in enumerate([*eigenvalues, *([0.0] if null else [])]):
            modes.append(
                {
                    "cell_id": row["cell_id"],
                    "mode": i + 1,
                    "eigenvalue": value,
                    "multiplicity": 1 if value else null,
                }
            )
    return tables.plain(synthetic.table(rows)), synthetic.nested("modes", modes)


def test_points_are_shares_per_bin_and_the_null_space_is_apart():
    rows = synthetic.rows(d=[4], n=[3, 9], seed=[0, 1])
    metrics, modes = cells(
        rows, [[2.0, 1.0], [2.0, 1.9], [4.0, 2.0, 1.0, 0.25], [4.0, 3.9, 3.8, 3.7]]
    )
    data = density.query(metrics, modes=modes)
    few = tables.arrays(data, n=3, quantity="density")
    width = np.log(few["mode_eigenvalue"][1] / few["mode_eigenvalue"][0])
    assert len(few["value"]) == 20
    assert width == pytest.approx(np.log(2 * 1.001**2) / 20)
    # Of both sets the eigenvalue 2 is in the last bin; of one each 1 in the first and 1.9 near it.
    assert few["value"][-1] * width == pytest.approx(0.25)
    assert few["value"][0] * width == pytest.approx(0.125)
    assert few["value"].sum() * width == pytest.approx(0.5)
    t = 12.706204736432095  # 97.5 % quantile of Student's t with one degree of freedom
    assert few["high"][0] * width == pytest.approx(0.125 + t * 0.125)
    assert set(few["seeds"]) == {2}
    null = tables.arrays(data, n=3, quantity="null_share")["value"]
    assert set(null) == {0.5}
    many = tables.arrays(data, n=9, quantity="density")
    width = np.log(many["mode_eigenvalue"][1] / many["mode_eigenvalue"][0])
    assert many["value"].sum() * width == pytest.approx(1)


@pytest.mark.parametrize("centre", ["estimated", "known"])
def test_lines_are_the_limit_of_the_same_degrees_of_freedom(centre: str):
    d, sizes = 16, [8, 16, 17, 64]
    rows = synthetic.rows(d=[d], n=sizes, seed=[0, 1, 2], centre=centre)
    known = centre == "known"
    draws = [make_draw("wishart", np.ones(d), r["n"], r["seed"], None, 0.0, known) for r in rows]
    metrics, modes = cells(rows, [draw.eigenvalues[::-1].tolist() for draw in draws])
    data = density.query(metrics, modes=modes)
    assert tables.distinct(data, "n") == [8, 17, 64]
    for n in (8, 64):
        gamma = d / n
        freedom = n if known else n - 1
        curve = tables.arrays(data, n=n, quantity="density_limit")
        lam = curve["mode_eigenvalue"]
        low, high = (freedom / n * (1 - sign * np.sqrt(d / freedom)) ** 2 for sign in (1, -1))
        np.testing.assert_allclose([lam[0], lam[-1]], [low, high])
        inside = np.sqrt(np.maximum((lam - low) * (high - lam), 0))
        np.testing.assert_allclose(curve["value"], inside / (2 * np.pi * gamma), atol=1e-7)
        mass = np.trapezoid(curve["value"], np.log(lam))
        assert mass == pytest.approx(min(1, freedom / d), abs=1e-4)
        bins = tables.arrays(data, n=n, quantity="bin_limit")
        width = np.log(bins["mode_eigenvalue"][1] / bins["mode_eigenvalue"][0])
        # Eigenvalues of draws lie up to a little inside the edges of the limit.
        assert bins["value"].sum() * width == pytest.approx(mass, abs=0.05)
    # At N = d + 1 the limit reaches 0; its line starts where next to nothing is below.
    curve = tables.arrays(data, n=17, quantity="density_limit")
    assert np.all(np.isfinite(curve["value"]))
    assert curve["value"][0] < 0.02
    population = tables.arrays(data, n=8, quantity="population")
    assert (population["mode_eigenvalue"].tolist(), population["value"].tolist()) == ([1], [1])


def test_it_shows_two_spectra_three_sizes_and_no_theory():
    metrics, _, modes = synthetic.sweep()
    extra = synthetic.table(synthetic.rows(model="linear_theory", seed=None, n=[5]))
    data = density.query(tables.plain(pa.concat_tables([metrics, extra])), modes=modes)
    assert len(tables.distinct_keys(data, ("spectrum", "spectrum_params"))) == 2
    assert tables.distinct(data, "n") == [4, 16, 64]
    assert tables.distinct(data, "d") == [16]


def test_an_edit_of_the_density_draws_it_again():
    names = {path.name for path in figures.sources("density")}
    assert {"density.py", "bulk.py", "style.py"} <= names
    folders = {path.parent.name for path in figures.sources("density") if path.name == "density.py"}
    assert folders == {"figures", "science"}
