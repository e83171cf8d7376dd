"""Settings beside a config file: what they replace, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lindiff.config.resolve import Config, load
from lindiff.errors import InputError
from lindiff.sweep.validate import validate

TEXT = """\
defaults: {model: linear_exact, seed: 0}
experiments:
  one: {d: [8, 16], n_over_d: [1, 2], ridge: 0.1}
  two: {d: 8, n: 16, sampler: ddim}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    return path


def axis(config: Config, experiment: str, key: str) -> list[object]:
    return config.experiments[experiment].axes[key]


@pytest.mark.parametrize(
    ("given", "key", "values"),
    [
        ("one.d=32,64", "d", [32, 64]),
        ("one.d=[32, 64]", "d", [32, 64]),
        ("one.d=32", "d", [32]),
        ("experiments.one.d=32", "d", [32]),
        ("one.ridge={log: [1.0e-2, 1, 3]}", "ridge", [0.01, 0.1, 1.0]),
        ("defaults.seed={range: [0, 3]}", "seed", [0, 1, 2]),
        ("one.sampler=ddim, ideal", "sampler", ["ddim", "ideal"]),
        ("one.spectrum={power_law: 1}", "spectrum", [{"kind": "power_law", "exponent": 1.0}]),
    ],
)
def test_a_value_is_replaced(file, given, key, values):
    config = load(file, [given])
    assert axis(config, "one", key) == values
    assert config.overrides == (given,)
    assert Config.from_json(config.to_json()) == config


def test_it_is_as_if_the_file_said_so(file, tmp_path):
    other = tmp_path / "other" / "mine.yaml"
    other.parent.mkdir()
    other.write_text(
        TEXT.replace("n_over_d: [1, 2]", "n: [4, 8]").replace("seed: 0", "seed: [1, 2]")
    )
    given = load(file, ["one.n=4,8", "defaults.seed=1,2", "max_cells=99"])
    assert given.max_cells == 99
    assert given.experiments == load(other).experiments
    assert validate(given).cells.equals(validate(load(other)).cells)


def test_the_file_alone_keeps_the_name_of_its_plan(file):
    assert "overrides" not in load(file).to_json()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("one.d", "command line: 'one.d': write KEY=VALUE"),
        ("=3", "command line: '=3': write KEY=VALUE"),
        ("onne.d=3", "no experiment and no key 'onne' (did you mean one?)"),
        ("d=3", "a setting of all experiments is defaults.d"),
        ("one=3", "name a setting of the experiment, as one.d"),
        ("one.dd=3", "command line: experiments.one.dd: unknown key"),
        ("one.d=-3", "command line: experiments.one.d"),
        ("one.sampler=dppm", "command line: experiments.one.sampler"),
        ("one.d=[3", "command line: one.d:1:3: not YAML"),
        ("one.d=!!python/name:os.system", "command line: one.d:1:1: "),
        ("one.ridge.log=3", "command line: experiments.one.ridge"),
        ("max_cells=no", "command line: max_cells = 'no'"),
    ],
)
def test_a_wrong_one_is_told_as_one_of_the_command_line(file, given, message):
    with pytest.raises(InputError) as told:
        load(file, [given])
    assert message in str(told.value)


def test_one_that_is_given_twice_is_refused(file):
    with pytest.raises(InputError, match=r"experiments\.one\.d: given twice"):
        load(file, ["one.d=3", "experiments.one.d=4"])


def test_errors_of_the_file_keep_their_line(file):
    file.write_text(TEXT.replace("n: 16", "n: -1"))
    with pytest.raises(InputError) as told:
        load(file, ["one.d=3"])
    assert f"{file}:4:" in str(told.value)
