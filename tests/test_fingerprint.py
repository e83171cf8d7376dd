"""What a fingerprint hangs on: the code of the model and of what the cell names, and no other."""

import shutil

import pytest

from lindiff import fingerprint
from lindiff.columns import SETTINGS
from lindiff.fingerprint import ROOMS, closure, code, fingerprints, modules
from lindiff.models import MODELS
from lindiff.science.named import names
from tests.science.helpers import make_cells

# What models and training may import besides: it changes no number.
NO_NUMBER = tuple(
    f"lindiff.{room}" for room in ("columns", "errors", "files", "progress", "session")
)
NAMING = [column for column in SETTINGS if column.code]


def forget():
    """Read every file anew."""
    fingerprint._imports.cache_clear()
    fingerprint._syntax.cache_clear()
    code.cache_clear()


@pytest.fixture(scope="module")
def before():
    """The fingerprints of the package as it is; where its files are is no part of them."""
    return every()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package that may be edited; fingerprints are of it."""
    shutil.copytree(
        fingerprint._ROOT / "lindiff",
        tmp_path / "lindiff",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    yield tmp_path / "lindiff"
    forget()


def every():
    """The fingerprint of each model with each value that names code."""
    forget()
    found = {}
    for model in MODELS:
        for column in NAMING:
            if column.name == "model":
                found[model, "", ""] = fingerprint.fingerprint({"model": model})
                continue
            for value in column.choices:
                cell = {"model": model, column.name: value}
                found[model, column.name, value] = fingerprint.fingerprint(cell)
    return found


def changed(before):
    after = every()
    return {key for key in before if before[key] != after[key]}


def test_the_closure_stays_inside_science_models_and_training():
    starts = {model.module for model in MODELS.values()}
    for column in NAMING:
        starts |= {f"{column.code}.{name}" for name in names(column.code)}
    for start in starts:
        reached_modules = closure(start, ROOMS)
        assert start in reached_modules
        reached = {name for path in reached_modules.values() for name in fingerprint._imports(path)}
        own = {name for name in reached if name.startswith("lindiff.")}
        outside = {name for name in own if not name.startswith(ROOMS)}
        assert {name for name in outside if not name.startswith(NO_NUMBER)} == set()


def test_no_closure_holds_an_entry_that_its_cell_does_not_name():
    """Else an edit of that entry, or a new one, would change it."""
    entries = {f"{column.code}.{name}" for column in NAMING for name in names(column.code)}
    for model in MODELS.values():
        assert closure(model.module, ROOMS).keys() & entries == set()
    for entry in entries:
        assert closure(entry, ROOMS).keys() & entries == {entry}


@pytest.mark.parametrize("column", NAMING, ids=lambda column: column.name)
def test_values_of_a_naming_setting_are_its_modules(column):
    """Each of them, but for models that are no network and for the sampler that is none."""
    networks = {name for name, model in MODELS.items() if model.module == "lindiff.models.trained"}
    no_module = {"model": set(MODELS) - networks, "sampler": {"ideal"}}
    modules_of = set(column.choices) - no_module.get(column.name, set())
    assert modules_of == set(names(column.code))


def test_a_cell_starts_from_its_model_and_what_it_names():
    assert modules({"model": "unet", "spectrum": "power_law", "sampler": "ideal"}) == (
        "lindiff.models.trained",
        "lindiff.science.spectra.power_law",
        "lindiff.training.networks.unet",
    )
    with pytest.raises(KeyError):
        modules({"model": "nothing"})


@pytest.mark.parametrize("column", NAMING, ids=lambda column: column.name)
def test_a_new_entry_changes_no_fingerprint(before, copy, column):
    folder = copy.parent.joinpath(*column.code.split("."))
    (folder / "brand_new.py").write_text("from lindiff.science import pools\n\nX = 1\n")
    assert changed(before) == set()


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("science/spectra/power_law.py", ("spectrum", "power_law")),
        ("science/schedules/cosine.py", ("schedule", "cosine")),
        ("science/samplers/ddim.py", ("sampler", "ddim")),
    ],
)
def test_an_edit_of_an_entry_changes_those_that_use_it(before, copy, file, key):
    with (copy / file).open("a") as edited:
        edited.write("\nMORE = 1\n")
    assert changed(before) == {(model, *key) for model in MODELS}


def test_an_edit_of_a_network_changes_its_own_cells_only(before, copy):
    with (copy / "training/networks/unet.py").open("a") as edited:
        edited.write("\nMORE = 1\n")
    found = changed(before)
    assert {model for model, *_ in found} == {"unet"}
    assert found == {key for key in before if key[0] == "unet"}


def test_a_model_or_column_that_is_registered_changes_no_fingerprint(before, copy):
    for file in ("models/__init__.py", "columns/settings.py", "planning/networks.py"):
        with (copy / file).open("a") as edited:
            edited.write("\nMORE = 1\n")
    assert changed(before) == set()


def test_only_code_counts(copy):
    source = copy / "models" / "linear.py"

    def digest(text):
        source.write_text(text, encoding="utf-8")
        forget()
        return fingerprint.fingerprint({"model": "linear_exact"})

    base = digest('"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 1\n')
    assert digest("# comment\ndef f(x):\n\n    return x + 1\n") != base
    assert (
        digest('"""Other."""\n\n# comment\ndef f(x):\n    """More."""\n    return (x + 1)\n')
        == base
    )
    assert digest('"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 2\n') != base


def test_each_cell_of_a_table_has_its_own():
    cells = make_cells(d=4, n=5, sampler=["ddim", "ideal"], ridge=[1.0, 2.0])
    found = fingerprints(cells).tolist()
    assert found[0] == found[1] != found[2] == found[3]
    for row, value in zip(cells.to_pylist(), found, strict=True):
        assert value == fingerprint.fingerprint(row)


def test_imports_of_every_kind_are_followed(monkeypatch, tmp_path):
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    files = {
        "a": "from room import b\nimport room.c\n\n\ndef f():\n    from room.d import g",
        "b": "import elsewhere.x\nimport numpy",
        "c": "",
        "d": "from room import a",
        "e": "",
        "__init__": "from room.e import anything",
    }
    (tmp_path / "room").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.py").write_text("")
    for name, text in files.items():
        (tmp_path / f"room/{name}.py").write_text(text)
    found = closure("room.a", ["room"])
    assert sorted(found) == ["room.a", "room.b", "room.c", "room.d"]
    assert sorted(closure("room.a", ["room.a", "room.d"])) == ["room.a", "room.d"]
    assert found["room.d"] == tmp_path / "room/d.py"
    whole = closure("room.a", ["room"], packages=True)
    assert sorted(whole) == ["room", "room.a", "room.b", "room.c", "room.d", "room.e"]
