"""The page of answers: every sentence has its conditions and evidence, and is true of its sweep."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lindiff import figures
from lindiff.columns.groups import REGULARIZATION
from lindiff.config.resolve import load
from lindiff.drawing import slices, tables
from lindiff.errors import InputError
from lindiff.files import write_table
from lindiff.models import SHRINKAGE
from lindiff.report import answers, findings
from lindiff.report.questions import best
from tests.once import once
from tests.report.made_up import SWEEPS
from tests.sweeps import Sweep

FIGURES = [answer.figure for answer in answers.ANSWERS]
SMOKE = Path(__file__).parents[2] / "config/smoke.yaml"
CONDITIONS = ("model", "spectrum", "d", "sampler")


def finish(folder: Path, path: Path) -> Path:
    """Run a config with the data of its figures that answer; its results."""
    config = load(path)
    Sweep(folder).finish(config)
    results = folder / "results" / config.name
    (results / "figures").mkdir()
    for name in FIGURES:
        if config.feeding(name):
            data = figures.figure_data(name, results, config.feeding(name))
            *_, out = figures.outputs(name, results)
            write_table(data, out, data.schema.metadata)
    return results


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the smoke config, with the data of the figures that answer."""
    return once(tmp_path_factory, "smoke", lambda at: finish(at, SMOKE) and None) / "results/smoke"


def make(folder: Path, kind: str) -> None:
    """Run a made-up sweep."""
    rng = np.random.default_rng(0)
    np.save(folder / "m.npy", rng.standard_t(4, (600, 6)) @ rng.standard_normal((6, 6)))
    lines = [f"  {name}: {text}" for name, text in SWEEPS[kind].experiments.items()]
    (folder / "made.yaml").write_text("\n".join(["experiments:", *lines]) + "\n")
    finish(folder, folder / "made.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """From the name of a made-up sweep to its results."""

    def results(kind: str) -> Path:
        name = kind.replace(" ", "_")
        return once(tmp_path_factory, name, lambda folder: make(folder, kind)) / "results/made"

    return results


def said(results: Path) -> dict[str, list[findings.Said]]:
    """What is said of each figure that was drawn."""
    drawn = [path.stem for path in (results / "figures").glob("*.parquet")]
    return {answer.figure: found for answer, found in answers.answers(results, drawn)}


def test_every_regularization_that_figures_compare_has_its_words():
    assert set(slices.REGULARIZERS) <= set(REGULARIZATION)
    assert set(best._REGULARIZERS) == {*slices.REGULARIZERS, SHRINKAGE}


@pytest.mark.parametrize("kind", SWEEPS)
def test_every_sentence_has_its_conditions_and_none_is_said_without_evidence(
    kind: str, made: Callable[[str], Path]
):
    found = [one for own in said(made(kind)).values() for one in own]
    page = "\n".join(map(str, found))
    assert found
    for one in found:
        hold(one)
    for words in SWEEPS[kind].says:
        assert words in page
    for words in SWEEPS[kind].never:
        assert words not in page


def test_every_question_is_asked_of_a_sweep():
    """A figure that the smoke config does not feed is of a made-up sweep."""
    smoke = load(SMOKE)
    texts = [text for sweep in SWEEPS.values() for text in sweep.experiments.values()]
    for name in FIGURES:
        assert smoke.feeding(name) or any(name in text for text in texts), name


def hold(one: findings.Said) -> None:
    """A sentence is whole."""
    text = str(one)
    assert set(CONDITIONS) <= set(one.holds), text
    for words in one.holds.values():
        assert words.lower() in text.lower()
    assert not re.search(r"nan\b|inf\b|None|[{}\[]['\"]", text)
    assert text.endswith(".")
    if isinstance(one, findings.Missing):
        assert re.search("add|extend", text)
    else:
        assert re.search(r"\d", one.text)
        assert one.sets == 0 or one.sets >= findings.FEWEST_SETS
        assert f"{one.sets} training sets:" in text or "theory of large systems:" in text


@pytest.mark.slow  # it makes the smoke sweep
@pytest.mark.parametrize("name", [name for name in FIGURES if load(SMOKE).feeding(name)])
def test_the_smoke_config_is_answered_with_conditions(name: str, smoke: Path):
    ((answer, found),) = answers.answers(smoke, [name])
    assert answer.figure == name
    for one in found:
        hold(one)


def table(results: Path, **equal: object) -> dict[str, np.ndarray]:
    """Columns of the rows of the results with these values."""
    rows = pq.read_table(results / "metrics.parquet").to_pylist()
    kept = [row for row in rows if all(row[key] == value for key, value in equal.items())]
    return {name: np.array([row[name] for row in kept], object) for name in kept[0]}


def test_the_law_of_the_kl_is_said_with_its_floor(made: Callable[[str], Path]):
    """Every number against the rows of the table."""
    results = made("a floor that rules")
    for one, name in zip(said(results)["kl"], ("kl_model_data", "kl_data_model"), strict=True):
        rows = table(results, model="linear_exact", n=16000)
        kl, floor = rows[name].astype(float), rows[f"{name}_floor"].astype(float)
        tail = (8 + 3) / (4 * 16000)
        assert "N = 16,000 = 2,000 d" in one.text
        ratio, share, less = (
            np.median(kl) / tail, 100 * floor[0] / np.median(kl), np.median(kl - floor) / tail
        )  # fmt: skip
        assert f"is {findings.number(ratio)} (" in one.text
        assert f"{share:.2g} % of it is the floor" in one.text
        assert f"less that floor it is {findings.number(less)} times the law" in one.text
        assert share > 5
        assert one.sets == 4


def test_the_ratio_of_real_data_is_that_of_the_rows(made: Callable[[str], Path]):
    results = made("real data")
    names = ("test_loss", "kl_model_data", "kl_data_model")
    for one, name in zip(said(results)["real_data"], names, strict=True):
        own, gaussian = (
            table(results, model="linear_exact", data=data, n=100)[name].astype(float)
            for data in (pq_data(results), "gaussian")
        )
        centre = (lambda x: np.exp(np.log(x).mean())) if name == "test_loss" else np.median
        times = findings.number(float(centre(own) / centre(gaussian)))
        assert f", {times} times the {findings.number(float(centre(gaussian)))} (" in one.text


def pq_data(results: Path) -> str:
    names = set(pq.read_table(results / "metrics.parquet")["data"].to_pylist())
    (own,) = names - {"gaussian", None}
    return str(own)


def test_where_the_loss_is_near_its_optimum_is_where_the_theory_crosses(
    made: Callable[[str], Path],
):
    results = made("several d")
    isotropic, _ = said(results)["transition"]
    rows = table(results, model="linear_theory", spectrum="isotropic", d=16)
    order = np.argsort(rows["n"].astype(float))
    loss = rows["test_loss"].astype(float)[order]
    excess = loss / rows["optimal_loss"].astype(float)[0] - 1
    (need,) = re.findall(r"from N = ([\d.]+) d on", isotropic.text)
    x = rows["n"].astype(float)[order] / 16
    below, above = x[excess > 0.1].max(), x[excess <= 0.1].min()
    assert below < float(need) < above
    assert isotropic.sets == 0


def test_agreement_is_the_mean_over_pairs(made: Callable[[str], Path]):
    results = made("steep spectra")
    one = said(results)["agreement"][0]
    params = '{"exponent":2.0}'
    rows = table(results, model="linear_exact", spectrum_params=params, n=16, ridge=0.0)
    assert (
        f"agree to {findings.number(float(np.mean(rows['agreement'].astype(float))))} (" in one.text
    )
    assert "spectrum power law (exponent 2)" in str(one)


def test_early_stopping_beside_the_best_ridge_depends_on_the_spectrum(made: Callable[[str], Path]):
    results = made("four spectra")
    found = said(results)["tuned"]
    isotropic = next(x for x in found if "isotropic" in str(x) and "least test loss" in x.text)
    rows = pq.read_table(results / "figures/tuned.parquet").to_pylist()

    def least(quantity: str, regularizer: str) -> float:
        (row,) = (r for r in rows if r["quantity"] == quantity and r["n"] == 8
                  and r["regularizer"] == regularizer and r["unit"] == "absolute"
                  and r["spectrum"] == "isotropic")  # fmt: skip
        return float(row["value"])

    ratio = least("residual_loss_minimum", "stop") / least("residual_loss_minimum_theory", "ridge")
    assert f"is {findings.number(ratio)} (" in isotropic.text
    assert ratio > 1
    ranking = [one for one in found if "by early stopping is" in one.text]
    assert any("spectra " in str(one) for one in ranking)


def test_memorization_is_said_with_its_data_and_budget(made: Callable[[str], Path]):
    results = made("networks")
    (one,) = said(results)["memorization"]
    words = "MLP, Gaussian data, spectrum power law (exponent 1), d = 4, sampler ddim"
    assert str(one).startswith(words)
    assert {"width", "steps", "optimizer", "learning_rate"} <= set(one.holds)
    assert one.sets == 3
    shares = table(results, model="mlp", n=4)["memorized_fraction"].astype(float)
    if "a share of" in one.text:
        assert f"a share of {findings.number(float(shares.mean()))}" in one.text


def test_a_claim_of_few_training_sets_is_none():
    holds = {"model": "linear model"}
    assert isinstance(findings.finding("x.", holds, {"seeds": 2}, {"seeds": 9}), findings.Missing)
    assert isinstance(
        findings.finding("x.", holds, {"seeds": 3}, {"seeds": None}), findings.Finding
    )
    assert str(findings.finding("x.", holds)) == "Linear model, theory of large systems: x."


def test_numbers_have_the_digits_that_tell_their_ends_apart():
    def row(value: float, low: float | None, high: float | None) -> dict[str, float | None]:
        return {"value": value, "low": low, "high": high}

    assert findings.between(row(0.926, 0.912, 0.94)) == "0.926 (0.912 to 0.94)"
    assert findings.between(row(0.99995, 0.99991, 0.99998)) == "0.99995 (0.99991 to 0.99998)"
    assert findings.between(row(1.0, 1.0, 1.0)) == "1"
    assert findings.between(row(0.25, None, None)) == "0.25"


def test_a_claim_of_a_large_part_of_a_pool_says_so():
    notes = {"dependent_from": 30, "fixed": {"data": "m.npy@0123456789abcdef"}}
    columns = {"quantity": ["a", "a", "a_theory"], "n": [8, 40, 40], "n_over_d": [1.0, 5.0, 5.0],
               "value": [0.25, 0.125, 0.1], "seeds": [4, 4, None]}  # fmt: skip
    rows = findings.Rows(tables.with_facts(pa.table(columns), **notes))
    assert rows.real
    found = [str(findings.finding("x.", {}, rows.near("a", ratio))) for ratio in (1, 5)]
    part = "Some training sets more than 1/10 of the pool"
    assert found == ["4 training sets: x.", f"{part}, 4 training sets: x."]
    assert str(findings.finding("x.", {}, *rows.of("a_theory"))) == "Theory of large systems: x."


def test_a_figure_without_data_says_what_it_takes(tmp_path: Path):
    nothing = tables.with_facts(pa.table({"quantity": []}), reasons=["It takes 3 values of ridge."])
    path = tmp_path / "figures/tuned.parquet"
    path.parent.mkdir()
    pq.write_table(nothing, path)
    ((_, (one,)),) = answers.answers(tmp_path, ["tuned"])
    assert str(one) == (
        "Not answered: the figure tuned has nothing to draw. It takes 3 values of ridge."
    )
    answers.write(tmp_path, [], tmp_path / "answers.html")
    assert "add some to figures: of transition, kl," in (tmp_path / "answers.html").read_text()


def test_a_row_is_near_within_a_fifth():
    rows = findings.Rows(
        pa.table(
            {
                "quantity": ["a", "a", "b"],
                "n_over_d": [1.0, 4.0, 1.0],
                "value": [0.25, 0.125, 7.0],
            }
        )
    )
    assert rows.near("a", 1.1)["value"] == 0.25
    assert rows.near("a", 4)["value"] == 0.125
    assert rows.near("a", 2) is None, "no row is near enough"


@pytest.mark.slow  # it makes the smoke sweep
def test_the_page(smoke: Path, tmp_path: Path):
    page = tmp_path / "answers.html"
    answers.write(smoke, ["kl", "phase"], page)
    text = page.read_text(encoding="utf-8")
    assert "How many does the distribution need?" in text
    assert "(d+3)/(4N)" in text
    assert text.count("<h2 id=") == 1
    assert '<a href="#figure-kl">How many does the distribution need?</a>' in text
    assert '<a href="index.html#figure-kl">' in text
    with pytest.raises(InputError, match=r"transition\.parquet is missing"):
        answers.write(tmp_path, ["transition"], page)
