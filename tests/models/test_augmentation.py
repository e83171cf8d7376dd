"""Models on the orbit of a training set: against matrices, the limit, and explicit orbits."""

import json

import numpy as np
import pytest

from lindiff import planning
from lindiff.models import MODELS, augmented, empirical, linear, theory
from lindiff.models.linear_family import make_family
from lindiff.models.proximity import row_numbers
from lindiff.planning.checks import check, warn
from lindiff.science.augmentation import orbit_of_pictures
from lindiff.science.datasets import remember
from lindiff.science.filters import Training
from lindiff.science.pools import make_pool
from lindiff.science.schedule import make_schedule
from tests.science.helpers import denoiser, kl, make_cells, sweep_cells

LOSSES = ("train_loss", "test_loss")
KL = ("kl_model_data", "kl_data_model")
POWER = {"spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "draw": "samples"}
SCHEDULE = make_schedule("linear", 12, 1e-4, 5e-3)
SHORT = {"timesteps": 12, "beta_max": 5e-3}


def of_data(name="digits", **given):
    """Cells of a data set."""
    named = {"spectrum": "dataset", "spectrum_params": json.dumps({"name": name})}
    nothing = dict.fromkeys(("population_mean", "mixture", "draw"))
    return make_cells(data=name, d=make_pool(name).d, **named, **nothing, **given)


def pictures(rows=200):
    """Pictures of 4×4 pixels, all of which vary."""
    values = np.random.default_rng(1).exponential(size=(rows, 16))
    return remember(values @ np.diag(np.linspace(0.3, 2, 16)), "own", picture=(4, 4))


def averaged(rows, elements, known):
    """Mean and covariance of the training set, averaged over affine maps (g, h) of the rows."""
    mean = np.mean([rows.mean(axis=0) @ g.T + h for g, h in elements], axis=0)
    centre = 0 * mean if known else mean
    moved = [rows @ g.T + h - centre for g, h in elements]
    return centre, np.mean([x.T @ x / len(x) for x in moved], axis=0)


def losses(covariance, training, test):
    """Train and test loss of the regularized optimum, test data of second moment `test`."""
    d, found = len(covariance), []
    for i, (ab, q) in enumerate(zip(SCHEDULE.alpha_bar, SCHEDULE.q, strict=True)):
        W = denoiser(SCHEDULE, i, covariance, training)
        noise = np.linalg.norm(np.eye(d) - np.sqrt(q) * W) ** 2
        found.append([noise + ab * np.trace(W @ C @ W.T) for C in (covariance, test)])
    return np.mean(found, axis=0) / d


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize(("size", "n"), [(2, 3), (4, 2), (8, 9)])
def test_every_metric_of_signs_against_matrices(size, n, centre):
    """The covariance is that of the rows, averaged over the group: to 1e-9."""
    d, c = 8, 0.03
    common = POWER | SHORT | {"d": d, "n": n, "centre": centre, "seed": 3}
    plain = make_family(make_cells(**common)).draw
    rows = plain.centred + plain.offset
    signs = [
        np.diag([(-1.0) ** bin(g & j).count("1") for j in range(d)]) for g in range(size)
    ]  # fmt: skip
    mean, covariance = averaged(rows, [(g, 0.0) for g in signs], centre == "known")
    cells = make_cells(**common, augmentation="signs", group_size=size, ridge=c, sampler="ideal")
    (row,) = linear.run(cells, (*LOSSES, *KL, "bures", "agreement")).to_pylist()
    test = np.diag(plain.spectrum) + np.outer(mean, mean)
    expected = losses(covariance, Training(ridge=c), test)
    assert [row[name] for name in LOSSES] == pytest.approx(expected, rel=1e-9)
    made, population = covariance + c * np.eye(d), np.diag(plain.spectrum)
    assert row["kl_model_data"] == pytest.approx(
        kl(mean, made, np.zeros(d), population) / d, rel=1e-9
    )
    assert row["kl_data_model"] == pytest.approx(
        kl(np.zeros(d), population, mean, made) / d, rel=1e-9
    )
    family = make_family(cells)
    halves = [family.draw, family.halves.other]
    roots = []
    for half in halves:
        s, U = np.linalg.eigh(half.centred.T @ half.centred / len(half.centred) + c * np.eye(d))
        roots.append((U * np.sqrt(s)) @ U.T)
    means = [half.offset for half in halves]
    total = [m @ m + np.trace(r @ r) for m, r in zip(means, roots, strict=True)]
    both = means[0] @ means[1] + np.trace(roots[0] @ roots[1])
    assert row["agreement"] == pytest.approx(both / np.sqrt(np.prod(total)), rel=1e-9)


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize(("kind", "size"), [("flip", 0), ("shift", 4), ("flip_shift", 32)])
@pytest.mark.parametrize("data", ["digits", "own"])
def test_every_metric_of_pictures_against_matrices(kind, size, centre, data):
    name = pictures() if data == "own" else data
    pool, c, n = make_pool(name), 0.02, 11
    rows = pool.subset(n, 5)
    # g of a row is affine in the pool's coordinates: where it takes 0 and each axis.
    group = augmented.group_size(
        {"augmentation": kind, "group_size": size, "data": name, "d": pool.d}
    )
    orbit = orbit_of_pictures(pool, np.concatenate([np.zeros((1, pool.d)), np.eye(pool.d)]), kind,
                              group).reshape(pool.d + 1, group, pool.d)  # fmt: skip
    elements = [((orbit[1:, g] - orbit[0, g]).T, orbit[0, g]) for g in range(group)]
    mean, covariance = averaged(rows, elements, centre == "known")
    cells = of_data(
        name, n=n, seed=5, augmentation=kind, group_size=size, ridge=c, sampler="ideal",
        centre=centre, **SHORT,
    )  # fmt: skip
    (row,) = linear.run(cells, (*LOSSES, *KL)).to_pylist()
    held = pool.held_out - mean
    expected = losses(covariance, Training(ridge=c), held.T @ held / len(held))
    assert [row[name] for name in LOSSES] == pytest.approx(expected, rel=1e-9)
    made, population, zero = covariance + c * np.eye(pool.d), np.diag(pool.spectrum), 0 * mean
    assert row["kl_model_data"] * pool.d == pytest.approx(
        kl(mean, made, zero, population), rel=1e-9
    )
    assert row["kl_data_model"] * pool.d == pytest.approx(
        kl(zero, population, mean, made), rel=1e-9
    )


def test_a_group_of_g_elements_fills_g_directions_a_sample():
    """Σ0 has min(d, N |G|) directions, less one of the centre: N* = d/|G|."""
    for size in (2, 4, 16):
        for n in (2, 3, 16 // size + 1):
            cells = make_cells(
                **POWER, d=16, n=n, augmentation="signs", group_size=size, centre="known"
            )
            assert len(make_family(cells).draw.eigenvalues) == min(16, n * size)
    name = pictures()
    for kind, size in (("shift", 4), ("shift", 16), ("flip", 0)):
        draw = make_family(of_data(name, n=2, augmentation=kind, group_size=size)).draw
        assert len(draw.eigenvalues) == min(16, 2 * (size or 2) - 1)


@pytest.mark.slow
def test_a_group_is_worth_as_many_samples_in_the_limit():
    """Both losses and KL at N samples and |G| elements are those at N |G| and none, to 1.5 %."""
    wanted = (*LOSSES, *KL)
    common = {key: value for key, value in POWER.items() if key != "draw"}
    common |= {"model": "linear_theory", "ridge": 0.01, "centre": "known", "d": 400}
    common |= {"sampler": "ideal", "timesteps": 50}
    for n in (200, 400, 1600):
        (plain,) = theory.run(make_cells(**common, n=n), wanted).to_pylist()
        for size in (2, 4):
            cells = make_cells(**common, n=n // size, augmentation="signs", group_size=size)
            (row,) = theory.run(cells, wanted).to_pylist()
            for name in wanted:
                assert row[name] == pytest.approx(plain[name], rel=1.5e-2), (n, size, name)


def test_the_limit_of_white_data_is_that_of_one_block():
    """Of four blocks with the mean known every one is white data of d/4 dimensions."""
    common = {"model": "linear_theory", "n": 30, "centre": "known", "ridge": [0.0, 0.01],
              "sampler": "ideal"}  # fmt: skip
    wanted = (*LOSSES, *KL, "null_loss", "c_mean", "kl_data_model_floor", "levels")
    block = theory.run(make_cells(**common, d=50), wanted).to_pylist()
    cells = make_cells(**common, d=200, augmentation="signs", group_size=4)
    for row, own in zip(theory.run(cells, wanted).to_pylist(), block, strict=True):
        for name in wanted[:-1]:
            assert row[name] == pytest.approx(own[name], rel=1e-12), name
        for level, other in zip(row["levels"], own["levels"], strict=True):
            assert level == pytest.approx(other, rel=1e-12)


def test_what_is_no_sum_over_blocks_has_no_limit():
    cells = make_cells(
        model="linear_theory", d=16, n=9, timesteps=50, augmentation="signs", group_size=2, **{
            key: value for key, value in POWER.items() if key != "draw"
        }, sampler="ideal",
    )  # fmt: skip
    (row,) = theory.run(cells, ("test_loss", "agreement", "overlap_1")).to_pylist()
    assert row["agreement"] is row["overlap_1"] is None
    assert row["test_loss"] > 0
    assert row["message"].startswith("no limit with augmentation")


@pytest.mark.slow
@pytest.mark.parametrize(("size", "n"), [(2, 50), (2, 300), (4, 25), (4, 150)])
def test_the_limit_meets_seed_means_at_200(size, n):
    """Both losses and KL(ρ_N‖ρ) within 0.5 % at a ridge of 0.01, through N |G| < d and above."""
    common = POWER | {"d": 200, "n": n, "augmentation": "signs", "group_size": size}
    common |= {"ridge": 0.01, "sampler": "ideal", "timesteps": 200}
    wanted = (*LOSSES, "kl_model_data")
    found = [
        linear.run(make_cells(**common, seed=seed), wanted).to_pylist()[0] for seed in range(40)
    ]
    (limit,) = theory.run(
        make_cells(model="linear_theory", **{k: v for k, v in common.items() if k != "draw"}),
        wanted,
    ).to_pylist()
    for name in wanted:
        values = np.array([row[name] for row in found])
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() / limit[name] - 1) < 5e-3 + 2 * error / limit[name], name


def test_the_empirical_score_is_that_of_the_orbit_and_copies_moved_pictures():
    cells = of_data(n=4, augmentation="flip", sampler="ideal", model="empirical", **SHORT)
    (row,) = empirical.run(cells, ("memorized_fraction", "train_loss")).to_pylist()
    assert row["memorized_fraction"] == 1
    family, pool = make_family(cells), make_pool("digits")
    orbit = orbit_of_pictures(pool, pool.subset(4, 0), "flip", 2)
    np.testing.assert_allclose(family.draw.centred + family.draw.offset, orbit, atol=1e-12)
    (plain,) = empirical.run(
        of_data(n=4, sampler="ideal", model="empirical", **SHORT), ("train_loss",)
    ).to_pylist()
    # Twice as many points: their noisy copies are harder to tell apart.
    assert row["train_loss"] > plain["train_loss"]


def test_a_picture_that_a_move_leaves_is_one_point():
    values = np.random.default_rng(1).exponential(size=(200, 4, 4))
    values[::2] = (values[::2] + values[::2, :, ::-1]) / 2
    name = remember(values.reshape(200, 16), "half are their own mirror", picture=(4, 4))
    numbers = row_numbers(make_family(of_data(name, n=40, seed=1, augmentation="flip")))
    pool = make_pool(name)
    rows = pool.restore(pool.subset(40, 1)).reshape(40, 4, 4)
    own = np.abs(rows - rows[:, :, ::-1]).max(axis=(1, 2)) < 1e-9
    assert 5 < own.sum() < 35
    assert np.array_equal(numbers[::2] == numbers[1::2], own)


def test_frozen_noises_are_of_each_point_of_the_orbit():
    """Many of them are the average over noise."""
    common = POWER | SHORT | {"d": 6, "n": 5, "augmentation": "signs", "group_size": 2}
    (many, average) = (
        linear.run(make_cells(**common, noises=noises), LOSSES).to_pylist()[0]
        for noises in (1e7, np.inf)
    )
    for name in LOSSES:
        assert many[name] == pytest.approx(average[name], rel=1e-3)
    (few,) = linear.run(make_cells(**common, noises=1.0, weight_decay=0.0), LOSSES).to_pylist()
    # 10 pairs of 6 dimensions are not fitted by heart, 5 would be.
    assert few["train_loss"] > 1e-3


def test_the_monte_carlo_gap_is_over_the_orbit():
    cells = make_cells(**POWER, d=6, n=9, augmentation="signs", group_size=2, ridge=0.1)
    wanted = (*LOSSES, "monte_carlo_gap", "monte_carlo_gap_se")
    (row,) = linear.run(cells, wanted).to_pylist()
    gap = row["test_loss"] - row["train_loss"]
    assert abs(row["monte_carlo_gap"] - gap) < 4 * row["monte_carlo_gap_se"]


def test_ids_know_the_group_and_neutral_ones_do_not():
    plain, none, two, four = (
        sweep_cells(**POWER, d=8, n=4, **own)["cell_id"][0].as_py()
        for own in (
            {}, {"augmentation": "none", "group_size": None},
            {"augmentation": "signs", "group_size": 2}, {"augmentation": "signs", "group_size": 4},
        )
    )  # fmt: skip
    assert plain == none
    assert len({plain, two, four}) == 3


@pytest.mark.parametrize(
    ("given", "setting", "words"),
    [
        ({"augmentation": "flip"}, "augmentation", "allowed of Gaussian data: none, signs"),
        ({"augmentation": "signs", "draw": "wishart"}, "draw", "allowed: samples"),
        ({"augmentation": "signs", "group_size": 3}, "group_size", "allowed: 0, 2, 4, 8"),
        ({"augmentation": "signs", "population_mean": 1.0}, "augmentation", "mean is not 0"),
    ],
)
def test_what_gaussian_data_have_no_group_for(given, setting, words):
    cells = make_cells(**POWER | given)
    ((_, named, text),) = check(cells)
    assert named == setting
    assert words in text


@pytest.mark.parametrize(
    ("given", "setting", "words"),
    [
        ({"augmentation": "signs"}, "augmentation", "allowed: none, flip, shift, flip_shift"),
        ({"augmentation": "shift", "group_size": 5}, "group_size", "allowed: 0, 4, 16, 64"),
    ],
)
def test_what_pictures_have_no_group_for(given, setting, words):
    ((_, named, text),) = check(of_data(n=4, **given))
    assert named == setting
    assert words in text


def test_what_are_no_pictures_is_said():
    name = remember(np.random.default_rng(0).standard_normal((40, 5)), "rows.npy")
    ((_, named, text),) = check(of_data(name, n=4, augmentation="flip"))
    assert (named, text) == (
        "augmentation", "rows.npy has no pictures, with height and width; allowed: none",
    )  # fmt: skip


def test_theory_has_no_limit_of_moved_pictures_nor_of_frozen_noises():
    reads = {key: value for key, value in POWER.items() if key != "draw"}
    ((_, named, text),) = check(make_cells(model="linear_theory", **reads, augmentation="flip"))
    assert named == "augmentation"
    assert text.endswith("allowed with linear_theory: none, signs")
    cells = make_cells(model="linear_theory", **reads, augmentation="signs", noises=2.0)
    ((_, named, text),) = check(cells)
    assert (named, text[-6:]) == ("noises", ": .inf")


def test_what_leaves_the_directions_is_warned_of():
    texts = [
        text for _, key, text in warn(of_data(n=4, augmentation="shift")) if key == "augmentation"
    ]
    assert len(texts) == 1
    assert "61 directions with variance in the pool" in texts[0]
    assert not [key for _, key, _ in warn(of_data(n=4)) if key == "augmentation"]


@pytest.mark.parametrize("model", ["linear_exact", "empirical"])
def test_the_planner_counts_the_points_of_the_orbit(model):
    wanted = ["test_loss", "coverage"]
    model = MODELS[model]

    def asked(**given):
        cells = of_data(model=model.name, **given)
        families = cells.append_column("cells", [[1.0]])
        return (*planning.estimate(model, families, wanted), planning.kept(model, families, wanted))

    orbit, rows = asked(n=10, augmentation="shift"), asked(n=640)
    for one, other in zip(orbit, rows, strict=True):
        assert one == pytest.approx(other)
    ((_, named, text),) = planning.too_large(
        of_data(n=1000, augmentation="flip_shift", model=model.name), wanted, 2e8
    )
    assert named == "n"
    assert "augmentation = flip_shift needs" in text
