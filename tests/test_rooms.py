"""The rooms of the package: one direction of imports, no circles, a first line that says why."""

import ast
from functools import cache
from pathlib import Path

import pytest

import lindiff
from lindiff.models import MODELS, THEORY

ROOT = Path(lindiff.__file__).parent
# From the ground up: a room imports only itself and rooms before it.
ROOMS = (
    "errors", "progress", "session", "columns", "science", "files", "checksums", "training",
    "models", "fingerprint", "planning", "config", "drawing", "figures", "sweep", "report",
    "claims", "advice", "surface", "verbs", "cli", "__main__",
)  # fmt: skip
MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(("lindiff", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


def room(module: str) -> str:
    return module.split(".")[1]


@cache
def imports(path: Path) -> frozenset[str]:
    """Modules of the package that a file imports, those for types only included."""
    known = {name_of(other) for other in MODULES}
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (whole & known) or {node.module}
    return frozenset(found & known - {"lindiff", name_of(path)})


def test_every_module_is_in_a_room():
    own = {room(name_of(path)) for path in MODULES if path != ROOT / "__init__.py"}
    assert own == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_rooms_below_it(name):
    below = ROOMS[: ROOMS.index(name) + 1]
    wrong = [
        (name_of(path), target)
        for path in MODULES
        if path != ROOT / "__init__.py" and room(name_of(path)) == name
        for target in imports(path)
        if room(target) not in below
    ]
    assert wrong == []


def test_no_circle_of_modules():
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above[above.index(module) :], module))
        if module not in done:
            for target in sorted(imports(paths[module])):
                visit(target, (*above, module))
            done.add(module)

    paths = {name_of(path): path for path in MODULES}
    for module in paths:
        visit(module, ())


def test_only_training_imports_torch():
    for path in MODULES:
        own = name_of(path)
        trains = own.startswith("lindiff.training") or own in (
            "lindiff.models.trained",
            "lindiff.models.linear_trained",
            "lindiff.models.linear_frozen",
            "lindiff.models.fitting",
        )
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert trains or "torch" not in names, own


@pytest.mark.parametrize("name", [name for name in ROOMS if (ROOT / name).is_dir()])
def test_the_first_line_of_a_room_says_what_it_is_for(name):
    text = ast.get_docstring(ast.parse((ROOT / name / "__init__.py").read_text(encoding="utf-8")))
    assert text is not None
    assert text.splitlines()[0].endswith((".", ":"))


def test_no_room_but_the_registry_names_a_model():
    """What a figure or an estimate needs of one is said in `MODELS`, so a new one needs no more."""
    found = {
        (name_of(path), node.value)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in MODELS
    }
    # The column's choices, which `tests/planning` holds to the registry, and what networks take;
    # the works that models are from, which `tests/report/test_latex.py` holds to it.
    named = {"lindiff.models", "lindiff.columns.settings", "lindiff.planning.networks"}
    named.add("lindiff.report.references")
    # The function of the public surface has the name of the model.
    assert {place for place in found if place[0] not in named} <= {("lindiff", THEORY)}
