"""The exact linear model, end to end, against brute force: matrices, Monte Carlo and POT."""

import math

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff import columns
from lindiff.models import MODELS, linear_family
from lindiff.models.linear import run
from lindiff.planning.checks import check, warn
from lindiff.planning.linear import estimate
from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import denoiser, kl, make_cells

OWN = MODELS["linear_exact"].metrics
ALL = columns.delivered(OWN)
ALL_BUT_SAMPLES = columns.delivered(OWN.difference({"monte_carlo_gap"}))
CHEAP = columns.delivered(OWN.intersection(columns.DEFAULT_METRICS))
SPECTRUM = '{"exponent": 1.0}'
POPULATION = {"spectrum": "power_law", "spectrum_params": SPECTRUM, "d": 5}
TRAINED = {
    "optimum": {},
    "ridge": {"ridge": 0.1},
    "weight_decay": {"weight_decay": 0.02},
    "flow": {"stop": 30.0, "ridge": 0.01},
    "descent": {"stop": 8.0, "learning_rate": 0.1, "weight_decay": 0.05, "init_scale": 0.5},
    "weighted": {"weighting": "min_snr", "stop": 20.0, "ridge": 0.01, "weight_decay": 0.02},
}


def one(**given):
    """The metrics of one cell."""
    wanted = given.pop("wanted", CHEAP)
    (row,) = run(make_cells(**given), wanted).to_pylist()
    return row


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize("mean", [0.0, 0.7])
@pytest.mark.parametrize("n", [4, 12])
@pytest.mark.parametrize("sampler", ["ideal", "ddpm_beta", "ddpm_beta_tilde", "ddim"])
@pytest.mark.parametrize("trained", TRAINED)
def test_every_metric_against_matrices(trained, sampler, n, mean, centre):
    """Losses, generated Gaussian, both KL with their parts and Bures from full matrices."""
    if sampler == "ideal" and trained not in ("optimum", "ridge"):
        trained = "ridge"
    common = POPULATION | {
        "n": n, "population_mean": mean, "centre": centre, "seed": 3, "timesteps": 25,
        "draw": "samples", "sampler": sampler, "final_noise": sampler.startswith("ddpm"),
    }  # fmt: skip
    row = one(**common, **TRAINED[trained], wanted=ALL)
    s = make_spectrum("power_law", 5, exponent=1.0)
    key = {"spectrum": "power_law", "params": SPECTRUM}
    draw = make_draw("samples", s, n, 3, key, mean, centre == "known")
    schedule, training = make_schedule("linear", 25), Training(**TRAINED[trained])
    X = draw.centred
    S0, S, mu = X.T @ X / n, np.diag(s), np.full(5, mean)

    weights = [denoiser(schedule, i, S0, training) for i in range(25)]
    losses = {"train": 0.0, "test": 0.0}
    for W, ab, q in zip(weights, schedule.alpha_bar, schedule.q, strict=True):
        for name, C, shift in (("train", S0, 0 * mu), ("test", S, mu - draw.centre)):
            loss = np.linalg.norm(np.eye(5) - np.sqrt(q) * W) ** 2
            loss += ab * np.trace(W @ C @ W.T) + ab * np.sum((W @ shift) ** 2)
            losses[name] += loss / 125
    assert row["train_loss"] == pytest.approx(losses["train"], rel=1e-9)
    assert row["test_loss"] == pytest.approx(losses["test"], rel=1e-9)

    m_N, S_N = draw.centre.copy(), S0 + training.ridge * np.eye(5)
    if sampler != "ideal":
        steps = make_sampler(sampler, schedule, common["final_noise"])
        m_N, S_N = np.zeros(5), np.eye(5)
        for i, index in enumerate(steps.levels):
            W, root = weights[index], np.sqrt(schedule.alpha_bar[index])
            m_N = steps.A[i] * m_N - steps.B[i] * W @ (m_N - root * draw.centre)
            a = steps.A[i] * np.eye(5) - steps.B[i] * W
            S_N = a @ S_N @ a.T + steps.variance[i] * np.eye(5)
    # Numbers of a singular generated covariance are tested below.
    if np.linalg.eigvalsh(S_N)[0] > 1e-9:
        assert row["kl_model_data"] == pytest.approx(kl(m_N, S_N, mu, S) / 5, rel=1e-7)
        assert row["kl_data_model"] == pytest.approx(kl(mu, S, m_N, S_N) / 5, rel=1e-7)
        inverse = np.linalg.inv(S_N)
        quadratic = [(m_N - mu) @ A @ (m_N - mu) / 10 for A in (np.linalg.inv(S), inverse)]
        assert row["kl_model_data_mean"] == pytest.approx(quadratic[0], rel=1e-7, abs=1e-12)
        assert row["kl_data_model_mean"] == pytest.approx(quadratic[1], rel=1e-7, abs=1e-12)
    else:
        assert row["kl_model_data"] == row["kl_data_model"] == math.inf
    if np.linalg.eigvalsh(S_N)[0] > 1e-9:
        reference = ot.gaussian.bures_wasserstein_distance(m_N, mu, S_N, S) ** 2 / 5
    else:
        # POT's root of a singular matrix is complex; the eigenvalues of the product are not.
        cross = np.sqrt(np.abs(np.linalg.eigvals(S_N @ S))).sum()
        reference = (np.sum((m_N - mu) ** 2) + np.trace(S_N + S) - 2 * cross) / 5
    assert row["bures"] == pytest.approx(reference, rel=1e-6, abs=1e-6)
    assert row["c_mean"] == pytest.approx(np.trace(S_N - S0) / 5, rel=1e-8, abs=1e-12)
    gap = row["test_loss"] - row["train_loss"]
    assert abs(row["monte_carlo_gap"] - gap) < 5 * row["monte_carlo_gap_se"]
    assert row["status"] == "ok"


@pytest.mark.parametrize("n", [4, 12])
def test_parts_of_the_divergences(n):
    """The spectrum part is the KL of Gaussians paired by rank; the parts add up."""
    row = one(**POPULATION, n=n, ridge=0.05, sampler="ideal", wanted=("modes", *CHEAP))
    s = make_spectrum("power_law", 5, exponent=1.0)
    v = np.array([m["generated_variance"] for m in row["modes"] for _ in range(m["multiplicity"])])
    assert len(v) == 5
    forward, backward = (
        kl(0 * s, np.diag(v), 0 * s, np.diag(s)),
        kl(s * 0, np.diag(s), s * 0, np.diag(v)),
    )
    assert row["kl_model_data_spectrum"] == pytest.approx(forward / 5, rel=1e-9)
    assert row["kl_data_model_spectrum"] == pytest.approx(backward / 5, rel=1e-9)
    for name in ("kl_model_data", "kl_data_model"):
        total = sum(row[f"{name}_{part}"] for part in ("mean", "spectrum", "eigenvectors"))
        assert row[name] == pytest.approx(total, rel=1e-12)
        assert row[f"{name}_eigenvectors"] > 0


@pytest.mark.parametrize("draw", ["samples", "wishart"])
def test_levels_average_to_the_mean_over_levels(draw):
    cosine = {"schedule": "cosine", "beta_min": None, "beta_max": None, "timesteps": 6}
    row = one(**POPULATION, **cosine, draw=draw, ridge=0.1, wanted=("levels", *CHEAP))
    assert [level["t"] for level in row["levels"]] == list(range(1, 7))
    for name in ("train_loss", "test_loss"):
        mean = np.mean([level[name] for level in row["levels"]])
        assert mean == pytest.approx(row[name], rel=1e-11)


def test_modes_are_those_of_the_training_covariance():
    row = one(**POPULATION, n=4, draw="samples", ridge=0.1, sampler="ideal", wanted=("modes",))
    s = make_spectrum("power_law", 5, exponent=1.0)
    draw = make_draw("samples", s, 4, 0, {"spectrum": "power_law", "params": SPECTRUM})
    X = draw.centred
    values, U = np.linalg.eigh(X.T @ X / 4)
    modes = row["modes"]
    assert [m["mode"] for m in modes] == [1, 2, 3, 4]
    assert [m["multiplicity"] for m in modes] == [1, 1, 1, 2]
    np.testing.assert_allclose([m["eigenvalue"] for m in modes], [*values[:1:-1], 0], atol=1e-13)
    variances = [U[:, -k] @ (s * U[:, -k]) for k in (1, 2, 3)]
    null = sum(U[:, k] @ (s * U[:, k]) for k in (0, 1)) / 2
    population = [m["population_variance"] for m in modes]
    np.testing.assert_allclose(population, [*variances, null], rtol=1e-9)
    overlaps = [U[k, -1 - k] ** 2 for k in range(3)]
    np.testing.assert_allclose([m["overlap"] for m in modes[:3]], overlaps, rtol=1e-9)
    assert modes[3]["overlap"] is None
    for m in modes:
        assert m["generated_variance"] == pytest.approx(m["eigenvalue"] + 0.1, rel=1e-11)


def test_overlap_of_a_degenerate_leading_space():
    spiked = {"spectrum": "spiked", "spectrum_params": '{"spike": 9.0, "count": 2}', "d": 6}
    row = one(**spiked, n=30, wanted=("overlap_1",))
    s = make_spectrum("spiked", 6, spike=9.0, count=2)
    key = {"spectrum": "spiked", "params": spiked["spectrum_params"]}
    U = make_draw("wishart", s, 30, 0, key).vectors[:, -2:]
    projector = U @ U.T
    assert row["overlap_1"] == pytest.approx(np.trace(projector[:2, :2]) / 2, rel=1e-12)
    assert one(d=6, n=30, wanted=("overlap_1",))["overlap_1"] is None


def test_null_directions_below_and_above_d():
    below = one(d=10, n=6, ridge=0.1, sampler="ideal")
    assert 0 < below["null_loss"] < below["test_loss"]
    assert one(d=10, n=11, ridge=0.1, sampler="ideal")["null_loss"] == 0
    unregularized = one(d=10, n=6)
    assert unregularized["kl_model_data"] == unregularized["kl_data_model"] == math.inf
    noisy = one(d=10, n=6, final_noise=True)
    assert math.isfinite(noisy["kl_model_data"])
    assert math.isfinite(noisy["kl_data_model"])


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_many_samples_reach_the_population(name):
    betas = {"linear": {}, "cosine": {"beta_min": None, "beta_max": None}}
    settings = {"schedule": name, **betas.get(name, {"beta_min": None})}
    row = one(**POPULATION, n=10**9, **settings)
    assert row["residual_loss"] == pytest.approx(0, abs=1e-6)
    assert row["train_loss"] == pytest.approx(row["optimal_loss"], rel=1e-4)
    for kind in ("kl_model_data", "kl_data_model"):
        assert row[kind] == pytest.approx(row[f"{kind}_floor"], abs=1e-7)


@pytest.mark.parametrize(("centre", "more"), [("estimated", 3), ("known", 1)])
def test_tail_of_both_divergences(centre, more):
    """KL/d → (d+3)/(4N) at large N, d+1 with a known mean (Wilks; docs/theory.md, "Tails")."""
    d, n, seeds = 8, 4000, 300
    rows = [one(d=d, n=n, sampler="ideal", seed=seed, centre=centre) for seed in range(seeds)]
    for name in ("kl_model_data", "kl_data_model"):
        values = np.array([row[name] for row in rows])
        error = values.std() / np.sqrt(seeds)
        assert abs(values.mean() - (d + more) / (4 * n)) < 4 * error + 2e-5 * (d + more) / 4


def test_huge_regularization_and_no_training_forget_the_data():
    for forgetful in ({"weight_decay": 1e9}, {"stop": 0.0}):
        row = one(**POPULATION, **forgetful)
        assert row["train_loss"] == pytest.approx(1, rel=1e-6)
        assert row["test_loss"] == pytest.approx(1, rel=1e-6)
    isotropic = one(d=5, n=10, ridge=1e9)
    assert isotropic["test_loss"] == pytest.approx(1, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 1e-3, 0.1]),
            st.sampled_from([0.0, 1e-2]),
            st.sampled_from([3.0, 1e3, math.inf]),
            st.sampled_from(["ddpm_beta", "ddim"]),
        ),
        min_size=1, max_size=8, unique=True,
    ),
    st.integers(2, 20),
)  # fmt: skip
def test_packing_never_changes_a_row(combinations, n):
    import pyarrow as pa

    names = ("ridge", "weight_decay", "stop", "sampler")
    cells = pa.concat_tables(
        [make_cells(**POPULATION, n=n, **dict(zip(names, c, strict=True))) for c in combinations]
    )
    together = run(cells, CHEAP).to_pylist()
    for i, row in enumerate(together):
        (alone,) = run(cells.slice(i, 1), CHEAP).to_pylist()
        for name in CHEAP:
            if row[name] is None or math.isinf(row[name]):
                assert alone[name] == row[name]
            else:
                assert alone[name] == pytest.approx(row[name], rel=1e-11, abs=1e-12)


def test_the_order_of_cells_is_kept():
    cells = make_cells(**POPULATION, ridge=[0.0, 0.1], sampler=["ddim", "ddpm_beta"])
    forward = run(cells, CHEAP).to_pylist()
    backward = run(cells.take(list(range(len(cells)))[::-1]), CHEAP).to_pylist()
    assert [row["cell_id"] for row in forward] == cells["cell_id"].to_pylist()
    assert forward == backward[::-1]


def test_unstable_descent_is_a_row_with_a_message():
    cells = make_cells(**POPULATION, stop=100.0, learning_rate=[0.01, 5.0])
    good, bad = run(cells, CHEAP).to_pylist()
    assert good["status"] == "ok"
    assert bad["status"] == "diverged"
    assert "largest stable" in bad["message"]
    assert bad["test_loss"] is None


def test_check_finds_what_single_settings_do_not_show():
    assert check(make_cells(**POPULATION, stop=10.0, learning_rate=0.01)) == []
    ((row, setting, message),) = check(make_cells(stop=10.0, learning_rate=[0.01, 3.0]))
    assert (row, setting) == (1, "learning_rate")
    stable = float(message.rsplit(" ", 1)[1])
    assert check(make_cells(stop=10.0, learning_rate=0.999 * stable)) == []
    found = check(make_cells(sampling_steps=[5, 30], timesteps=20, schedule="cosine"))
    assert [(row, setting) for row, setting, _ in found] == [(1, "sampling_steps")]
    found = check(make_cells(spectrum="spiked", spectrum_params='{"spike": 2.0, "count": 9}'))
    assert "count = 9" in found[0][2]
    found = check(make_cells(timesteps=5))
    assert "not inside (0, 1)" in found[0][2]
    found = check(make_cells(draw=["samples", "wishart"]), ["monte_carlo_gap"])
    assert [(row, setting) for row, setting, _ in found] == [(1, "draw")]


def test_the_bound_on_the_largest_eigenvalue_holds():
    """No draw of a thousand passes the bound behind the check of the learning rate."""
    s = make_spectrum("isotropic", 8)
    cells = make_cells(stop=10.0, learning_rate=10.0)
    stable = float(check(cells)[0][2].rsplit(" ", 1)[1])
    largest = max(make_draw("wishart", s, 20, seed, {}).eigenvalues[-1] for seed in range(1000))
    assert 2 / stable > largest
    # Davidson and Szarek: P(‖G‖ > √N + √d + t) ≤ exp(−t²/2), here at t = 5.
    assert np.exp(-(5**2) / 2) < 4e-6


def test_a_schedule_that_keeps_signal_is_warned_of():
    assert warn(make_cells()) == []
    ((_, setting, message),) = warn(make_cells(schedule="constant", beta_max=1e-3))
    assert setting == "schedule"
    assert "0.368" in message


def test_estimates_grow_with_the_work():
    cells = make_cells(d=[16, 256], n=[20, 2000], draw=["wishart", "samples"])
    families = cells.append_column("cells", [np.full(len(cells), 10)])
    seconds, size = estimate(families, CHEAP)
    more, larger = estimate(families, ALL)
    assert np.all(seconds > 0)
    assert np.all(more > seconds)
    assert np.all(larger >= size)
    assert seconds[-1] > seconds[0]


@pytest.mark.parametrize("draw", ["samples", "wishart"])
@pytest.mark.parametrize("n", [3, 12])
def test_agreement_is_that_of_two_independent_training_sets(draw, n):
    """The partner is the draw of the same law whose key says half 1."""
    samplers = ["ideal", "ddim", "ddpm_beta", "ddpm_beta_tilde"]
    cells = make_cells(**POPULATION, n=n, draw=draw, sampler=samplers, ridge=0.1, timesteps=25)
    found = dict(zip(samplers, run(cells, ALL_BUT_SAMPLES).to_pylist(), strict=True))
    s = make_spectrum("power_law", 5, exponent=1.0)
    key = {"spectrum": "power_law", "params": SPECTRUM}
    halves = [make_draw(draw, s, n, 0, key), make_draw(draw, s, n, 0, key | {"half": 1})]
    assert not np.isclose(halves[0].eigenvalues[-1], halves[1].eigenvalues[-1])
    schedule = make_schedule("linear", 25)
    for name, sampler in (("ideal", None), ("ddim", make_sampler("ddim", schedule))):
        shifts, maps = [], []
        for half in halves:
            S0 = half.vectors * half.eigenvalues @ half.vectors.T
            values, U = np.linalg.eigh(S0)
            # The eigenvalues of a null space come out as ±1e-17.
            response = Bank(schedule, [Training(ridge=0.1)]).response(np.abs(values), sampler)
            P, root = response.P[:, 0], np.sqrt(schedule.alpha_bar[-1])
            maps.append((U * np.exp(response.log_v[:, 0] / 2)) @ U.T)
            shifts.append(half.centre - (root * (U * P) @ (U.T @ half.centre) if sampler else 0))
        sizes = [m @ m + np.sum(F * F) for m, F in zip(shifts, maps, strict=True)]
        agreement = (shifts[0] @ shifts[1] + np.sum(maps[0] * maps[1])) / np.sqrt(np.prod(sizes))
        assert found[name]["agreement"] == pytest.approx(agreement, rel=1e-9)
    assert found["ddpm_beta"]["agreement"] is found["ddpm_beta_tilde"]["agreement"] is None


def test_a_partner_is_drawn_once_and_only_for_agreement(monkeypatch):
    made = []

    def counted(*args):
        made.append(args)
        return make_draw(*args)

    monkeypatch.setattr(linear_family, "make_draw", counted)
    cells = make_cells(**POPULATION, sampler=["ideal", "ddim"], ridge=[0.0, 0.1], seed=5)
    without = run(cells, CHEAP)
    assert len(made) == 1
    together = run(cells, (*CHEAP, "agreement"))
    assert len(made) == 3
    assert together.drop_columns(["agreement"]).equals(without)
    # Sampling that adds noise of its own has none.
    run(make_cells(**POPULATION, sampler="ddpm_beta"), ("agreement",))
    assert len(made) == 4


@pytest.mark.parametrize("model", ["linear_exact", "linear_trained"])
@pytest.mark.parametrize("sampler", ["ideal", "ddim", "ddpm_beta"])
@pytest.mark.parametrize("mean", [1e4, 1e8, 1e12, 1e16, -1e40, 1e70])
def test_a_large_population_mean_costs_no_digits(model, sampler, mean):
    """Losses do not know it; the divergences are polynomials in it, fixed by three small ones."""
    if model == "linear_trained" and sampler == "ideal":
        pytest.skip("it generates by its denoiser")
    given = POPULATION | {"model": model, "n": 12, "timesteps": 25, "sampler": sampler,
                          "draw": "samples", "seed": 2}  # fmt: skip
    if model == "linear_trained":
        given |= {"optimizer": "gradient_descent", "precision": "float64", "learning_rate": 0.1,
                  "steps": 40}  # fmt: skip
    else:
        given |= {"ridge": 0.01}
    names = ("train_loss", "test_loss", "kl_model_data", "kl_data_model", "bures")

    def at(value):
        table = make_cells(**given, population_mean=value)
        (row,) = MODELS[model].load()(table, names).to_pylist()
        assert row["status"] == "ok"
        return np.array([row[name] for name in names])

    none, one, other, found = map(at, (0.0, 1.0, -1.0, mean))
    assert found[:2] == pytest.approx(none[:2], rel=1e-13)
    slope, curve = (one - other) / 2, (one + other) / 2 - none
    np.testing.assert_allclose(found, none + slope * mean + curve * mean**2, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e20, 1e100, 1e160, 1e300])
@pytest.mark.parametrize("sampler", ["ideal", "ddim"])
@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
def test_a_start_beyond_float64_diverges(sampler, scale):
    """A loss is never infinite: one that float64 does not hold is null."""
    row = one(**POPULATION, n=12, timesteps=12, beta_max=9e-3, draw="samples", init_scale=scale,
              stop=3.0, sampler=sampler, wanted=ALL)  # fmt: skip
    assert (row["status"] == "ok") is (sampler == "ideal" and scale <= 1e100)
    for name in ("train_loss", "test_loss", "residual_loss"):
        assert (row[name] is None) is (scale >= 1e160)
    if row["status"] == "diverged":
        assert "a loss is not finite, or a divergence is not a number" in row["message"]
