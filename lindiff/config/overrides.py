"""Settings that are given beside a config file, ``KEY=VALUE`` each, in place of the file's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lindiff.config import yamlfile
from lindiff.config.words import suggestion
from lindiff.config.yamlfile import Document, Key
from lindiff.errors import InputError

WHERE = "command line"
_OTHER = {"n": "n_over_d", "n_over_d": "n"}


def overridden(document: Document, arguments: Sequence[str], top: Sequence[str]) -> Document:
    """The document with other values, which messages say are of the command line.

    Args:
        document: A config file.
        arguments: ``KEY=VALUE`` each: KEY is ``EXPERIMENT.SETTING``, ``defaults.SETTING`` or a key
            at the top of the file, VALUE is YAML; ``32,64`` is the list ``[32, 64]``.
        top: The keys at the top of a config.

    Raises:
        InputError: An argument has no such form, names no experiment, or is given twice.

    Example:
        >>> from lindiff.config.yamlfile import parse
        >>> file = parse("experiments: {one: {d: 8, n: [4, 8]}}", "mine.yaml")
        >>> overridden(file, ["one.d=32,64", "one.n_over_d=2"], ["experiments"]).data
        {'experiments': {'one': {'d': [32, 64], 'n_over_d': 2}}}
    """
    data, given = document.data, dict(document.given)
    for argument in arguments:
        key, sign, text = argument.partition("=")
        if not sign or not key.strip():
            raise InputError(f"{WHERE}: {yamlfile.shown(argument)}: write KEY=VALUE")
        path = _path(key.strip(), data, top)
        if path in given:
            raise InputError(f"{WHERE}: {key.strip()}: given twice")
        data = _with(data, path, _value(text, f"{WHERE}: {key.strip()}"))
        given[path] = WHERE
    return replace(document, data=data, given=given)


def for_snakemake(arguments: Sequence[str]) -> list[str]:
    """Words for Snakemake's ``--config`` that hand the arguments on; none where there are none.

    >>> for_snakemake(["one.d=32,64"]), for_snakemake([])
    (['set=["one.d=32,64"]'], [])
    """
    return [f"set={json.dumps(list(arguments))}"] if arguments else []


def _path(key: str, data: Any, top: Sequence[str]) -> Key:
    """Where a key stands in the file; an experiment may be named without ``experiments``."""
    first, *rest = key.split(".")
    if first in top:
        return (first, *rest)
    experiments = data.get("experiments") if isinstance(data, dict) else None
    names = list(experiments) if isinstance(experiments, dict) else []
    if first in names and rest:
        return ("experiments", first, *rest)
    known = (*names, *top)
    if first in names:
        raise InputError(f"{WHERE}: {key}: name a setting of the experiment, as {key}.d")
    near = suggestion(first, known)
    of_all = "" if rest else f" (a setting of all experiments is defaults.{first})"
    raise InputError(
        f"{WHERE}: {key}: there is no experiment and no key {first!r}{near}; there are: "
        f"{', '.join(known)}{of_all}"
    )


def _value(text: str, where: str) -> Any:
    plain = text.strip()
    if "," in plain and plain[0] not in "[{\"'":
        plain = f"[{plain}]"
    return yamlfile.parse(plain, where).data


def _with(data: Any, path: Key, value: Any) -> Any:
    """A copy of `data` with another value at `path`; nothing that was read is changed."""
    if not path:
        return value
    key, *rest = path
    copy = dict(data) if isinstance(data, dict) else {}
    if not rest:
        copy.pop(_OTHER.get(str(key), ""), None)
    copy[key] = _with(copy.get(key), tuple(rest), value)
    return copy
