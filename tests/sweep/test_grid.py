"""Cells and their ids: what one is, and what never changes them."""

import itertools
import json
import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.columns import (
    DEFAULT_METRICS,
    REQUESTABLE,
    REQUIRED,
    SETTING,
    SETTINGS,
    Column,
    cell_schema,
)
from lindiff.config.resolve import Config, Experiment, load
from lindiff.config.words import canonical_json
from lindiff.errors import InputError
from lindiff.models import MODELS
from lindiff.sweep import ids
from lindiff.sweep.grid import count, expand, wanted
from lindiff.sweep.ids import cell_ids, digest, family_ids, fragment

# No deadline: this machine's cores are shared, and a slow example is no bug.
unhurried = settings(deadline=None, max_examples=50)

NEUTRAL = {
    c.name: [{"kind": "isotropic"}] if c.name == "spectrum" else [c.neutral]
    for c in SETTINGS
    if c.neutral is not REQUIRED and c.name != "spectrum_params"
}
REQUIRED_AXES = {"model": ["linear_exact"], "d": [4], "n": [8], "seed": [0]}


def experiment(name="a", metrics=DEFAULT_METRICS, **axes):
    """An experiment with some axes; the others are neutral, required ones small."""
    axes = {**NEUTRAL, **REQUIRED_AXES, **axes}
    if "n_over_d" in axes:
        del axes["n"]
    return Experiment(name=name, axes=axes, metrics=metrics, figures=())


def config(*experiments, **keys):
    named = {e.name: e for e in experiments}
    return Config(name="c", experiments=named, target_seconds=60.0, target_bytes=2**30, **keys)


def id_set(*experiments):
    return set(wanted(config(*experiments)).cells["cell_id"].to_pylist())


numbers = st.lists(st.floats(0, 10), min_size=1, max_size=2, unique=True)
spectra = st.one_of(
    st.just({"kind": "isotropic"}),
    st.builds(lambda k: {"kind": "power_law", "exponent": k}, st.floats(0, 3)),
    st.builds(
        lambda s, m: {"kind": "spiked", "spike": s, "count": m}, st.floats(1, 9), st.integers(1, 2)
    ),
    st.just({"kind": "eigenvalues", "values": [3.0, 2.0, 1.0, 1.0]}),
)
some_axes = st.fixed_dictionaries(
    {},
    optional={
        "d": st.lists(st.integers(2, 9), min_size=1, max_size=2, unique=True),
        "n": st.lists(st.integers(2, 99), min_size=1, max_size=2, unique=True),
        "seed": st.lists(st.integers(0, 2**40), min_size=1, max_size=2, unique=True),
        "ridge": numbers,
        "weight_decay": numbers,
        "stop": st.lists(st.sampled_from([0.1, 7.5, math.inf]), min_size=1, unique=True),
        "learning_rate": numbers,
        "spectrum": st.lists(spectra, min_size=1, max_size=2),
        "centre": st.lists(st.sampled_from(["estimated", "known"]), min_size=1, unique=True),
        "final_noise": st.lists(st.booleans(), min_size=1, unique=True),
    },
)
# A list of eigenvalues goes with d = 4 only, which the config ensures.
some_axes = some_axes.map(
    lambda axes: (
        axes | {"d": [4]}
        if any(s["kind"] == "eigenvalues" for s in axes.get("spectrum", []))
        else axes
    )
)


# What an id is


def canonical(row):
    """The canonical text of one cell; settings that are missing are neutral."""
    found = (fragment(SETTING[name], row.get(name)) for name in sorted(SETTING))
    return "{" + ",".join(text for text in found if text is not None) + "}"


def test_ids_are_pinned_for_ever():
    # A change here orphans every finished cell of every user.
    plain = {"model": "linear_exact", "d": 256, "n": 1000, "seed": 3}
    assert canonical(plain) == '{"d":256,"model":"linear_exact","n":1000,"seed":3}'
    assert digest(canonical(plain)) == "fed2ce7beeb7827d2d3bc149db69c7aa"
    rich = plain | {
        "spectrum": "power_law",
        "spectrum_params": '{"exponent":1.0}',
        "ridge": 0.1 + 0.2,
        "weight_decay": 3,
        "stop": 1e6,
        "sampler": "ddim",
        "final_noise": True,
    }
    assert canonical(rich) == (
        '{"d":256,"final_noise":true,"model":"linear_exact","n":1000,"ridge":0.30000000000000004,'
        '"sampler":"ddim","seed":3,"spectrum":"power_law","spectrum_params":{"exponent":1.0},'
        '"stop":1000000.0,"weight_decay":3.0}'
    )
    assert digest(canonical(rich)) == "463ffae90ac8625f6b5582f80a727920"
    table = expand(experiment(ridge=[0.0, 1e-3], seed=[0, 1]))
    assert table["cell_id"].to_pylist() == [
        "002f87b1a3aebe1ee7f9dc1b2c48f65c",
        "12c1d44a2e0bb110d675c43ffd844122",
        "511d42f19a242c37d634e39340ac033a",
        "65d8f659edf77d1749a514ffcc37f244",
    ]
    assert sorted(set(table["family_id"].to_pylist())) == [
        "002f87b1a3aebe1ee7f9dc1b2c48f65c",
        "511d42f19a242c37d634e39340ac033a",
    ]


def test_values_are_typed_by_their_column():
    row = {"model": "linear_exact", "d": 4, "n": 8, "seed": 0}
    assert canonical(row | {"ridge": 3}) == canonical(row | {"ridge": 3.0})
    assert canonical(row | {"ridge": 0.3}) != canonical(row | {"ridge": 0.1 + 0.2})
    assert canonical(row | {"d": np.int64(4)}) == canonical(row)
    assert canonical(row | {"population_mean": -0.0}) == canonical(row)
    assert canonical(row | {"population_mean": math.inf}).count("Infinity") == 1
    assert canonical(row | {"seed": None}) == '{"d":4,"model":"linear_exact","n":8}'
    assert canonical(row | {"train_loss": 1.0, "cell_id": "x"}) == canonical(row)
    with pytest.raises(ValueError, match="ridge is NaN"):
        canonical(row | {"ridge": math.nan})


@unhurried
@given(some_axes)
def test_every_id_is_that_of_its_row(axes):
    table = expand(experiment(**axes))
    assert table.schema.equals(cell_schema(), check_metadata=True)
    found = table["cell_id"].to_pylist()
    assert found == [digest(canonical(row)) for row in table.to_pylist()]
    assert found == sorted(set(found))
    assert cell_ids(table).to_pylist() == found
    assert family_ids(table).to_pylist() == table["family_id"].to_pylist()
    for row, family in zip(table.to_pylist(), table["family_id"].to_pylist(), strict=True):
        outside = {k: v for k, v in row.items() if k not in MODELS[row["model"]].within}
        assert family == digest(canonical(outside))


@unhurried
@given(some_axes)
def test_a_canonical_text_is_the_json_of_what_is_not_neutral(axes):
    for row in expand(experiment(**axes)).to_pylist():
        read = json.loads(canonical(row))
        assert list(read) == sorted(read)
        for column in SETTINGS:
            value = row[column.name]
            if value is None or value == column.neutral:
                assert column.name not in read
            else:
                assert read[column.name] == (json.loads(value) if column.type == "json" else value)


def test_ids_in_pieces_are_the_same(monkeypatch):
    table = expand(experiment(seed=list(range(50)), ridge=[0.0, 1.0]))
    monkeypatch.setattr(ids, "_PIECE_BYTES", 700)
    assert cell_ids(table).equals(table["cell_id"].combine_chunks())
    assert family_ids(table).equals(table["family_id"].combine_chunks())


def test_no_rows_have_no_ids():
    empty = cell_schema().empty_table()
    assert cell_ids(empty).to_pylist() == family_ids(empty).to_pylist() == []


# What changes no id


@unhurried
@given(some_axes, st.randoms())
def test_the_order_of_keys_and_values_changes_nothing(axes, random):
    one = expand(experiment(**axes))
    shuffled = {**NEUTRAL, **REQUIRED_AXES, **axes}
    keys = list(shuffled)
    random.shuffle(keys)
    shuffled = {key: random.sample(shuffled[key], len(shuffled[key])) for key in keys}
    other = expand(Experiment(name="b", axes=shuffled, metrics=(), figures=()))
    assert one.equals(other)


@unhurried
@given(some_axes, some_axes)
def test_the_order_and_names_of_experiments_change_nothing(first, second):
    a, b = experiment("a", **first), experiment("b", **second)
    renamed = [b.model_copy(update={"name": "x"}), a.model_copy(update={"name": "y"})]
    one, other = wanted(config(a, b)), wanted(config(*renamed))
    assert one.cells.equals(other.cells)
    for name in ("spectrum", "spectrum_params"):
        texts = [w.cells[name].combine_chunks().dictionary.to_pylist() for w in (one, other)]
        assert texts[0] == texts[1] == sorted(set(one.cells[name].to_pylist()))
    assert np.array_equal(one.experiments["a"], other.experiments["y"])


@unhurried
@given(some_axes, st.data())
def test_more_values_keep_every_cell(axes, data):
    more = data.draw(some_axes)
    grown = {
        key: [*axes.get(key, {**NEUTRAL, **REQUIRED_AXES}[key]), *more.get(key, [])]
        for key in {*axes, *more}
    }
    has_list = any(s["kind"] == "eigenvalues" for s in grown.get("spectrum", []))
    if has_list and set(grown.get("d", [4])) != {4}:
        return  # such a config is refused: the list fixes d
    assert id_set(experiment(**axes)) <= id_set(experiment(**grown))


@unhurried
@given(some_axes, st.sampled_from(["aaa", "m", "zzz"]), st.booleans())
def test_a_new_setting_with_a_neutral_value_changes_no_id(axes, name, within):
    before = expand(experiment(**axes))
    new = Column(name, "float", name, "A new setting.", neutral=0.5)
    model = MODELS["linear_exact"]
    model = replace(
        model, settings=(*model.settings, name), within=model.within | ({name} if within else set())
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "SETTINGS", (*SETTINGS, new))
        patch.setitem(SETTING, name, new)
        patch.setitem(MODELS, "linear_exact", model)
        for value in (0.5, None):
            values = pa.array([value] * before.num_rows, pa.float64())
            after = before.append_column(name, values)
            assert cell_ids(after).equals(before["cell_id"].combine_chunks())
            assert family_ids(after).equals(before["family_id"].combine_chunks())
        other = before.append_column(name, pa.array([0.25] * before.num_rows))
        assert not set(cell_ids(other).to_pylist()) & set(before["cell_id"].to_pylist())


def test_metrics_and_figures_are_no_part_of_an_id():
    asked = experiment(metrics=("bures",)).model_copy(update={"figures": ("kl",)})
    assert id_set(experiment()) == id_set(asked)


# The product


def test_the_product_has_every_combination_once():
    axes = {"d": [2, 3], "n": [4, 5, 6], "ridge": [0.0, 1.0], "seed": [0, 1]}
    table = expand(experiment(**axes))
    rows = {tuple(row[name] for name in axes) for row in table.to_pylist()}
    assert rows == set(itertools.product(*axes.values()))
    assert table.num_rows == count(experiment(**axes)) == 24


def test_n_over_d_is_rounded_to_the_nearest_n_of_at_least_2():
    table = expand(experiment(d=[4, 10], n_over_d=[0.1, 0.33, 0.61, 25.04]))
    found = {(row["d"], row["n"]) for row in table.to_pylist()}
    assert found == {(4, 2), (4, 100), (10, 2), (10, 3), (10, 6), (10, 250)}
    assert table.num_rows == 6  # 4 of 0.1, 0.33 and 0.61 are one n


def test_a_setting_without_effect_is_reset():
    table = expand(
        experiment(stop=[1.0, math.inf], learning_rate=[0.0, 0.1], init_scale=[0.0, 2.0])
    )
    found = {(r["stop"], r["learning_rate"], r["init_scale"]) for r in table.to_pylist()}
    assert found == {
        (math.inf, 0.0, 0.0),
        (1.0, 0.0, 0.0),
        (1.0, 0.1, 0.0),
        (1.0, 0.0, 2.0),
        (1.0, 0.1, 2.0),
    }


def test_a_setting_that_does_not_apply_is_null():
    cells = {row["sampler"]: row for row in expand(
        experiment(sampler=["ideal", "ddim", "ddpm_beta"])
    ).to_pylist()}  # fmt: skip
    ideal = cells["ideal"]
    lost = ("final_noise", "sampling_steps", "weight_decay", "stop", "learning_rate", "init_scale")
    assert [ideal[name] for name in lost] == [None] * 6
    assert (ideal["ridge"], ideal["beta_max"]) == (0.0, 0.01)
    assert (cells["ddim"]["final_noise"], cells["ddim"]["stop"]) == (None, math.inf)
    assert cells["ddpm_beta"]["final_noise"] is False
    (cosine,) = expand(experiment(schedule=["cosine"])).to_pylist()
    assert (cosine["beta_min"], cosine["beta_max"]) == (None, None)


def test_void_comes_before_conflict():
    # Where `stop` is infinite the step has no effect, so `ideal` need not refuse it.
    table = expand(experiment(sampler=["ideal"], learning_rate=[0.1]))
    assert table["learning_rate"].to_pylist() == [None]


@pytest.mark.slow
def test_a_conflict_among_a_million_rows_is_said_once():
    with pytest.raises(InputError) as caught:
        expand(experiment(sampler=["ideal", "ddim"], stop=[1.0], seed=list(range(500_000))))
    assert str(caught.value).splitlines() == [
        "config: experiments.a.stop = 1.0: cannot be combined with sampler = 'ideal'; stop needs "
        "sampler: ddpm_beta, ddpm_beta_tilde, ddim, euler, heun (give the others an experiment of "
        "their own)"
    ]


@pytest.fixture
def theory(monkeypatch):
    """A second model, which has no seed, training or noise levels, and gives fewer metrics."""
    exact = MODELS["linear_exact"]
    gone = ("seed", "draw", "stop", "timesteps")
    model = replace(
        exact,
        name="theory",
        settings=tuple(s for s in exact.settings if s not in gone),
        metrics=frozenset({"train_loss", "test_loss"}),
    )
    monkeypatch.setitem(MODELS, "theory", model)
    return model


def test_settings_that_a_model_does_not_read_are_null_and_drop_their_axis(theory):
    both = experiment(model=["linear_exact", "theory"], seed=[0, 1, 2], stop=[1.0, math.inf])
    rows = expand(both).to_pylist()
    assert count(both) == len(rows) == 7
    (row,) = [row for row in rows if row["model"] == "theory"]
    assert (row["seed"], row["draw"], row["stop"]) == (None, None, None)
    assert row["cell_id"] == digest('{"d":4,"model":"theory","n":8}')


def test_a_metric_is_requested_only_where_the_model_gives_it(theory):
    asked = ("train_loss", "bures")
    found = wanted(config(experiment(model=["linear_exact", "theory"], metrics=asked)))
    bit = {name: 1 << REQUESTABLE.index(name) for name in asked}
    request = dict(zip(found.cells["model"].to_pylist(), found.request.tolist(), strict=True))
    assert request == {
        "linear_exact": bit["train_loss"] | bit["bures"],
        "theory": bit["train_loss"],
    }


def test_what_no_model_of_an_experiment_reads_or_gives_is_refused(theory, tmp_path, monkeypatch):
    from lindiff.sweep import validate

    monkeypatch.setattr(validate.planning, "check", lambda cells, metrics=(): [])
    path = tmp_path / "c.yaml"
    path.write_text(
        "defaults: {model: linear_exact, d: 4, n: 8, seed: 0, stop: 1}\n"
        "experiments:\n  a: {draw: samples, metrics: [bures]}\n"
    )
    loaded = load(path)
    axes = loaded.experiments["a"].axes | {"model": ["theory"]}
    changed = loaded.experiments["a"].model_copy(update={"axes": axes})
    with pytest.raises(InputError) as caught:
        validate.validate(loaded.model_copy(update={"experiments": {"a": changed}}))
    # `stop` is only inherited: another experiment may use it.
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "c.yaml:3:13: experiments.a.draw: has no effect on model theory",
        "c.yaml:3:32: experiments.a.metrics = 'bures': model theory does not give this metric",
    ]


# Several experiments


def test_experiments_share_cells_and_join_their_requests():
    a = experiment("a", seed=[0, 1], metrics=("train_loss",))
    b = experiment("b", seed=[1, 2], metrics=("bures", "train_loss"))
    found = wanted(config(a, b))
    assert found.cells.num_rows == 3
    ids_of = {k: set(found.cells["cell_id"].take(pa.array(v)).to_pylist())
              for k, v in found.experiments.items()}  # fmt: skip
    assert ids_of == {"a": id_set(a), "b": id_set(b)}
    bits = {name: 1 << REQUESTABLE.index(name) for name in ("train_loss", "bures")}
    by_seed = dict(zip(found.cells["seed"].to_pylist(), found.request.tolist(), strict=True))
    both = bits["train_loss"] | bits["bures"]
    assert by_seed == {0: bits["train_loss"], 1: both, 2: both}
    assert found.request.dtype == np.uint64


@unhurried
@given(some_axes, some_axes)
def test_wanted_is_the_union_of_the_experiments(first, second):
    a, b = experiment("a", **first), experiment("b", **second)
    found = wanted(config(a, b))
    listed = found.cells["cell_id"].to_pylist()
    assert listed == sorted(id_set(a) | id_set(b))
    for part in (a, b):
        rows = found.experiments[part.name]
        assert np.all(np.diff(rows) > 0)
        assert {listed[row] for row in rows} == id_set(part)


def test_equal_texts_of_different_lists_are_one_dictionary_entry():
    spectra = [{"kind": "power_law", "exponent": k} for k in (1.0, 2.0)]
    table = expand(experiment(spectrum=[*spectra, {"kind": "isotropic"}]))
    column = table["spectrum"].combine_chunks()
    assert sorted(column.dictionary.to_pylist()) == ["isotropic", "power_law"]
    assert set(table["spectrum_params"].to_pylist()) == {
        "{}",
        canonical_json({"exponent": 1.0}),
        canonical_json({"exponent": 2.0}),
    }


def test_all_conflicts_of_all_experiments_are_said():
    a = experiment("a", sampler=["ideal"], stop=[1.0])
    b = experiment("b", schedule=["cosine"], beta_max=[0.02])
    with pytest.raises(InputError) as caught:
        wanted(config(a, b))
    lines = str(caught.value).splitlines()
    assert [line.split(" = ")[0] for line in lines] == [
        "config: experiments.a.stop",
        "config: experiments.b.beta_max",
    ]


# Size


def test_a_grid_above_the_limit_is_refused_before_it_takes_memory():
    huge = experiment(ridge=[float(i) for i in range(2000)], stop=[float(i) for i in range(2000)],
                      seed=list(range(2000)))  # fmt: skip
    assert count(huge) == 8_000_000_000
    tracemalloc.start()
    with pytest.raises(
        InputError, match=r"the grid has 8,000,000,001 cells \(a 8,000,000,000, b 1"
    ):
        wanted(config(huge, experiment("b")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_long_parameters_do_not_multiply_in_memory():
    values = [1.0 + i / 7 for i in range(4096)]
    spectrum = {"kind": "eigenvalues", "values": values}
    table = expand(experiment(d=[4096], spectrum=[spectrum], seed=list(range(3000))))
    assert len(table["spectrum_params"].combine_chunks().dictionary) == 1
    assert table.nbytes < 2**22
    row = table.slice(0, 1).to_pylist()[0]
    assert row["cell_id"] == digest(canonical(row))
