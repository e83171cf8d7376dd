"""Memory in plans: what finished rows take, and what no memory holds is refused."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest

from lindiff import planning
from lindiff.columns.arrays import combinations
from lindiff.columns.groups import SPECTRUM
from lindiff.models import MODELS
from tests.configs import BASE, Maker, message
from tests.science.helpers import make_cells
from tests.sweeps import Sweep


def families(model: str = "linear_exact", **given: object) -> pa.Table:
    return make_cells(model=model, **given).append_column("cells", [np.array([10])])


def test_rows_with_lists_take_more() -> None:
    model, given = MODELS["linear_exact"], {"d": 100, "n": 40}
    size = {
        metrics: float(planning.kept(model, families(**given), metrics)[0])
        for metrics in ((), ("levels",), ("modes",), ("levels", "modes"))
    }
    assert size["levels",] > size[()] + 25 * 28
    assert size["modes",] > size[()] + 41 * 40
    both = size["levels",] + size["modes",] - size[()]
    assert size["levels", "modes"] == pytest.approx(both)


def test_few_samples_of_many_dimensions_take_few_matrices() -> None:
    """Without the floors, which are of the population, nothing is d × d."""
    cells = families(d=4000, n=16)
    _, size = planning.estimate(MODELS["linear_exact"], cells, ("test_loss",))
    _, none = planning.estimate(MODELS["linear_exact"], families(d=4, n=16), ("test_loss",))
    assert size[0] - none[0] < 4000**2 * 8 / 2
    _, floors = planning.estimate(MODELS["linear_exact"], cells, ("kl_model_data_floor",))
    assert floors[0] - none[0] == pytest.approx(2 * 4000**2 * 8, rel=0.1)


def test_theory_takes_filters_of_one_size_not_of_all() -> None:
    """A family of 400 cells of twenty N has twenty filters."""
    model, cells = MODELS["linear_theory"], make_cells(model="linear_theory", d=50, n=100)
    known = cells.append_column("filters", [np.array([20])])
    sizes = [
        planning.estimate(model, table.append_column("cells", [np.array([400])]), ())[1][0]
        for table in (known, cells)
    ]
    assert sizes[0] < sizes[1]


def test_shards_stay_under_their_memory_whatever_the_number_of_cells(tmp_path) -> None:
    sweep = Sweep(tmp_path)
    text = (
        "{d: 8, n: 16, spectrum: isotropic, ridge: {log: [1.0e-4, 1, 100]}, "
        "seed: {range: [0, 400]}}"
    )
    more = "max_cells: 100000"
    found = {}
    for metrics in ("[test_loss]", "[test_loss, levels]"):
        defaults = f"{{model: linear_exact, timesteps: 20, metrics: {{only: {metrics}}}}}"
        config = sweep.config(text, defaults=defaults, more=more, shard="1.0e+9, memory: 220 MB")
        plan = sweep.plan(config)
        assert all(shard.bytes <= 220e6 for shard in plan.pending)
        found[metrics] = len(plan.pending)
    assert found["[test_loss, levels]"] > found["[test_loss]"]


def test_families_of_one_call_add_up() -> None:
    """Those of a pack are trained at a time, the training sets of all are held."""
    model, given = MODELS["mlp"], {"draw": "samples", "d": 8, "steps": 10, "width": 8}
    own = planning.together(model, families("mlp", n=100, learning_rate=0.1, **given), ())
    one, many, more = (planning.of_call(model, np.repeat(own, k, axis=0)) for k in (1, 16, 32))
    assert many == pytest.approx(16 * one)
    assert more - many == pytest.approx(16 * own[0, 1])
    exact = MODELS["linear_exact"]
    assert planning.of_call(exact, planning.together(exact, families(d=8, n=4), ())) == 0


@pytest.mark.parametrize(
    ("model", "d"),
    [
        ("linear_exact", 300_000),
        ("empirical", 1_000_000),
    ],
)
def test_a_d_that_no_memory_holds_is_refused_with_the_number(tmp_path, model, d) -> None:
    base = BASE.replace("d: 4", f"d: {d}").replace("linear_exact", model).replace("n: 8", "n: 10")
    if model == "empirical":
        base += "    draw: samples\n    sampler: ddim\n"
    text = message(Maker(tmp_path)(base=base))
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    assert text.startswith(f"c.yaml:4:8: experiments.a.d = {d}: a cell of d = {d:,}, n = 10")
    assert f"more memory than there is: this machine has {machine:,.3g} GB" in text
    assert "shard: memory (now 1.07 GB)" in text


def test_a_network_that_no_memory_holds_is_refused_with_its_width(tmp_path) -> None:
    base = BASE.replace("d: 4", "d: 64").replace("linear_exact", "mlp") + (
        "    draw: samples\n    sampler: ddim\n    width: 90000\n    steps: 9\n"
        "    learning_rate: 0.01\n"
    )
    text = message(Maker(tmp_path)(base=base))
    assert (
        "experiments.a.width = 90000: a cell of d = 64, n = 8, width = 90,000, batch_size" in text
    )


def test_more_memory_for_jobs_than_here_is_believed(tmp_path) -> None:
    config = Sweep(tmp_path).config(
        "{d: 1000000, n: 8, spectrum: isotropic}", shard="60, memory: 1000 TB"
    )
    from lindiff.sweep import validate

    cells = validate.wanted(config).cells
    assert validate._too_large(cells, config.experiments["one"], config) == []


def test_combinations_are_those_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    size = 500
    table = pa.table({
        "a": pa.array(rng.integers(3, size=size), mask=rng.random(size) < 0.2),
        "b": pa.array(rng.choice(["x", "y"], size)).dictionary_encode(),
        "c": pa.array(rng.choice([0.5, np.inf], size)),
    })  # fmt: skip
    codes, first = combinations(table, table.column_names)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert [rows[i] for i in first[codes]] == rows
    assert first.tolist() == sorted(rows.index(row) for row in set(rows))
    assert len(combinations(table.slice(0, 0), SPECTRUM[:0])[1]) == 0
