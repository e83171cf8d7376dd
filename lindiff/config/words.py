"""Words and texts: what a wrong word may have meant, the one text of a value, JSON for others."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable
from typing import Any


def canonical_json(value: object) -> str:
    """JSON with sorted keys and without spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def suggestion(word: str, known: Iterable[str]) -> str:
    """``" (did you mean x?)"`` with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def known_word(value: object, known: Iterable[str]) -> str:
    """`value` if it is one of `known`.

    Raises:
        ValueError: It is not; the message lists what is and the nearest one.
    """
    words = tuple(known)
    if isinstance(value, str) and value in words:
        return value
    near = suggestion(value, words) if isinstance(value, str) else ""
    raise ValueError(f"not a known value; allowed: {', '.join(words)}{near}")


def json_text(value: object, indent: int) -> str:
    """JSON that every program reads: infinities are the texts ``inf`` and ``-inf``, NaN is null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
