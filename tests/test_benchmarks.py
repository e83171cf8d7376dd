"""Benchmarks that take an argument say which one."""

import pytest

from benchmarks import theory


@pytest.mark.parametrize("arguments", [[], ["sped"], ["speed", "accuracy"]])
def test_the_benchmark_of_the_theory_says_its_usage(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        theory.main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err == "usage: python -m benchmarks.theory {accuracy,speed}\n"
