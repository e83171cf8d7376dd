"""What is refused of the settings `AUGMENTATION`, and what of them should be known."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lindiff.columns.groups import AUGMENTATION, GAUSSIAN, NOT_AUGMENTED
from lindiff.models import THEORY
from lindiff.models.augmented import group_size, is_augmented
from lindiff.models.linear_cells import are_frozen
from lindiff.models.linear_family import is_mixture
from lindiff.planning.cells import Check, Finding, distinct, is_real
from lindiff.science.augmentation import OF_PICTURES, SIGNS, left_out, sizes
from lindiff.science.datasets import picture, title
from lindiff.science.pools import make_pool
from lindiff.science.principal import TOLERANCE

_OF_DATA = ("model", "data", "d", *AUGMENTATION)


def _no_group(values: dict[str, Any]) -> str | None:
    """Augmentation that is none of these data, or of no limit."""
    kind, data = values["augmentation"], values["data"]
    if not is_augmented(values):
        return None
    if not is_real(data):
        if kind == SIGNS and sizes(kind, None, values["d"]):
            return None
        one = f"; {SIGNS} takes d of 2 or more" if kind == SIGNS else ""
        of = f"with {THEORY}" if values["model"] == THEORY else "of Gaussian data"
        return f"moves the pixels of pictures{one}; allowed {of}: {NOT_AUGMENTED}, {SIGNS}"
    if picture(data) is None:
        return f"{title(data)} has no pictures, with height and width; allowed: {NOT_AUGMENTED}"
    if kind not in OF_PICTURES or not sizes(kind, picture(data), values["d"]):
        some = [own for own in OF_PICTURES if sizes(own, picture(data), values["d"])]
        return f"is none of pictures of {title(data)}; allowed: {', '.join((NOT_AUGMENTED, *some))}"
    return None


def _bad_group(values: dict[str, Any]) -> str | None:
    if not is_augmented(values) or _no_group(values) is not None:
        return None
    kind, size = values["augmentation"], values["group_size"] or 0
    known = sizes(kind, picture(values["data"] or GAUSSIAN), values["d"])
    if size in (0, *known):
        return None
    return f"no group {kind} of {size:,} elements; allowed: 0, {', '.join(map(str, known))}"


def _not_symmetric(values: dict[str, Any]) -> str | None:
    if values["augmentation"] != SIGNS:
        return None
    if values["population_mean"] or is_mixture(values):
        what = "population_mean is not 0" if values["population_mean"] else "there is a mixture"
        return f"sign changes are of a Gaussian of mean 0, but {what}; allowed: {NOT_AUGMENTED}"
    return None


def _no_limit_of_noises(values: dict[str, Any]) -> str | None:
    if values["model"] == THEORY and is_augmented(values) and are_frozen(values):
        return "no limit of frozen noises with augmentation; allowed: .inf"
    return None


def warn(cells: pa.Table) -> list[Finding]:
    """What of moved pictures has no direction in the pool, as ``(row, setting, message)``."""
    findings: list[Finding] = []
    for row, values in distinct(cells, ("data", "d", *AUGMENTATION)):
        if not is_real(values["data"]) or not is_augmented(values):
            continue
        kind, pool = values["augmentation"], make_pool(values["data"])
        share = left_out(pool, kind, group_size(values))
        if share > TOLERANCE:
            message = (
                f"{100 * share:.2g} % of the mean square of the pictures that it moves is outside "
                f"the {pool.d} directions with variance in the pool, and left out"
            )
            findings.append((row, "augmentation", message))
    return findings


CHECKS: tuple[Check, ...] = (
    (_OF_DATA, "augmentation", _no_group),
    (_OF_DATA, "group_size", _bad_group),
    (("population_mean", "mixture", *AUGMENTATION), "augmentation", _not_symmetric),
    (("model", "noises", *AUGMENTATION), "noises", _no_limit_of_noises),
)
