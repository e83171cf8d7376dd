"""Words and texts: what a wrong word may have meant, the one text of a value, JSON for others."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

_MOST, _LONGEST = 20, 60


def canonical_json(value: object) -> str:
    """JSON with sorted keys and without spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def suggestion(word: str, known: Iterable[str]) -> str:
    """``" (did you mean x?)"`` with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def cut(text: str, most: int) -> str:
    """`text`, or its start and a sign that it goes on, of at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def few(words: Sequence[str]) -> str:
    """Words in a row, of many the first ones."""
    text = ", ".join(cut(word, _LONGEST) for word in words[:_MOST])
    return text if len(words) <= _MOST else f"{text}, … and {len(words) - _MOST:,} more"


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
