"""Writes the files that are generated: ``config/README.md`` and ``config/schema.json`` from the
columns and the grammar, ``workflow/envs/lindiff.yaml`` from ``pyproject.toml``.

``python -m lindiff.config.reference`` writes them, ``--check`` only says whether they are current.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lindiff.columns import METRICS, OUTCOME, REQUIRED, SECONDS, SETTING, Column
from lindiff.config.refine import Refine
from lindiff.config.sheet import FIGURES_HELP, KEYS, METRICS_HELP, Shard, Sheet
from lindiff.config.values import SPECTRA
from lindiff.config.yamlfile import shown
from lindiff.files import write_text
from lindiff.planning.trained import SIDES
from lindiff.science.datasets import BUNDLED
from lindiff.science.pools import FEWEST_ROWS, INDEPENDENT, SHARE
from lindiff.science.principal import TOLERANCE

ROOT = Path(__file__).resolve().parents[2]
# Packages that conda-forge has under another name than PyPI; its matplotlib brings a GUI.
CONDA = {"matplotlib": "matplotlib-base", "torch": "pytorch"}

_INTRODUCTION = """\
<!-- Written by `python -m lindiff.config.reference` from lindiff/columns/. Do not edit by hand. -->

# Configuration

A config is a YAML file. It names experiments; each is the product of its axes, and every point of
that product is one cell: one row of `results/<config>/metrics.parquet`, where `<config>` is the
name of the file without its ending.

```yaml
# yaml-language-server: $schema=schema.json
defaults:                       # inherited by every experiment
  model: linear_exact
  seed: {range: [0, 10]}
experiments:
  transition:
    d: [64, 256]
    spectrum: [isotropic, {power_law: 1.0}]
    n_over_d: {log: [0.1, 100, 25]}
    weight_decay: [0, 1.0e-3, 1.0e-2]
    metrics: [levels]
    figures: [transition, kl]
```

`lindiff validate FILE` reads a config, says everything that is wrong with it, line by line, and
counts its cells. Nothing in a config is ever executed: unknown tags, unknown keys, duplicate keys
and merge keys are errors. An editor that speaks the YAML language server completes keys and shows
these texts with the first line of the example.

Values are typed: `1.0e-3` and `1e-3` are numbers, `"1e-3"` is text and refused; `true` is not 1;
a setting of whole numbers refuses 3.0; infinity is `.inf`. A file has up to 1 MiB and 50,000
values, each alias counted as what it stands for.
"""

_AXES = """\
## Values of a setting

Every setting takes one value, a list of values, or (numbers only) a rule:

| rule | values |
| --- | --- |
| `{range: [lo, hi]}`, `{range: [lo, hi, step]}` | whole numbers from `lo`, without `hi` |
| `{linear: [lo, hi, count]}` | `count` evenly spaced values, both ends included, 50,000 at most |
| `{log: [lo, hi, count]}` | `count` values with even ratios, both ends included, 50,000 at most |
| `{log2: [lo, hi]}` | the powers of two from `lo` to `hi`, both included |

Each rule takes further values beside it: `{log: [1, 1.0e+6, 30], also: [.inf]}`. In a setting of
whole numbers `linear` and `log` are rounded. Repeated values count once. The points are computed
in decimal arithmetic from the numbers as written, so `{linear: [0, 1, 11]}` has the 0.3 that one
would type, on every machine.

### A refined axis

A setting of numbers may be searched along instead, for where the mean of a metric over seeds
crosses a level, or is least:

```yaml
defaults: {seed: {range: [0, 5]}}
experiments:
  memory:
    model: empirical
    data: digits
    sampler: ddim
    n: {refine: memorized_fraction, at: 0.5, within: 5%, between: [8, 1024], start: 5}
  best_ridge:
    model: linear_exact
    d: 64
    n: [32, 128]
    ridge: {refine: test_loss, at: minimum, within: 10%, between: [1.0e-4, 10]}
```

| key | default | meaning |
| --- | --- | --- |
REFINE_ROWS

The first round has `start` values with even ratios. Each later one halves what is left, until the
interval of the crossing, or between the neighbours of the least value, is at most `within` wide, or
of neighbouring whole numbers: one value a round for a crossing, two for a minimum. All values that
may come are known beforehand (four digits, or whole numbers), so the rounds and cells at most are
too: `lindiff validate` counts them. Of several crossings between values of the first round the last
one is searched for, and what lies between two of them is not seen. Each combination of the other
settings has a search and values of its own; seeds are always searched together. Models without the
metric, and theory with an axis of its own, keep the first round's values. One axis of an experiment
can be refined. [docs/sweep.md](../docs/sweep.md) says how rounds run.

An experiment's own key replaces the one in `defaults`; `n` and `n_over_d` replace each other.
A setting that is not given has its neutral value, the default below. `model`, `d`, `n` (or
`n_over_d`) and `seed` have none and must be given.
"""

_OF_THE_EXTRA = [f"`{name}`" for name, source in BUNDLED.items() if "[data]" in source.install]
_DATA_SETS = f"""\
### Data sets

The rows of a data set are split once, the same for all models: {SHARE:.0%} are the pool, from which
a training set is drawn without replacement, a smaller one as a part of a larger one of the same
seed; the rest is held out, and test losses are taken over it. The pool is the population: its mean
is subtracted, and d counts the directions in which its variance is more than {TOLERANCE:g} of the
largest; columns that are constant in it, and combinations of others, are left out, which
`lindiff validate` says. All is scaled by one factor to tr Σ = d, and then by `scale`.
`data: [digits, gaussian]` puts
real rows and Gaussian samples of the same covariance side by side. Above {INDEPENDENT:.0%} of the
pool a training set is not like independent samples (`pool_fraction`).

A matrix of your own, `{{file: PATH}}`, has one sample a row: `.npy`, `.npz`, `.parquet`, `.csv`,
`.tsv`, `.h5`, `.hdf5`, `.safetensors`, or a folder of pictures of one size. Keys beside `file`:

| key | meaning |
| --- | --- |
| `array` | which array of a file that has several |
| `drop` | columns to leave out, as ids, labels and weights are: by name from a table \
(`[label, id]`), by number, counted from 1, from an array (`[65]`) |
| `standardize` | `true` divides each column by its standard deviation over all rows (1/M), the \
held-out ones too; constant columns stay constant |

The same numbers are the same matrix from every format: true and false (1 and 0), whole numbers,
floats of any size, decimals. An array of more than two axes, such as N pictures of H×W, and lists
of one length in a column of a Parquet file are read row by row as columns. The index that pandas
saved in a Parquet file is left out. `lindiff validate` says what was left out, and which columns
may be no features: those that count the rows, few whole numbers where other columns are not whole,
categories, names such as `label`, `id`, `weight`. They stay dimensions until `drop` names them. A
matrix needs at least {FEWEST_ROWS} rows and finite real numbers that float64 holds; nothing is
unpickled.

What comes of it is known by its content: the table's column `data` holds `FILENAME@HASH`, where
`drop` and `standardize` change the hash and add to the name (`m.npy -65 standardized@…`), and the
plan copies the matrix to `results/store/data/`, where jobs find it. Pictures, grey ones N×H×W or
N×H×W×1, coloured ones N×H×W×3, or a folder of them, add their size to it (`photos.npy@HASH:16x24`,
`photos@HASH:32x32x3`), unless `drop` takes pixels away: the same numbers in another size are other
data, of the same split. The model `unet` takes them where both sides are even and from {SIDES[0]}
to {SIDES[-1]}, and the metric `pictures` shows them; other models see rows of numbers. Pixels that
are constant in the pool stay pixels.

{" and ".join(_OF_THE_EXTRA)} need `pip install 'lindiff[data]'`; nothing is \
downloaded when they are used.
"""

_IDENTITY = """\
## What makes a cell

A cell's id is the hash of its settings, without those that have their default value. So the order
of keys, axes and experiments changes no id, a new value only adds cells, two experiments that ask
for the same cell share it, and metrics and figures are no part of it. A setting that does not apply
to a cell ("only with") is null in the table; giving it another value than its default is an error.
"""


def readme() -> str:
    """The text of ``config/README.md``."""
    return "\n".join(
        [
            _INTRODUCTION,
            "## Keys at the top\n",
            *_table(("key", "default", "meaning"), _top()),
            "",
            _AXES.replace("REFINE_ROWS", "\n".join(_refine())),
            "## Settings\n",
            *_table(("key", "type", "default", "allowed", "meaning"), map(_setting, KEYS)),
            "",
            "An experiment (and `defaults`) has two keys more:\n",
            *_table(
                ("key", "default", "meaning"),
                [("`metrics`", "the default ones", METRICS_HELP), ("`figures`", "", FIGURES_HELP)],
            ),
            "",
            "### Parameters of a spectrum\n",
            *_table(("spectrum", "parameter", "type", "allowed", "meaning"), _spectra()),
            "",
            _DATA_SETS,
            *_table(("data", "what", "source and licence"), _data_sets()),
            "",
            _IDENTITY,
            "## Metrics\n",
            "Per dimension. Parts come with their metric and are not asked for by name.\n",
            *_table(("metric", "computed", "unit", "meaning"), map(_metric, METRICS)),
            "",
            "Every row also has:\n",
            *_table(("column", "unit", "meaning"), map(_outcome, (*OUTCOME, SECONDS))),
            "",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _top() -> list[tuple[str, str, str]]:
    rows = []
    for section, prefix in ((Sheet, ""), (Shard, "shard.")):
        for name, field in section.model_fields.items():
            default = "" if name == "shard" or field.default is None else _default(field)
            rows.append((f"`{prefix}{name}`", default, field.description or ""))
    return rows


def _refine() -> list[str]:
    fields = Refine.model_fields.items()
    rows = [(f"`{key}`", _default(field), field.description or "") for key, field in fields]
    return _table(("key", "default", "meaning"), rows)[2:]


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    return "" if field.default_factory else f"`{field.default}`"


def _setting(column: Column) -> tuple[str, ...]:
    required = column.neutral is REQUIRED
    default = "required" if required else f"`{shown(column.neutral).strip(chr(39))}`"
    if column.name in ("n", "n_over_d"):
        default = "one of `n`, `n_over_d`"
    if column.name == "d":
        default = "required; fixed by `eigenvalues` and by `data`"
    if column.name == "spectrum":
        default = "`isotropic`; that of `data`"
    return (f"`{column.name}`", column.type, default, _allowed(column), _meaning(column))


def _meaning(column: Column) -> str:
    text = column.help
    if column.only_with:
        setting, values = column.only_with
        text += f" Only with `{setting}`: {', '.join(f'`{value}`' for value in values)}."
    if column.void_when:
        setting, value = column.void_when
        text += f" Without effect where `{setting}` is `{shown(value)}`."
    if column.void_unless:
        setting, values = column.void_unless
        text += f" Without effect unless `{setting}` is {', '.join(f'`{v}`' for v in values)}."
    return text


def _allowed(column: Column) -> str:
    """Choices or bounds in words."""
    if column.name == "spectrum":
        return "see below"
    if column.choices:
        file = ["`{file: PATH}`"] if column.name == "data" else []
        return ", ".join([*(f"`{choice}`" for choice in column.choices), *file])
    if column.type == "bool":
        return "`true`, `false`"
    bounds = ["whole"] if column.whole else []
    if column.low > float("-inf"):
        bounds.append(f"{'>' if column.low_open else '≥'} {column.low:,}")
    if column.high < float("inf"):
        bounds.append(f"{'<' if column.high_open else '≤'} {column.high:,}")
    return (", ".join(bounds) or "finite") + (", or `.inf`" if column.infinite else "")


_FORMS = {
    "eigenvalues": "list of numbers ≥ 0, or a file",
    "dataset": ", ".join(f"`{name}`" for name in BUNDLED) + ", `{file: PATH}`",
}


def _spectra() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for kind in SETTING["spectrum"].choices:
        for column in SPECTRA[kind]:
            form = _FORMS.get(kind) or _allowed(column)
            kind_of = "" if column.type == "json" else column.type
            rows.append((f"`{kind}`", f"`{column.name}`", kind_of, form, column.help))
    return rows


def _data_sets() -> list[tuple[str, ...]]:
    return [(f"`{name}`", source.title, source.licence) for name, source in BUNDLED.items()]


def _metric(column: Column) -> tuple[str, ...]:
    computed = "by default" if column.default else "on request"
    if column.part_of:
        computed = f"with `{column.part_of}`"
    return (f"`{column.name}`", computed, column.unit, column.help)


def _outcome(column: Column) -> tuple[str, ...]:
    return (f"`{column.name}`", column.unit, column.help)


def schema() -> str:
    """The text of ``config/schema.json``: the JSON schema of a config file."""
    found = _without_titles(Sheet.model_json_schema())
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lindiff config",
    }
    return json.dumps(head | found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _without_titles(value: Any) -> Any:
    """The schema without pydantic's titles, which only repeat the keys."""
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    # A title is text; a mapping under that name is a setting called so.
    return {
        key: _without_titles(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str))
    }


_ENVIRONMENT = """\
# Written by `python -m lindiff.config.reference` from pyproject.toml. Do not edit by hand.
#
# For `snakemake --software-deployment-method conda`; without it jobs use the installation that
# runs Snakemake. lindiff itself is added by lindiff.post-deploy.sh.
channels:
  - conda-forge
dependencies:
"""


def environment() -> str:
    """The text of ``workflow/envs/lindiff.yaml``: what any job may import, and pip for lindiff."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needs = {"pip": "", "python": project["requires-python"]}
    for requirement in (*project["dependencies"], *extras["data"], *extras["train"]):
        name = re.split("[<>=]", requirement)[0]
        needs[CONDA.get(name, name)] = requirement.removeprefix(name)
    return _ENVIRONMENT + "".join(f"  - {name}{needs[name]}\n" for name in sorted(needs))


def files() -> dict[str, str]:
    """The generated files by path from the root of the repository, as they should be."""
    return {
        "config/README.md": readme(),
        "config/schema.json": schema(),
        "workflow/envs/lindiff.yaml": environment(),
    }


def stale(folder: Path = ROOT) -> list[str]:
    """Paths of the generated files that are missing from `folder` or not current there."""
    old = []
    for name, text in files().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            old.append(name)
    return old


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lindiff.config.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one is old")
    parser.add_argument("--folder", type=Path, default=ROOT, help="root of the repository")
    options = parser.parse_args(arguments)
    old = stale(options.folder)
    for name in old:
        if options.check:
            print(
                f"{name} is not current; run: python -m lindiff.config.reference", file=sys.stderr
            )
        else:
            (options.folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(files()[name], options.folder / name)
            print(f"wrote {name}")
    return int(bool(old) and options.check)


if __name__ == "__main__":
    sys.exit(main())
