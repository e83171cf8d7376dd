"""The surface of ``import lindiff``: it works as the README shows, and imports nothing early."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jaxtyping import TypeCheckError

import lindiff
from lindiff import science
from lindiff.models.linear import run
from tests.science.helpers import make_cells


def test_every_exported_name_is_there():
    for name in lindiff.__all__:
        assert getattr(lindiff, name).__doc__
    assert set(lindiff.__all__) == set(lindiff._HOME)
    # What type checkers and editors read: `__getattr__` tells them nothing.
    tree = ast.parse(Path(lindiff.__file__).read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {name.name: node.module for node in checked.body for name in node.names}
    assert imported == {name: f"lindiff.{home}" for name, home in lindiff._HOME.items()}
    assert set(lindiff.__all__) <= set(dir(lindiff))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lindiff.nothing  # noqa: B018


def test_five_lines_give_the_rows_of_a_sweep():
    s = lindiff.make_spectrum("power_law", 16, exponent=1.0)
    key = {"spectrum": "power_law", "params": '{"exponent": 1.0}'}
    draw = lindiff.make_draw("wishart", s, n=40, seed=0, key=key)
    schedule = lindiff.make_schedule()
    sampler = lindiff.make_sampler("ddpm_beta", schedule)
    trainings = [lindiff.Training(ridge=c) for c in (0.0, 0.1)]
    result = lindiff.linear_metrics(draw, trainings, schedule, sampler)
    names = ("train_loss", "test_loss", "kl_model_data", "kl_data_model")
    settings = {"spectrum": "power_law", "spectrum_params": key["params"], "d": 16, "n": 40}
    rows = run(make_cells(**settings, ridge=[0.0, 0.1]), names).to_pylist()
    for name in names:
        np.testing.assert_allclose(result[name], [row[name] for row in rows], rtol=1e-13)


def test_importing_lindiff_imports_no_numpy():
    code = "import lindiff, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_the_snakefile_imports_is_light():
    """Of lindiff's own; that pyarrow imports pandas where it makes an array is not in our hands."""
    code = (
        "import sys, lindiff.report.resources, lindiff.report.sources, lindiff.report.workflow;"
        "import lindiff.surface.read, lindiff.surface.summary;"
        "print(sorted({'matplotlib', 'pandas', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def bare_arrays(path):
    """Arrays without a shape in the annotations of functions and of fields in a file."""
    found = []

    def look(node, where):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            last = node.slice.elts[-1]
            if isinstance(last, ast.Constant) and isinstance(last.value, str):
                return
        if isinstance(node, ast.Name) and node.id in ("Array", "Complex", "IntArray", "NDArray"):
            found.append(f"{path.name}: {where}")
        for child in ast.iter_child_nodes(node):
            look(child, where)

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            for annotation in (node.returns, *(a.annotation for a in arguments)):
                if annotation is not None:
                    look(annotation, node.name)
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    look(field.annotation, node.name)
    return found


@pytest.mark.parametrize(
    "path", sorted(Path(science.__path__[0]).rglob("*.py")), ids=lambda p: p.stem
)
def test_every_array_of_science_states_its_shape(path):
    assert bare_arrays(path) == []


def test_shapes_and_types_are_checked_here():
    s = lindiff.make_spectrum("isotropic", 4)
    for wrong in (s[None], s.astype(np.float32), list(s)):
        with pytest.raises(TypeCheckError, match="spectrum"):
            lindiff.make_draw("wishart", wrong, n=8, seed=0)
    assert lindiff.Training(ridge=1).ridge == 1


@pytest.mark.parametrize("n", [np.int64(20), np.geomspace(10, 40, 3).astype(int)[1], np.int32(20)])
def test_numbers_of_numpy_are_numbers(n):
    s = lindiff.make_spectrum("power_law", 8, exponent=1.0)
    draw = lindiff.make_draw("samples", s, n=n, seed=np.arange(5)[3])
    own = lindiff.make_draw("samples", s, n=20, seed=3)
    assert np.array_equal(draw.eigenvalues, own.eigenvalues)
    theory = lindiff.linear_theory(s, n)
    assert theory["test_loss"] == lindiff.linear_theory(s, 20)["test_loss"]


def test_a_draw_is_shown_in_a_line():
    s = lindiff.make_spectrum("isotropic", 8)
    assert repr(lindiff.make_draw("wishart", s, n=5, seed=0)) == "Draw(d=8, n=5, rank=4)"


@pytest.mark.parametrize("ns", [[40, 5, 12, 40], range(10, 40, 7), np.array([20, 3])])
@pytest.mark.parametrize("known", [False, True])
def test_theory_of_several_n_is_a_table(ns, known):
    """A row per N and training: the numbers of each N alone, and a data frame as it is."""
    s = lindiff.make_spectrum("power_law", 8, exponent=1.0)
    trainings = [lindiff.Training(ridge=c) for c in (0.0, 0.1)]
    found = lindiff.linear_theory(s, ns, trainings, known_centre=known)
    assert list(found)[:2] == ["n", "training"]
    assert found["n"].tolist() == [n for n in ns for _ in trainings]
    assert found["training"].tolist() == [0, 1] * len(ns)
    for row, n in enumerate(ns):
        for name, values in lindiff.linear_theory(s, n, trainings, known_centre=known).items():
            own = found[name].reshape(len(ns), 2)[row]
            np.testing.assert_allclose(own, values, rtol=1e-9, atol=1e-15)
    frame = pd.DataFrame(found)
    assert frame.shape == (2 * len(ns), len(found))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 1, "seed": 0}, "n = 1 must be at least 2"),
        ({"n": 9, "seed": -1}, "seed = -1 must be at least 0"),
    ],
)
def test_settings_of_a_draw_that_name_none_are_refused(settings, message):
    s = lindiff.make_spectrum("isotropic", 8)
    with pytest.raises(ValueError, match=message):
        lindiff.make_draw("wishart", s, **settings)


@pytest.mark.parametrize("name", ["ridge", "weight_decay", "stop", "learning_rate"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_a_training_with_a_negative_setting_is_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name} = .* must be (at least 0|finite|a number)"):
        lindiff.Training(**{name: value})


@pytest.mark.parametrize("value", ["2.5", "None", "'9'"])
def test_what_is_no_whole_number_is_refused_outside_of_tests_too(value):
    """In a process of its own: here types are checked before a function sees its arguments."""
    code = (
        "import lindiff\n"
        "s = lindiff.make_spectrum('isotropic', 8)\n"
        f"lindiff.make_draw('wishart', s, n=9, seed={value})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert f"ValueError: seed = {value} is not a whole number" in found.stderr


# Called in a process without the type checks of these tests, as a notebook calls it.
_ODD = """
import numpy as np, lindiff
s = lindiff.make_spectrum("power_law", 8, exponent=1.0)
schedule = lindiff.make_schedule(timesteps=20, beta_max=9e-3)
draw = lindiff.make_draw("wishart", s, n=20, seed=0)
calls = {calls!r}
for call in calls:
    try:
        print(repr(eval(call)).replace("\\n", " "))
    except Exception as error:
        print(f"{{type(error).__name__}}: {{error}}")
"""
_REFUSED = {
    'lindiff.make_spectrum("isotropic", 6.0)': "d = 6.0 is not a whole number",
    'lindiff.make_spectrum("isotropic", None)': "d = None is not a whole number",
    'lindiff.make_spectrum("power_law", 4, exponent=None)': "exponent = None is not a number",
    'lindiff.make_spectrum("spiked", 4, spike="6", count=1)': "spike = '6' is not a number",
    'lindiff.make_spectrum("spiked", 4, spike=2, count=2.0)': "count = 2.0 is not a whole number",
    'lindiff.make_spectrum("two_level", 4, ratio=2, fraction=None)': "fraction = None is not a num",
    'lindiff.make_spectrum("eigenvalues", 3, values=np.ones((3, 1)))': "numbers of shape (d,)",
    'lindiff.make_spectrum("eigenvalues", 3, values=[1, None, 2])': "numbers of shape (d,)",
    "lindiff.make_schedule(timesteps=0)": "timesteps = 0 must be at least 1",
    "lindiff.make_schedule(timesteps=20.0)": "timesteps = 20.0 is not a whole number",
    "lindiff.make_schedule(beta_max=None)": "beta_max = None is not a number",
    'lindiff.make_sampler("ddim", schedule, sampling_steps=6.5)': "6.5 is not a whole number",
    'lindiff.make_sampler("ddim", schedule, sampling_steps=21)': "is more than T = 20 levels",
    'lindiff.make_sampler("ddpm_beta", schedule, final_noise="no")': "must be True or False",
    'lindiff.make_draw("wishart", -s, n=9, seed=0)': "finite and not negative",
    'lindiff.make_draw("wishart", s[::-1], n=9, seed=0)': "from the largest to the smallest",
    'lindiff.make_draw("wishart", s[:0], n=9, seed=0)': "numbers of shape (d,)",
    'lindiff.make_draw("wishart", s[:, None], n=9, seed=0)': "numbers of shape (d,)",
    'lindiff.make_draw("samples", s, n=9, seed=0, population_mean=np.nan)': "must be finite",
    'lindiff.make_draw("wishart", s, n=9, seed=0, known_centre="no")': "must be True or False",
    "lindiff.linear_metrics(draw, [], schedule)": "no trainings",
    "lindiff.linear_theory(s, 20, [], schedule)": "no trainings",
    "lindiff.linear_theory(s, 20.0)": "n = 20.0 must be a whole number or a list of them",
    "lindiff.linear_theory(s, None)": "n = None must be a whole number or a list of them",
    "lindiff.linear_theory(s, '20')": "n = '20' must be a whole number or a list of them",
    "lindiff.linear_theory(s, [[20]])": "n = [[20]] must be a whole number or a list of them",
    "lindiff.linear_theory(s, [])": "no n: give one at least",
    "lindiff.linear_theory(s, [20, 20.0])": "n = 20.0 is not a whole number",
    'lindiff.make_spectrum("digits", 61)': "of a data set is make_spectrum('dataset', 61, name=…)",
    'lindiff.make_spectrum("powerlaw", 8, exponent=1)': "did you mean 'power_law'?",
    'lindiff.make_spectrum("_ddpm", 8)': "'_ddpm' is none of",
    "lindiff.make_spectrum(None, 8)": "None is none of",
    'lindiff.make_schedule("cosin")': "did you mean 'cosine'?",
    'lindiff.make_sampler("dim", schedule)': "did you mean 'ddim'?",
    'lindiff.make_sampler("ideal", schedule)': "the ideal sampler is None",
    'lindiff.make_draw("sample", s, n=9, seed=0)': "did you mean 'samples'?",
    "lindiff.linear_theory(s * np.nan, 20)": "finite and not negative",
    "lindiff.limiting(s, 6.5)": "n = 6.5 is not a whole number",
    "lindiff.limiting(s, -1)": "n = -1 must be at least 2",
    "lindiff.limiting(-s, 20)": "finite and not negative",
    'lindiff.best_ridge(s, 20.0, "kl_model_data")': "n = 20.0 is not a whole number",
    'lindiff.best_ridge(-s, 20, "kl_model_data")': "finite and not negative",
    "lindiff.density(s, np.nan, s)": "n = nan is not a whole number",
    "lindiff.density(-s, 20, s)": "finite and not negative",
    "lindiff.of_population(-s)": "finite and not negative",
    "lindiff.Training(ridge=None)": "ridge = None is not a number",
    "lindiff.Training(ridge=np.inf)": "ridge = inf must be finite",
    "lindiff.Training(init_scale=np.nan)": "init_scale = nan must be finite",
    'lindiff.Training(stop="1")': "stop = '1' is not a number",
}
_SAME = {
    'lindiff.make_spectrum("isotropic", np.int64(3))': 'lindiff.make_spectrum("isotropic", 3)',
    'lindiff.make_spectrum("eigenvalues", 2, values=np.array([3, 1]))': (
        'lindiff.make_spectrum("eigenvalues", 2, values=[3.0, 1.0])'
    ),
    'lindiff.make_draw("wishart", np.array([2, 1]), n=9, seed=0).eigenvalues': (
        'lindiff.make_draw("wishart", np.array([2.0, 1.0]), n=9, seed=0).eigenvalues'
    ),
    'lindiff.make_draw("wishart", s, 9, 0, key={"k": np.int64(3)}).eigenvalues': (
        'lindiff.make_draw("wishart", s, 9, 0, key={"k": 3}).eigenvalues'
    ),
    "lindiff.limiting(np.ones(8, int), np.int32(20)).nodes": (
        "lindiff.limiting(np.ones(8), 20).nodes"
    ),
    "lindiff.of_population(np.array([2, 1])).nodes": (
        "lindiff.of_population(np.array([2.0, 1.0])).nodes"
    ),
}


def told(calls):
    """What calls give, a line each."""
    code = _ODD.format(calls=list(calls))
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


def test_what_is_no_setting_is_refused_by_every_function():
    for (call, message), line in zip(_REFUSED.items(), told(_REFUSED), strict=True):
        assert line.startswith("ValueError: "), (call, line)
        assert message in line


def test_numbers_of_numpy_are_numbers_in_every_function():
    for call, one, other in zip(_SAME, told(_SAME), told(_SAME.values()), strict=True):
        assert one == other, call
        assert "Error" not in one
