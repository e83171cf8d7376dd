"""What is said of data sets in a config, and every message about one that is wrong."""

import numpy as np
import pytest
from click.testing import CliRunner

from lindiff.cli import main
from lindiff.config.resolve import load
from lindiff.science import datasets
from lindiff.science.pools import make_pool
from lindiff.sweep.validate import validate, warnings
from tests.configs import FREE, Maker, message, save, values

PLACE = "c.yaml:6:11: experiments.a.data = "


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


def test_what_became_of_the_data_is_told(make, tmp_path):
    array = values(100, 5)
    array[:, 1] = 3
    written = save(tmp_path, array)
    config = load(make(f"data: [{written}, gaussian]\ntheory: {{n: 9}}", FREE))
    (told,) = warnings(config, validate(config))
    assert told.replace(f"{tmp_path}/", "").split(": ", 2)[2] == (
        "a pool of 80 rows, 20 held out, d = 4; left out of 5 columns: 1 constant in it"
    )
    assert "experiments.a.data = 'm.npy@" in told


def test_training_sets_beyond_theory_are_told(make, tmp_path):
    config = load(make("data: digits", FREE.replace("n: 8", "n: [8, 143, 144, 200]")))
    found = [line.replace(f"{tmp_path}/", "") for line in warnings(config, validate(config))]
    assert found[1:] == [
        "c.yaml:4:17: experiments.a.n = 144: more than a tenth of the pool of digits, 1,438 rows: "
        "not like independent samples, so theory does not apply to it (nor to 1 larger n)"
    ]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (
            "digit",
            "'digit': not a known value; allowed: gaussian, digits, mnist, patches "
            "(did you mean digits?)",
        ),
        ("m.npy", "'m.npy': a file is written {file: m.npy}"),
        ("3", "3: not a known value; allowed: gaussian, digits, mnist, patches"),
        (
            "{file: m.npy, dtype: x}",
            "{file: 'm.npy', dtype: 'x'}: unknown key 'dtype'",
        ),
        ("{array: x}", "{array: 'x'}: the key file is missing; write {file: PATH} or {file: PATH,"),
        ("{file: 3}", "{file: 3}: file must be text, not 3; write {file: PATH}"),
        ("{file: m.npy}", "{file: 'm.npy'}: there is no file m.npy"),
        ("{file: m.csv}", "{file: 'm.csv'}: there is no file m.csv"),
        ("[]", "[]: empty axis; give at least one value"),
    ],
)
def test_bad_values(make, written, found):
    assert message(make(f"data: {written}", FREE)).startswith(PLACE + found)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (values(1), "m.npy: has 1 row; a pool and held-out rows need 10"),
        (values(9), "m.npy: has 9 rows; a pool and held-out rows need 10"),
        (np.tile([1.0, 2.0], (20, 1)), "m.npy: all columns are constant"),
        (values()[0], "m.npy must hold a matrix (rows, columns), not an array of shape (4,)"),
        (values() + 1j, "m.npy must hold real numbers, not complex128"),
        (np.full((20, 2), "a"), "m.npy must hold real numbers, not <U1"),
        (np.full((20, 2), None), "m.npy holds Python objects, which are never unpickled"),
        (np.where(values() > 1, np.nan, 0), "m.npy: "),
    ],
    ids=["one row", "few rows", "constant", "vector", "complex", "text", "objects", "NaN"],
)
def test_bad_matrices(make, tmp_path, array, found):
    written = save(tmp_path, array)
    place = PLACE + "{file: 'm.npy'}: "
    assert message(make(f"data: {written}", FREE)).startswith(place + found)
    place = "c.yaml:6:15: experiments.a.spectrum = {dataset: {file: 'm.npy'}}: "
    assert message(make(f"spectrum: {{dataset: {written}}}", FREE)).startswith(place + found)


def test_an_empty_file(make, tmp_path):
    (tmp_path / "m.npy").touch()
    assert message(make("data: {file: m.npy}", FREE)) == PLACE + "{file: 'm.npy'}: m.npy is empty"


def test_more_rows_than_the_pool(make, tmp_path):
    base = FREE.replace("n: 8", "n: [8, 33]")
    text = message(make(f"data: {save(tmp_path, values())}", base))
    assert text.startswith("c.yaml:4:12: experiments.a.n = 33: more than the pool of m.npy@")
    assert text.endswith(" has: 32 rows")
    base = FREE.replace("n: 8", "n_over_d: [1, 9]")
    text = message(make("data: {file: m.npy}", base))
    assert text.startswith("c.yaml:4:15: experiments.a.n_over_d: more than the pool of m.npy@")
    text = message(
        make("data: digits\nsampler: ddim\nmetrics: agreement", FREE.replace("8", "720"))
    )
    assert "agreement needs two disjoint sets; the pool of digits has 1,438 rows" in text


def test_settings_that_data_exclude(make):
    assert message(make("data: digits\npopulation_mean: 0.5", FREE)) == (
        "c.yaml:7:22: experiments.a.population_mean = 0.5: cannot be combined with data = "
        "'digits'; population_mean needs data: gaussian (give the others an experiment of their "
        "own)"
    )
    text = message(make("data: digits\nmetrics: monte_carlo_gap", FREE))
    assert text == (
        "c.yaml:6:11: experiments.a.data = 'digits': monte_carlo_gap needs fresh samples of the "
        "population; allowed: gaussian"
    )


def test_another_dimension_or_spectrum(make):
    assert message(make("data: digits")) == (
        "c.yaml:7:11: experiments.a.data: digits fixes d = 61, but d = 4"
    )
    assert message(make("spectrum: {dataset: digits}")) == (
        "c.yaml:7:15: experiments.a.spectrum: digits fixes d = 61, but d = 4"
    )
    assert message(make("data: [gaussian, digits]\nspectrum: isotropic")) == (
        "c.yaml:7:22: experiments.a.data = 'digits': has a spectrum of its own: leave spectrum "
        "out, or list {dataset: digits} there"
    )
    text = message(make("data: digits\ntheory: {spectrum: {dataset: patches}}", FREE))
    assert "no spectrum of model linear_theory has one of its d" in text


def test_a_spectrum_is_of_a_data_set(make):
    assert message(make("spectrum: dataset", FREE)).endswith("needs {dataset: name}")
    text = message(make("spectrum: {dataset: gaussian}", FREE))
    assert text.endswith("not a known value; allowed: digits, mnist, patches")


def test_a_missing_package_is_named(make, monkeypatch):
    make_pool.cache_clear()
    monkeypatch.setattr(datasets.importlib.util, "find_spec", lambda package: None)
    assert message(make("data: patches", FREE)) == (
        PLACE + "'patches': needs the package skimage: pip install 'lindiff[data]'"
    )


def test_nothing_is_written_and_the_exit_code_is_2(make, tmp_path):
    save(tmp_path, np.full((20, 2), np.nan))
    path = make("data: {file: m.npy}", FREE)
    before = sorted(tmp_path.rglob("*"))
    for verb in (["validate", str(path)], ["plan", str(path), "--results", str(tmp_path / "r")]):
        done = CliRunner().invoke(main, verb)
        assert done.exit_code == 2
        assert "row 1, column 1 is nan; all values must be finite" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_each_data_set_is_warned_of_though_the_words_are_the_same(tmp_path):
    from lindiff.config.resolve import load
    from lindiff.sweep.validate import validate, warnings

    rng = np.random.default_rng(0)
    for name in "ab":
        X = rng.standard_normal((100, 6))
        X[:, 2] = 7
        np.save(tmp_path / f"{name}.npy", X)
    file = tmp_path / "c.yaml"
    file.write_text(
        "experiments:\n  a: {model: linear_exact, data: [{file: a.npy}, {file: b.npy}], n: 5,"
        " seed: 0}\n"
    )
    config = load(file)
    found = [line for line in warnings(config, validate(config)) if "constant" in line]
    assert [name for name in ("a.npy", "b.npy") if any(name in line for line in found)] == [
        "a.npy",
        "b.npy",
    ]
