"""What the documentation says of the code is so."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from lindiff import columns, figures
from lindiff.claims.run import sources
from lindiff.cli import main
from lindiff.columns.arrays import combinations
from lindiff.columns.groups import COVARIANCE
from lindiff.config.resolve import load
from lindiff.models import MODELS
from lindiff.sweep.grid import wanted
from lindiff.sweep.validate import validate

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "config/README.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
# Every fenced block of the pages: page, kind, file that it names, text. Those in braces are of the
# site, which tests/test_site.py builds.
BLOCKS = [
    (page, *block)
    for page in PAGES
    for block in re.findall(
        r"^```(\{?[\w-]*\}?) ?(\S*)\n(.*?)^```$",
        (ROOT / page).read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    if not block[0].startswith("{")
]
TESTS = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize(("page", "least"), [("theory", 50), ("snakemake", 20)])
def test_every_test_that_a_page_names_exists(page, least):
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > least
    assert {name for name in named if f"def {name}(" not in TESTS} == set()


def test_every_section_that_code_names_is_on_the_page():
    """And a part of one, whose head is slanted, behind the name of its section."""
    page = (ROOT / "docs/theory.md").read_text(encoding="utf-8")
    parts = {
        section.splitlines()[0]: re.findall(r"^\*([^*]+)\.\*", section, re.MULTILINE)
        for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    }
    named, wrong = 0, []
    for path in (ROOT / "lindiff").rglob("*.py"):
        text = " ".join(path.read_text(encoding="utf-8").split())
        for found in re.findall(r'docs/theory\.md((?:,? (?:and )?"[A-Z][^"]*")+)', text):
            within: list[str] = []
            for name in re.findall(r'"([^"]+)"', found):
                named += 1
                wrong += [] if name in parts or name in within else [(path.name, name)]
                within = parts.get(name, [])
    assert named > 50
    assert wrong == []


def test_every_section_of_theory_names_a_test():
    text = (ROOT / "docs/theory.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [s.splitlines()[0] for s in sections if "`test_" not in s] == []


def test_the_readme_counts_the_default_sweep():
    """To the thousand; a training set is what settings of the data and a seed draw."""
    cells = wanted(load(ROOT / "config/default.yaml")).cells
    drawn = [*COVARIANCE, "data", "n", "draw", "seed"]
    seeded = cells.filter(pc.is_valid(cells["seed"]))
    sets = len(combinations(seeded, drawn)[1])
    said = f"{round(len(cells), -3):,} cells from {round(sets, -3):,} training sets"
    assert said in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_every_figure_model_and_table_is_in_a_shipped_config():
    configs = [load(path) for path in sorted((ROOT / "config").glob("*.yaml"))]
    drawn = {name for config in configs for name in figures.FIGURES if config.feeding(name)}
    own = [one for config in configs for one in config.experiments.values()]
    assert drawn == set(figures.FIGURES)
    assert {model for one in own for model in one.axes["model"]} == set(MODELS)
    assert {name for one in own for name in one.metrics} >= set(columns.NESTED)


@pytest.mark.parametrize("page", ["README.md", *(str(p) for p in (ROOT / "docs").glob("*.md"))])
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


# Blocks ----------------------------------------------------------------------------------------

# What is not run here, by page, kind and first word, and where it is.
ELSEWHERE = {
    ("README.md", "", "make"): "installs: tests/test_makefile.py",
    ("README.md", "", "snakemake"): "runs a whole sweep: tests/workflow/test_workflow.py",
    ("README.md", "python", "import"): "tests/test_doctests.py",
    ("docs/extending.md", "python", '"""One'): "applied by tests/test_extending.py",
    ("docs/extending.md", "python", '"""The'): "applied by tests/test_extending.py",
    ("docs/extending.md", "python", '"""Error'): "applied by tests/test_extending.py",
    ("docs/extending.md", "diff", "---"): "applied by tests/test_extending.py",
    ("docs/extending.md", "yaml", "experiments:"): "needs what the page adds: "
    "run by tests/test_extending.py",
    ("docs/cluster.md", "console", "$"): "needs a cluster: tests/slurm/test_slurm.py",
    ("docs/snakemake.md", "python", "module"): "a Snakefile: tests/workflow/test_workflow.py",
}
# Commands of a block that is run: the same by their first two words.
NOT_RUN = {
    ("lindiff", "sweep"): "runs a whole sweep: tests/workflow/test_wheel.py",
    ("lindiff", "figures"): "needs a finished sweep: tests/report/test_papers.py",
    ("lindiff", "latex"): "needs a finished sweep: tests/report/test_papers.py",
}


def blocks(kind):
    """Page and text of the blocks of a kind that are held here."""
    found = [(page, text) for page, own, _, text in BLOCKS if own == kind]
    return [(p, t) for p, t in found if (p, kind, t.split()[0]) not in ELSEWHERE]


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A folder with the data files that the pages name."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(size=400) for i in range(6)}
    table = pa.table(columns | {"label": rng.integers(0, 2, 400)})
    pq.write_table(table, "measurements.parquet")
    shutil.copy(ROOT / "config/start.yaml", "config.yaml")
    return tmp_path


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_every_config_of_a_page_is_one(page, text, beside):
    """It is valid as it stands, and it reads no file that the test did not make for it."""
    (beside / "mine.yaml").write_text(text, encoding="utf-8")
    if text.startswith("source:"):  # a file of claims
        shutil.copytree(ROOT / "config/claims/sweeps", beside / "sweeps")
        for cluster in (False, True):
            assert sources([beside / "mine.yaml"], cluster=cluster)
        return
    assert len(validate(load(beside / "mine.yaml")).cells)


# Seconds each.
SLOW = ("lindiff", "advise")
LINES = [(page, line) for page, text in blocks("") for line in text.splitlines()]


@pytest.mark.parametrize(
    ("page", "line"),
    [
        pytest.param(*one, marks=[pytest.mark.slow] * (tuple(one[1].split()[:2]) == SLOW))
        for one in LINES
    ],
)
def test_every_command_of_a_page_runs(page, line, beside):
    program, *words = shlex.split(line, comments=True)
    if (program, words[0]) in NOT_RUN:
        pytest.skip(NOT_RUN[program, words[0]])
    assert program == "lindiff"
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    if "--out" in words:
        assert (beside / words[words.index("--out") + 1]).stat().st_size


def test_every_block_of_a_page_is_run_or_listed():
    """A list that is as long as needed: no entry stands for a block that is gone."""
    kinds = {(page, kind, text.split()[0]) for page, kind, _, text in BLOCKS}
    assert set(ELSEWHERE) <= kinds
    held = {(page, kind, t.split()[0]) for kind in ("yaml", "") for page, t in blocks(kind)}
    assert kinds - set(ELSEWHERE) == held
    assert {page for page, _ in blocks("yaml")} >= {"README.md", "config/README.md"}


@pytest.mark.parametrize(
    "where", sorted({why.split()[-1] for why in [*ELSEWHERE.values(), *NOT_RUN.values()]})
)
def test_what_runs_elsewhere_runs_there(where):
    assert (ROOT / where).is_file()


# Completion ------------------------------------------------------------------------------------


def shells():
    """The lines for a start-up file, by shell."""
    text = (ROOT / "docs/sweep.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+)[^|]* \| `(.*?)` \| `~", text, re.MULTILINE)
    return {shell: line.replace("\\|", "|") for shell, line in rows}


def test_the_line_for_each_shell_is_one_that_click_has():
    from click.shell_completion import _available_shells

    assert {"bash", "zsh", "fish"} == set(shells()) <= set(_available_shells)
    for shell, line in shells().items():
        assert f"_LINDIFF_COMPLETE={shell}_source lindiff" in line


def test_bash_completes_after_its_line():
    """A verb, an option and nothing else: as the Tab key asks for it."""
    asked = """
    COMPREPLY=(); COMP_WORDS=(lindiff %s); COMP_CWORD=%d
    _lindiff_completion lindiff; echo "${COMPREPLY[*]}"
    """
    script = shells()["bash"] + asked % ("va", 1) + asked % ("cells --js", 2)
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    run = subprocess.run(
        ["bash", "-c", script], env={"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.split("\n")[:2] == ["validate", "--json"]
