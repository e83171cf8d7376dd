"""The settings: the inputs of a cell, in the order of the table.

A setting added here with a neutral value changes no existing cell id, because a neutral setting is
left out of the id.
"""

from __future__ import annotations

import math

from lindiff.columns.column import SAMPLERS_WITH_NETWORK, Column
from lindiff.columns.groups import GAUSSIAN, NOT_AUGMENTED, ONE_CLASS

# The optimizer that descends on the exact loss: it draws nothing.
EXACT_DESCENT = "gradient_descent"

SETTINGS: tuple[Column, ...] = (
    Column(
        "model",
        "str",
        "model",
        "What learns the denoiser: `linear_exact`, from one training set; `linear_theory`, its "
        "large-system limit, which has no seed; `ledoit_wolf`, the denoiser of the covariance that "
        "Ledoit and Wolf's estimator gives; `empirical`, the empirical score, of all functions the "
        "one with the least training loss; `linear_trained`, one matrix a noise level, trained; "
        "`mlp`, a multilayer perceptron; `unet`, a convolutional U-Net for pictures (these three "
        "need torch); `random_features`, a linear function of random features at every noise "
        "level, exact; `random_features_theory`, its large-system limit.",
        choices=(
            "linear_exact",
            "linear_theory",
            "linear_trained",
            "mlp",
            "unet",
            "empirical",
            "ledoit_wolf",
            "random_features",
            "random_features_theory",
        ),
        code="lindiff.training.networks",
    ),
    Column(
        "data",
        "str",
        "data",
        "Where the samples come from: `gaussian`, drawn with the covariance of `spectrum`; a data "
        "set, `digits`, `mnist` or `patches` (see below); `{file: PATH}`, the rows of a matrix of "
        "your own (the path relative to the config's folder), with the keys `array`, `drop` and "
        "`standardize` where needed. A data set is split once into a pool, which training sets "
        "are drawn from, and held-out rows, which test losses are taken over; it fixes d and "
        "`spectrum`.",
        neutral=GAUSSIAN,
        choices=(GAUSSIAN, "digits", "mnist", "patches"),
    ),
    Column(
        "spectrum",
        "str",
        "spectrum",
        "Eigenvalues of the population covariance Σ, scaled to tr Σ = d (d·scale²): `isotropic`, "
        "`{power_law: k}` (s_j ∝ j^-k), `{spiked: {spike: s, count: m}}` (m eigenvalues s over a "
        "bulk of 1), `{two_level: {ratio: r, fraction: f}}` (a fraction f of the modes r times "
        "larger), `{low_rank: k}` (k equal ones, the others 0: both KL are infinite), "
        "`{eigenvalues: [...]}` or `{eigenvalues: FILE}` (text or .npy; fixes d), "
        "`{dataset: NAME}` (those of a data set's pool, NAME as in `data`; fixes d).",
        neutral="isotropic",
        choices=(
            "isotropic",
            "power_law",
            "spiked",
            "two_level",
            "low_rank",
            "eigenvalues",
            "dataset",
        ),
        code="lindiff.science.spectra",
    ),
    Column(
        "spectrum_params",
        "json",
        "spectrum parameters",
        "The parameters of the spectrum as JSON; written inside `spectrum` in a config.",
        neutral="{}",
    ),
    Column(
        "scale",
        "float",
        "data scale",
        "All data, those of a Gaussian population and its mean or the rows of a data set, are "
        "multiplied by it before any noise is added: tr Σ = d·scale². Ridge, `c_mean` and `bures` "
        "are in the units of the multiplied data.",
        neutral=1.0,
        low=1e-3,
        high=1e3,
    ),
    # The upper bounds are those of what can be checked in seconds; what a model can hold is less.
    Column("d", "int", "$d$", "Dimension of the data.", low=1, high=1_000_000),
    Column("n", "int", "$N$", "Number of training samples.", low=2, high=10**15),
    Column(
        "population_mean",
        "float",
        r"population mean $\mu_j$",
        "Each coordinate of the population mean μ in the eigenbasis of Σ, before the data are "
        "multiplied by `scale`.",
        neutral=0.0,
        only_with=("data", (GAUSSIAN,)),
    ),
    Column(
        "mixture",
        "str",
        "mixture",
        "Gaussian classes that Σ and μ are the covariance and the mean of together: `none`, one; "
        "`{weights: [w, …], between: b}`, of a share b of the variance of the first K − 1 "
        "eigenvectors between the means of the K classes (two of equal weight: at ±√(b s_1)); or "
        "`{weights: [w, …], means: [[m, …], …]}`, the mean of each along the first eigenvectors in "
        "units of √s_j; to both `variances: [v, …]`, covariances in these ratios. Needs "
        "`draw: samples`; both KL and `bures` are of the Gaussian of Σ and μ.",
        neutral=ONE_CLASS,
        only_with=("data", (GAUSSIAN,)),
    ),
    Column(
        "centre",
        "str",
        "centre",
        "What the data are centred by: `estimated`, the mean of the training set, or `known`, the "
        "true one.",
        neutral="estimated",
        choices=("estimated", "known"),
    ),
    Column(
        "draw",
        "str",
        "draw",
        "`wishart`: the covariance from Bartlett's decomposition, at a cost that does not grow "
        "with N; `samples`: the vectors themselves, a smaller set a prefix of a larger one.",
        neutral="wishart",
        choices=("wishart", "samples"),
        void_unless=("data", (GAUSSIAN,)),
    ),
    Column(
        "augmentation",
        "str",
        "augmentation",
        "Group of which every element is applied to every training point, so that the training set "
        "is its orbit; `none`, of no group. Of pictures: `flip`, left and right exchanged; "
        "`shift`, cyclic shifts of rows and columns; `flip_shift`, both. Of Gaussian data of mean "
        "0 (`draw: samples`): `signs`, sign changes of the principal axes that no Σ notices.",
        neutral=NOT_AUGMENTED,
        choices=(NOT_AUGMENTED, "flip", "shift", "flip_shift", "signs"),
    ),
    Column(
        "group_size",
        "int",
        "group size $|G|$",
        "Elements of the group of `shift`, `flip_shift` or `signs`; 0 is the largest. Shifts are "
        "by multiples of a step that divides height and width; sign changes are a power of 2.",
        neutral=0,
        low=0,
        high=1_000_000,
        void_unless=("augmentation", ("shift", "flip_shift", "signs")),
    ),
    Column(
        "schedule",
        "str",
        "schedule",
        "How β_t grows with the noise level t: `linear`, evenly; `cosine`, so that ᾱ_t falls as a "
        "squared cosine (β_t at most 0.999); `constant`, not at all; `linear_sde` has the ᾱ of a "
        "β(t) that is linear in continuous time.",
        neutral="linear",
        choices=("linear", "cosine", "constant", "linear_sde"),
        code="lindiff.science.schedules",
    ),
    Column(
        "beta_min",
        "float",
        r"$\beta_{\min}$",
        "β_1 at T = 1000 (scaled by 1000/T); linear schedules only (of `linear_sde` β at t = 0).",
        neutral=1e-4,
        low=0,
        low_open=True,
        high=1,
        high_open=True,
        only_with=("schedule", ("linear", "linear_sde")),
    ),
    Column(
        "beta_max",
        "float",
        r"$\beta_{\max}$",
        "β_T at T = 1000 (scaled by 1000/T); every β_t of the constant schedule.",
        neutral=1e-2,
        low=0,
        low_open=True,
        high=1,
        high_open=True,
        only_with=("schedule", ("linear", "constant", "linear_sde")),
    ),
    Column(
        "timesteps",
        "int",
        "$T$",
        "Number of noise levels T.",
        neutral=1000,
        low=1,
        high=100_000,
    ),
    Column(
        "sampler",
        "str",
        "sampler",
        "How samples are made: DDPM with σ_t² = β_t (`ddpm_beta`) or β̃_t (`ddpm_beta_tilde`), DDIM "
        "(`ddim`), Euler's or Heun's method for the probability-flow ODE (`euler`, `heun`; Heun's "
        "evaluates the denoiser twice in each step, once in a last one without noise at its end), "
        "or `ideal`: N(μ0, Σ0 + ridge I) without any sampling error.",
        neutral="ddpm_beta",
        choices=("ideal", *SAMPLERS_WITH_NETWORK),
        code="lindiff.science.samplers",
    ),
    Column(
        "final_noise",
        "bool",
        "final noise",
        "Whether the last step of DDPM adds noise.",
        neutral=False,
        only_with=("sampler", ("ddpm_beta", "ddpm_beta_tilde")),
    ),
    Column(
        "sampling_steps",
        "int",
        "sampling steps",
        "Number of evenly spaced noise levels from which the sampler steps; 0 for all.",
        neutral=0,
        low=0,
        high=100_000,
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "truncation",
        "int",
        "truncation level $k$",
        "Noise level k at which the sampler stops, with x_k/√ᾱ_k as its sample; 0: it goes on to "
        "the data.",
        neutral=0,
        low=0,
        high=100_000,
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "noises",
        "float",
        "noises a sample $m$",
        "m: frozen noises a training sample and noise level, a whole number, which the training "
        "loss is averaged over, `train_loss` too; `.inf` is the average over the noise itself. Of "
        "linear models the parts of both KL and `null_loss` are then null, for the denoisers share "
        "no eigenvectors with the covariance; trained models draw one of the m at every step.",
        neutral=math.inf,
        low=1,
        high=10**9,
        infinite=True,
        whole=True,
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "ridge",
        "float",
        "ridge $c$",
        "c: the denoiser is the exact one of N(μ0, Σ0 + c I).",
        neutral=0.0,
        low=0,
    ),
    Column(
        "weight_decay",
        "float",
        r"weight decay $\gamma$",
        "γ: coupled L2 penalty γ‖W_t‖² at every noise level; of a trained model a term γw in the "
        "gradient (`adamw`: decoupled), which for networks is of a mean per dimension. Of random "
        "features W_t is the read-out.",
        neutral=0.0,
        low=0,
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "weighting",
        "str",
        "weighting",
        "Weights w_t of the ε-loss of the noise levels in training, 1 in the mean: `uniform`, "
        "which is the x_0-loss weighted by SNR = ᾱ/(1−ᾱ); `x0` and `v`, the plain losses of x_0 "
        "(1/SNR) and of the velocity (1/ᾱ); `min_snr`, min(1, 5/SNR); `edm`, the log-normal noise "
        "and the weight of Karras et al. (2022). Losses of the table are plain means over levels.",
        neutral="uniform",
        choices=("uniform", "x0", "v", "min_snr", "edm"),
        code="lindiff.science.weightings",
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "stop",
        "float",
        r"training time $\tau$",
        "Training time τ at which gradient descent stops; `.inf` is the optimum.",
        neutral=math.inf,
        low=0,
        infinite=True,
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "learning_rate",
        "float",
        r"learning rate $\eta$",
        "η of discrete gradient descent, which takes the nearest whole number of steps to τ/η; "
        "0 is gradient flow. A trained model needs one above 0.",
        neutral=0.0,
        low=0,
        void_when=("stop", math.inf),
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "init_scale",
        "float",
        "initial scale",
        "Gradient descent starts from this multiple of I.",
        neutral=0.0,
        void_when=("stop", math.inf),
        only_with=("sampler", SAMPLERS_WITH_NETWORK),
    ),
    Column(
        "optimizer",
        "str",
        "optimizer",
        "How a model is trained: on drawn rows and noise by `adam` (weight decay as coupled L2), "
        "`adamw` (decoupled) or `sgd` (coupled L2, no momentum); `linear_trained` also by "
        "`gradient_descent` on the exact loss.",
        neutral="adam",
        choices=("adam", "adamw", "sgd", EXACT_DESCENT),
    ),
    Column(
        "steps",
        "int",
        "training steps",
        "Steps of a training run; its learning-rate schedule spans them.",
        low=1,
        high=10**9,
    ),
    Column(
        "stop_step",
        "int",
        "training step",
        "Step of the run at which the model is taken, fewer than `steps`; 0 is its end. All stops "
        "come from one run.",
        neutral=0,
        low=0,
        high=10**9,
    ),
    Column(
        "batch_size",
        "int",
        "batch size",
        "Noisy rows a step; of `linear_trained`, at each noise level.",
        neutral=64,
        low=1,
        high=1_000_000,
        void_when=("optimizer", EXACT_DESCENT),
    ),
    Column(
        "warm_up",
        "int",
        "warm-up steps",
        "Steps over which the learning rate rises linearly to its value.",
        neutral=0,
        low=0,
        high=10**9,
        void_when=("optimizer", EXACT_DESCENT),
    ),
    Column(
        "learning_rate_decay",
        "str",
        "learning-rate decay",
        "The learning rate after the warm-up: `constant`, or `cosine` to 0 at the end of the run.",
        neutral="constant",
        choices=("constant", "cosine"),
        void_when=("optimizer", EXACT_DESCENT),
    ),
    Column(
        "ema",
        "float",
        r"EMA decay $\beta$",
        "β of the exponential moving average of the parameters that a model is taken with: of step "
        "i of k it has the share β^(k−i) (normalized over the steps). 0 is the last step.",
        neutral=0.0,
        low=0,
        high=1,
        high_open=True,
    ),
    Column(
        "width",
        "int",
        "width",
        "Units of each hidden layer of `mlp`; channels of `unet` at the full resolution.",
        low=1,
        high=100_000,
    ),
    Column(
        "preconditioning",
        "str",
        "preconditioning",
        "What the network's output is: `edm`, mixed with its input after Karras et al. (2022); "
        "`none`, ε̂ itself; `x0`, the clean data; `v`, the velocity √ᾱ ε − √(1−ᾱ) x_0.",
        neutral="edm",
        choices=("edm", "none", "x0", "v"),
    ),
    Column(
        "dropout",
        "float",
        "dropout rate",
        "Share of the units that each training step drops at random for each row: of the hidden "
        "layers of `mlp`, of the residual layers of `unet`. None where a network is evaluated.",
        neutral=0.0,
        low=0,
        high=1,
        high_open=True,
    ),
    Column(
        "features",
        "int",
        "features $p$",
        "p: random features σ(w·x/√d) of x_t less its centre, w drawn once for all noise levels.",
        low=1,
        high=100_000,
    ),
    Column(
        "activation",
        "str",
        "activation",
        "σ of the random features: `erf` (in the place of tanh, whose Gaussian means have no "
        "closed form), `relu`, or `identity`, with which they are linear.",
        neutral="erf",
        choices=("erf", "relu", "identity"),
    ),
    Column(
        "precision",
        "str",
        "precision",
        "Floating-point numbers of the training: `float32` or `float64`.",
        neutral="float32",
        choices=("float32", "float64"),
    ),
    Column("seed", "int", "seed", "Seed of the training set.", low=0),
    Column(
        "train_seed",
        "int",
        "training seed",
        "Seed of the initial parameters and of the rows and noises drawn in training; of random "
        "features' weights and frozen noises.",
        neutral=0,
        low=0,
        void_when=("optimizer", EXACT_DESCENT),
    ),
)
