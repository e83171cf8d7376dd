"""Words and texts: what a wrong word may have meant, the one text of a value, what is printed."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

# Of a list in a message: words, and characters of each.
_MOST, _LONGEST = 20, 60
# Of a message: lines, and characters a line. The longest that we write ourselves lists all columns.
MOST_LINES = 40
MOST_CHARACTERS = 2_000
# A longer word is not a known one mistyped.
_LONGEST_WORD = 40


def printable(text: str) -> str:
    """`text` with all that a terminal obeys, or does not show, spelled out: ``\\x1b`` for Escape.

    Lines stay lines; what cannot be encoded (half a surrogate pair) is spelled out too.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def message(error: Exception) -> str:
    """What is printed of an error: its text `printable`, and cut where it goes on without end."""
    lines = str(error).split("\n")
    more = len(lines) - MOST_LINES
    told = [cut(printable(line), MOST_CHARACTERS) for line in lines[:MOST_LINES]]
    return "\n".join([*told, f"… and {more:,} more lines"] if more > 0 else told)


def cut(text: str, most: int) -> str:
    """`text`, or its start and a sign that it goes on, of at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def canonical_json(value: object) -> str:
    """JSON with sorted keys and without spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def suggestion(word: str, known: Iterable[str]) -> str:
    """``" (did you mean x?)"`` with the nearest known word, or nothing."""
    return _suggestion(word, tuple(known)) if len(word) <= _LONGEST_WORD else ""


@lru_cache(maxsize=1024)
def _suggestion(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


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


def json_text(value: object, indent: int | None = None) -> str:
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
