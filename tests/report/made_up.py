"""Small sweeps of every kind that the page of answers meets, and what it must say or not."""

from __future__ import annotations

from dataclasses import dataclass

LINEAR = "model: linear_exact, timesteps: 20, beta_max: 9.0e-3, sampler: ddim"
GRID = "n_over_d: [0.5, 1, 2, 8, 32]"
FOUR = "[isotropic, {power_law: 0.5}, {power_law: 1.0}, {power_law: 2.0}]"
RIDGES = "{log: [1.0e-4, 10, 11], also: [0]}"
STOPS = "{log: [0.1, 1.0e+4, 11], also: [.inf]}"
MLP = (
    "model: mlp, d: 4, spectrum: {power_law: 1.0}, draw: samples, timesteps: 10, beta_max: 9.0e-3,"
    " sampler: ddim, width: 4, steps: 20, learning_rate: 1.0e-2, n: "
)
MEMORY = "metrics: [memorized_fraction, agreement, pictures], figures: [memorization]"


@dataclass(frozen=True)
class MadeUp:
    """A sweep, one experiment after another.

    Attributes:
        experiments: The experiments, by name.
        says: Words that a sentence of the page must have.
        never: Words that none may have.
    """

    experiments: dict[str, str]
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


def of(figures: str, text: str, seeds: str = "[0, 1, 2, 3]") -> str:
    """An experiment of the linear model."""
    return f"{{{LINEAR}, seed: {seeds}, figures: [{figures}], {text}}}"


def tuned(spectrum: str, *, theory: bool = True) -> dict[str, str]:
    """Ridge, weight decay, stop and Ledoit–Wolf at d = 8."""
    common = f"d: 8, {GRID}, spectrum: {spectrum}"
    also = ", theory: {}" if theory else ""
    return {
        "ridge": of("tuned, regularization", f"{common}, ridge: {RIDGES}{also}"),
        "decay": of("tuned, regularization", f"{common}, weight_decay: {RIDGES}{also}"),
        "stop": of("tuned, early_stopping", f"{common}, stop: {STOPS}, metrics: [modes]{also}"),
    }


BOTH = "transition, kl"
SWEEPS = {
    "own data": MadeUp(
        {"a": of(BOTH, "data: {file: m.npy}, n: [8, 16, 32, 64, 300], ridge: [0, 0.1], "
                 "metrics: [levels]")},
        ("rows of m", "of independent Gaussian samples, which rows of a data set are not"),
        ("theory of large systems",),
    ),
    "own data, few rows": MadeUp(
        {"a": of(f"{BOTH}, agreement, tuned, regularization", "data: {file: m.npy}, "
                 f"n: [6, 200, 220, 240], ridge: {RIDGES}, theory: {{}}, "
                 "metrics: [levels, agreement]")},
        ("test loss on held-out rows", "some training sets more than 1/10 of the pool",
         "at most 1/10 of the pool of rows; add n of 12 or more (n_over_d: 2), or rows to the data",
         "add weight_decay, stop or model: ledoit_wolf", "add other data or spectra"),
        ("times (d+3)/(4N)",),
    ),
    "own data, few settings": MadeUp(
        {"a": of(f"{BOTH}, agreement", "data: {file: m.npy}, n: [2, 3], ridge: [0, 0.1], "
                 "metrics: [levels, agreement]"),
         "b": of("tuned, regularization", f"data: {{file: m.npy}}, n: [2, 3], ridge: {RIDGES}")},
        ("add values of n or n_over_d", "add n of 12 or more", "add n: 6 (n_over_d: 1)",
         "add n: [6, 48] (n_over_d: [1, 8]), as far as the pool has rows.",
         "add theory: {} to 3 values of ridge or more"),
        ("training sets:",),
    ),
    "stops": MadeUp(
        {"a": "{model: linear_exact, d: 8, n: [6, 16], spectrum: {power_law: 1.0}, draw: samples, "
              "sampler: ddim, timesteps: 50, stop: {log: [0.1, 1000, 13]}, "
              "seed: {range: [0, 4]}, metrics: [proximity_bias], figures: [stops]}"},
        ("the first bias is before the stop with", ", with intervals that do not meet"),
        ("None",),
    ),
    "one spectrum": MadeUp(
        tuned("{power_law: 1.0}"),
        ("depends on the spectrum, and this sweep has one; add others",),
        ("the ranking depends on the spectrum",),
    ),
    "four spectra": MadeUp(tuned(FOUR), ("spectrum isotropic", "spectrum power law (exponent 2)")),
    "no theory": MadeUp(
        tuned("[isotropic, {power_law: 1.0}]", theory=False),
        ("no theory of the best ridge",),
        ("theory of large systems", "theory 0"),
    ),
    "two N": MadeUp(
        {"a": of(BOTH, "d: 8, n: [64, 128], ridge: [0, 0.1], metrics: [levels]")},
        ("fewer than 4 N", "at N = 128 = 16.00 d"),
    ),
    "N below 2 d": MadeUp(
        {"a": of(BOTH, "d: 8, n: [4, 6, 8, 12], ridge: [0, 0.1], metrics: [levels], theory: {}")},
        ("at N = 2 d or more; add n of 16 or more (n_over_d: 2)",),
    ),
    "a floor that rules": MadeUp(
        {"a": of(BOTH, "d: 8, n_over_d: [2, 8, 128, 2000], spectrum: {power_law: 3.0}, "
                 "metrics: [levels]")},
        ("% of it is the floor that the same model has at N = ∞, and less that floor it is",),
    ),
    "ridge only": MadeUp(
        {"a": of(f"{BOTH}, null_directions", "d: 8, n_over_d: [0.5, 1, 2, 8], ridge: [0.1, 1], "
                 "draw: samples, metrics: [levels, monte_carlo_gap]")},
        ("ridge 0.1", "never saw"),
        ("not regularized",),
    ),
    "steep spectra": MadeUp(
        {"a": of("transition, kl, agreement", "d: 16, n_over_d: [0.5, 1, 2, 8, 100], spectrum: "
                 "[{power_law: 2.0}, {power_law: 3.0}], ridge: [0, 0.1], "
                 "metrics: [levels, agreement]")},
        ("spectrum power law (exponent 3)", "two models of disjoint training sets agree"),
    ),
    "one seed": MadeUp(
        {"a": of(f"{BOTH}, null_directions", "d: 8, n_over_d: [0.5, 1, 2, 8], ridge: [0, 0.1], "
                 "draw: samples, metrics: [levels, monte_carlo_gap]", "0"),
         **{k: v.replace("[0, 1, 2, 3]", "0") for k, v in tuned(FOUR).items()}},
        ("there is 1 training set only; add seeds",),
        ("training sets:",),
    ),
    "the end of the axis": MadeUp(
        {"a": of("regularization, tuned", f"d: 8, {GRID}, ridge: [1, 2, 4, 8], theory: {{}}")},
        ("is at the end of its axis; extend ridge",),
        ("the ridge with the least test loss above the optimum is",),
    ),
    "several d": MadeUp(
        {"a": of(f"{BOTH}, data_need", "d: [4, 6, 8, 12, 16], n_over_d: [1, 4, 16, 64, 256], "
                 "spectrum: [isotropic, {power_law: 1.0}], metrics: [levels], theory: {}")},
        ("d = 4, 6, 8, 12, 16", "goes as a to the power"),
    ),
    "few d": MadeUp(
        {"a": of("data_need", "d: [4, 8], n_over_d: [1, 4, 16, 64, 256], metrics: [levels], "
                 "theory: {}")},
        ("at fewer than 4 coefficients; add d or larger n_over_d",),
    ),
    "a large part of the pool": MadeUp(
        {"a": of("real_data", "data: [digits, gaussian], n: [200, 400], ridge: 1.0e-3, "
                 "sampler: ideal, metrics: [modes], theory: {}").replace("sampler: ddim, ", "")},
        ("every training set is more than 1/10 of the pool; add smaller n",),
        ("times the",),
    ),
    "real data": MadeUp(
        {"a": of("real_data", "data: [digits, gaussian], n: [64, 100, 400], ridge: 1.0e-3, "
                 "sampler: ideal, metrics: [modes], theory: {}").replace("sampler: ddim, ", "")},
        ("rows of digits", "at N = 100 =", "KL(population‖generated)"),
    ),
    "networks": MadeUp(
        {"a": f"{{{MLP}[4, 8, 16, 32], seed: [0, 1, 2], {MEMORY}}}"},
        ("steps 20", "optimizer adam", "width 4", "timesteps 10"),
    ),
    "thin networks": MadeUp(
        {"a": f"{{{MLP}[4, 8, 16, 32], seed: 0, {MEMORY}}}"},
        ("there is 1 training set only",),
        ("share",),
    ),
    "networks at two N": MadeUp(
        {"a": f"{{{MLP}[4, 8], seed: [0, 1, 2], {MEMORY}}}"},
        ("there are 2 N only; add n",),
        ("share",),
    ),
}  # fmt: skip
