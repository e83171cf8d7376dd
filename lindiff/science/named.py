"""What settings name, a module each: spectra, schedules, samplers, and the networks of `training`.

A number then hangs on the code of those that it uses, and on no other (`lindiff.fingerprint`): a
new entry is a new file, and registered nowhere.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def names(package: str) -> tuple[str, ...]:
    """The names that there are, sorted: the public modules of `package`."""
    found = pkgutil.iter_modules(import_module(package).__path__)
    return tuple(sorted(module.name for module in found if not module.name.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """The module that stands for `name`.

    Args:
        package: Dotted name of the package.
        name: One of `names(package)`.

    Raises:
        KeyError: There is no such name.
    """
    if name not in names(package):
        raise KeyError(f"{name!r} is none of {', '.join(names(package))}")
    return import_module(f"{package}.{name}")
