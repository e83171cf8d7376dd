"""One check for every kind of call refuses what a check at every call does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from jaxtyping import Float64, TypeCheckError
from numpy.typing import NDArray

from tests import typechecker

Array = NDArray[np.float64]


def checked(given):
    return typechecker.jaxtyped(given, typechecker=typechecker.checked)


def counted(given):
    """A function with its checks, and the names that were checked."""
    names = []

    def counting(function):
        check = typechecker.checked(function)

        def call(*args, **kwargs):
            names.append(function.__name__)
            return check(*args, **kwargs)

        return call

    return typechecker.jaxtyped(given, typechecker=counting), names


def test_a_kind_is_checked_once_and_every_other_kind_too():
    @checked
    def both(x: Float64[Array, " d"], y: Float64[Array, " d"], *, name: str = "a") -> float:
        return float((x * y).sum())

    for _ in range(2):
        assert both(np.ones(3), np.ones(3)) == 3
        assert both(np.ones(4), y=np.ones(4)) == 4
        for wrong in (np.ones(4), np.ones((1, 3)), np.ones(3, np.float32), [1.0, 1.0, 1.0], None):
            with pytest.raises(TypeCheckError, match="y"):
                both(np.ones(3), wrong)
        with pytest.raises(TypeCheckError, match="name"):
            both(np.ones(3), np.ones(3), name=1)


def test_a_kind_that_is_known_costs_no_check():
    def twice(x: Float64[Array, " d"], factor: float) -> Float64[Array, " d"]:
        return 2 * factor * x

    function, names = counted(twice)
    for factor in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(function(np.ones(3), factor), 2 * factor * np.ones(3))
    assert len(names) == 2, "arguments, then all with the result"
    function(np.ones(4), 1.0)
    function(np.ones(4), 1)
    assert len(names) == 6


def test_a_result_is_checked_whatever_gave_a_right_one_before():
    """It is the one that was given: a call is no second one."""
    results = [np.ones(3), np.ones(3), np.ones(4), np.ones(3), "", np.ones(3)]

    @checked
    def same(x: Float64[Array, " d"]) -> Float64[Array, " d"]:
        return results.pop(0)

    for wrong in (False, False, True, False, True, False):
        if wrong:
            with pytest.raises(TypeCheckError, match="return value"):
                same(np.zeros(3))
        else:
            assert same(np.zeros(3)).sum() == 3
    assert results == []


def test_a_function_inside_another_has_one_check_and_its_own_values():
    names = []

    def counting(function):
        names.append(function.__name__)
        return typechecker.checked(function)

    def times(factor):
        def scaled(x: Float64[Array, " d"]) -> Float64[Array, " d"]:
            return factor * x if factor else np.ones(1)

        return typechecker.jaxtyped(scaled, typechecker=counting)

    for factor in (1, 2, 3):
        assert times(factor)(np.ones(4)).tolist() == [factor] * 4
    with pytest.raises(TypeCheckError, match="return value"):
        times(0)(np.ones(4))
    with pytest.raises(TypeCheckError, match="x"):
        times(1)(np.ones((2, 2)))
    assert names[:2] == ["scaled", "scaled"], "of arguments, and of all with the result"
    assert "scaled" not in names[2:]


def test_a_shape_of_a_number_is_that_of_every_number():
    @checked
    def zeros(size: int, count: int) -> Float64[Array, "{size} 2"]:
        return np.zeros((count, 2))

    assert zeros(3, 3).shape == (3, 2)
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            zeros(4, 3)


def test_what_is_in_collections_is_of_a_kind_too():
    @checked
    def total(values: tuple[float, ...], named: dict[str, Float64[Array, " d"]]) -> float:
        return sum(values) + sum(x.sum() for x in named.values())

    good = {"a": np.ones(2)}
    assert total((1.0, 2.0), good) == 5
    with pytest.raises(TypeCheckError, match="named"):
        total((1.0, 2.0), {"a": np.ones((2, 2))})
    with pytest.raises(TypeCheckError, match="values"):
        total(("1",), good)
    # So many are looked at anew.
    many = (1.0,) * 1000
    assert total(many, good) == total(many, good) == 1002
    with pytest.raises(TypeCheckError, match="values"):
        total(("1",) * 1000, good)


def test_data_classes_and_methods_are_checked():
    @checked
    @dataclass(frozen=True)
    class Pair:
        x: Float64[Array, " d"]
        y: Float64[Array, " d"]

        @checked
        def scaled(self, factor: float) -> Float64[Array, " d"]:
            return self.x * factor

    assert Pair(np.ones(2), np.ones(2)).scaled(2.0).sum() == 4
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            Pair(np.ones(2), np.ones(3))
        with pytest.raises(TypeCheckError):
            Pair(np.ones(2), np.ones(2)).scaled("2")
