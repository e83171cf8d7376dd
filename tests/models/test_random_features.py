"""Random features end to end: brute force, beside the linear model and the limit, bad input."""

import json
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from scipy.special import erf, ndtr

from lindiff import columns
from lindiff.config.resolve import load
from lindiff.models import MODELS, linear, random_features_theory
from lindiff.models.linear_family import make_family
from lindiff.models.random_features import run, weights
from lindiff.science.activations import ACTIVATIONS
from lindiff.science.draws import generator
from lindiff.science.pools import make_pool
from lindiff.science.schedule import make_schedule
from lindiff.science.weighting import make_weights
from lindiff.sweep.validate import validate, warnings
from tests.configs import Maker, message
from tests.science.helpers import make_cells, sweep_cells

LOSSES = ("train_loss", "test_loss", "optimal_loss", "residual_loss")
POWER = {"spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}'}
GIVEN = {
    "model": "random_features", "draw": "samples", "sampler": "ddim", "d": 6, "n": 20,
    "features": 12, "timesteps": 8, "schedule": "cosine",
}  # fmt: skip


def cells(**given):
    return make_cells(**GIVEN | POWER | given)


def rows(wanted=LOSSES, **given):
    return run(cells(**given), wanted).to_pylist()


def training_pairs(table, training_noise):
    """Features and noise of a family's frozen pairs at every level."""
    family, schedule = make_family(table), make_schedule("cosine", 8)
    row, x = family.row, family.draw.centred
    W = weights(row)
    for alpha_bar, q, noise in zip(schedule.alpha_bar, schedule.q, training_noise, strict=True):
        y = np.sqrt(alpha_bar) * x + np.sqrt(q) * noise
        phi = ACTIVATIONS[row["activation"]].value(y @ W.T / np.sqrt(row["d"]))
        phi = phi.reshape(-1, len(W)) / np.sqrt(len(W))
        yield phi, noise.reshape(len(phi), -1)


def brute_force(table, training_noise):
    """Train loss at every level, and read-outs, by least squares on a family's frozen pairs."""
    losses, found = [], []
    for phi, flat in training_pairs(table, training_noise):
        A = np.linalg.lstsq(phi, flat, rcond=None)[0].T
        losses.append(((flat - phi @ A.T) ** 2).mean())
        found.append(A)
    return np.array(losses), found


def expectation(value, mean, deviation):
    """E f(u) of a normal number by Gauss–Legendre on both sides of the kink of ReLU at 0."""
    low, high = mean - 12 * deviation, mean + 12 * deviation
    ends = (low, np.clip(0.0, low, high), high)
    x, weight = np.polynomial.legendre.leggauss(80)
    total = 0.0
    for start, end in pairwise(ends):
        for a, b in pairwise(np.linspace(start, end, 4)):
            u = (a + b) / 2 + (b - a) / 2 * x
            density = np.exp(-(((u - mean) / deviation) ** 2) / 2) / deviation / np.sqrt(2 * np.pi)
            total += (b - a) / 2 * np.sum(weight * density * value(u))
    return total


# E σ and E σ′ of a normal number of mean m and deviation s, in closed form.
SMOOTHED = {
    "erf": lambda m, s: erf(m / np.sqrt(1 + 2 * s**2)),
    "relu": lambda m, s: m * ndtr(m / s) + s * np.exp(-((m / s) ** 2) / 2) / np.sqrt(2 * np.pi),
}
SLOPE = {
    "erf": lambda m, s: np.exp(-(m**2) / (1 + 2 * s**2)) * 2 / np.sqrt(np.pi * (1 + 2 * s**2)),
    "relu": lambda m, s: ndtr(m / s),
}


def moments(name, W, centre, variance, q):
    """E φφᵀ and E εφᵀ at y ~ N(centre, variance + q), of which √q ε: one integral a pair."""
    p, d = W.shape
    covariance, m = (W * (variance + q)) @ W.T / d, W @ centre / np.sqrt(d)
    s, value = np.sqrt(covariance.diagonal()), ACTIVATIONS[name].value
    features = np.empty((p, p))
    for i, j in combinations_with_replacement(range(p), 2):
        slope = covariance[i, j] / s[i] ** 2
        left = np.sqrt(covariance[j, j] - slope * covariance[i, j]) if i != j else None

        def pair(u, i=i, j=j, slope=slope, left=left):
            if left is None:
                return value(u) ** 2
            return value(u) * SMOOTHED[name](m[j] + slope * (u - m[i]), left)

        features[i, j] = features[j, i] = expectation(pair, m[i], s[i])
    cross = np.sqrt(q / d) * W.T * SLOPE[name](m, s)
    return features / p, cross / np.sqrt(p)


@pytest.mark.parametrize("name", ["erf", "relu"])
def test_the_average_over_noise_by_brute_force(name):
    """Both losses of every level to 1e-9, each pair of features integrated for each sample."""
    given = {"d": 3, "n": 3, "features": 4, "activation": name, "timesteps": 2}
    table = cells(**given, weight_decay=[0.0, 0.01], stop=[20.0, np.inf])
    family, schedule = make_family(table), make_schedule("cosine", 2)
    W, x, s = weights(family.row), family.draw.centred, family.draw.spectrum
    found = run(table, ("train_loss", "test_loss", "levels")).to_pylist()
    for t, (alpha_bar, q) in enumerate(zip(schedule.alpha_bar, schedule.q, strict=True), 1):
        own = [moments(name, W, np.sqrt(alpha_bar) * row, np.zeros(3), q) for row in x]
        features, cross = (np.mean(part, axis=0) for part in zip(*own, strict=True))
        fresh = moments(name, W, -np.sqrt(alpha_bar) * family.draw.offset, alpha_bar * s, q)
        eigenvalues, vectors = np.linalg.eigh(features)
        for row, cell in zip(found, table.to_pylist(), strict=True):
            rate = eigenvalues + cell["weight_decay"]
            A = cross @ (vectors * (-np.expm1(-cell["stop"] * rate) / rate)) @ vectors.T
            (level,) = (one for one in row["levels"] if one["t"] == t)
            for loss, (phi, eps) in (("train_loss", (features, cross)), ("test_loss", fresh)):
                expected = 1 + (np.sum(A @ phi * A) - 2 * np.sum(A * eps)) / 3
                assert level[loss] == pytest.approx(expected, rel=1e-9), (t, loss, cell["stop"])


def least_weighted(phi, noise, weight, decay):
    """The minimiser of w ⟨‖ε − A φ‖²⟩ + γ‖A‖², by least squares."""
    p, own = phi.shape[1], np.sqrt(weight / len(phi))
    rows = np.concatenate([own * phi, np.sqrt(decay) * np.eye(p)])
    targets = np.concatenate([own * noise, np.zeros((p, noise.shape[1]))])
    return np.linalg.lstsq(rows, targets, rcond=None)[0].T


def descent(phi, noise, weight, decay, stop, steps=4000):
    """A at the time τ of gradient flow on half of that from A = 0, by steps of fourth order."""
    A, h = np.zeros((noise.shape[1], phi.shape[1])), stop / steps

    def slope(A):
        return weight * (noise - phi @ A.T).T @ phi / len(phi) - decay * A

    for _ in range(steps):
        first = slope(A)
        second = slope(A + h / 2 * first)
        third = slope(A + h / 2 * second)
        A = A + h / 6 * (first + 2 * second + 2 * third + slope(A + h * third))
    return A


def noises_of(table, m):
    """The frozen noises of a cell at every level, shape (m, N, d)."""
    family = make_family(table)
    key = family.key | {"half": 0, "train_seed": family.row["train_seed"]}
    shape = (m, family.draw.n, family.draw.d)
    return [generator("feature_noises", **key, t=t).standard_normal(shape) for t in range(1, 9)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_frozen_noises_by_brute_force(name):
    """The losses of all levels; the test loss on many fresh points."""
    table = cells(noises=2.0, activation=name)
    train, read_outs = brute_force(table, noises_of(table, 2))
    (row,) = run(table, ("train_loss", "test_loss", "levels")).to_pylist()
    assert row["train_loss"] == pytest.approx(train.mean(), rel=1e-9)
    family, schedule, rng = make_family(table), make_schedule("cosine", 8), np.random.default_rng(0)
    W, d = weights(family.row), 6
    for level in row["levels"]:
        index = level["t"] - 1
        assert level["train_loss"] == pytest.approx(train[index], rel=1e-9)
        noise = rng.standard_normal((40_000, d))
        x = rng.standard_normal(noise.shape) * np.sqrt(family.draw.spectrum) - family.draw.offset
        y = np.sqrt(schedule.alpha_bar[index]) * x + np.sqrt(schedule.q[index]) * noise
        phi = ACTIVATIONS[name].value(y @ W.T / np.sqrt(d)) / np.sqrt(len(W))
        square = ((noise - phi @ read_outs[index].T) ** 2).mean(axis=1)
        error = 4 * square.std() / np.sqrt(len(square))
        assert level["test_loss"] == pytest.approx(square.mean(), abs=error)


@pytest.mark.parametrize(
    ("model", "cell", "family"),
    [
        ("random_features", "711d6292c35225f9ef626929cf29f1d2", "b9f150eb93f23d9de78ce94cc465f0fb"),
        (
            "random_features_theory", "eeb317720eafd17c161685aee922068b",
            "6080846287fb0d617ac9358b09d581f4",
        ),
    ],
)  # fmt: skip
def test_ids_are_those_from_before_weightings(model, cell, family):
    given = GIVEN | POWER | {"model": model, "weight_decay": 0.01, "stop": 3.0}
    given |= {"draw": None} if model == "random_features_theory" else {}
    plain, weighted = (sweep_cells(**given, weighting=name) for name in ("uniform", "v"))
    assert (plain["cell_id"].to_pylist(), plain["family_id"].to_pylist()) == ([cell], [family])
    # One training gives all of them.
    assert weighted["family_id"].to_pylist() == [family]
    assert weighted["cell_id"].to_pylist() != [cell]


@pytest.mark.parametrize("stop", [np.inf, 20.0])
@pytest.mark.parametrize("weighting", ["edm", "v"])
def test_a_weighted_loss_is_minimised_as_it_stands(weighting, stop):
    """To 1e-9, with weight decay, at every level; the losses of the table have no weights."""
    given = {"noises": 2.0, "weight_decay": 0.02, "scale": 1.5, "stop": stop}
    table = cells(**given, weighting=[weighting, "uniform"])
    row, plain = run(table, ("train_loss", "levels")).to_pylist()
    w = make_weights(weighting, make_schedule("cosine", 8), 1.5)
    losses = []
    for weight, (phi, noise) in zip(w, training_pairs(table, noises_of(table, 2)), strict=True):
        if np.isinf(stop):
            A = least_weighted(phi, noise, weight, 0.02)
        else:
            A = descent(phi, noise, weight, 0.02, stop)
        losses.append(((noise - phi @ A.T) ** 2).mean())
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-9)
    for level in row["levels"]:
        assert level["train_loss"] == pytest.approx(losses[level["t"] - 1], rel=1e-9)
    assert abs(plain["train_loss"] / row["train_loss"] - 1) > 0.01


def test_at_the_optimum_without_decay_a_weighting_does_nothing():
    table = cells(weighting=["uniform", "v", "edm"], noises=2.0)
    wanted = ("train_loss", "test_loss", "kl_model_data", "levels")
    plain, *weighted = run(table, wanted).to_pylist()
    for row in weighted:
        assert {name: row[name] for name in wanted} == {name: plain[name] for name in wanted}


@pytest.mark.parametrize("stop", [np.inf, 20.0])
def test_samples_of_one_step_are_those_of_the_decay_and_the_time_of_its_level(stop):
    """One step of DDIM evaluates the last level alone: γ/w_T and w_T τ without a weighting."""
    w, wanted = make_weights("edm", make_schedule("cosine", 8))[-1], ("kl_model_data",)
    given = {"sampling_steps": 1, "noises": 2.0}
    (weighted,) = rows(wanted, **given, weighting="edm", weight_decay=0.01, stop=stop)
    (own,) = rows(wanted, **given, weight_decay=0.01 / w, stop=w * stop)
    (plain,) = rows(wanted, **given, weight_decay=0.01, stop=stop)
    assert weighted["kl_model_data"] == pytest.approx(own["kl_model_data"], rel=1e-9)
    assert abs(plain["kl_model_data"] / own["kl_model_data"] - 1) > 1e-3


@pytest.mark.parametrize("data", ["gaussian", "digits"])
def test_linear_features_are_the_linear_model(data):
    """As many as dimensions or more, without a penalty, of the average over noise."""
    given = {"d": 8, "n": 30, "timesteps": 30}
    if data == "digits":
        given = {
            "data": data, "spectrum": "dataset", "d": make_pool(data).d, "n": 200, "draw": None,
            "spectrum_params": json.dumps({"name": data}), "population_mean": None, "timesteps": 5,
        }  # fmt: skip
    (found,) = rows(features=2 * given["d"], activation="identity", **given)
    own = {k: v for k, v in (GIVEN | POWER | given).items() if k not in ("model", "features")}
    (expected,) = linear.run(make_cells(**own), LOSSES).to_pylist()
    for name in LOSSES:
        assert found[name] == pytest.approx(expected[name], rel=1e-9)


def test_all_cells_of_a_family_are_those_of_each_alone():
    given = {
        "weight_decay": [0.0, 0.01], "stop": [3.0, np.inf], "sampler": ["ddim", "ddpm_beta"],
        "noises": 3.0,
    }  # fmt: skip
    wanted = ("train_loss", "test_loss", "kl_model_data", "agreement")
    table = cells(**given)
    for i, row in enumerate(run(table, wanted).to_pylist()):
        (alone,) = run(table.slice(i, 1), wanted).to_pylist()
        for name in set(wanted) - {"agreement"}:
            assert row[name] == pytest.approx(alone[name], rel=1e-9), name
        assert row["agreement"] == alone["agreement"]
        assert (row["agreement"] is None) == (table["sampler"][i].as_py() == "ddpm_beta")


def test_fewer_features_and_fewer_noises_are_the_first_ones():
    many = weights({"d": 6, "seed": 0, "train_seed": 0, "features": 12})
    few = weights({"d": 6, "seed": 0, "train_seed": 0, "features": 5})
    assert np.array_equal(many[:5], few)
    first, more = (noises_of(cells(noises=float(m)), m) for m in (1, 3))
    assert np.array_equal(first[0][0], more[0][0])
    assert not np.array_equal(few, weights({"d": 6, "seed": 1, "train_seed": 0, "features": 5}))


def test_more_noises_close_the_gap_to_the_average_over_noise():
    (one,), (more,), (average,) = (rows(noises=m) for m in (1.0, 40.0, np.inf))
    assert one["train_loss"] < more["train_loss"] < average["train_loss"]
    assert one["test_loss"] > more["test_loss"] > average["test_loss"]
    assert more["test_loss"] == pytest.approx(average["test_loss"], rel=0.1)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm_beta"])
def test_samples_hang_on_nothing_else_that_is_asked_for(sampler):
    """Without the losses only the levels of the sampler are solved."""
    wanted = ("kl_model_data", "memorized_fraction")
    few = rows(wanted, sampler=sampler, sampling_steps=3)
    assert few == [
        {k: v for k, v in row.items() if k not in LOSSES}
        for row in rows((*wanted, *LOSSES), sampler=sampler, sampling_steps=3)
    ]
    assert few[0]["kl_model_data"] > 0


def test_eigenvalues_are_counted_in_tenths_of_a_decade():
    table = cells(noises=2.0)
    (row,) = run(table, ("feature_spectrum",)).to_pylist()
    family, schedule = make_family(table), make_schedule("cosine", 8)
    x, W = family.draw.centred, weights(family.row)
    found = row["feature_spectrum"]
    levels = sorted({level["t"] for level in found})
    assert levels == [1, 2, 3, 4, 6, 8]
    for t in levels:
        noise = noises_of(table, 2)[t - 1]
        alpha_bar, q = schedule.alpha_bar[t - 1], schedule.q[t - 1]
        y = (np.sqrt(alpha_bar) * x + np.sqrt(q) * noise).reshape(-1, 6)
        phi = ACTIVATIONS["erf"].value(y @ W.T / np.sqrt(6)) / np.sqrt(12)
        values = np.linalg.eigvalsh(phi.T @ phi / len(phi))
        counts = np.histogram(np.log10(values), np.arange(-12, 2, 0.1))[0]
        own = [level for level in found if level["t"] == t]
        assert sum(level["count"] for level in own) == counts.sum() == 12
        at = np.round(10 * (np.log10([level["eigenvalue"] for level in own]) + 12) - 0.5)
        assert [level["count"] for level in own] == counts[at.astype(int)].tolist()


def test_the_limit_is_beside_every_cell_and_says_why_not():
    given = {"model": "random_features_theory", "n": [10, 12, 40], "features": 24}
    wanted = columns.delivered(MODELS["random_features_theory"].metrics)
    table = cells(**given, noises=2.0, weight_decay=[0.0, 0.1], draw=None)
    found = random_features_theory.run(table, wanted).to_pylist()
    for row, cell in zip(found, table.to_pylist(), strict=True):
        square = cell["n"] == 12 and cell["weight_decay"] == 0
        assert (row["test_loss"] is None) == square
        assert (row["message"] or "").startswith("as many pairs of sample and noise" * square)
        assert row["status"] == "ok"
        if not square:
            levels = [level["test_loss"] for level in row["levels"]]
            assert row["test_loss"] == pytest.approx(np.mean(levels), rel=1e-12)
    # After a stop there is one there too, and every cell has the one that it has alone.
    stopped = cells(**given, noises=2.0, stop=[3.0, 300.0], draw=None, timesteps=1)
    found = random_features_theory.run(stopped, wanted).to_pylist()
    for i, row in enumerate(found):
        (alone,) = random_features_theory.run(stopped.slice(i, 1), wanted).to_pylist()
        assert row["message"] is None
        for name in ("train_loss", "test_loss"):
            assert row[name] == pytest.approx(alone[name], rel=1e-12)
    assert len({row["test_loss"] for row in found}) == len(found) == 6


def assert_seed_means(limit, given):
    """That both losses of all cells are means over six training sets, to 1 % and their error."""
    found = [rows(LOSSES[:2], **given, seed=seed) for seed in range(6)]
    for cell, row in enumerate(limit):
        for name in LOSSES[:2]:
            values = np.array([draw[cell][name] for draw in found])
            error = 3 * values.std(ddof=1) / np.sqrt(len(values))
            expected = pytest.approx(values.mean(), abs=error + 0.01 * values.mean())
            assert row[name] == expected, (given["n"], given["features"], cell, name)


def limits_at_200(activation, spectrum, noises, **more):
    """Cells of many and of few features and their limits, which are seed means."""
    given = {
        "d": 200, "noises": noises, "timesteps": 4, "activation": activation, "spectrum": spectrum,
        "spectrum_params": POWER["spectrum_params"] if spectrum == "power_law" else "{}",
        "weight_decay": [1e-3, 0.01], "stop": [300.0, np.inf], **more,
    }  # fmt: skip
    found = []
    for n, p in ((200, 400), (600, 200)):
        own = given | {"n": n, "features": p}
        table = cells(**own, model="random_features_theory", draw=None)
        limit = random_features_theory.run(table, LOSSES[:2]).to_pylist()
        assert_seed_means(limit, own)
        found.append((table, limit))
    return found


@pytest.mark.slow  # half a minute of draws
@pytest.mark.parametrize("activation", ["erf", "relu"])
@pytest.mark.parametrize("spectrum", ["isotropic", "power_law"])
@pytest.mark.parametrize("noises", [1.0, 3.0, np.inf])
def test_the_limit_meets_seed_means_at_d_200(activation, spectrum, noises):
    """To 1 %, and what means over six training sets leave open."""
    assert len(limits_at_200(activation, spectrum, noises)) == 2


@pytest.mark.slow  # half a minute of draws
@pytest.mark.parametrize("activation", ["erf", "relu"])
@pytest.mark.parametrize("spectrum", ["isotropic", "power_law"])
@pytest.mark.parametrize("noises", [1.0, np.inf])
def test_the_weighted_limit_meets_seed_means_at_d_200(activation, spectrum, noises):
    """To 1 %, and what means over six training sets leave open, where a weighting does more."""
    weightings = {"weighting": ["v", "edm", "uniform"]}
    for table, limit in limits_at_200(activation, spectrum, noises, **weightings):
        losses = {}
        for cell, row in zip(table.to_pylist(), limit, strict=True):
            if cell["weight_decay"] == 1e-3:
                losses.setdefault(cell["weighting"], []).append(row["train_loss"])
        assert min(np.divide(losses["v"], losses["uniform"])) > 1.05


BASE = """\
experiments:
  a:
    model: random_features
    d: 4
    n: 8
    seed: 0
    draw: samples
"""


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("", "the key features is missing"),
        ("features: 0", "experiments.a.features = 0: must be at least 1"),
        ("features: 8.0", "experiments.a.features = 8.0: must be a whole number"),
        (
            "features: 8\nactivation: tanh",
            "experiments.a.activation = 'tanh': not a known value; allowed: erf",
        ),
        ("features: 8\nridge: 0.1", "experiments.a.ridge"),
        (
            "features: 8\nweighting: minsnr",
            "experiments.a.weighting = 'minsnr': not a known value; allowed: uniform, x0, v, ",
        ),
        ("features: 8\nsampler: ideal", "random_features generates by its denoiser; allowed: ddpm"),
        ("features: 8\nnoises: 0.5", "experiments.a.noises = 0.5: must be"),
    ],
)
def test_bad_input_is_refused_before_any_job(tmp_path, added, words):
    text = message(Maker(tmp_path)(added, BASE))
    assert words in text
    assert text.startswith("c.yaml:")


def test_what_cannot_be_is_refused(tmp_path):
    make = Maker(tmp_path)
    text = message(make("features: 8", BASE.replace("random_features", "linear_exact")))
    assert "experiments.a.features" in text
    text = message(make("features: 8", BASE.replace("    draw: samples\n", "")))
    assert "random_features needs the training samples; allowed: samples" in text


def test_a_sweep_of_both_is_planned(tmp_path):
    text = BASE.replace(
        "model: random_features", "model: [random_features, random_features_theory]"
    )
    config = load(Maker(tmp_path)("features: [4, 8]\nnoises: [1.0, .inf]\nseed: [0, 1]",
                                  text.replace("    seed: 0\n", "")))  # fmt: skip
    assert len(validate(config).cells) == 8 + 4


def test_a_limit_of_pairs_that_are_nearly_fitted_is_warned_of(tmp_path):
    """More features than pairs, and little penalty but some; of the limit and of no stop alone."""
    text = BASE.replace(
        "model: random_features", "model: [random_features, random_features_theory]"
    )
    added = (
        "noises: [1, 3, .inf]\nfeatures: [8, 20]\nstop: [10, .inf]\n"
        "weight_decay: [0, 1.0e-4, 0.02, 0.06]"
    )
    config = load(Maker(tmp_path)(added, text))
    (line,) = [one for one in warnings(config, validate(config)) if "train_loss" in one]
    assert "experiments.a.features = 20: more than the 8 pairs of sample and noise" in line
    # N = 8: p = 20 with m = 1, and the penalties 1e-4 and 0.02 < 0.2/4.
    assert "and weight_decay is below 0.2/d (cells like it: 2): " in line
    # Beside the largest weight of a level, 6.1, the penalty 0.06 is too little as well.
    weighted = "\nschedule: cosine\ntimesteps: 10\nweighting: edm"
    config = load(Maker(tmp_path)(added + weighted, text))
    (line,) = [one for one in warnings(config, validate(config)) if "train_loss" in one]
    assert (
        "weight_decay over the largest weight of a level is below 0.2/d (cells like it: 3)" in line
    )
    plain = load(Maker(tmp_path)(added, BASE))
    assert not [one for one in warnings(plain, validate(plain)) if "train_loss" in one]
