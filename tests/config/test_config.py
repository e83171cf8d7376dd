"""What a config means."""

import json
import math

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.columns import DEFAULT_METRICS, REQUESTABLE, REQUIRED, SETTINGS
from lindiff.config.axes import _RULES, Room
from lindiff.config.resolve import Config, load
from lindiff.config.yamlfile import read, shown
from lindiff.errors import InputError
from lindiff.sweep.grid import expand
from lindiff.sweep.validate import validate
from tests.configs import BASE, Maker, message


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


@pytest.fixture
def axes(make):
    """The axes of the experiment `a` with keys added."""
    return lambda added, base=BASE: load(make(added, base)).experiments["a"].axes


# Values


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("n: 3", [3]),
        ("n: [4, 2, 4]", [4, 2]),
        ("n: {range: [2, 5]}", [2, 3, 4]),
        ("n: {range: [9, 2, -3]}", [9, 6, 3]),
        ("n: {log2: [4, 32]}", [4, 8, 16, 32]),
        ("n: {log: [10, 1000, 5], also: [7, 10]}", [10, 32, 100, 316, 1000, 7]),
        ("n: {linear: [2, 4, 5]}", [2, 3, 4]),
        ("n: 0x10", [16]),
        ("ridge: 1", [1.0]),
        ("ridge: 1e-4", [1e-4]),
        ("ridge: -0.0", [0.0]),
        ("ridge: {range: [0, 3]}", [0.0, 1.0, 2.0]),
        ("ridge: {log2: [0.25, 2]}", [0.25, 0.5, 1.0, 2.0]),
        ("ridge: {log: [2, 2, 1]}", [2.0]),
        ("stop: {log: [1, 100, 3], also: [.inf]}", [1.0, 10.0, 100.0, math.inf]),
        ("sampler: [ddim, ddpm_beta]", ["ddim", "ddpm_beta"]),
        ("final_noise: [true, false]", [True, False]),
    ],
)
def test_values(axes, written, values):
    key = written.split(":")[0]
    base = BASE.replace("    n: 8\n", "") if key == "n" else BASE
    found = axes(written, base)[key]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]
    assert math.copysign(1, found[0]) == 1 if key == "ridge" else True


def test_points_of_a_span_are_what_one_would_type(axes):
    # 0.1 + 0.2 must not make another cell than 0.3.
    linear = axes("ridge: {linear: [0, 1, 11]}")["ridge"]
    assert linear == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    decades = axes("ridge: {log: [1.0e-4, 1.0e+4, 9]}")["ridge"]
    assert decades == [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4]


@settings(deadline=None)
@given(
    st.floats(1e-8, 1e8),
    st.floats(1.001, 1e6),
    st.integers(2, 40),
    st.sampled_from(["log", "linear"]),
)
def test_spans_have_their_ends_and_even_steps(low, factor, count, kind):
    high = low * factor
    points = [float(point) for point in _RULES[kind]([low, high, count], Room(100))]
    space = np.geomspace if kind == "log" else np.linspace
    assert (points[0], points[-1], len(points)) == (low, high, count)
    np.testing.assert_allclose(points, space(low, high, count), rtol=1e-12)


@pytest.mark.parametrize(
    ("written", "spectrum"),
    [
        ("isotropic", {"kind": "isotropic"}),
        ("{power_law: 1}", {"kind": "power_law", "exponent": 1.0}),
        ("{power_law: {exponent: 1}}", {"kind": "power_law", "exponent": 1.0}),
        ("{spiked: {count: 2, spike: 9}}", {"kind": "spiked", "spike": 9.0, "count": 2}),
        (
            "{two_level: {ratio: 3, fraction: 0.5}}",
            {"kind": "two_level", "ratio": 3.0, "fraction": 0.5},
        ),
        (
            "{eigenvalues: [4, 3, 2, 1.5]}",
            {"kind": "eigenvalues", "values": [4.0, 3.0, 2.0, 1.5]},
        ),
    ],
)
def test_spectra(axes, written, spectrum):
    assert axes(f"spectrum: [{written}, {written}]")["spectrum"] == [spectrum]


@pytest.mark.parametrize("kind", ["text", "npy"])
def test_a_file_of_eigenvalues_is_read_at_load_time_and_fixes_d(tmp_path, make, kind):
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / f"s.{kind}"
    if kind == "text":
        path.write_text("# of my data\n3.0\n2 # the second\n\n1\n0.5\n")
    else:
        np.save(path, np.array([3.0, 2.0, 1.0, 0.5]))
        (tmp_path / "sub" / "s.npy").rename(path)
    base = BASE.replace("    d: 4\n", "")
    config = load(make(f"spectrum: {{eigenvalues: sub/s.{kind}}}", base))
    path.unlink()
    assert config.experiments["a"].axes["d"] == [4]
    cells = validate(Config.from_json(config.to_json())).cells
    assert cells["spectrum_params"].to_pylist() == ['{"values":[3.0,2.0,1.0,0.5]}']


def test_lists_of_eigenvalues_keep_their_own_d(make):
    base = BASE.replace("    d: 4\n", "")
    path = make("spectrum: [{eigenvalues: [1, 2]}, {eigenvalues: [1, 2, 3]}]", base)
    cells = validate(load(path)).cells
    assert sorted(cells["d"].to_pylist()) == [2, 3]


# Experiments


def test_an_experiments_own_key_replaces_the_default(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "defaults: {model: linear_exact, seed: {range: [0, 3]}, n: [4, 8], d: 4, ridge: [0, 1],\n"
        "  figures: kl, metrics: bures}\n"
        "experiments:\n"
        "  a: {}\n"
        "  b: {n_over_d: 2, ridge: 2, figures: [], metrics: {only: [test_loss, train_loss]}}\n"
    )
    config = load(path)
    a, b = config.experiments["a"], config.experiments["b"]
    assert (a.axes["n"], a.axes["ridge"], a.axes["seed"]) == ([4, 8], [0.0, 1.0], [0, 1, 2])
    assert a.figures == ("kl",)
    assert set(a.metrics) == {*DEFAULT_METRICS, "bures", "bures_se"}
    assert "n" not in b.axes
    assert (b.axes["n_over_d"], b.axes["ridge"], b.figures) == ([2.0], [2.0], ())
    assert b.metrics == ("train_loss", "test_loss")


def test_settings_that_are_not_given_are_neutral(axes):
    found = axes("")
    for column in SETTINGS:
        if column.neutral is not REQUIRED and column.name not in ("spectrum", "spectrum_params"):
            assert found[column.name] == [column.neutral]
    assert found["spectrum"] == [{"kind": "isotropic"}]


def test_metrics_are_added_to_the_default_ones_in_order(make):
    found = load(make("metrics: [modes, bures]")).experiments["a"].metrics
    asked = {*DEFAULT_METRICS, "modes", "bures", "bures_se"}
    assert found == tuple(m for m in REQUESTABLE if m in asked)


def test_the_top_of_the_file(make):
    config = load(make())
    assert (config.name, config.stale, config.max_cells) == ("c", None, 2_000_000)
    assert (config.target_seconds, config.target_bytes) == (60.0, 2**30)
    text = 'stale: keep\nshard: {seconds: 600, memory: "1.5 GiB"}\nmax_cells: 7\n' + BASE
    config = load(make(base=text))
    assert (config.stale, config.max_cells) == ("keep", 7)
    assert (config.target_seconds, config.target_bytes) == (600.0, 3 * 2**29)
    assert load(make(base=text), ["max_cells=9", "stale=rerun"]).max_cells == 9


@pytest.mark.parametrize(
    ("written", "size"),
    [("512", 512), ("2 kB", 2000), ('"2 KiB"', 2048), ("3MB", 3_000_000), ("0.5 TiB", 2**39)],
)
def test_sizes(make, written, size):
    assert load(make(base=f"shard: {{memory: {written}}}\n{BASE}")).target_bytes == size


def test_a_resolved_config_survives_its_json(make):
    config = load(make("stop: [1, .inf]\nspectrum: [{power_law: 1}, isotropic]\nfinal_noise: true"))
    text = config.to_json()
    again = Config.from_json(text)
    assert again == config
    assert again.to_json() == text
    assert "Infinity" in text
    assert [type(v) for v in again.experiments["a"].axes["stop"]] == [float, float]
    assert config != load(make("stop: [1, 2]"))
    with pytest.raises(InputError, match="not a resolved config"):
        Config.from_json('{"name": 3}')


def test_an_alias_is_the_value_that_it_names(make):
    config = load(make(base=BASE.replace("d: 4", "d: &sizes [4, 8]").replace("n: 8", "n: *sizes")))
    assert config.experiments["a"].axes["n"] == [4, 8]


def test_a_config_is_frozen(make):
    config = load(make())
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"


# Reading


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | _TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
        max_leaves=20,
    )
)
def test_plain_data_is_read_as_it_was_written(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("yaml") / "data.yaml"
    path.write_text(json.dumps({"data": data}))  # finite JSON is YAML
    assert read(path).data == {"data": data}


def test_marks_point_at_values_and_keys(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("a:\n  b: [1, {c: 2}]\n  d:\n")
    document = read(path)
    assert document.position(("a",)) == (1, 1)
    assert document.position(("a", "b", 1, "c")) == (2, 14)
    assert document.position(("a", "b", 1, "c"), key=True) == (2, 11)
    assert document.position(("a", "b", 7)) == (2, 6)
    assert document.position(("a", "d")) == (3, 3)
    assert document.line(("a", "b", 0), "bad") == f"{path}:2:7: a.b[0] = 1: bad"
    assert document.line(("a", "z"), "missing") == f"{path}:1:1: a.z: missing"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
        ({"a": [1, "b"]}, "{a: [1, 'b']}"),
        (list(range(30))[:3], "[0, 1, 2]"),
    ],
)
def test_values_are_shown_as_yaml(value, text):
    assert shown(value) == text


def test_long_values_are_shown_short():
    assert len(shown(list(range(1000)))) <= 60
    assert len(shown("x" * 1000)) == 60


def test_theory_is_one_word_with_axes_of_its_own(make):
    path = make("theory: {n_over_d: [0.5, 1, 8], ridge: [0, 0.1]}")
    experiment = load(path).experiments["a"]
    assert experiment.axes["model"] == ["linear_exact", "linear_theory"]
    assert experiment.axes_of("linear_exact")["n"] == [8]
    theory = experiment.axes_of("linear_theory")
    assert theory["n_over_d"] == [0.5, 1, 8]
    assert theory["ridge"] == [0.0, 0.1]
    assert {"n", "seed", "draw"}.isdisjoint(theory)
    cells = expand(experiment)
    assert cells["model"].to_pylist().count("linear_exact") == 1
    assert cells["model"].to_pylist().count("linear_theory") == 6
    assert Config.from_json(load(path).to_json()) == load(path)


def test_theory_on_the_axes_of_the_experiment(make):
    (experiment,) = load(make("theory: {}\nridge: [0, 0.1]")).experiments.values()
    cells = expand(experiment)
    theory = cells.filter(pc.equal(cells["model"].cast("string"), "linear_theory"))
    assert theory["n"].to_pylist() == [8, 8]
    assert theory["seed"].null_count == theory["draw"].null_count == 2


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("theory: true", "c.yaml:7:13: experiments.a.theory = true: must be a mapping"),
        ("theory: {seed: 1}", "c.yaml:7:14: experiments.a.theory.seed: unknown key; allowed: spec"),
        ("theory: {n: 3, n_over_d: 1}", "experiments.a.theory.n_over_d = 1: give n or n_over_d"),
    ],
)
def test_what_is_wrong_with_a_theory_is_said(make, added, expected):
    assert expected in message(make(added))
