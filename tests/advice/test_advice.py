import json
import math
import re
import shlex
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import lindiff
from lindiff.advice import check as checks
from lindiff.advice import words
from lindiff.advice.model import FEWEST_N, Predicted
from lindiff.advice.result import Interval
from lindiff.advice.sample import InMemory, make_sample, scatter
from lindiff.advice.spread import Spread
from lindiff.cli import main
from lindiff.columns import SETTING
from lindiff.config.resolve import load
from lindiff.drawing.intervals import FEWEST_SETS
from lindiff.science.filters import Bank, Training
from lindiff.sweep.validate import validate
from lindiff.verbs.advice import advise

D = 12


def rows(count, seed=0, d=D):
    s = np.arange(1, d + 1) ** -1.0
    return np.random.default_rng(seed).standard_normal((count, d)) * np.sqrt(s / s.mean())


@cache
def advice():
    return lindiff.advise(rows(90) * 3 + 7, "made up", n=[40])


def test_a_sample_is_its_covariance_in_the_unit_of_variance_one():
    values = rows(50) * 3 + 1e6
    sample = make_sample(InMemory(values))
    unbiased = sample.eigenvalues.sum() * 50 / 49
    assert unbiased == pytest.approx(D)
    covariance = np.cov(values.T, bias=True) * sample.unit**2
    np.testing.assert_allclose(sample.eigenvalues, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-8)
    turned = sample.turned(values)
    np.testing.assert_allclose(turned.T @ turned / 50, np.diag(sample.eigenvalues), atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(blocks=st.integers(1, 49))
def test_blocks_do_not_matter(blocks):
    class Pieces(InMemory):
        def blocks(self):
            yield from np.array_split(self.values, blocks)

    values = rows(50) + 100
    one, other = make_sample(InMemory(values)), make_sample(Pieces(values))
    np.testing.assert_allclose(one.eigenvalues, other.eigenvalues, rtol=1e-10)


def test_columns_that_are_none_are_left_out_and_counted():
    values = rows(60)
    wide = np.column_stack([values, np.full(60, 3.0), values[:, 0] + values[:, 1]])
    sample = make_sample(InMemory(wide))
    assert (sample.d, sample.constant, sample.dependent) == (D, 1, 1)


def test_a_column_that_has_all_the_variance_is_named():
    values = rows(60)
    values[:, 3] *= 100
    sample = make_sample(InMemory(values))
    assert sample.widest[0] == 4
    assert sample.widest[1] > 0.99


def test_fewer_rows_than_columns_have_zeros_and_no_dependent_directions():
    sample = make_sample(InMemory(rows(8, d=20)))
    assert (sample.d, sample.dependent) == (20, 0)
    assert np.count_nonzero(sample.eigenvalues) == 7


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (rows(5), "has 5 rows; advice needs 8"),
        (np.ones((20, 3)), "all columns are constant"),
        (np.ones((9, 6001)), "has 6,001 columns"),
        (np.full((20, 2), np.nan), "NaN or infinite"),
        (rows(20) * 1e160, "too large or too small to be squared"),
        (rows(20) * 1e-160, "too large or too small to be squared"),
        (np.ma.masked_greater(rows(20), 1), "values are masked"),
        (rows(20) + 1j, "real numbers are needed, not complex128"),
        (np.full((20, 2), "1"), "real numbers are needed"),
        (np.full((20, 2), "x", dtype=object), "no array of numbers: could not convert"),
        ([[1, 2], [3]], "no array of numbers"),
        (np.empty((0, 3)), "no values"),
        (3.0, "real numbers are needed"),
        ("digits.csv", "not 'digits.csv'; of a file: lindiff advise"),
    ],
)
def test_what_is_no_sample_is_refused(values, why):
    with pytest.raises(ValueError, match=why):
        lindiff.advise(values)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"gap": 5}, "gap = 5: must be a number above 0 and below 1"),
        ({"gap": "5%"}, "gap = '5%'"),
        ({"kl": -1}, "kl = -1: must be a number above 0"),
        ({"kl": np.nan}, "kl = nan"),
        ({"n": 3}, "n = 3: must be a whole number from 4 to 1,000,000,000,000,000"),
        ({"n": [100, 2]}, "n = 2:"),
        ({"n": [100.5]}, "n = 100.5:"),
        ({"n": 10**16}, "n = 10000000000000000:"),
        ({"n": "100"}, "n = '100'"),
    ],
)
def test_no_target_and_no_n_is_taken_for_one(asked, why):
    for call in (
        lambda: lindiff.advise(rows(20), **asked),
        lambda: lindiff.advise_spectrum([2, 1], **asked),
    ):
        with pytest.raises(ValueError, match=why):
            call()


def test_one_n_is_enough_and_one_dimension_too():
    one, several = (lindiff.advise_spectrum([2, 1], n=n) for n in (100, [100]))
    assert one.to_dict() == several.to_dict()
    assert {best.n for best in lindiff.advise_spectrum([3.0]).best} == {4, 8}


def test_a_measured_loss_is_that_of_the_exact_model():
    """`test_loss` beside `linear_metrics` on the same rows."""
    draw = lindiff.make_draw("samples", np.ones(6), n=15, seed=0)
    train = draw.centred + draw.centre
    rest = np.random.default_rng(1).standard_normal((200, 6))
    bank = Bank(lindiff.make_schedule(), [Training(), Training(ridge=0.1)])
    found = checks.test_loss(train, rest, bank, bank.response(np.zeros(1), None))
    metrics = lindiff.linear_metrics(draw, bank.trainings)
    # Rows of exactly the population's moments give the population's loss.
    white = np.linalg.qr(rest - rest.mean(axis=0))[0] * np.sqrt(200)
    exact = checks.test_loss(train, white, bank, bank.response(np.zeros(1), None))
    np.testing.assert_allclose(exact, metrics["test_loss"], rtol=1e-10)
    np.testing.assert_allclose(found, exact, rtol=0.2)


def test_gaussian_rows_scatter_as_gaussian_rows_and_heavy_tails_more():
    rng = np.random.default_rng(3)
    gauss, heavy = rows(4000), rows(4000) * np.sqrt(3 / rng.chisquare(5, 4000))[:, None]
    for values, low, high in ((gauss, 1.0, 1.2), (heavy, 1.5, 30)):
        source = InMemory(values)
        assert low <= scatter(source, make_sample(source), np.ones(D), rng).inflation <= high


def test_an_order_of_the_rows_is_noticed():
    rng, values = np.random.default_rng(0), rows(4000)
    source = InMemory(values[np.argsort((values**2).sum(axis=1))])
    assert scatter(source, make_sample(source), np.ones(D), rng).order > 3


def test_an_order_within_chance_is_none_and_repeated_rows_are_counted():
    rng, values = np.random.default_rng(1), rows(64)
    found = scatter(InMemory(values), make_sample(InMemory(values)), np.ones(D), rng)
    assert (found.order, found.repeats) == (1.0, 0.0)
    source = InMemory(np.repeat(values[:16], 4, axis=0))
    assert scatter(source, make_sample(source), np.ones(D), rng).repeats == 0.75
    repeating = replace(advice(), scatter=replace(advice().scatter, repeats=0.75))
    assert "75 % of the rows that were looked at repeat" in words.text(repeating)


def test_tails_are_said_where_a_divergence_hangs_on_them():
    """Beside a KL by brute force, of elliptic rows of many degrees of freedom and of few."""
    rng, d, n, dof = np.random.default_rng(5), 4, 500, 8

    def draw(count):
        return rng.standard_normal((count, d)) * np.sqrt(6 / rng.chisquare(dof, (count, 1)))

    many = draw(50_000)
    found = scatter(InMemory(many[:4000]), make_sample(InMemory(many[:4000])), np.ones(d), rng)
    # E|z|⁴ = d(d+2)(dof−2)/(dof−4) of Student's t.
    assert found.fourth == pytest.approx(d * (d + 2) * 6 / 4, rel=0.15)
    divergences = []
    for _ in range(400):
        mean, covariance = (some := draw(n)).mean(axis=0), np.cov(some.T, bias=True)
        trace, log_det = np.trace(covariance), np.linalg.slogdet(covariance)[1]
        divergences.append((trace - d - log_det + mean @ mean) / (2 * d))
    assert np.mean(divergences) / ((d + 3) / (4 * n)) == pytest.approx(found.divergence, rel=0.15)
    text = str(lindiff.advise(many[:400]))
    assert "if your rows were Gaussian; with their fourth moments about N = " in text
    assert f"Gaussian ones d(d+2) = {d * (d + 2)}: for want of samples" in text
    assert "if your rows were Gaussian" not in str(advice())


@pytest.mark.parametrize("count", [13, 40, 4000])
def test_gaussian_rows_have_the_fourth_moments_of_gaussian_rows(count):
    """Over samples, so that there is no bias of a few rows either."""
    rng = np.random.default_rng(1)
    samples = [InMemory(rng.standard_normal((count, D)) * np.arange(1, D + 1)) for _ in range(20)]
    found = [scatter(one, make_sample(one), np.ones(D), rng) for one in samples]
    off = np.array([one.divergence - 1 for one in found])
    assert abs(off.mean()) < 4 * found[0].chance / math.sqrt(20)
    assert max(abs(off)) < 4 * found[0].chance


def test_no_row_is_left_out_of_fourth_moments():
    """A tail is in few rows; of 100, row 24 is in none of 8 batches of 12."""
    values = rows(100, d=2)
    values[24] = 40
    source = InMemory(values)
    whitened = np.linalg.inv(np.cov(values.T, bias=True))
    squares = np.einsum("ij,jk,ik->i", *[v := values - values.mean(axis=0), whitened, v])
    found = scatter(source, make_sample(source), np.ones(2), np.random.default_rng(0))
    assert found.fourth == pytest.approx(np.mean(squares**2) * 101 / 99)


def test_too_few_rows_to_whiten_say_nothing_of_fourth_moments():
    few = InMemory(rows(9))
    assert scatter(few, make_sample(few), np.ones(D), np.random.default_rng(0)).divergence == 1


def test_a_floor_is_said_where_there_is_one():
    """At 400 d the KL has (d+3)/(4N) left: no floor, unless variances are below the noise."""
    for smallest, ruled in ((1.0, False), (1e-6, True)):
        text = str(lindiff.advise_spectrum([1, 1 / 2, 1 / 3, smallest / 4], kl=1e-4))
        assert ("most of it what the sampler leaves" in text) == ruled


def test_gaussian_data_are_like_their_prediction():
    found = advice().check
    for curve in found.measured:
        off, error = found.off(curve)
        assert np.all(np.abs(off) < 4 * error + 0.02)


def test_a_prediction_is_corrected_by_what_is_beyond_chance():
    """By hand: off by 0, one standard error, two, and far beyond."""
    off, error = np.array([0, 0.1, 0.2, 0.5]), np.array([0.1, 0.1, 0.1, 0.05])
    made = checks.Check(
        n=[10, 20, 40, 80],
        measured={"test_loss": np.exp(off)},
        errors={"test_loss": np.exp(off) * error},
        predicted={"test_loss": np.ones(4)},
    )
    # A third of the loss at N = 80 is there for want of samples, at 800 a twelfth: a quarter of it.
    curve, ns = np.array([9, 9, 9, 9, 3, 24 / 11]), [5, 10, 20, 40, 80, 800]
    value = Predicted({"test_loss": curve}, curve, {}, optimal_loss=2.0)
    ratio, width = made.correction("test_loss", ns, value)
    expected = [0, 0, 0, 0.2 * 0.75, 0.5 * 0.99, 0.125 * 0.99]
    np.testing.assert_allclose(np.log(ratio), expected, atol=1e-12)
    half = np.hypot([0, 0, 0, 0.2 * 0.75, 0.1 * 0.99, 0.025 * 0.99], np.array(expected) / 2)
    np.testing.assert_allclose(width, half, atol=1e-12)
    assert made.notable() == {"test_loss": [80]}
    # Of rows that scatter more than Gaussian ones a loss is no surer than it was measured.
    assert np.all(made.correction("test_loss", ns, value, inflation=4.0)[1][1:3] > 0.15)
    assert made.correction("train_loss", ns, value)[0].tolist() == [1] * 6


def test_what_heavy_tails_add_falls_as_what_finite_n_adds():
    """Losses of 400 training sets of N = 3 d and 10 d: by 1/N the first would say too much."""
    s, ns, rng = np.arange(1, D + 1) ** -1.0, [3 * D, 10 * D], np.random.default_rng(0)
    bank = Bank(lindiff.make_schedule(), [Training()])

    def measured(n):
        radius = np.sqrt(rng.choice([0.1, 1.9], (400, n, 1)))
        sets = rng.standard_normal((400, n, D)) * radius * np.sqrt(s)
        mean = sets.mean(axis=1, keepdims=True)
        _, singular, Vt = np.linalg.svd(sets - mean, full_matrices=False)
        response = bank.response(singular.ravel() ** 2 / n, None)
        weights = ((Vt**2) @ s + (Vt @ mean.mT)[..., 0] ** 2).ravel()
        return (response.residual[:, 0] + weights * response.gain[:, 0]).sum() / (400 * D)

    curve = np.array([lindiff.linear_theory(s, n)["test_loss"][0] for n in ns])
    optimum = lindiff.linear_theory(s, 10**9)["test_loss"][0]
    off, far = np.log([measured(n) for n in ns]) - np.log(curve)
    made = checks.Check(
        n=ns[:1],
        measured={"test_loss": curve[:1] * np.exp(off)},
        errors={"test_loss": curve[:1] * 1e-3},
        predicted={"test_loss": curve[:1]},
    )
    value = Predicted({"test_loss": curve}, np.zeros(2), {}, optimum)
    ratio, width = (x[1] for x in made.correction("test_loss", ns, value))
    assert abs(np.log(ratio) - far) < width
    assert abs(np.log(ratio) - far) < 0.7 * abs(off * ns[0] / ns[1] - far)


def test_as_many_degrees_of_freedom_as_dimensions_are_an_n_like_others():
    found = lindiff.advise_spectrum(SPECTRUM, n=[D, D + 1, D + 2])
    assert found.n[0] >= 4
    at = [list(found.n).index(n) for n in (D, D + 1, D + 2)]
    for name, (value, low, high) in found.curves.items():
        below, here, above = value[at]
        if name == "kl_data_model":
            assert np.isinf(here)
            continue
        assert low[at[1]] <= here <= high[at[1]], name
        assert min(below, above) <= here <= max(below, above), name


def test_curves_have_the_order_that_they_must():
    found = advice()
    best, none = found.curves["test_loss_best"][0], found.curves["test_loss"][0]
    assert np.all(best <= none * (1 + 1e-3))
    assert np.all(found.curves["train_loss"][0] <= none)
    for low, value, high in ((c[1], c[0], c[2]) for c in found.curves.values()):
        some = np.isfinite(value)
        assert np.all((low <= value)[some] & (value <= high)[some])
    assert none[-1] == pytest.approx(found.optimal_loss.value, rel=0.01)


def test_intervals_hold_the_truth_of_made_up_data():
    """What the page says of data whose spectrum is known."""
    found, s = advice(), np.arange(1, D + 1) ** -1.0
    s = s / s.mean() * found.sample.unit**2 * 9
    for n in (40, 90, found.n[-1]):
        true = lindiff.linear_theory(s, n)["test_loss"][0]
        near = found.at("test_loss", n)
        assert near.low < true < near.high


def test_a_number_that_may_be_infinite_is_not_said_to_be_sure():
    others = [np.array([1.0, 2.0]), np.array([1.2, np.inf]), np.array([0.9, 3.0])]
    value, low, high = Spread(1.0).of(np.array([1.0, 2.5]), others)
    assert low[0] < value[0] < high[0] < 10
    assert (low[1], high[1]) == (2.0, np.inf)


@pytest.mark.slow
def test_the_same_rows_give_the_same_advice():
    one, other = (lindiff.advise(rows(60), seed=4) for _ in range(2))
    assert one.to_dict() == other.to_dict()


def test_every_sentence_is_said_and_every_number_is_in_the_json():
    found = advice()
    text = str(found)
    for heading, lines in words.sections(found):
        assert heading in text
        assert lines
    data = json.loads(json.dumps(found.to_dict()))
    assert data["rows"] == 90
    assert {one["regularizer"] for one in data["best"]} == {"ridge", "weight_decay", "stop"}
    assert {one["n"] for one in data["best"]} == {40, 90}
    assert "nan" not in text.lower()


@pytest.mark.slow
@pytest.mark.parametrize(("count", "d"), [(8, 1), (8, 12), (13, 12), (30, 2), (40, 100)])
def test_small_data_are_answered_too(count, d):
    text = str(lindiff.advise(rows(count, d=d)))
    assert "nan" not in text.lower()
    assert "Is this true of my data?" in text


def command(*arguments):
    return CliRunner().invoke(main, ["advise", *map(str, arguments)])


def test_from_a_file_to_page_picture_and_config(tmp_path):
    np.save(tmp_path / "mine.npy", rows(80).astype(np.float32))
    page, picture, config = (tmp_path / name for name in ("a.html", "a.png", "a.yaml"))
    done = command(
        tmp_path / "mine.npy", "--n", 30, "--gap", "2%", "--out", page, "--out", picture,
        "--write", config,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    html = page.read_text(encoding="utf-8")
    assert "Advice on mine.npy" in html
    assert "within 2 % of the optimum" in html
    assert "data:image/png;base64," in html
    assert "http" not in html, "the page needs nothing from elsewhere"
    assert picture.read_bytes().startswith(b"\x89PNG")
    grid = validate(load(config))
    assert {"linear", "early_stopping", "networks"} <= set(grid.experiments)
    networks = config.read_text().split("networks:")[1]
    assert "figures: [transition_models, memorization]" in networks
    assert f"seed: {{range: [0, {FEWEST_SETS}]}}" in networks, "or the page answers nothing of them"


@pytest.mark.slow
def test_a_config_drops_and_standardizes_what_the_advice_did(tmp_path):
    lines = [",".join(["label", *(f"x{j}" for j in range(D))])]
    lines += [",".join(map(str, [i % 3, *row])) for i, row in enumerate(rows(60).tolist())]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    told = command(tmp_path / "t.csv")
    assert "may be no feature" in told.output
    done = command(tmp_path / "t.csv", "--drop", "label", "--standardize", "--json")
    data = json.loads(done.stdout)
    assert data["columns"] == D
    np.save(tmp_path / "t.npy", np.column_stack([np.arange(60) % 3, rows(60)]))
    config = tmp_path / "c.yaml"
    done = command(tmp_path / "t.npy", "--drop", 1, "--standardize", "--write", config)
    assert done.exit_code == 0, done.output
    assert '"drop": [1], "standardize": true' in config.read_text()
    done = command(tmp_path / "t.csv", "--drop", "label", "--write", tmp_path / "of_csv.yaml")
    assert done.exit_code == 0, done.output
    validate(load(tmp_path / "of_csv.yaml"))


def test_a_config_of_a_small_pool_has_the_n_that_answers_are_of(tmp_path):
    """N = d while the pool has as many, and N of a tenth of the pool, like independent rows."""
    config = tmp_path / "small.yaml"
    np.save(tmp_path / "small.npy", rows(60, d=40))
    done = command(tmp_path / "small.npy", "--write", config)
    assert done.exit_code == 0, done.output
    validate(load(config))
    linear, early, few = re.findall(r" n: \[(.*)\]", config.read_text())
    assert linear == early
    ns = [int(n) for n in linear.split(", ")]
    assert (ns[0], ns[1], ns[-1]) == (4, 10, 40)
    assert int(few.split(", ")[-1]) <= 24, "agreement needs two disjoint halves"


def test_a_config_of_too_few_rows_is_not_left_behind(tmp_path):
    np.save(tmp_path / "few.npy", rows(9))
    done = command(tmp_path / "few.npy", "--write", tmp_path / "few.yaml")
    assert done.exit_code == 2, done.output
    assert "a pool and held-out rows need" in done.output
    assert not (tmp_path / "few.yaml").exists()


def test_the_command_line_takes_the_n_that_a_config_takes():
    (option,) = (one for one in advise.params if one.name == "ns")
    assert (option.type.min, option.type.max) == (FEWEST_N, SETTING["n"].high)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nothing.npy"], "there is no file nothing.npy"),
        (["digits", "--gap", "0"], "--gap 0: write a share between 0 and 1"),
        (["digits", "--gap", "5percent"], "--gap 5percent: write a share"),
        (["digits", "--n", f"{10**15 + 1}"], "1000000000000001 is not in the range"),
        (["4,2,1,1"], "there is no file 4,2,1,1; a list of eigenvalues: --eigenvalues"),
        (["digits", "--kl", "-1"], "--kl -1: must be a number above 0"),
        (["digits", "--out", "a.txt"], "--out a.txt: must end in one of .html, .pdf, .png"),
        (["digits", "--out", "no/where.png"], "there is no folder no"),
        (["digits", "--write", "a.txt"], "--write a.txt: must end in .yaml"),
        (["digits", "--columns", "1", "--write", "a.yaml"], "a config keeps no --columns"),
        (["digits", "--drop", "1"], "bundled data set, which is taken as it is"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_computed(
    arguments, why, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    done = command(*arguments)
    assert done.exit_code == 2, done.output
    assert why in done.output
    assert list(tmp_path.iterdir()) == []


def test_the_sweep_that_is_named_is_of_the_data_as_they_were_read(tmp_path, monkeypatch):
    """Its command, run as it stands, leaves the config of what was advised on."""
    monkeypatch.chdir(tmp_path)
    np.savez("two.npz", x=np.column_stack([np.arange(60) % 3, rows(60)]), y=np.arange(60))
    how = ["--array", "x", "--drop", "1", "--drop", "2", "--standardize"]
    *_, last = command("two.npz", *how, "--out", "a.html").output.splitlines()
    words_of, _, line = last.partition(": ")
    assert words_of == "As a sweep, with networks"
    assert line in Path("a.html").read_text()
    done = CliRunner().invoke(main, shlex.split(line)[1:])
    assert done.exit_code == 0, done.output
    assert '"array": "x", "drop": [1, 2], "standardize": true' in Path("mine.yaml").read_text()
    # A config keeps no columns to keep.
    told = command("two.npz", "--array", "x", "--columns", "2", "--out", "b.html").output
    assert "As a sweep" not in told + Path("b.html").read_text()


def test_a_config_that_is_there_is_not_overwritten(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("mine")
    done = command("digits", "--write", config)
    assert done.exit_code == 2
    assert config.read_text() == "mine"


SPECTRUM = (np.arange(1, D + 1) ** -1.0).tolist()


@cache
def of_spectrum():
    return lindiff.advise_spectrum(SPECTRUM, "made up", n=[36, 400])


def test_a_known_spectrum_is_what_the_theory_says_of_it():
    found = of_spectrum()
    s = lindiff.make_spectrum("eigenvalues", D, values=SPECTRUM)
    sampler = lindiff.make_sampler("ddim", lindiff.make_schedule())
    best = next(b for b in found.best if (b.regularizer, b.n) == ("ridge", 36))
    trainings = [lindiff.Training(), lindiff.Training(ridge=best.strength.value)]
    theory = lindiff.linear_theory(s, 36, trainings, sampler=sampler)
    i = found.n.index(36)
    for curve in ("train_loss", "test_loss", "kl_model_data", "kl_data_model"):
        assert found.curves[curve][0, i] == pytest.approx(theory[curve][0], rel=1e-6)
    without, least = theory["test_loss"]
    assert 0 < best.ratio.value < 0.99
    assert best.ratio.value == pytest.approx(least / without, rel=1e-3)
    for ends in (*found.curves.values(), found.spectrum):
        np.testing.assert_array_equal(ends[0], ends[1])
        np.testing.assert_array_equal(ends[0], ends[2])


def test_a_level_spectrum_is_not_said_to_fall():
    level = str(lindiff.advise(np.random.default_rng(0).standard_normal((90, D))))
    assert "variances may be level from j = 1 to 12: as j^−k, k is " in level
    assert "variances fall as j^−k with k = " in str(advice())


def test_the_words_name_the_schedule_and_count_one_column():
    text = str(lindiff.advise(rows(30, d=1)))
    assert "30 rows of 1 column, d = 1 " in text
    schedule = lindiff.make_schedule()
    ends = f"β from {schedule.beta[0]:g} to {schedule.beta[-1]:g} over T = {len(schedule.beta)} "
    assert "β from 0.0001 to 0.01 over T = 1000 levels" in text
    assert ends in text


def test_its_words_have_no_sample_and_no_interval():
    text = str(of_spectrum())
    for word in ("rows", "your data", "95 %", "[", "nan"):
        assert word not in text
    assert "made up: the eigenvalues of a covariance, d = 12." in text
    assert {one.n for one in of_spectrum().best} == {36, 400}


def test_unit_order_and_null_directions_do_not_matter():
    given = [0.0, *(1e6 * np.array(SPECTRUM)[::-1]), 1e-12, -1e-12]
    found = lindiff.advise_spectrum(given, "made up", n=[36, 400])
    np.testing.assert_allclose(found.spectrum, of_spectrum().spectrum, rtol=1e-12)
    assert "3 directions have no variance: left out" in str(found)


@pytest.mark.parametrize("given", [[], [0, 0], [1, -1], [1, np.nan], [1, np.inf], [[1, 2]]])
def test_what_is_no_spectrum_is_refused(given):
    with pytest.raises(ValueError, match="eigenvalue"):
        lindiff.advise_spectrum(given)


def test_the_command_takes_a_file_or_a_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.txt").write_text("4 2 1 1 0")
    run = CliRunner().invoke
    outs = ["--out", "a.html", "--out", "a.png"]
    done = run(main, ["advise", "s.txt", "--eigenvalues", *outs, "--write", "mine.yaml"])
    assert done.exit_code == 0, done.output
    listed = json.loads(run(main, ["advise", "4,2,1,1", "--eigenvalues", "--json"]).stdout)
    assert listed["spectrum"]["value"] == [2, 1, 0.5, 0.5]
    assert "rows" not in listed
    config = load(tmp_path / "mine.yaml")
    assert len(validate(config).cells) > 500
    assert "s.txt: the eigenvalues" in (tmp_path / "a.html").read_text()
    for words_of, wrong in {
        "s.txt is text": ["s.txt"],
        "a spectrum has no --drop": ["s.txt", "--eigenvalues", "--drop", "a"],
        "no number": ["4,x", "--eigenvalues"],
        "there is no file none.txt": ["none.txt", "--eigenvalues"],
        "an eigenvalue is negative": ["1,-2", "--eigenvalues"],
    }.items():
        refused = run(main, ["advise", *wrong, "--out", "b.html"])
        assert refused.exit_code == 2, wrong
        assert words_of in refused.stderr
    assert not (tmp_path / "b.html").exists()


def test_an_interval_beyond_the_n_looked_at_is_not_said():
    found = advice()
    open_ = replace(found.needed[0], n=Interval(60.0, 1e-3, 1e12))
    said = words._needed(found, open_)
    assert f"from N = 60 [below {found.n[0]} to beyond {open_.largest:,}] on" in said


@pytest.mark.slow
def test_the_best_regularizer_does_no_harm():
    wild = rows(60) * np.exp(2 * np.random.default_rng(1).standard_normal((60, 1)))
    ratios = [one.ratio for one in lindiff.advise(wild, "heavy tails").best]
    assert all(ratio.value <= ratio.high <= 1 for ratio in ratios)


def test_negative_numbers_have_a_minus_sign():
    assert [words.number(x) for x in (-7.31, -7310.2, 2e-5, -2e-5)] == [
        "−7.31", "−7,310", "2e-05", "−2e-05",
    ]  # fmt: skip
    assert words._share(Interval(-0.02, -0.31, 0.05)) == "−2 % [−31 to 5 %]"
