"""Words and texts: what a wrong word may have meant, and the one text of a value."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable


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
