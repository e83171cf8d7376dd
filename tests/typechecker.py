"""What checks types and shapes in tests: beartype, for which an int is a float as for mypy.

What such a check finds hangs on the kinds of arguments and result alone: on the class of each, and
of an array on its dtype and shape. So `install` has each function of a package checked once for
every kind of call, not at every call: a check takes longer than most of what is checked.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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


class _Held:
    """A function, or in its place, inside `giving`, a result that it gave before."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.own = function, threading.local()
        self.__globals__ = function.__globals__  # in which annotations are looked up

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        results = getattr(self.own, "results", ())
        return results[0] if results else self.function(*args, **kwargs)

    @contextmanager
    def giving(self, result: Any) -> Iterator[None]:
        self.own.results = [result]
        try:
            yield
        finally:
            self.own.results = ()


def _once_a_kind(function: Callable[..., Any], typechecker: Any) -> Callable[..., Any]:
    held = _Held(function)
    check = _check(held, typechecker=typechecker)
    known: dict[Any, set[Any]] = {}
    # A shape such as "{size} 2" is that of a whole number among the arguments.
    number = any("{" in str(of) for of in function.__annotations__.values())

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        key = _kind((args, kwargs), number)
        if key not in known:
            found = check(*args, **kwargs)
            if key is not None:
                known[key] = {_kind(found, number)}
            return found
        found = function(*args, **kwargs)
        kind = _kind(found, number)
        if kind is None or kind not in known[key]:
            with held.giving(found):
                check(*args, **kwargs)
            known[key].add(kind)
        return found

    return call


def _kind(value: Any, number: bool) -> Any:
    """What a check may look at of a value; None if that is too much.

    Args:
        value: Any value.
        number: Whether the values of whole numbers count too.
    """
    of = type(value)
    if isinstance(value, np.ndarray):
        return of, value.dtype.char, value.shape
    if of is str or isinstance(value, type) or (number and isinstance(value, (int, np.integer))):
        return of, value
    if of is tuple or of is list or of is dict:
        if len(value) > _MANY:
            return None
        inner = [_kind(one, number) for one in (value.items() if of is dict else value)]
        return None if None in inner else (of, *inner)
    return of
