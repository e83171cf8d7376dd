"""How the user writes which columns and which array are meant: in a config, or as options.

The readers of data files say in their messages how to go on, and that is spelled in two ways.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lindiff.config.words import cut
from lindiff.config.yamlfile import shown

# What a column is called: its name in a table, its number from 1 in an array.
Name = str | int
# Of names in one message, and characters of each.
_MOST, _LONGEST = 5, 200


@dataclass(frozen=True)
class Spelling:
    """How to write it.

    Attributes:
        drop: What leaves columns out, of many columns its start.
        array: What picks an array, from the name of the file and that of the array.
    """

    drop: Callable[[Sequence[Name]], str]
    array: Callable[[str, str], str]


def _yaml_drop(names: Sequence[Name]) -> str:
    more = ", …" if len(names) > _MOST else ""
    return f"drop: [{', '.join(map(shown, names[:_MOST]))}{more}]"


def _option_drop(names: Sequence[Name]) -> str:
    some = [f"--drop {cut(shlex.quote(str(name)), _LONGEST)}" for name in names[:_MOST]]
    return " ".join([*some, "…"] if len(names) > _MOST else some)


IN_YAML = Spelling(_yaml_drop, lambda file, array: f"as in {{file: {file}, array: {array}}}")
AS_OPTIONS = Spelling(
    _option_drop, lambda _, array: f"as in --array {cut(shlex.quote(array), _LONGEST)}"
)
