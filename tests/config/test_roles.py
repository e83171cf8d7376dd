"""Columns that may be no features are pointed out, and features are not."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from lindiff.config.datafile import read_matrix
from lindiff.config.resolve import load
from lindiff.config.roles import pointed_out
from lindiff.config.values import data
from lindiff.science import datasets
from lindiff.sweep.validate import validate, warnings
from tests.configs import FREE, Maker

RNG = np.random.default_rng(0)
ROWS = 200
FEATURES = RNG.standard_normal((ROWS, 6))
CLASSES = RNG.integers(0, 10, ROWS)


def told(values, columns=None):
    values = np.asarray(values, dtype=float)
    return pointed_out(values, columns or range(1, values.shape[1] + 1))


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (np.arange(ROWS), "it counts or orders the rows"),
        (np.arange(ROWS) + 1, "it counts or orders the rows"),
        (RNG.permutation(ROWS), "it counts or orders the rows"),
        (np.arange(ROWS)[::-1] * 7, "it counts or orders the rows"),
        (np.cumsum(RNG.integers(1, 9, ROWS)), "it counts or orders the rows"),
        (0.1 * np.arange(ROWS), "it counts or orders the rows"),
        (CLASSES, "few different whole numbers beside columns that are not whole"),
        (CLASSES % 2 == 0, "few different whole numbers beside columns that are not whole"),
        (2 * (CLASSES % 2) - 1, "few different whole numbers beside columns that are not whole"),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_what_values_say(extra, reason, place):
    assert told(np.insert(FEATURES, place, extra, axis=1)) == [
        f"the column {place + 1} may be no feature ({reason}); `drop: [{place + 1}]` leaves it out"
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("label", "a label is"), ("Target", "a label is"), ("class", "a label is"),
        ("y", "a label is"), ("true_label", "a label is"),
        ("id", "an index is"), ("sample_id", "an index is"),
        ("Unnamed: 0", "an index is"), ("__index_level_0__", "an index is"),
        ("weight", "weights of the rows are"), ("sample_weights", "weights of the rows are"),
    ],
)  # fmt: skip
def test_what_names_say(name, kind):
    values = np.abs(FEATURES)
    (line,) = told(values, [*"abcde", name])
    assert line == (
        f"the column {name!r} may be no feature (named as {kind}); `drop: [{name!r}]` leaves it out"
    )


def test_many_columns_of_one_kind_are_one_sentence():
    (line,) = told(np.c_[FEATURES, FEATURES * 2, RNG.integers(0, 2, (ROWS, 8))])
    assert line.startswith("the columns 13, 14, 15, 16, 17, … (8 in all) may be no features (")
    assert line.endswith("`drop: [13, 14, 15, 16, 17, …]` leaves them out")


def test_a_label_beside_pixels_stands_at_an_end():
    digits = datasets.load("digits").values
    labels = RNG.integers(0, 10, len(digits))
    for values, column in ((np.c_[digits, labels], 65), (np.c_[labels, digits], 1)):
        (line,) = told(values)
        assert line.startswith(f"the column {column} may be no feature (few whole numbers, each")


@pytest.mark.parametrize(
    "values",
    [
        FEATURES,
        np.abs(FEATURES),
        RNG.integers(0, 2, (ROWS, 30)),
        2 * RNG.integers(0, 2, (ROWS, 30)) - 1,
        RNG.integers(1, 6, (ROWS, 12)),
        RNG.poisson(0.7, (ROWS, 12)),
        RNG.poisson(1e4, (ROWS, 12)),
        RNG.integers(0, 256, (ROWS, 12)),
        np.sort(FEATURES, axis=0),
        load_iris().data,
    ],
    ids=["floats", "positive", "bits", "spins", "survey", "counts", "large counts", "pixels",
         "sorted floats", "iris"],
)  # fmt: skip
def test_features_are_not_pointed_out(values):
    assert told(values) == []
    assert told(values, [f"x{j}" for j in range(values.shape[1])]) == []


def test_coordinates_are_not_labels():
    assert told(FEATURES[:, :3], ["x", "y", "z"]) == []


def test_numbers_of_a_list_are_one_column():
    values = np.c_[FEATURES, CLASSES]
    assert told(values, ["x"] * 7) == []
    assert told(values, ["x"] * 6 + ["z"])[0].startswith("the column 'z' may be no feature (few")
    assert told(values, ["label"] * 7) == [
        "the column 'label' may be no feature (named as a label is); `drop: ['label']` leaves it "
        "out"
    ]


@pytest.mark.parametrize("name", ["digits", "mnist", "patches"])
def test_pictures_are_not_pointed_out(tmp_path, name):
    values = datasets.load(name).values[:2000]
    largest = values.max()
    kinds = [values, values / largest, values > largest / 2, values[:, 1:-1]]
    if name != "patches":
        kinds.append(values.astype(np.uint8))
    for kind in kinds:
        np.save(tmp_path / "m.npy", kind)
        assert read_matrix(tmp_path / "m.npy").notes == ()


def test_categories_of_numbers_are_pointed_out(tmp_path):
    frame = pd.DataFrame(FEATURES, columns=list("abcdef"))
    frame["group"] = pd.Categorical(CLASSES)
    frame.to_parquet(tmp_path / "m.parquet")
    (line,) = read_matrix(tmp_path / "m.parquet").notes
    assert line.startswith("the column 'group' may be no feature (the file has it as categories")
    assert read_matrix(tmp_path / "m.parquet", drop=["group"]).values.shape == (ROWS, 6)


def test_validate_says_so(tmp_path):
    frame = pd.DataFrame(FEATURES, columns=list("abcdef"))
    frame["label"], frame["weight"] = CLASSES, 1.0
    frame.to_parquet(tmp_path / "m.parquet")
    make = Maker(tmp_path)
    for key in ("data: {file: m.parquet}", "spectrum: {dataset: {file: m.parquet}}"):
        config = load(make(key, FREE))
        found = "\n".join(warnings(config, validate(config)))
        assert "the column 'label' may be no feature (named as a label is)" in found
        assert "`drop: ['weight']` leaves it out" in found
    key = "data: {file: m.parquet, drop: [label, weight], standardize: true}"
    config = load(make(key, FREE))
    found = "\n".join(warnings(config, validate(config)))
    assert "a pool of 160 rows, 40 held out, d = 6" in found
    assert "left out (drop): columns 'label', 'weight'" in found
    assert "may be no" not in found


def test_settings_make_another_matrix_and_none_of_them_the_same(tmp_path):
    np.save(tmp_path / "m.npy", FEATURES)
    given = {"file": "m.npy"}
    plain = data(given, tmp_path)
    assert plain == f"m.npy@{datasets.digest(FEATURES)}"
    assert data(given | {"drop": [], "standardize": False}, tmp_path) == plain
    others = [
        data(given | more, tmp_path)
        for more in ({"drop": 1}, {"drop": [2, 3, 4, 5]}, {"drop": 1, "standardize": True})
    ]
    assert len({datasets.identity(name) for name in (plain, *others)}) == 4
    assert [name.partition("@")[0] for name in others] == [
        "m.npy -1", "m.npy -2 -3 -4 -…", "m.npy -1 standardized",
    ]  # fmt: skip
    assert data(given | {"drop": [4, 2, 3, 5, 2]}, tmp_path) == others[1]
    standard = datasets.matrix(data(given | {"standardize": True}, tmp_path))
    np.testing.assert_allclose(standard, FEATURES / FEATURES.std(axis=0), rtol=1e-14)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"drop": [True]}, "drop must be names or numbers of columns, not true"),
        ({"drop": {"a": 1}}, "drop must be names or numbers of columns, not {a: 1}"),
        ({"drop": None}, "drop must be names or numbers of columns, not null"),
        ({"standardize": 1}, "standardize must be true or false, not 1"),
        ({"standardise": True}, r"unknown key 'standardise' \(did you mean standardize\?\)"),
    ],
)
def test_wrong_keys(tmp_path, more, message):
    np.save(tmp_path / "m.npy", FEATURES)
    with pytest.raises(ValueError, match=message):
        data({"file": "m.npy"} | more, tmp_path)
