"""What checks types and shapes in tests: beartype, for which an int is a float as for mypy.

What such a check finds hangs on the kinds of arguments and result alone: on the class of each, and
of an array on its dtype and shape. So `install` has each function of a package checked once for
every kind of call, not at every call: a check takes longer than most of what is checked, and to
make one as long as hundreds of them.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable
from types import CodeType
from typing import Any, cast

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
_check = jaxtyping.jaxtyped
_MANY = 64  # values in a collection that are looked at; of more the whole call is checked anew


def install(package: str) -> None:
    """Check the functions and data classes of a package, none of whose modules is imported yet."""
    # The import hook writes `jaxtyping.jaxtyped(…)` over all that it decorates.
    jaxtyping.jaxtyped = jaxtyped  # type: ignore[assignment]
    jaxtyping.install_import_hook(package, f"{__name__}.checked")


def jaxtyped(given: Any = None, *, typechecker: Callable[..., Any] | None) -> Any:
    """`jaxtyping.jaxtyped`, with one check for every kind of call."""
    if given is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    if not isinstance(given, type):
        return _once_a_kind(given, typechecker)
    if dataclasses.is_dataclass(given) and "__init__" in vars(given):
        given.__init__ = _once_a_kind(given.__init__, typechecker)
    return given


class _Check:
    """The check of a function, which is made at its first call, and the kinds that passed it.

    What a check is made of stands in the function's place: it does what it is told to.

    Attributes:
        kinds: Of arguments, with those of results.
        number: Whether a shape such as "{size} 2" is that of a number among the arguments.
    """

    def __init__(self, function: Callable[..., Any], typechecker: Any) -> None:
        functools.update_wrapper(self, function)
        self.__globals__ = function.__globals__  # in which annotations are looked up
        self.kinds: dict[Any, set[Any]] = {}
        self.number = any("{" in str(of) for of in function.__annotations__.values())
        self._typechecker, self._told = typechecker, threading.local()

    @functools.cached_property
    def _whole(self) -> Callable[..., Any]:
        return cast(Callable[..., Any], _check(self, typechecker=self._typechecker))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._told.function(*args, **kwargs)

    def of(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """The result of a function for arguments, both checked."""
        self._told.function = function
        return self._whole(*args, **kwargs)


# A function inside another is made anew at every call of that one, and its check is not.
_CHECKS: dict[tuple[str, str, CodeType], _Check] = {}


def _once_a_kind(function: Callable[..., Any], typechecker: Any) -> Callable[..., Any]:
    # Equal code alone may have other annotations, as that of data classes with the same fields.
    name = function.__module__, function.__qualname__, function.__code__
    check = _CHECKS.get(name)
    if check is None:
        check = _CHECKS[name] = _Check(function, typechecker)
    kinds, number = check.kinds, check.number

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        key = _kind(args, number)
        if kwargs and key is not None:
            named = _kind(kwargs, number)
            key = None if named is None else (key, named)
        if key not in kinds:
            found = check.of(function, args, kwargs)
            if key is not None:
                kinds[key] = {_kind((found,), number)}
            return found
        found = function(*args, **kwargs)
        kind = _kind((found,), number)
        if kind is None or kind not in kinds[key]:
            check.of(lambda *_, **__: found, args, kwargs)
            kinds[key].add(kind)
        return found

    return call


# Classes of which a check may look at no value, without and with whole numbers among those it may.
_OPAQUE: tuple[set[type], set[type]] = set(), set()


def _kind(values: tuple[Any, ...] | list[Any] | dict[Any, Any], number: bool) -> Any:
    """What a check may look at of a collection's values; None if that is too much.

    Args:
        values: Any values.
        number: Whether the values of whole numbers count too.
    """
    if len(values) > _MANY:
        return None
    opaque, found = _OPAQUE[number], list[Any]()
    for value in values.items() if type(values) is dict else values:
        of = type(value)
        if of in opaque:
            found.append(of)
        elif isinstance(value, np.ndarray):
            found += of, value.shape, value.dtype.char
        elif of is tuple or of is list or of is dict:
            inner = _kind(value, number)
            if inner is None:
                return None
            found.append((of, inner))
        elif isinstance(value, (str, type)) or (number and isinstance(value, (int, np.integer))):
            found.append((of, value))
        else:
            opaque.add(of)
            found.append(of)
    return tuple(found)
