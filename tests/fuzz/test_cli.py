"""Command lines that nobody would type, drawn from the verbs and parameters that click knows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindiff.cli import main
from lindiff.columns import METRIC, SETTING
from tests.fuzz.grammar import HUGE, from_schema, keys_of_theory, spoiled, texts, written
from tests.fuzz.properties import Worker, some
from tests.sweeps import Sweep

# These run until they are stopped; and what starts Snakemake, once its files are found good.
_ENDLESS = {"watch"}
_LONG = {"sweep", "claims"}
_DEFAULTS = (
    "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1], metrics: [levels]}"
)


def _fill(folder: Path) -> None:
    """A finished sweep, and files of other kinds."""
    sweep = Sweep(folder)
    sweep.finish(sweep.config("{d: 4, n: [3, 8, 16], figures: [kl]}", defaults=_DEFAULTS))
    (plan,) = (sweep.results / "tiny").glob("plan-*.json")
    plan.rename(plan.with_name("plan-0.json"))
    for kind in ("specs", "parts"):
        first = min((sweep.store.root / kind).iterdir())
        shutil.copy(first, folder / f"{kind}.parquet")
    (folder / "bad.yaml").write_text("experiments: {a: {d: 0, n: 1}}\n")
    (folder / "noise").write_bytes(np.random.default_rng(0).bytes(4000))
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "empty.csv").write_text("")
    (folder / "rows.csv").write_text('"cell_id","d"\n"a",4\n')
    (folder / "-x.yaml").write_text((folder / "tiny.yaml").read_text())
    pq.write_table(pa.table({"cell_id": ["a"], "when": pa.array([0], pa.timestamp("s"))}),
                   folder / "foreign.parquet")  # fmt: skip
    os.mkfifo(folder / "pipe")
    shutil.copytree(sweep.results / "tiny", folder / "\x1b[31mred\n")


_FILES = (
    "tiny.yaml", "bad.yaml", "results/tiny/plan-0.json", "results/tiny/metrics.parquet",
    "results/tiny/levels.parquet", "specs.parquet", "parts.parquet", "foreign.parquet", "noise",
    "deep.json", "empty.csv", "rows.csv", "-x.yaml", "./-x.yaml", "pipe", "results", "results/tiny",
    "\x1b[31mred\n", "\x1b[31mred\n/plan-0.json", "none", "none/c.csv", "tiny.yaml/c.csv", "", ".",
    "-", "--", "/", "/dev/null", "/dev/zero", "/proc/self/mem", "x" * 300, "\udcff", "s3://a/b",
    "new.csv", "new.parquet", "new.png", "results/other/plan-0.json", "results/tiny/plan-1.json",
)  # fmt: skip
# What a parameter is usually given.
_RIGHT = {
    "config": "tiny.yaml", "spec": "specs.parquet", "plan_file": "results/tiny/plan-0.json",
    "folder": "results/tiny", "results": "results", "write": "results/tiny/plan-1.json",
    "out": "new.csv", "file": "new.yaml",
}  # fmt: skip
_numbers = st.sampled_from([*map(str, HUGE), "1e400", "nan", "-inf", ".inf", "0x10", "9" * 5000])
_columns = st.sampled_from([*SETTING, *METRIC, "status", "cell_id", "experiments", "message", "x"])
_plain = spoiled.map(written)


def _theory() -> st.SearchStrategy[str]:
    keys = keys_of_theory()
    value = st.sampled_from(sorted(keys)).flatmap(
        lambda key: st.tuples(st.just(key), from_schema(keys[key]) | spoiled)
    )
    usual = st.sampled_from(["d=5", "n=[4, 9, 20]", "timesteps=20", "n=7", "beta_max=9.0e-3"])
    return usual | value.map(lambda two: f"{two[0]}={written(two[1])}") | _plain


_WORDS = {
    "conditions": st.tuples(
        _columns,
        st.sampled_from(["=", "!=", "<", ">=", " > ", ""]),
        _numbers | _plain | st.sampled_from(["null", '{"exponent": 1}', '{"a":1},{}', "{" * 3000]),
    ).map("".join),
    "settings": _theory(),
    "names": st.sampled_from(["kl", "transition", "../kl", "\x1b[31m", ""]) | texts,
    "columns": st.lists(_columns, max_size=3).map(",".join) | texts,
    "metrics": st.sampled_from(["test_loss", "kl_model_data", "bures", "status"]) | texts,
}


def _value(parameter: click.Parameter) -> st.SearchStrategy[str]:
    kind = parameter.type
    if isinstance(kind, click.Path):
        right = st.just(_RIGHT[str(parameter.name)])
        return st.one_of(right, right, st.sampled_from(_FILES))
    if isinstance(kind, click.Choice):
        return st.sampled_from([*kind.choices, "no"])
    if isinstance(kind, click.types.IntParamType):
        return st.integers(-1, 99).map(str) | _numbers
    return _WORDS.get(parameter.name or "", texts)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A verb with its parameters, one or two of them odd."""
    name = draw(st.sampled_from(sorted(set(main.commands) - _LONG)))
    words: list[str] = []
    for parameter in main.commands[name].params:
        if parameter.name in _ENDLESS:
            continue
        value = _value(parameter)
        if isinstance(parameter, click.Argument):
            many = parameter.nargs == -1
            some_words = st.lists(value, min_size=int(parameter.required), max_size=4)
            words += draw(some_words) if many else [draw(value)]
        elif parameter.required or draw(st.integers(0, 3)) == 3:
            flag = isinstance(parameter, click.Option) and parameter.is_flag
            words += [parameter.opts[-1], *([] if flag else [draw(value)])]
    for _ in range(draw(st.integers(0, 9)) // 8):
        at = draw(st.integers(0, len(words)))
        words[at:at] = [draw(st.sampled_from([*_FILES, "--no", "-\x1b", "--json=1", "-h"]) | texts)]
    return [name, *filter(_possible, words)]


def _possible(word: str) -> bool:
    """Whether a shell could hand it over."""
    try:
        return b"\0" not in word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


class Folder:
    """A folder that is as it was before every input."""

    def __init__(self, folder: Path, kept: Path) -> None:
        self.path, self._kept = folder, kept
        kept.mkdir()
        _fill(kept)
        (kept / "pipe").unlink()
        self.restore()

    def restore(self) -> None:
        """Put everything back."""
        for path in self.path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self._kept, self.path, dirs_exist_ok=True)
        os.mkfifo(self.path / "pipe")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("cli"), tmp_path_factory.mktemp("kept") / "folder")


@given(words=command_lines())
@some(60)
def test_a_command_line_is_accepted_or_refused_with_a_word(
    lindiff: Worker, folder: Folder, words: list[str]
) -> None:
    found = lindiff(folder.path, *words)
    if found.changed:
        folder.restore()
