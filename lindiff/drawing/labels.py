"""The words of the figures: axis labels, settings and spectra in legends and titles."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lindiff.columns import LABELS, SETTING
from lindiff.columns.groups import GAUSSIAN, ONE_CLASS
from lindiff.science import datasets

# Settings that say what the data are: the line above a drawing.
DATA = ("data", "spectrum", "d", "scale", "mixture")
_LONGEST = 24  # characters of a file's name that a title has room for
# Labels of what figures form from columns.
_DERIVED = {
    "mode": "rank of the mode",
    "disagreement": "1 − agreement",
    "mode_eigenvalue": r"eigenvalue $\lambda$",
    "generated_variance": "generated variance $v$",
    "learning_time": r"learning time $\tau_2$",
    "t": r"noise level $t$",
    "loss_weight": r"weight $w_t$ of the loss",
    "level_ratio": "test loss over that of uniform",
    "emergence_step": "emergence step",
    "decay_gain": "least relative test loss",
    "best_decay": r"best weight decay $\gamma$",
    "distance": "distance from the linear model",
    "nonlinearity": "nonlinearity (affine: 0)",
    "share": r"gap $\times\,t/T$ over mean gap",
    "rank": r"rank over $d$",
    "eigenvalue": r"variance $s$ of a mode",
    "population_variance": r"variance $s$ of a mode",
    "difference": "mean square difference of two models",
    "mode_gap": r"$N/d\,\times$ gap of a mode",
    "mode_kl": r"KL of a mode [nats]",
    "expected_variance": r"$\lambda+c$",
    "exact_gap": "test minus train loss",
    "null_share": "share of the null directions",
    "relative_loss": "test loss / optimal loss − 1",
    "df1": r"$\mathrm{df}_1$",
    "df2": r"$\mathrm{df}_2$",
    "pairs_over_d": r"$Nm/d$",
    "points_over_d": r"$N|G|/d$",
    "participation": r"$(\mathrm{tr}\,\Sigma)^2/\mathrm{tr}\,\Sigma^2$",
    "onset": "onset of memorization",
    "best_stop": "best stop",
    "best_stop_test_loss": "best for the test loss",
    "best_stop_kl_model_data": r"best for $\mathrm{KL}(\rho_N\,\|\,\rho)$",
    "best_stop_kl_data_model": r"best for $\mathrm{KL}(\rho\,\|\,\rho_N)$",
    "first_bias": "first proximity bias",
    "quality": "time to fixed quality",
    "class_ratio": "share of a class / weight",
    "class_memorized": "memorized share of a class",
    "class_weight": "weight of a class",
    "own_time": r"own time $-\frac{1}{2}\ln\bar\alpha$",
    "log_density": "log density of the others",
    "copied": "copies of a training point",
    "coefficient": r"coefficient $a$ of $a/N$",
}


def label(name: str) -> str:
    """The axis label of a column, its first letter capital where it is a word."""
    text = LABELS.get(name) or _DERIVED[name]
    return text[:1].upper() + text[1:]


def symbol(name: str) -> str:
    """The mathematical symbol in the label of a setting, or the label where it has none."""
    found = re.findall(r"\$[^$]+\$", SETTING[name].label)
    return str(found[-1]) if found else SETTING[name].label


def number(value: Any) -> str:
    """A number in mathtext: plain in the middle range, else with a power of ten."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("_", " ")
    if math.isinf(value):
        return r"$\infty$" if value > 0 else r"$-\infty$"
    if value == 0 or 1e-2 <= abs(value) < 1e5:
        return f"${value:.6g}$"
    mantissa, exponent = f"{value:.3e}".split("e")
    factor = f"{float(mantissa):g}"
    power = rf"10^{{{int(exponent)}}}"
    return f"${power}$" if factor == "1" else rf"${factor}\times{power}$"


def setting(name: str, value: Any) -> str:
    """A setting and its value for a legend or a title: ``ridge c = 0.01``."""
    if name == "mixture":
        return mixture(value)
    return equal(SETTING[name].label, number(value))


def few(name: str, counts: Sequence[int]) -> str:
    """A sentence that of the values of a setting, or the kinds of data, not all are taken."""
    kept, of = counts
    words = {"data": "kinds of data", "spectrum": "spectra"}
    what = words.get(name) or f"values of {symbol(name)}"
    return f"Of {of} {what} {kept} {'is' if kept == 1 else 'are'} taken."


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def equal(left: str, right: str) -> str:
    """``left = right``, in one piece of mathematics where a symbol is followed by a number."""
    if left.endswith("$") and right.startswith("$"):
        return f"{left[:-1]}={right[1:]}"
    return f"{left} = {right}"


def spectrum(kind: str, params: str) -> str:
    """A spectrum in words with its parameters."""
    values = json.loads(params or "{}")
    if kind == "power_law" and values.get("exponent") == 0:
        return "isotropic"
    if kind == "dataset":
        return f"covariance of {data_set(values['name'])}"
    scalars = {k: v for k, v in values.items() if isinstance(v, int | float)}
    if kind == "power_law" and "exponent" in scalars:
        return rf"power law $s_j\propto j^{{-{scalars['exponent']:g}}}$"
    words = kind.replace("_", "-")
    return ", ".join([words, *(f"{key} {number(value)}" for key, value in scalars.items())])


def mixture(text: str, show: Callable[[float], str] = number) -> str:
    """The setting `mixture` in words: ``2 Gaussian classes (0.75, 0.25; between 0.9)``.

    Args:
        text: A value of the setting.
        show: How a number is written.
    """
    if text == ONE_CLASS:
        return "one Gaussian class"
    values = json.loads(text)
    inside = [", ".join(map(show, values["weights"]))]
    inside += ["means given"] if "means" in values else []
    inside += [f"between {show(values['between'])}"] if "between" in values else []
    if "variances" in values:
        inside.append(f"variances {', '.join(map(show, values['variances']))}")
    return f"{len(values['weights'])} Gaussian classes ({'; '.join(inside)})"


def plain(text: str) -> str:
    """A text of the user as matplotlib draws it as it is: no mathtext, nothing unprintable."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return shown.replace("$", r"\$")


def data_set(name: str, longest: int = _LONGEST) -> str:
    """A data set in a title or legend: of ``FILENAME@HASH`` the file, one over `longest` cut."""
    word = datasets.title(name)
    half = longest // 2
    return plain(word if len(word) <= longest else f"{word[:half]}…{word[-half:]}")


def is_real(facts: Mapping[str, Any]) -> bool:
    """Whether what a figure holds fixed are the rows of a data set."""
    return bool(facts.get("fixed", {}).get("data", GAUSSIAN) != GAUSSIAN)


def population(facts: Mapping[str, Any], kind: str, params: str) -> str:
    """What training sets are drawn from, for a title: a data set, or Gaussian data by spectrum."""
    return data_set(facts["fixed"]["data"]) if is_real(facts) else spectrum(kind, params)


def held(
    facts: Mapping[str, Any], *, without: Sequence[str] = (), only: Sequence[str] = tuple(SETTING)
) -> str:
    """The account of the settings that a figure holds fixed: in a caption, those of `DATA` above.

    Named are the data set or the spectrum, d and sampler, and every setting that the sweep varies
    or that is not at its neutral value; of those, what is in `only` and not in `without`.
    """
    fixed, choice = facts.get("fixed", {}), facts.get("choice", {})
    real = is_real(facts)
    words = []
    for name in SETTING:
        left_out = (*without, "model", "spectrum_params", "draw")
        if name not in fixed or name not in only or name in left_out:
            continue
        value = fixed[name]
        if name == "data":
            words += [data_set(value)] if real else []
        elif name == "spectrum" and real:
            continue
        elif name == "spectrum":
            words.append(spectrum(value, fixed.get("spectrum_params", "{}")))
        elif name == "sampler":
            words.append(f"sampler {value}")
        elif name in choice or name == "d" or value != SETTING[name].neutral:
            words.append(setting(name, value))
    return ", ".join(words)
