"""Confirmed, refuted or undecided, and what the table and the page say of it."""

import dataclasses
import json
import math
import re
import types
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from lindiff.claims import page
from lindiff.claims import table as kept
from lindiff.claims.expression import FUNCTIONS
from lindiff.claims.reading import Point
from lindiff.claims.run import Run, run, sources
from lindiff.claims.statement import Against, Expected, Statement, Take
from lindiff.claims.verdict import CONFIRMED, REFUTED, UNDECIDED, verdict_at
from lindiff.cli import main
from lindiff.drawing.intervals import Interval
from lindiff.errors import InputError
from lindiff.report.references import WORKS
from tests.claims.helpers import statement
from tests.sweeps import Sweep

CLAIMS = Path(__file__).parents[2] / "config/claims"
SWEEP = """
defaults:
  {model: linear_exact, d: 8, spectrum: isotropic, seed: [0, 1, 2, 3], sampler: ideal,
   metrics: {only: [kl_model_data, test_loss, levels]}}
experiments:
  one: {n: [64, 128, 256, 512], ridge: [0, 0.1]}
"""
FILE = """
source: merger2025
sweep: tiny.yaml
cluster: ["one.n=[64, 128, 256, 512, 1024]"]
claims:
  tail:
    says: The KL falls as 1/N (d < 9 & no "ridge").
    quantity: kl_model_data
    where: ["ridge=0"]
    exponent: n
    expected: {value: -1, within: 0.6}
  ridge_helps:
    says: A ridge of a tenth halves the loss.
    quantity: test_loss
    where: ["ridge=0.1", "n=512"]
    against: {where: ["ridge=0", "n=512"]}
    expected: {below: 0.5}
    authors: Theirs.
    ours: Ours.
    remark: It does not.
  level:
    says: At the lowest noise the loss is next to none.
    quantity: test_loss + 0 * alpha_bar
    table: levels
    where: ["t=1", "n>=256", "ridge=0"]
    against: {where: ["t=1000", "n>=256", "ridge=0"]}
    expected: {above: 1}
  nobody:
    says: Nothing has this n.
    quantity: test_loss
    where: ["n=7"]
    expected: {above: 0}
"""


@pytest.mark.parametrize(
    ("ends", "expected", "verdict"),
    [
        ((0.9, 1.1), {"value": 1, "within": 0.2}, CONFIRMED),
        ((0.7, 1.1), {"value": 1, "within": 0.2}, UNDECIDED),
        ((1.3, 1.5), {"value": 1, "within": 0.2}, REFUTED),
        ((1.3, 1.5), {"value": 1, "within": "60 %"}, CONFIRMED),
        ((-2.3, -2.1), {"value": -2, "within": "20 %"}, CONFIRMED),
        ((0.9, 1.1), {"above": 0.8}, CONFIRMED),
        ((0.9, 1.1), {"above": 1}, UNDECIDED),
        ((0.9, 1.1), {"above": 1.2}, REFUTED),
        ((0.9, 1.1), {"above": 0.5, "below": 0.8}, REFUTED),
        ((1.3, 1.5), {"other_than": 1, "within": 0.2}, CONFIRMED),
        ((0.9, 1.1), {"other_than": 1, "within": 0.2}, REFUTED),
        ((1.1, 1.5), {"other_than": 1, "within": 0.2}, UNDECIDED),
        ((math.nan, math.nan), {"above": 0.8}, UNDECIDED),
    ],
)
def test_a_verdict_is_no_better_than_its_interval(ends, expected, verdict):
    point = Point({}, Interval(sum(ends) / 2, *ends, 5), 5, 5)
    assert verdict_at(point, statement(expected=expected)) == verdict


@pytest.fixture
def decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The verdicts of `FILE` from the tables of `SWEEP`, swept in this process."""
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    (tmp_path / "some.yaml").write_text(FILE)
    (source,) = sources([tmp_path / "some.yaml"])

    def sweep(file, settings, results, cores, options):
        Sweep(tmp_path).finish(source.config)
        return 0

    monkeypatch.setattr("lindiff.claims.run.sweep", sweep)
    code, verdicts = run([source], Run(tmp_path / "results"))
    assert code == 0
    return {one.name: one for one in verdicts}, tmp_path / "results/claims"


def test_claims_are_decided_by_their_sweep(decided):
    verdicts, folder = decided
    assert {k: v.verdict for k, v in verdicts.items()} == {
        "tail": CONFIRMED, "ridge_helps": REFUTED, "level": CONFIRMED, "nobody": UNDECIDED,
    }  # fmt: skip
    assert verdicts["nobody"].reason == "no cell of the sweep meets the conditions"
    rows = pq.read_table(folder / "claims.parquet")
    assert rows.schema.equals(kept.SCHEMA)
    tail, helps, *levels, nobody = rows.to_pylist()
    assert [json.loads(row["point"]) for row in levels] == [{"n": 256}, {"n": 512}]
    assert levels[0]["cells"] == 8
    assert (tail["quantity"], tail["sets"]) == ("exponent along n of kl_model_data", 4)
    assert tail["low"] < tail["value"] < tail["high"]
    assert (tail["expected_low"], tail["expected_high"]) == (-1.6, -0.4)
    assert helps["quantity"] == "test_loss over test_loss at ridge=0, n=512"
    assert (helps["cells"], json.loads(helps["point"])) == (8, {})
    assert (nobody["value"], nobody["verdict_here"]) == (None, UNDECIDED)
    assert len(tail["fingerprints"]) == 1


def test_where_nothing_is_swept_nothing_is_decided(tmp_path: Path, monkeypatch):
    """`lindiff claims -- -n` ended with an error: there was no table to read."""
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    (tmp_path / "some.yaml").write_text(FILE)
    monkeypatch.setattr("lindiff.claims.run.sweep", lambda *_: 0)
    found = sources([tmp_path / "some.yaml"])
    assert run(found, Run(tmp_path / "results", options=["-n"])) == (0, [])
    assert not (tmp_path / "results").exists()


class _Texts(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", []

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_the_page_says_what_was_found_with_its_evidence(decided):
    verdicts, folder = decided
    found = _Texts()
    found.feed((folder / "index.html").read_text())
    for text in (
        "4 claims: 2 confirmed, 1 refuted, 1 undecided.",
        'The KL falls as 1/N (d < 9 & no "ridge").',
        "Merger and Goldt, 2025", "expected -1.6 to -0.4", "expected below 0.5", "✓ confirmed",
        "✗ refuted", "? undecided", "4 training sets, 16 cells", "The authors: Theirs.",
        "Here: Ours.", "Remark: It does not.", "no cell of the sweep meets the conditions",
    ):  # fmt: skip
        assert text in found.text, text
    size = "With --cluster it is asked at one.n=[64, 128, 256, 512, 1024]."
    assert found.text.count(size) == 1
    assert "script" not in found.tags
    assert len(verdicts) == found.text.count("Read: ")


def test_the_command_line_says_why_nothing_could_be_read(decided):
    """A condition that no cell meets may be a slip of the pen."""
    _, folder = decided
    results = folder.parent
    command = ["claims", str(results.parent / "some.yaml"), "--results", str(results)]
    said = CliRunner().invoke(main, command)
    assert said.exit_code == 0, said.output
    assert "undecided  some.nobody: no cell of the sweep meets the conditions\n" in said.output
    assert "confirmed  some.tail\n" in said.output


def test_one_claim_is_not_claims(decided):
    verdicts, folder = decided
    page.write([verdicts["nobody"]], folder / "one.html")
    assert "1 claim: 0 confirmed" in (folder / "one.html").read_text()


def test_at_the_size_for_a_cluster_the_page_says_that_sentences_name_another(decided):
    verdicts, folder = decided
    nobody = verdicts["nobody"]
    source = dataclasses.replace(nobody.source, settings=("one.n=[64, 1024]",))
    page.write([dataclasses.replace(nobody, source=source)], folder / "large.html")
    text = (folder / "large.html").read_text()
    assert "with one.n=[64, 1024], in place of the sizes that the sentences below name" in text
    assert "--cluster" not in text


def test_many_points_are_told_in_a_line_and_shown_on_demand(decided):
    """An interval that is narrow is shown with the digits that it takes."""
    verdicts, folder = decided
    narrow = Interval(1.00002, 0.99998, 1.00006, 5)
    points = [Point({"n": n}, narrow, 5, 5) for n in range(12)]
    for count, folded in ((12, 0), (13, 1)):
        some = (
            points if count == 12 else [*points, Point({"n": 99}, Interval(0.5, 0.4, 3, 5), 5, 5)]
        )
        many = dataclasses.replace(verdicts["level"], points=some)
        page.write([many], folder / "many.html")
        found = _Texts()
        found.feed((folder / "many.html").read_text())
        assert found.tags.count("details") == folded
        assert "0.99998 to 1.0001" in found.text
    assert "13 points: 13 undecided; values from 0.5 to 1" in found.text


def test_several_points_hold_together(decided):
    """Bonferroni: the interval of one of four points is of 98.75 %."""
    verdicts, folder = decided
    source = verdicts["tail"].source
    claim = statement(quantity="kl_model_data", where=["ridge=0"], expected={"above": 0})
    of = source.sheet.model_copy(update={"claims": {"all": claim}})
    from lindiff.claims.verdict import decide

    (verdict,) = decide(dataclasses.replace(source, sheet=of), folder.parent)
    assert verdict.level == pytest.approx(0.9875)
    assert [point.settings for point in verdict.points] == [{"n": n} for n in (64, 128, 256, 512)]
    assert verdict.verdict == CONFIRMED


def test_the_claims_that_come_with_lindiff_are_read_at_both_sizes():
    """Every file is named by the work that it is of, and every sweep is of one file's folder."""
    files = sorted(CLAIMS.glob("*.yaml"))
    for cluster in (False, True):
        found = sources([], cluster=cluster)
        assert [source.file for source in found] == files
        assert sum(len(source.sheet.claims) for source in found) >= 20
        assert all(source.sheet.cluster for source in found)
    swept = {source.sweep.resolve() for source in found}
    assert swept == {path.resolve() for path in (CLAIMS / "sweeps").glob("*.yaml")}
    assert {page.cited(source) for source in found} >= {"Merger and Goldt, 2025", "Gu et al., 2025"}


def test_the_guide_names_every_key_and_every_function():
    guide = (CLAIMS.parents[1] / "docs/claims.md").read_text(encoding="utf-8")
    keys = [key for row in re.findall(r"^\| (`.*?) \|", guide, re.M) for key in row.split(", ")]
    assert [key.strip("`") for key in keys] == list(Statement.model_fields)
    for section in (Take, Against, Expected):
        assert all(f"`{key}`" in guide or f"`{key}:" in guide for key in section.model_fields)
    for name, (_, count) in FUNCTIONS.items():
        (call,) = re.findall(rf"`{name}(?:\((.*?)\))?`", guide)
        assert count == (len(call.split(",")) if call else 1)


def test_a_work_is_cited_without_the_marks_of_bibtex():
    for key in WORKS:
        sheet = types.SimpleNamespace(source=key)
        cited = page.cited(types.SimpleNamespace(sheet=sheet))
        assert not set(cited) & set("{}\\"), cited


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("merger2025", "nobody1999", r"some.yaml:2:9: source = .*not a known value"),
        ("tiny.yaml", "none.yaml", r"some.yaml:3:8: sweep = .*there is no file"),
        ("quantity: kl_model_data\n", "quantity: kl_model\n", r"no number 'kl_model' in the table"),
        ("quantity: kl_model_data\n", "quantity: bures\n", r"the sweep does not compute bures"),
        ("quantity: kl_model_data\n", "quantity: n.real\n", r"is not allowed"),
        (
            "quantity: kl_model_data\n",
            "figure: kl\n",
            r"is of a `quantity`; a `figure` has its own",
        ),
        ('quantity: test_loss\n    where: ["n=7"]', "figure: kl", r"the sweep draws no figure kl"),
        ("exponent: n", "exponent: test_loss", r"exponent = 'test_loss': not a known value"),
        ("exponent: n", "exponent: t", r"exponent = 't': t is of the rows of a `table`"),
        ("table: levels", "table: level", r"not a known value.*did you mean levels\?"),
        ("table: levels", "table: modes", r"the sweep does not compute modes"),
        ("    table: levels\n", "", r"the sweep does not compute alpha_bar"),
        ("t=1000", "t=all", r"is not a whole number"),
        ("exponent: n", "expnent: n", r"unknown key \(did you mean exponent\?\)"),
        ("within: 0.6", "within: wide", r"must be a number above 0, or a share"),
        (", within: 0.6", "", r"`within` is of a `value`"),
        ("{below: 0.5}", "{}", r"say one of"),
        ("{below: 0.5}", "{below: 0, above: 1}", r"nothing is above and below"),
        ('"ridge=0"', '"rigde=0"', r"no column 'rigde'; did you mean ridge\?"),
        ('"ridge=0"', '"ridge=big"', r"is not a number"),
        ("exponent: n", "take: {along: n, of: falls}", r"need a `level`"),
        ("  tail:", "  Tail:", r"small letters"),
        ("{n: [64", "{n: [0", r"tiny.yaml"),
        ("says: Nothing has this n.", "says:", r"must be a sentence"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_before_anything_runs(tmp_path, old, new, message):
    assert old in SWEEP + FILE
    (tmp_path / "tiny.yaml").write_text(SWEEP.replace(old, new))
    (tmp_path / "some.yaml").write_text(FILE.replace(old, new))
    with pytest.raises(InputError, match=message):
        sources([tmp_path / "some.yaml"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some.yaml", "tiny.yaml"]


def test_what_is_wrong_with_the_size_for_a_cluster_is_told_as_the_file_s(tmp_path):
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    (tmp_path / "some.yaml").write_text(FILE.replace("one.n=", "two.n="))
    assert sources([tmp_path / "some.yaml"])
    with pytest.raises(InputError, match=r"some.yaml:4:10: cluster: two.n: there is no experiment"):
        sources([tmp_path / "some.yaml"], cluster=True)


def test_two_sweeps_of_one_name_are_refused(tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "tiny.yaml").write_text(SWEEP)
        (folder / "some.yaml").write_text(FILE)
    with pytest.raises(InputError, match="have one name"):
        sources([tmp_path / "a/some.yaml", tmp_path / "b/some.yaml"])
    (tmp_path / "a/claims.yaml").write_text(SWEEP)
    (tmp_path / "a/other.yaml").write_text(FILE.replace("tiny.yaml", "claims.yaml"))
    with pytest.raises(InputError, match="rename it"):
        sources([tmp_path / "a/other.yaml"])
