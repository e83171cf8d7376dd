"""The exact metrics in the large-system limit (docs/theory.md, "Limit").

The filters are evaluated once on a contour; the limit of one N is then a few weights on its nodes.
The error of the mean, δ ~ N(0, Σ/N), is independent of Σ0 and enters at order 1/N.

The names here and in `lindiff.science.limit`, those of docs/theory.md, "Limit", and those of the
papers: Bach (arXiv 2303.01372), whose λ is our z, and Silverstein & Choi (1995), whose z is our λ.

| here | docs/theory.md | Bach | Silverstein & Choi |
| --- | --- | --- | --- |
| `freedom`, `spectrum` | n, s_j | n, eigenvalues of Σ | n, H |
| `nodes`, `dy` | λ, dy of the contour in y = ln λ | −λ | z |
| `kappa` | κ(−λ) of κ = z + (κ/n) Σ s′/(s′+κ) | κ(λ) | 1/m̲(z) |
| `S` | S_j = s′_j/(s′_j+κ) | the terms of df₁(κ) | 1 − 1/(1 + s m̲) |
| `slope`, `shift` | κ′ = 1/(1−Σ S²/n), Δ | 1/(1 − df₂(κ)/n) | |
| `trace`, `diagonal` | tr A F(Σ0), (F(Σ0))_jj | | |
| `residual`, `gain`, `log_v`, `P` | ⟨(1−√q w)²⟩_t, ⟨ᾱ w²⟩_t, ln v, P of "Filters", "Sampling" | | |
| `mean`, `root_alpha_bar` | 1/N, √ᾱ_T | | |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Bool, Float64, Inexact, Shaped
from numpy.typing import NDArray

from lindiff.science.filters import Bank, Training
from lindiff.science.limit import Limit, contour, degrees_of_freedom, limit_range, limits
from lindiff.science.numbers import variances, whole
from lindiff.science.sampler import Sampler, start_factor
from lindiff.science.schedule import Schedule, make_schedule
from lindiff.science.tables import FilterTable

Array = NDArray[np.float64]
OnNodes = Inexact[NDArray[Any], "K F"]
AtZero = Float64[Array, "1 F"]
PerFilter = Float64[Array, " F"]
PerRow = Shaped[NDArray[Any], " R"]

# How much ln v may rise below the contour; 1/v, with a density like λ^−½, is then right to 5 %.
_RISE = 0.1


@dataclass(frozen=True, eq=False)
class OnContour:
    """F filters, and what the metrics make of them, on the nodes of a contour and at λ = 0.

    Attributes:
        nodes: Field by name on the nodes, shape (K, F), complex.
        zero: The same at λ = 0, shape (1, F).
        root_alpha_bar: √ᾱ_T, or 0 without a sampler.
        missing: Filters whose continuation to the contour is not known, shape (F,).
    """

    nodes: dict[str, OnNodes]
    zero: dict[str, AtZero]
    root_alpha_bar: float
    missing: Bool[NDArray[np.bool_], " F"]


def on_contour(
    table: FilterTable, root_alpha_bar: float, nodes: Inexact[NDArray[Any], " K"] | None = None
) -> OnContour:
    """The filters of `table` on a contour inside its range; None is that around all of it."""
    if nodes is None:
        nodes, _ = contour(table.span)
    zero = {name: getattr(table.at_zero, name) for name in ("residual", "gain", "log_v", "P")}
    return OnContour(
        _fields(table.continued(nodes), nodes, root_alpha_bar),
        _fields(zero, np.zeros(1), root_alpha_bar),
        root_alpha_bar,
        table.unresolved,
    )


def _fields(
    filters: dict[str, OnNodes], nodes: Inexact[NDArray[Any], " K"], root: float
) -> dict[str, OnNodes]:
    with np.errstate(all="ignore"):
        v, inverse = np.exp(filters["log_v"]), np.exp(-filters["log_v"])
        start = root * filters["P"]
        return filters | {
            "own": filters["gain"] * nodes[:, None],
            "v": v,
            "inverse": inverse,
            "left": 1 - start,
            "shift": (1 - start) ** 2 * inverse,
            "square": filters["P"] ** 2,
        }


def losses(limit: Limit, F: OnContour, mean: float) -> dict[str, PerFilter]:
    """Train, test and null directions' loss, shape (F,).

    Args:
        limit: The limiting measure.
        F: The filters on its nodes.
        mean: 1/N, or 0 where the mean is known.
    """
    one, s = np.ones(len(limit.spectrum)), limit.spectrum
    d = limit.counts.sum()
    residual = limit.trace(one, F.nodes["residual"], F.zero["residual"])
    own = limit.trace(one, F.nodes["own"], F.zero["own"])
    test = limit.trace(s, F.nodes["gain"], F.zero["gain"])
    null = (limit.atom * limit.counts) @ s
    return {
        "train_loss": (residual + own) / d,
        "test_loss": (residual + (1 + mean) * test) / d,
        "null_loss": null * F.zero["gain"][0] / d,
    }


def divergences(
    limit: Limit, F: OnContour, mean: float, ranked: Float64[Array, "2 d F"] | None = None
) -> dict[str, PerFilter]:
    """Both KL with their parts, and c_mean, shape (F,).

    Args:
        limit: The limiting measure.
        F: The filters on its nodes.
        mean: 1/N, or 0 where the mean is known.
        ranked: v at the two nodes of each rank of `lindiff.science.density.paired`, shape
            (2, d, F); None leaves out the parts of spectrum and eigenvectors.

    inf where a null space of Σ0 is generated without variance, and, with all parts, where Σ has
    one. KL(ρ‖ρ_N)
    where the bulk reaches 0: inf if variance 0 is generated of λ = 0, and NaN if what is generated
    of the least λ that the contour knows is not nearly what is of 0.
    """
    one, s = np.ones(len(limit.spectrum)), limit.spectrum
    d, counts = limit.counts.sum(), limit.counts

    def trace(weights: Float64[Array, " u"], name: str) -> PerFilter:
        return limit.trace(weights, F.nodes[name], F.zero[name])

    with np.errstate(all="ignore"):
        log_det = trace(one, "log_v") - counts @ np.log(s)
        forward, backward = trace(1 / s, "v"), trace(s, "inverse")
        shift = trace(s, "shift") if mean else np.zeros_like(backward)
        null = np.isneginf(log_det) | (s[-1] == 0)
        # ⟨δᵀ(1 − √ᾱ P)Σ⁻¹(1 − √ᾱ P)δ⟩ with δ ~ N(0, Σ/N).
        at = F.nodes["left"], F.zero["left"]
        left = counts @ limit.diagonal(*at) ** 2
        if mean and F.root_alpha_bar:
            left += limit.scatter(s, np.where(s > 0, 1 / s, 0), *at)
        parts = {
            "kl_model_data_mean": mean * left,
            "kl_data_model_mean": np.where(null & (mean > 0), np.inf, mean * shift),
        }
        spectral = {
            "kl_model_data": np.where(null, np.inf, forward - d - log_det),
            "kl_data_model": np.where(null, np.inf, backward - d + log_det),
        }
        for name, value in spectral.items():
            parts[name] = value + parts[f"{name}_mean"]
        if ranked is not None:
            traces = {"kl_model_data": forward, "kl_data_model": backward}
            parts |= _by_rank(limit, ranked, traces, spectral, null)
        if limit.reaches_zero:
            rise = F.nodes["log_v"][-1].real - F.zero["log_v"][0]
            for name in (key for key in parts if key.startswith("kl_data_model")):
                if mean or not name.endswith("_mean"):
                    parts[name][np.isinf(rise)] = np.inf
                    parts[name][(rise > _RISE) & np.isfinite(rise)] = np.nan
        if s[-1] == 0:
            parts = dict.fromkeys(parts, np.full_like(backward, np.inf))
    own = counts @ s * degrees_of_freedom(limit.n, mean == 0) / limit.n
    return {name: value / (2 * d) for name, value in parts.items()} | {
        "c_mean": (trace(one, "v") - own) / d
    }


def _by_rank(
    limit: Limit,
    ranked: Float64[Array, "2 d F"],
    traces: dict[str, PerFilter],
    spectral: dict[str, PerFilter],
    null: Bool[NDArray[np.bool_], " F"],
) -> dict[str, PerFilter]:
    """2d × the parts of both KL that eigenvalues paired by rank make, and eigenvectors.

    Args:
        limit: The limiting measure.
        ranked: As in `divergences`.
        traces: tr Σ⁻¹v and tr Σ/v.
        spectral: 2d × both KL but their mean parts.
        null: Where they are infinite.
    """
    s = np.repeat(limit.spectrum, limit.counts.astype(int))[:, None]
    found = {}
    for name, x in (("kl_model_data", ranked / s), ("kl_data_model", s / ranked)):
        # Not with the limit's ln det: at large N, where x is near 1, the small error of an
        # eigenvalue's mean would then count in full, not by its square.
        spectrum = (x - 1 - np.log(x)).mean(axis=0).sum(axis=0)
        # Of KL(ρ_N‖ρ) the eigenvectors' part is finite where that of the spectrum is not.
        rotated = np.where(
            null, traces[name] - x.mean(axis=0).sum(axis=0), spectral[name] - spectrum
        )
        if len(limit.spectrum) == 1:
            spectrum, rotated = spectral[name], np.zeros_like(spectrum)
        found[f"{name}_spectrum"] = np.where(null, np.inf, spectrum)
        found[f"{name}_eigenvectors"] = rotated
    found["kl_data_model_eigenvectors"][null] = np.inf
    return found


def agreement(limit: Limit, F: OnContour, mean: float, ideal: bool) -> PerFilter:
    """Agreement of two halves of N samples each for a sampler without noise of its own, (F,).

    Σ_j P̄_jj² over tr P² and the error of the mean, with P = v^½ for `ideal`.
    """
    s, counts, one = limit.spectrum, limit.counts, np.ones(len(limit.spectrum))
    if ideal:
        nodes, zero = np.exp(F.nodes["log_v"] / 2), np.exp(F.zero["log_v"] / 2)
        square, error = limit.trace(one, F.nodes["v"], F.zero["v"]), counts @ s
    else:
        nodes, zero = F.nodes["P"], F.zero["P"]
        square = limit.trace(one, F.nodes["square"], F.zero["square"])
        left = F.nodes["left"] ** 2, F.zero["left"] ** 2
        error = limit.trace(s, *left)
    common = counts @ limit.diagonal(nodes, zero) ** 2
    return np.asarray(common / (square + mean * error))


def level_losses(
    limit: Limit, at_nodes: tuple[OnNodes, OnNodes], at_zero: tuple[AtZero, AtZero], mean: float
) -> tuple[PerFilter, PerFilter]:
    """Train and test loss at one noise level, (F,) each.

    Args:
        limit: The limiting measure.
        at_nodes: Residual and gain of that level on the nodes, from `Bank.losses`.
        at_zero: The same at λ = 0.
        mean: 1/N, or 0 where the mean is known.
    """
    one, d = np.ones(len(limit.spectrum)), limit.counts.sum()
    residual = limit.trace(one, at_nodes[0], at_zero[0])
    own = limit.trace(one, at_nodes[1] * limit.nodes[:, None], 0 * at_zero[1])
    test = limit.trace(limit.spectrum, at_nodes[1], at_zero[1])
    return (residual + own) / d, (residual + (1 + mean) * test) / d


def linear_theory(
    spectrum: Float64[Array, " d"],
    n: SupportsIndex | Iterable[SupportsIndex],
    trainings: Sequence[Training] = (Training(),),
    schedule: Schedule | None = None,
    sampler: Sampler | None = None,
    known_centre: bool = False,
) -> dict[str, PerRow]:
    """Limits of the metrics of `linear_metrics` for data of population mean 0, without a draw.

    docs/theory.md, "Limit": d, N → ∞ at fixed N/d, with the correction of order 1/n.

    Args:
        spectrum: Population eigenvalues s, shape (d,), float64, not negative.
        n: N ≥ 2, the number of samples; or several, whose filters are then tabulated once.
        trainings: F trainings.
        schedule: Noise schedule; None is linear with T = 1000.
        sampler: From `make_sampler` on the same schedule; None is the ideal sampler.
        known_centre: Whether the mean is known.

    Returns:
        Arrays of shape (F,), float64, per dimension, by the names of `linear_metrics` but the
        parts `…_spectrum` and `…_eigenvectors`; the KL in nats: inf where a null space of Σ0 is
        generated without variance, NaN where a filter has no analytic continuation to the contour.
        With neither ridge nor final noise KL(ρ‖ρ_N) has no mean over draws up to N = d + 2; its
        limit is infinite up to N = d + 1 and finite at d + 2. At N = d + 1 (d where the mean is
        known) it is NaN where regularization is so weak that v still changes at 1e-12 s_d.

        Of M values of N: arrays of shape (M F,), a row per N and training, N in the order given and
        the trainings of each beside each other; `n` and `training`, the number of the training
        from 0, int64, come before the metrics. `pandas.DataFrame` takes that as it is, and
        `.reshape(M, F)` makes a matrix of a metric.

    Raises:
        ValueError: As `limiting` of any N, or there are no trainings or no N.

    Example:
        Without ridge neither KL knows the spectrum, at any N (docs/theory.md, "Large-N gap"):

        >>> import lindiff
        >>> white = lindiff.make_spectrum("isotropic", 64)
        >>> steep = lindiff.make_spectrum("power_law", 64, exponent=1.0)
        >>> [lindiff.linear_theory(s, 128)["kl_data_model"].round(9) for s in (white, steep)]
        [array([0.3784496]), array([0.3784496])]

        The tail (d+3)/(4N) of the KL, over N:

        >>> curve = lindiff.linear_theory(white, [2_000, 8_000])
        >>> curve["n"].tolist(), (curve["kl_model_data"] * curve["n"] / (67 / 4)).round(1).tolist()
        ([2000, 8000], [1.0, 1.0])
    """
    if not trainings:
        raise ValueError("no trainings: give one at least")
    schedule = schedule or make_schedule()
    setting = Bank(schedule, trainings), sampler, start_factor(schedule, sampler), known_centre
    dimensions = np.asarray(n).ndim
    if isinstance(n, SupportsIndex) and dimensions == 0:
        return next(_of_each(variances(spectrum), [whole("n", n, 2)], *setting))
    if not isinstance(n, Iterable) or dimensions != 1:
        raise ValueError(f"n = {n!r} must be a whole number or a list of them")
    sizes = [whole("n", size, 2) for size in n]
    if not sizes:
        raise ValueError("no n: give one at least")
    ascending = sorted(set(sizes))
    each = dict(zip(ascending, _of_each(variances(spectrum), ascending, *setting), strict=True))
    F = len(trainings)
    rows = {"n": np.repeat(sizes, F), "training": np.tile(np.arange(F), len(sizes))}
    names = each[sizes[0]]
    return rows | {name: np.concatenate([each[size][name] for size in sizes]) for name in names}


def _of_each(
    spectrum: Float64[Array, " d"],
    ns: Sequence[int],
    bank: Bank,
    sampler: Sampler | None,
    root_alpha_bar: float,
    known_centre: bool,
) -> Iterator[dict[str, PerFilter]]:
    """The limits of every N, which is ascending: those whose contour is one share their filters."""
    tight = any(training.discrete for training in bank.trainings)

    def filters(limit: Limit) -> OnContour:
        span = limit_range(spectrum, limit.freedom, tight)
        return on_contour(FilterTable(bank, sampler, span), root_alpha_bar)

    for limit, F in with_filters(limits(spectrum, ns, known_centre, tight), filters):
        mean = 0.0 if known_centre else 1 / limit.n
        yield losses(limit, F, mean) | divergences(limit, F, mean)


def with_filters(
    found: Iterable[Limit], filters: Callable[[Limit], OnContour]
) -> Iterator[tuple[Limit, OnContour]]:
    """Limits, each with the filters on its contour, which neighbouring N share.

    Args:
        found: From `lindiff.science.limit.limits`.
        filters: What makes the filters, called where a contour is new.
    """
    # Two, as an N whose bulk reaches 0 has a contour of its own between those of its neighbours.
    made: list[tuple[Any, OnContour]] = []
    for limit in found:
        F = next((own for nodes, own in made if nodes is limit.nodes), None)
        if F is None:
            F = filters(limit)
            made = [*made[-1:], (limit.nodes, F)]
        yield limit, F
