"""What settings name, a module each: spectra, schedules, samplers, and the networks of `training`.

A number then hangs on the code of those that it uses, and on no other (`lindiff.fingerprint`): a
new entry is a new file, and registered nowhere.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def names(package: str) -> tuple[str, ...]:
    """The names that there are, sorted: the public modules of `package`."""
    found = pkgutil.iter_modules(import_module(package).__path__)
    return tuple(sorted(module.name for module in found if not module.name.startswith("_")))


def load(package: str, name: str, otherwise: str = "") -> ModuleType:
    """The module that stands for `name`.

    Args:
        package: Dotted name of the package.
        name: One of `names(package)`.
        otherwise: What else may be meant by a name that is near none of them.

    Raises:
        ValueError: There is no such name; the message has the nearest one.
    """
    if name not in names(package):
        raise unknown(name, names(package), otherwise)
    return import_module(f"{package}.{name}")


def unknown(name: object, known: Iterable[str], otherwise: str = "") -> ValueError:
    """The error of a name that is none of the `known` ones, with the nearest of them.

    >>> unknown("powerlaw", ["isotropic", "power_law"])
    ValueError("'powerlaw' is none of isotropic, power_law; did you mean 'power_law'?")
    """
    known = list(known)
    near = difflib.get_close_matches(str(name), known, 1)
    hint = f"did you mean {near[0]!r}?" if near else otherwise
    return ValueError("; ".join(filter(None, [f"{name!r} is none of {', '.join(known)}", hint])))
