"""The metrics: the outputs of a cell, per dimension, and in nats where it applies.

The standard error of a metric is a metric named ``…_se``, which is asked for together with it: some
models measure what others compute.
"""

from __future__ import annotations

from lindiff.columns.column import Column


def _standard_error(name: str, label: str, default: bool = False) -> Column:
    return Column(
        f"{name}_se",
        "float",
        f"standard error of {label}",
        f"Standard error of `{name}` over the noises that it is measured with; null where it is "
        "computed.",
        default=default,
    )


METRICS: tuple[Column, ...] = (
    Column(
        "train_loss",
        "float",
        "train loss",
        "Denoising loss on the training set, mean over noise levels, per dimension.",
    ),
    Column(
        "test_loss",
        "float",
        "test loss",
        "Denoising loss on the population, of a data set on its held-out rows; mean over noise "
        "levels, per dimension.",
    ),
    _standard_error("train_loss", "the train loss", default=True),
    _standard_error("test_loss", "the test loss", default=True),
    Column(
        "optimal_loss",
        "float",
        "optimal loss",
        "Test loss of the population optimum (N = ∞, no regularization, no early stop), of a data "
        "set of the optimum for its whole pool; of data sets and mixtures the best linear "
        "denoiser's.",
    ),
    Column(
        "residual_loss",
        "float",
        "residual loss",
        "Test loss minus optimal loss.",
    ),
    Column(
        "bayes_loss",
        "float",
        "least loss of all denoisers",
        "Test loss of the posterior mean, of all denoisers the best: of one Gaussian "
        "`optimal_loss`, of a `mixture` by Monte Carlo, with a standard error below 3e-3/d of it "
        "at 25 levels or more; null for data sets.",
        default=False,
    ),
    Column(
        "excess_loss",
        "float",
        "excess loss",
        "Test loss minus `bayes_loss`: of `linear_exact` as it says, with the error of the latter, "
        "of measured models as the mean square of the difference of ε̂ and the posterior mean at "
        "fresh noisy points, per dimension; null for data sets.",
        default=False,
    ),
    _standard_error("excess_loss", "the excess loss"),
    Column(
        "null_loss",
        "float",
        "null directions' test loss",
        "The part of the test loss that the population variance in the null space of Σ0 costs: "
        "gain there · tr Σ over the null space / d.",
    ),
    *(
        Column(
            f"{name}{suffix}",
            "float",
            label + extra,
            text + more,
            unit="nats",
            part_of=name if suffix not in ("", "_floor") else "",
        )
        for name, label, text in (
            (
                "kl_model_data",
                r"$\mathrm{KL}(\rho_N\,\|\,\rho)/d$",
                "KL(ρ_N‖ρ) of the generated from the population distribution, per dimension (of a "
                "network the Gaussian with the mean and covariance of its samples, freed of the "
                "bias of their finite number), inf where Σ has a direction without variance",
            ),
            (
                "kl_data_model",
                r"$\mathrm{KL}(\rho\,\|\,\rho_N)/d$",
                "KL(ρ‖ρ_N) of the population from the generated distribution, per dimension (of a "
                "network as the other)",
            ),
        )
        for suffix, extra, more in (
            ("", "", "."),
            ("_mean", ", mean part", ": the part of the mean."),
            (
                "_spectrum",
                ", spectrum part",
                ": the part of the eigenvalues, paired by rank; of `linear_theory` good to 6 % "
                "of it for N ≥ 2 d.",
            ),
            ("_eigenvectors", ", eigenvector part", ": the part of the eigenvectors."),
            ("_floor", r" at $N=\infty$", ", of the same denoiser and sampler at N = ∞."),
        )
    ),
    _standard_error("kl_model_data", r"$\mathrm{KL}(\rho_N\,\|\,\rho)/d$", default=True),
    _standard_error("kl_data_model", r"$\mathrm{KL}(\rho\,\|\,\rho_N)/d$", default=True),
    Column(
        "overlap_1",
        "float",
        "overlap of the leading eigenspace",
        "‖P_kᵀU_k‖²/k for the k-fold largest eigenvalue of Σ and the k leading eigenvectors of Σ0 "
        "(those with variance, where these are fewer); null where Σ is isotropic. `linear_theory` "
        "has its limit, good to 0.01 and null where it is not: few leading eigenvalues, hardly "
        "apart from the others.",
    ),
    Column(
        "c_mean",
        "float",
        r"mean of $v(\lambda_\nu)-\lambda_\nu$",
        "Generated minus training variance, mean over the d modes.",
    ),
    Column(
        "agreement",
        "float",
        "agreement of two models",
        "Correlation of the samples of two models that are trained on disjoint sets of N samples "
        "each and given the same noise, about the population mean; needs a sampler that draws no "
        "noise of its own (`ddim`, `euler`, `heun`, `ideal`).",
        default=False,
    ),
    _standard_error("agreement", "the agreement"),
    Column(
        "uncentred_cosine",
        "float",
        "uncentred cosine of two models",
        "Mean cosine between the samples of the same two models as vectors from the origin of the "
        "data as they come (Kadkhodaie et al. 2024), for data sets: high even for different "
        "pictures, whose mean is far from 0.",
        default=False,
    ),
    _standard_error("uncentred_cosine", "the uncentred cosine"),
    Column(
        "memorized_fraction",
        "float",
        "memorized fraction",
        "Share of generated samples whose distance to the nearest training point is below 1/3 of "
        "that to the second-nearest distinct one; null for fewer than 3 distinct ones.",
        default=False,
    ),
    _standard_error("memorized_fraction", "the memorized fraction"),
    Column(
        "proximity_bias",
        "float",
        "proximity bias",
        "Distance of generated samples to the nearest training point of a second model, trained on "
        "a disjoint set of N samples, minus that to the nearest of their own model, mean over the "
        "samples of both models, in units of √tr Σ: 0 where samples know nothing of the training "
        "set, above 0 where they know its points or, of few points, their mean and covariance; "
        "needs `draw: samples`.",
        default=False,
    ),
    _standard_error("proximity_bias", "the proximity bias"),
    Column(
        "collapse_time",
        "float",
        r"collapse time $t_C$",
        "Time −½ ln ᾱ of the noise level at which a noisy training point's posterior weight on the "
        "point that it was made of is 1/2, in the mean over training points and noises: below it "
        "the empirical score leads to single training points. No schedule or sampler changes it; "
        "null for fewer than 3 distinct points, or where one of them is most of the set.",
        default=False,
    ),
    _standard_error("collapse_time", "the collapse time"),
    Column(
        "speciation_time",
        "float",
        r"speciation time $t_S$",
        "Time −½ ln ᾱ of the noise level at which two points that are denoised from one noisy "
        "point have the same class with the mean probability (1 + Σ_k w_k²)/2, half way from 1 to "
        "that of two independent points, under the exact score of the `mixture`: a property of the "
        "data, which no model, N, schedule or sampler changes. Null for one class, and for classes "
        "that overlap so much that clean points have less.",
        default=False,
    ),
    _standard_error("speciation_time", "the speciation time"),
    Column(
        "excess_kurtosis",
        "float",
        "excess kurtosis",
        "Fourth cumulant over the squared variance of generated samples along the line from the "
        "mean to that of the first class of the `mixture`, whitened; of one class along the "
        "leading eigenvector of Σ. 0 of a Gaussian, −2 b² of two equal classes with the share b "
        "of the variance between them.",
        default=False,
    ),
    Column(
        "excess_kurtosis_se",
        "float",
        "standard error of the excess kurtosis",
        "Standard error of `excess_kurtosis` over the samples, of a jackknife of 16 blocks. "
        "`lindiff.science.kurtosis.interval` makes an interval of both, for heavy tails take the "
        "error down with the value; it is too short where a few in a hundred samples make the "
        "kurtosis.",
        default=False,
    ),
    Column(
        "shrinkage",
        "float",
        "shrinkage",
        "Ledoit and Wolf's weight of the isotropic target, between 0 and 1.",
    ),
    Column(
        "pool_fraction",
        "float",
        "$N/M$",
        "Share of a data set's pool that the training set takes; null for Gaussian data. Of a pool "
        "of Gaussian rows both KL come out smaller by about this share than for independent "
        "samples; above 0.1 theory does not apply.",
    ),
    Column(
        "bures",
        "float",
        r"$W_2^2(\rho_N,\rho)/d$",
        "Squared 2-Wasserstein (Bures) distance per dimension; a step of order d³ per cell.",
        default=False,
    ),
    _standard_error("bures", r"$W_2^2(\rho_N,\rho)/d$"),
    Column(
        "bures_floor",
        "float",
        r"$W_2^2(\rho_N,\rho)/d$ at $N=\infty$",
        "Squared 2-Wasserstein distance per dimension of the same denoiser and sampler at N = ∞: "
        "without regularization the error of the sampler alone, with the exact score.",
        default=False,
    ),
    Column(
        "monte_carlo_gap",
        "float",
        "test minus train loss, Monte Carlo",
        "Test minus train loss measured on noisy training and fresh samples; needs "
        "`data: gaussian` and `draw: samples`.",
        default=False,
    ),
    Column(
        "monte_carlo_gap_se",
        "float",
        "standard error of the Monte Carlo gap",
        "Standard error of `monte_carlo_gap` over its noisy samples.",
        default=False,
        part_of="monte_carlo_gap",
    ),
    Column(
        "levels",
        "levels",
        "losses per noise level",
        "Train and test loss at up to 25 noise levels, log-spaced in t; `levels.parquet`.",
        default=False,
    ),
    Column(
        "modes",
        "modes",
        "modes",
        "Eigenvalue, generated and population variance and overlap of each mode of Σ0; "
        "`modes.parquet`.",
        default=False,
    ),
    Column(
        "linearity",
        "linearity",
        "linearity of the denoiser",
        "At 8 noise levels, log-spaced in t, the residual of the best affine fit to the network's "
        "x̂_0 on noisy rows that it was not trained on (held-out ones; where these are few, those "
        "that the training set leaves of the pool too) over the variance of x̂_0; "
        "`linearity.parquet`.",
        default=False,
    ),
    Column(
        "directions",
        "directions",
        "distance from the linear model",
        "At the same levels, the mean square of the difference of ε̂ and that of `linear_exact` on "
        "the same training set, along each eigenvector of Σ0; `directions.parquet`.",
        default=False,
    ),
    Column(
        "differences",
        "differences",
        "differences of two models",
        "At the same levels, the mean square of the difference of ε̂ of two models that are trained "
        "on disjoint sets of N samples each, at the same noisy points of the population (of a data "
        "set its held-out rows), along each eigenvector of Σ, from the largest eigenvalue on; of "
        "`linear_theory` at the optimum only; `differences.parquet`.",
        default=False,
    ),
    Column(
        "feature_spectrum",
        "feature_spectrum",
        "eigenvalues of the features",
        "At the same levels, how many eigenvalues of the second moments of random features over "
        "the training noise lie in each tenth of a decade, at its centre; a read-out learns "
        "along each in the time 1 over it; `feature_spectrum.parquet`.",
        default=False,
    ),
    Column(
        "classes",
        "classes",
        "classes",
        "For each class of a `mixture` its weight and the mean probability of the class, given the "
        "clean point, over training points and over generated samples; of the samples the share "
        "that is memorized, each counted by that probability; `classes.parquet`.",
        default=False,
    ),
    Column(
        "coverage",
        "coverage",
        "coverage of the training points",
        "For each training point the time −½ ln ᾱ at which its posterior weight on itself is 1/2, "
        "its distances to the nearest and second-nearest distinct ones (in units of √tr Σ), the "
        "log density of the others about it, and how many samples are copies of it (as of "
        "`memorized_fraction`); `coverage.parquet`.",
        default=False,
    ),
    Column(
        "copied_auc",
        "float",
        "AUC of copied points",
        "Probability that a training point of which a sample is a copy has a later `own_time` in "
        "`coverage` than one of which none is: 1/2 where they do not differ; null where all points "
        "are copied, or none.",
        default=False,
    ),
    Column(
        "copied_auc_se",
        "float",
        "standard error of the AUC of copied points",
        "Standard error of `copied_auc` over training points taken as independent (DeLong et al. "
        "1988), given which are copied; null where fewer than 8 points are copied, or are not, "
        "and where the area is 0 or 1. An interval is ln(A/(1 − A)) ± 1.96 se/(A(1 − A)).",
        default=False,
    ),
    Column(
        "pictures",
        "pictures",
        "pictures",
        "The first 8 generated samples as pictures with their nearest training points, for data "
        "sets of pictures, row by row, the colours of a pixel side by side; `pictures.parquet`.",
        default=False,
    ),
)
