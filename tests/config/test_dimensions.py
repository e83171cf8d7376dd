"""What data decide: the spectrum of a data set, d, and the name of a matrix of the user."""

import json

import numpy as np
import pytest

from lindiff.config.dimensions import fixed_dimension
from lindiff.config.resolve import Config, load
from lindiff.science import datasets
from lindiff.science.pools import make_pool
from lindiff.sweep.grid import wanted
from tests.configs import FREE, Maker, save, values


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


def rows(make, added, base=FREE):
    """The cells of a config as dictionaries."""
    return wanted(load(make(added, base))).cells.to_pylist()


def test_a_data_set_fixes_spectrum_and_d(make):
    (row,) = rows(make, "data: digits")
    assert (row["data"], row["d"], row["draw"], row["population_mean"]) == (
        "digits",
        61,
        None,
        None,
    )
    assert (row["spectrum"], row["spectrum_params"]) == ("dataset", '{"name":"digits"}')


def test_real_rows_and_their_surrogate_are_one_axis(make):
    found = rows(make, "data: [digits, gaussian]\ndraw: [samples, wishart]")
    assert {(row["data"], row["draw"]) for row in found} == {
        ("digits", None),
        ("gaussian", "samples"),
        ("gaussian", "wishart"),
    }
    assert len(found) == 3
    assert {row["spectrum_params"] for row in found} == {'{"name":"digits"}'}


def test_several_data_sets_each_have_their_own_surrogate(make):
    found = rows(make, "data: [digits, patches, gaussian]")
    assert sorted((row["data"], row["spectrum_params"], row["d"]) for row in found) == [
        ("digits", '{"name":"digits"}', 61),
        ("gaussian", '{"name":"digits"}', 61),
        ("gaussian", '{"name":"patches"}', 256),
        ("patches", '{"name":"patches"}', 256),
    ]


def test_a_surrogate_alone_and_beside_other_spectra(make):
    (row,) = rows(make, "spectrum: {dataset: digits}")
    (same,) = rows(make, "spectrum: {dataset: {name: digits}}")
    assert row == same
    assert (row["data"], row["d"]) == ("gaussian", 61)
    found = rows(make, "d: 61\nspectrum: [isotropic, {dataset: digits}]")
    assert {row["spectrum"] for row in found} == {"isotropic", "dataset"}
    # Data take their own spectrum, the Gaussian takes all.
    found = rows(make, "d: 61\ndata: [digits, gaussian]\nspectrum: [isotropic, {dataset: digits}]")
    assert sorted((row["data"], row["spectrum"]) for row in found) == [
        ("digits", "dataset"),
        ("gaussian", "dataset"),
        ("gaussian", "isotropic"),
    ]


def test_theory_takes_the_spectrum_of_the_data(make):
    found = rows(make, "data: digits\ntheory: {n: [8, 100]}")
    assert sorted((row["model"], row["data"], row["n"]) for row in found if row["data"]) == [
        ("linear_exact", "digits", 8)
    ]
    theory = [row for row in found if row["model"] == "linear_theory"]
    assert {row["n"] for row in theory} == {8, 100}
    assert {row["spectrum_params"] for row in theory} == {'{"name":"digits"}'}


def test_n_over_d_takes_the_d_of_the_data(make):
    base = FREE.replace("    n: 8\n", "    n_over_d: [0.5, 2]\n")
    assert {row["n"] for row in rows(make, "data: digits", base)} == {30, 122}


def test_defaults_may_give_the_data(make):
    text = FREE.replace("experiments:", "defaults: {data: digits}\nexperiments:")
    (row,) = rows(make, "", text)
    assert row["d"] == 61


def test_a_file_is_known_by_its_content(make, tmp_path):
    array = values()
    (row,) = rows(make, f"data: {save(tmp_path, array)}")
    key = datasets.digest(array)
    assert row["data"] == f"m.npy@{key}"
    assert json.loads(row["spectrum_params"]) == {"name": f"m.npy@{key}"}
    (tmp_path / "sub").mkdir()
    save(tmp_path, array, "sub/m.npy")
    assert rows(make, "data: {file: sub/m.npy}") == [row]
    (tmp_path / "m.npy").unlink()
    save(tmp_path, array[::-1])
    (other,) = rows(make, "data: {file: m.npy}")
    assert other["cell_id"] != row["cell_id"]
    np.savez(tmp_path / "m.npz", x=array, y=array + 1)
    (row,) = rows(make, "spectrum: {dataset: {file: m.npz, array: x}}")
    assert json.loads(row["spectrum_params"]) == {"name": f"m.npz@{key}"}


def test_a_resolved_config_needs_no_data(make, tmp_path, monkeypatch):
    config = load(make(f"data: [{save(tmp_path, values())}, gaussian]", FREE))
    assert config.matrices == tuple(config.experiments["a"].sizes)
    again = Config.from_json(config.to_json())
    assert again == config
    cells = wanted(config).cells
    monkeypatch.setattr(datasets, "_known", {})
    make_pool.cache_clear()
    assert wanted(again).cells.equals(cells)
    with pytest.raises(KeyError):
        fixed_dimension({"kind": "dataset", "name": "digits"}, again.experiments["a"].sizes)
