"""Every setting and metric of the one table, each defined once.

Configuration keys, Arrow schemas, cell ids, axis labels, the JSON schema and ``config/README.md``
all come from the two tuples below (design: "Tables"). A setting added here with a neutral value
changes no existing cell id, because a neutral setting is left out of the id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

SAMPLERS_WITH_NETWORK = ("ddpm_beta", "ddpm_beta_tilde", "ddim")


class _Required:
    """The neutral of a setting that has none: it is always part of the cell id."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True)
class Column:
    """One column of the table: a setting (an input) or a metric (an output).

    Attributes:
        name: The one name, from YAML key to Parquet column.
        type: ``str``, ``int``, ``float``, ``bool``, ``json`` (canonical JSON text), or the
            nested ``levels`` and ``modes``.
        label: Axis label, matplotlib mathtext allowed.
        help: One sentence for ``config/README.md`` and the schema metadata.
        neutral: For settings: the frozen value that is left out of the cell id, or `REQUIRED`.
        unit: Unit, empty where the number has none.
        choices: The allowed values of a ``str`` setting.
        low: Smallest allowed value; `low_open` says that it is itself excluded.
        high: Largest allowed value; `high_open` says that it is itself excluded.
        infinite: Whether ``inf`` is allowed.
        only_with: ``(setting, values)``: a value other than the neutral one is an error unless
            that setting has one of those values.
        void_when: ``(setting, value)``: where that setting has that value this one has no effect
            and is reset to its neutral value, so that both spellings are one cell.
        void_unless: ``(setting, values)``: where that setting has none of these values this one
            has no effect, whatever it is, and is null.
        default: For metrics: computed unless the experiment lists its own metrics.
        part_of: For metrics: delivered together with that metric, not asked for by itself.
    """

    name: str
    type: Literal["str", "int", "float", "bool", "json", "levels", "modes"]
    label: str
    help: str
    neutral: Any = REQUIRED
    unit: str = ""
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    low_open: bool = False
    high: float = math.inf
    high_open: bool = False
    infinite: bool = False
    only_with: tuple[str, tuple[str, ...]] | None = None
    void_when: tuple[str, Any] | None = None
    void_unless: tuple[str, tuple[str, ...]] | None = None
    default: bool = True
    part_of: str = ""

    @property
    def arrow_type(self) -> pa.DataType:
        """The column's Arrow type in specs, parts and ``metrics.parquet``."""
        return _ARROW[self.type]

    @property
    def axis_label(self) -> str:
        """Label with the unit in brackets, for an axis of a figure."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


_LEVEL = pa.struct(
    [
        ("t", pa.int32()),
        ("alpha_bar", pa.float64()),
        ("train_loss", pa.float64()),
        ("test_loss", pa.float64()),
    ]
)
_MODE = pa.struct(
    [
        ("mode", pa.int32()),
        ("multiplicity", pa.int32()),
        ("eigenvalue", pa.float64()),
        ("generated_variance", pa.float64()),
        ("population_variance", pa.float64()),
        ("overlap", pa.float64()),
    ]
)
_TEXT = pa.dictionary(pa.int32(), pa.string())
_ARROW: dict[str, pa.DataType] = {
    "str": _TEXT,
    "json": _TEXT,
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "levels": pa.list_(_LEVEL),
    "modes": pa.list_(_MODE),
}

SETTINGS: tuple[Column, ...] = (
    Column(
        "model",
        "str",
        "model",
        "What learns the denoiser: `linear_exact`, from one training set; `linear_theory`, its "
        "large-system limit, which has no seed; `ledoit_wolf`, the denoiser of the covariance that "
        "Ledoit and Wolf's estimator gives; `empirical`, the empirical score, of all functions the "
        "one with the least training loss.",
        choices=("linear_exact", "linear_theory", "ledoit_wolf", "empirical"),
    ),
    Column(
        "data",
        "str",
        "data",
        "Where the samples come from: `gaussian`, drawn with the covariance of `spectrum`; a data "
        "set of that name (see below); `{file: PATH}`, the rows of a matrix (.npy, .npz or "
        ".parquet, the path relative to the config's folder), `{file: PATH, array: NAME}` where "
        "an .npz has several. A data set is split once into a pool, which training sets are drawn "
        "from, and held-out rows, which test losses are taken over; it fixes d and `spectrum`.",
        neutral="gaussian",
        choices=("gaussian", "digits", "mnist", "patches"),
    ),
    Column(
        "spectrum",
        "str",
        "spectrum",
        "Eigenvalues of the population covariance Σ, scaled to tr Σ = d: `isotropic`, "
        "`{power_law: k}` (s_j ∝ j^-k), `{spiked: {spike: s, count: m}}` (m eigenvalues s over a "
        "bulk of 1), `{two_level: {ratio: r, fraction: f}}` (a fraction f of the modes r times "
        "larger), `{eigenvalues: [...]}` or `{eigenvalues: FILE}` (text or .npy; fixes d), "
        "`{dataset: NAME}` (those of a data set's pool, NAME as in `data`; fixes d).",
        neutral="isotropic",
        choices=("isotropic", "power_law", "spiked", "two_level", "eigenvalues", "dataset"),
    ),
    Column(
        "spectrum_params",
        "json",
        "spectrum parameters",
        "The parameters of the spectrum as JSON; written inside `spectrum` in a config.",
        neutral="{}",
    ),
    Column("d", "int", "$d$", "Dimension of the data.", low=1),
    Column("n", "int", "$N$", "Number of training samples.", low=2),
    Column(
        "population_mean",
        "float",
        r"population mean $\mu_j$",
        "Each coordinate of the population mean μ in the eigenbasis of Σ.",
        neutral=0.0,
        only_with=("data", ("gaussian",)),
    ),
    Column(
        "centre",
        "str",
        "centre",
        "Whether the data are centred by the mean of the training set or by the true mean.",
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
        void_unless=("data", ("gaussian",)),
    ),
    Column(
        "schedule",
        "str",
        "schedule",
        "How β_t grows with the noise level t.",
        neutral="linear",
        choices=("linear", "cosine", "constant"),
    ),
    Column(
        "beta_min",
        "float",
        r"$\beta_{\min}$",
        "β_1 at T = 1000 (scaled by 1000/T); linear schedule only.",
        neutral=1e-4,
        low=0,
        low_open=True,
        high=1,
        high_open=True,
        only_with=("schedule", ("linear",)),
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
        only_with=("schedule", ("linear", "constant")),
    ),
    Column("timesteps", "int", "$T$", "Number of noise levels T.", neutral=1000, low=1),
    Column(
        "sampler",
        "str",
        "sampler",
        "How samples are made: DDPM with σ_t² = β_t or β̃_t, DDIM, or `ideal`: N(μ0, Σ0 + ridge I) "
        "without any sampling error.",
        neutral="ddpm_beta",
        choices=("ideal", *SAMPLERS_WITH_NETWORK),
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
        "Number of evenly spaced noise levels that the sampler visits; 0 for all.",
        neutral=0,
        low=0,
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
        "γ: coupled L2 penalty γ‖W_t‖² at every noise level.",
        neutral=0.0,
        low=0,
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
        "0 is gradient flow.",
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
    Column("seed", "int", "seed", "Seed of the training set.", low=0),
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
    Column(
        "train_loss_se",
        "float",
        "standard error of the train loss",
        "Standard error of `train_loss` where that is measured on noisy samples (`empirical`).",
    ),
    Column(
        "test_loss_se",
        "float",
        "standard error of the test loss",
        "Standard error of `test_loss` where that is measured on noisy samples (`empirical`).",
    ),
    Column(
        "optimal_loss",
        "float",
        "optimal loss",
        "Test loss of the population optimum (N = ∞, no regularization, no early stop), of a data "
        "set of the optimum for its whole pool.",
    ),
    Column(
        "residual_loss",
        "float",
        "residual loss",
        "Test loss minus optimal loss.",
    ),
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
                "KL(ρ_N‖ρ) of the generated from the population distribution, per dimension",
            ),
            (
                "kl_data_model",
                r"$\mathrm{KL}(\rho\,\|\,\rho_N)/d$",
                "KL(ρ‖ρ_N) of the population from the generated distribution, per dimension",
            ),
        )
        for suffix, extra, more in (
            ("", "", "."),
            ("_mean", ", mean part", ": the part of the mean."),
            ("_spectrum", ", spectrum part", ": the part of the eigenvalues, paired by rank."),
            ("_eigenvectors", ", eigenvector part", ": the part of the eigenvectors."),
            ("_floor", r" at $N=\infty$", ", of the same denoiser and sampler at N = ∞."),
        )
    ),
    Column(
        "overlap_1",
        "float",
        "overlap of the leading eigenspace",
        "‖P_kᵀU_k‖²/k for the k-fold largest eigenvalue of Σ; null where Σ is isotropic.",
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
        "agreement of two halves",
        "Correlation of the samples of two models that are trained on disjoint sets of N samples "
        "each and given the same noise, about the population mean; needs a sampler that draws no "
        "noise of its own (`ddim`, `ideal`).",
        default=False,
    ),
    Column(
        "memorized_fraction",
        "float",
        "memorized fraction",
        "Share of generated samples whose distance to the nearest training point is below 1/3 of "
        "that to the second-nearest; null for N < 3.",
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
        "Share of a data set's pool that the training set takes; null for Gaussian data. Both KL "
        "come out smaller by about this share than for independent samples; above 0.1 theory does "
        "not apply.",
    ),
    Column(
        "bures",
        "float",
        r"$W_2^2(\rho_N,\rho)/d$",
        "Squared 2-Wasserstein (Bures) distance per dimension; a step of order d³ per cell.",
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
)

OUTCOME: tuple[Column, ...] = (
    Column("status", "str", "status", "`ok`, `diverged` or `failed`."),
    Column("message", "str", "message", "Why the cell is not ok, or has metrics that are null."),
    Column("fingerprint", "str", "fingerprint", "Hash of the model's code."),
    Column("numpy", "str", "NumPy", "Version of NumPy that computed the row."),
)
SECONDS = Column(
    "seconds", "float", "time", "Time of the cell's family divided by its cells.", unit="s"
)

SETTING: dict[str, Column] = {column.name: column for column in SETTINGS}
METRIC: dict[str, Column] = {column.name: column for column in METRICS}
LABELS: dict[str, str] = {
    column.name: column.axis_label for column in (*SETTINGS, *METRICS, SECONDS)
} | {"n_over_d": "$N/d$"}
REQUESTABLE: tuple[str, ...] = tuple(column.name for column in METRICS if not column.part_of)
DEFAULT_METRICS: tuple[str, ...] = tuple(name for name in REQUESTABLE if METRIC[name].default)


def delivered(metrics: Iterable[str]) -> tuple[str, ...]:
    """The metric columns that a request yields: those asked for and their parts, in order."""
    asked = set(metrics)
    return tuple(c.name for c in METRICS if c.name in asked or c.part_of in asked)


def _field(column: Column) -> pa.Field:
    metadata = {"label": column.label, "unit": column.unit, "help": column.help}
    return pa.field(column.name, column.arrow_type, metadata=metadata)


def cell_schema() -> pa.Schema:
    """Schema of a table of cells: ``cell_id``, ``family_id`` and every setting."""
    ids = [pa.field("cell_id", pa.string()), pa.field("family_id", pa.string())]
    return pa.schema([*ids, *(_field(column) for column in SETTINGS)])


def result_schema(metrics: Iterable[str]) -> pa.Schema:
    """Schema of what a model returns: ``cell_id``, metric columns, status and message."""
    fields = [_field(METRIC[name]) for name in delivered(metrics)]
    outcome = [_field(column) for column in OUTCOME[:2]]
    return pa.schema([pa.field("cell_id", pa.string()), *fields, *outcome])


def part_schema(metrics: Iterable[str]) -> pa.Schema:
    """Schema of a part: the cells with their settings, the metrics asked for and the outcome."""
    result = result_schema(metrics)
    metric_fields = [field for field in result if field.name in METRIC]
    return pa.schema([*cell_schema(), *metric_fields, *(_field(c) for c in OUTCOME)])
