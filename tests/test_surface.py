"""The surface of ``import lindiff``: it works as the README shows, and imports nothing early."""

import subprocess
import sys

import numpy as np
import pytest

import lindiff
from lindiff.models.linear import run
from tests.science.helpers import make_cells


def test_every_exported_name_is_there():
    for name in lindiff.__all__:
        assert getattr(lindiff, name).__doc__
    assert set(lindiff.__all__) == set(lindiff._HOME)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lindiff.nothing  # noqa: B018


def test_five_lines_give_the_rows_of_a_sweep():
    s = lindiff.make_spectrum("power_law", 16, exponent=1.0)
    key = {"spectrum": "power_law", "params": '{"exponent": 1.0}'}
    draw = lindiff.make_draw("wishart", s, n=40, seed=0, key=key)
    schedule = lindiff.make_schedule()
    sampler = lindiff.make_sampler("ddpm_beta", schedule)
    trainings = [lindiff.Training(ridge=c) for c in (0.0, 0.1)]
    result = lindiff.linear_metrics(draw, trainings, schedule, sampler)
    names = ("train_loss", "test_loss", "kl_model_data", "kl_data_model")
    settings = {"spectrum": "power_law", "spectrum_params": key["params"], "d": 16, "n": 40}
    rows = run(make_cells(**settings, ridge=[0.0, 0.1]), names).to_pylist()
    for name in names:
        np.testing.assert_allclose(result[name], [row[name] for row in rows], rtol=1e-13)


def test_importing_lindiff_imports_no_numpy():
    code = "import lindiff, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
