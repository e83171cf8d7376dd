"""The exact linear model on real rows: brute force on held-out rows, surrogate, packing."""

import json

import numpy as np
import pytest

from lindiff import columns
from lindiff.models import MODELS
from lindiff.models.linear import run
from lindiff.models.linear_family import make_family
from lindiff.planning.checks import check, warn
from lindiff.planning.linear import estimate
from lindiff.science.datasets import remember
from lindiff.science.filters import Bank, Training
from lindiff.science.pools import make_pool
from lindiff.science.schedule import make_schedule
from tests.science.helpers import denoiser, kl, make_cells

CHEAP = columns.delivered(MODELS["linear_exact"].metrics.intersection(columns.DEFAULT_METRICS))


def cells(data="digits", **given):
    """Cells of a data set, or of its Gaussian surrogate."""
    of = given.pop("of", data)
    pool = make_pool(of)
    draw = given.pop("draw", "wishart") if data == "gaussian" else None
    return make_cells(
        data=data, spectrum="dataset", spectrum_params=json.dumps({"name": of}), d=pool.d,
        population_mean=0.0 if data == "gaussian" else None, draw=draw, **given,
    )  # fmt: skip


def own():
    """A data set of 5 columns with skewed values, so that 5 directions are enough to be real."""
    rng = np.random.default_rng(5)
    values = rng.exponential(size=(120, 5)) @ rng.standard_normal((5, 5))
    return remember(values, "own.npy")


def losses(pool, rows, centre, covariance, training, schedule):
    """Train loss, test loss on the held-out rows and its null part at every level, (levels, 3)."""
    d = pool.d
    values, vectors = np.linalg.eigh(covariance)
    null = vectors[:, values < 1e-9 * values[-1]]
    spread = (pool.held_out - pool.held_out.mean(axis=0)) @ null
    found = np.zeros((schedule.timesteps, 3))
    for i, (ab, q) in enumerate(zip(schedule.alpha_bar, schedule.q, strict=True)):
        W = denoiser(schedule, i, covariance, training)
        noise = np.linalg.norm(np.eye(d) - np.sqrt(q) * W) ** 2
        for k, data in enumerate((rows, pool.held_out)):
            found[i, k] = noise + ab * (((data - centre) @ W.T) ** 2).sum(axis=1).mean()
        found[i, 2] = ab * ((spread @ null.T @ W.T) ** 2).sum(axis=1).mean()
    return found / d


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize("n", [3, 20, 96])
@pytest.mark.parametrize(
    "trained", [{}, {"ridge": 0.1}, {"weight_decay": 0.02}, {"stop": 30.0, "ridge": 0.01}]
)
def test_losses_against_matrices_on_the_held_out_rows(trained, n, centre):
    name = own()
    pool, known = make_pool(name), centre == "known"
    table = cells(name, n=n, seed=4, timesteps=25, centre=centre, **trained)
    (row,) = run(table, columns.delivered([*CHEAP, "levels"])).to_pylist()
    rows = pool.subset(n, seed=4)
    middle = np.zeros(5) if known else rows.mean(axis=0)
    covariance = (rows - middle).T @ (rows - middle) / n
    schedule = make_schedule("linear", 25)
    levels = losses(pool, rows, middle, covariance, Training(**trained), schedule)
    train, test, null = levels.mean(axis=0)
    assert row["train_loss"] == pytest.approx(train, rel=1e-9)
    assert row["test_loss"] == pytest.approx(test, rel=1e-9)
    assert row["null_loss"] == pytest.approx(null, rel=1e-6, abs=1e-12)
    assert (null > 0) == (n == 3)
    for level in row["levels"]:
        expected = levels[level["t"] - 1]
        assert level["train_loss"] == pytest.approx(expected[0], rel=1e-9)
        assert level["test_loss"] == pytest.approx(expected[1], rel=1e-9)
    assert row["pool_fraction"] == n / 96

    whole = pool.rows.T @ pool.rows / pool.size
    optimum = losses(pool, pool.rows, 0, whole, Training(), schedule)[:, 1].mean()
    assert row["optimal_loss"] == pytest.approx(optimum, rel=1e-9)
    assert row["residual_loss"] == pytest.approx(test - optimum, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("n", [4, 30])
def test_divergences_are_from_the_gaussian_of_the_pool(n):
    name = own()
    pool = make_pool(name)
    row = run(cells(name, n=n, seed=1, sampler="ideal", ridge=0.1), columns.delivered(
        [*CHEAP, "bures"])).to_pylist()[0]  # fmt: skip
    rows = pool.subset(n, seed=1)
    mean = rows.mean(axis=0)
    generated = np.cov(rows.T, ddof=0) + 0.1 * np.eye(5)
    whole = pool.rows.T @ pool.rows / pool.size
    expected = kl(mean, generated, np.zeros(5), whole) / 5
    assert row["kl_model_data"] == pytest.approx(expected, rel=1e-9)
    expected = kl(np.zeros(5), whole, mean, generated) / 5
    assert row["kl_data_model"] == pytest.approx(expected, rel=1e-9)
    assert row["c_mean"] == pytest.approx(0.1, rel=1e-9)


def test_the_whole_pool_has_the_optimum():
    """N = M, the mean known: nothing is left to learn, and the surrogate has not got that far."""
    table = cells(n=1438, seed=0, sampler="ideal", centre="known")
    (row,) = run(table, CHEAP).to_pylist()
    assert row["test_loss"] == pytest.approx(row["optimal_loss"], rel=1e-12)
    assert row["residual_loss"] == pytest.approx(0, abs=1e-12)
    assert row["kl_model_data"] == pytest.approx(0, abs=1e-9)
    (gaussian,) = run(
        cells("gaussian", of="digits", n=1438, seed=0, sampler="ideal"), CHEAP
    ).to_pylist()
    assert gaussian["kl_model_data"] > 0.01
    assert gaussian["pool_fraction"] is None


@pytest.mark.parametrize(("name", "excess"), [("digits", 1.01), ("mnist", 1.05), ("patches", 1.02)])
def test_held_out_rows_are_like_the_pool(name, excess):
    """The loss of the pool's optimum on held-out rows over that on the pool."""
    (real,) = run(cells(name, n=20, seed=0, sampler="ideal"), ["optimal_loss"]).to_pylist()
    table = cells("gaussian", of=name, n=20, seed=0, sampler="ideal")
    (pool,) = run(table, ["optimal_loss"]).to_pylist()
    assert real["optimal_loss"] / pool["optimal_loss"] == pytest.approx(excess, abs=0.005)


@pytest.mark.parametrize("ridge", [0.01, 0.1])
def test_real_rows_and_their_surrogate_are_alike(ridge):
    """Losses depend on the covariance first of all; digits are far from Gaussian."""
    mean = {}
    for data in ("digits", "gaussian"):
        rows = [
            run(cells(data, of="digits", n=100, seed=seed, ridge=ridge, sampler="ideal"), CHEAP)
            for seed in range(12)
        ]
        mean[data] = {
            name: np.mean([table[name][0].as_py() for table in rows])
            for name in ("train_loss", "test_loss", "optimal_loss")
        }
    real, gaussian = mean["digits"], mean["gaussian"]
    assert real["optimal_loss"] == pytest.approx(gaussian["optimal_loss"], rel=0.01)
    assert real["train_loss"] == pytest.approx(gaussian["train_loss"], rel=0.02)
    assert real["test_loss"] == pytest.approx(gaussian["test_loss"], rel=0.05)


def test_rows_that_were_trained_on_are_no_test():
    """At N = 800 the gap to the whole data set is little more than half of that to new rows."""
    pool, bank = make_pool("digits"), Bank(make_schedule(), (Training(ridge=0.01),))
    ratios = []
    for seed in range(3):
        draw = pool.draw(800, seed)
        everything = np.concatenate([pool.rows, pool.held_out]) - draw.centre
        square = ((everything @ draw.vectors) ** 2).mean(axis=0)
        gain = [bank.losses(draw.eigenvalues, i)[1][:, 0] for i in range(0, 1000, 5)]
        (row,) = run(cells(n=800, seed=seed, ridge=0.01), CHEAP).to_pylist()
        gap = row["test_loss"] - row["train_loss"]
        ratios.append((square - draw.eigenvalues) @ np.mean(gain, axis=0) / pool.d / gap)
    assert 0.5 < np.mean(ratios) < 0.65


def test_a_row_does_not_depend_on_its_packing():
    """One family at once, cell by cell, and after another family: the same to 1e-12."""
    table = cells(n=50, seed=3, ridge=[0.0, 0.01, 0.1], sampler=["ideal", "ddim"])
    whole = run(table, CHEAP).to_pylist()
    run(cells("gaussian", of="digits", n=50, seed=3), CHEAP)
    for i, row in enumerate(whole):
        (alone,) = run(table.slice(i, 1), CHEAP).to_pylist()
        for name in CHEAP:
            assert alone[name] == (
                row[name] if row[name] is None else pytest.approx(row[name], rel=1e-12)
            )


def test_a_renamed_file_has_the_same_numbers():
    name = own()
    renamed = name.replace("own.npy", "renamed.npy")
    one, other = (run(cells(x, n=10, seed=0), CHEAP).to_pylist()[0] for x in (name, renamed))
    assert one == other


def test_the_partner_of_a_training_set_is_disjoint_from_it():
    family = make_family(cells(n=48, seed=6, sampler="ddim"))
    pool = make_pool("digits")
    one, other = (half.centred + half.centre for half in (family.halves.one, family.halves.other))
    np.testing.assert_allclose(one, pool.subset(48, 6), atol=1e-13)
    np.testing.assert_allclose(other, pool.subset(48, 6, start=48), atol=1e-13)
    (row,) = run(
        cells(n=48, seed=6, sampler="ddim"), columns.delivered([*CHEAP, "agreement"])
    ).to_pylist()
    assert 0 < row["agreement"] < 1


def test_descent_without_any_variance_is_stable():
    values = np.repeat(np.random.default_rng(0).standard_normal((12, 3)), 20, axis=0)
    name = remember(values, "two.npy")
    pool = make_pool(name)
    seed = next(s for s in range(99) if np.ptp(pool.subset(2, s), axis=0).max() < 1e-12)
    table = cells(name, n=2, seed=seed, stop=10.0, learning_rate=0.1, timesteps=25)
    (row,) = run(table, CHEAP).to_pylist()
    assert row["status"] == "ok"
    assert row["train_loss"] < row["test_loss"]


def test_what_the_planner_refuses():
    assert check(cells(n=1438)) == []
    assert check(cells(n=[20, 1439])) == [(1, "n", "more than the pool of digits has: 1,438 rows")]
    assert check(cells(n=719, sampler="ddim"), ["agreement"]) == []
    assert check(cells(n=720, sampler="ddim"), ["agreement"]) == [
        (
            0,
            "n",
            "agreement needs two disjoint sets; the pool of digits has 1,438 rows, so n is at "
            "most 719",
        )
    ]
    # Of any sampler, for its samples are compared with training sets.
    (found,) = check(cells(n=720, sampler="ddpm_beta"), ["proximity_bias"])
    assert found[2].startswith("proximity_bias needs two disjoint sets; the pool of digits has")
    assert check(cells(n=719, sampler="ddpm_beta"), ["proximity_bias"]) == []
    assert check(cells(n=20), ["monte_carlo_gap"]) == [
        (0, "data", "monte_carlo_gap needs fresh samples of the population; allowed: gaussian")
    ]
    with pytest.raises(ValueError, match="needs fresh samples of the population"):
        run(cells(n=20, timesteps=25), ["monte_carlo_gap"])


def test_what_the_planner_tells():
    told = warn(cells(n=[20, 143, 144, 500]))
    assert told == [
        (
            0,
            "data",
            "a pool of 1,438 rows, 359 held out, d = 61; left out of 64 columns: 3 constant in it",
        ),
        (
            2,
            "n",
            "more than a tenth of the pool of digits, 1,438 rows: not like independent samples, "
            "so theory does not apply to it (nor to 1 larger n)",
        ),
    ]
    ((row, setting, _),) = warn(cells("gaussian", of="digits", n=[20, 500]))
    assert (row, setting) == (0, "spectrum")


def test_a_pool_takes_memory():
    """Also that of a surrogate, whose spectrum is the pool's."""
    d = make_pool("mnist").d
    plain = make_cells(model="linear_exact", d=d, n=20, spectrum="isotropic", draw="wishart")
    surrogate = cells("gaussian", of="mnist", n=20)
    tables = [t.append_column("cells", [[1]]) for t in (plain, surrogate, cells("mnist", n=20))]
    (_, small), (_, twin), (seconds, large) = (estimate(table, []) for table in tables)
    assert twin[0] - small[0] > 5 * 5000 * 784 * 8
    assert large[0] > twin[0]
    assert seconds[0] > 0
