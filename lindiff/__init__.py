"""How much data does a diffusion model need? Linear diffusion models, exactly.

The surface below is what a notebook needs; each name is documented where it is defined::

    import lindiff

    s = lindiff.make_spectrum("power_law", 64, exponent=1.0)
    draw = lindiff.make_draw("wishart", s, n=128, seed=0)
    result = lindiff.linear_metrics(draw, [lindiff.Training(ridge=c) for c in (0, 0.01, 0.1)])
    print(result["test_loss"], result["kl_model_data"])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lindiff.advice.ask import advise, advise_spectrum
    from lindiff.advice.result import Advice
    from lindiff.errors import InputError
    from lindiff.science.density import density
    from lindiff.science.draws import Draw, make_draw
    from lindiff.science.exact import linear_metrics
    from lindiff.science.filters import Bank, Response, Training
    from lindiff.science.limit import Limit, limiting
    from lindiff.science.measure import Measure, of_draw, of_population
    from lindiff.science.population import SpectrumEstimate, estimate_spectrum
    from lindiff.science.ridge import best_ridge
    from lindiff.science.sampler import Sampler, make_sampler
    from lindiff.science.schedule import Schedule, make_schedule
    from lindiff.science.spectrum import make_spectrum
    from lindiff.science.theory import linear_theory
    from lindiff.surface.read import read
    from lindiff.surface.summary import summary
    from lindiff.surface.train import TrainedDenoiser, train

__version__ = "0.1.0"

_HOME = {
    "Advice": "advice.result",
    "advise": "advice.ask",
    "advise_spectrum": "advice.ask",
    "InputError": "errors",
    "Draw": "science.draws",
    "make_draw": "science.draws",
    "linear_metrics": "science.exact",
    "Limit": "science.limit",
    "limiting": "science.limit",
    "linear_theory": "science.theory",
    "Bank": "science.filters",
    "Response": "science.filters",
    "Training": "science.filters",
    "best_ridge": "science.ridge",
    "SpectrumEstimate": "science.population",
    "estimate_spectrum": "science.population",
    "density": "science.density",
    "Measure": "science.measure",
    "of_draw": "science.measure",
    "of_population": "science.measure",
    "Sampler": "science.sampler",
    "make_sampler": "science.sampler",
    "Schedule": "science.schedule",
    "make_schedule": "science.schedule",
    "make_spectrum": "science.spectrum",
    "read": "surface.read",
    "summary": "surface.summary",
    "train": "surface.train",
    "TrainedDenoiser": "surface.train",
}

__all__ = [
    "Advice",
    "Bank",
    "Draw",
    "InputError",
    "Limit",
    "Measure",
    "Response",
    "Sampler",
    "Schedule",
    "SpectrumEstimate",
    "TrainedDenoiser",
    "Training",
    "advise",
    "advise_spectrum",
    "best_ridge",
    "density",
    "estimate_spectrum",
    "limiting",
    "linear_metrics",
    "linear_theory",
    "make_draw",
    "make_sampler",
    "make_schedule",
    "make_spectrum",
    "of_draw",
    "of_population",
    "read",
    "summary",
    "train",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: the command line and the Snakefile start without NumPy.
    if name not in _HOME:
        raise AttributeError(f"module 'lindiff' has no attribute {name!r}")
    return getattr(import_module(f"lindiff.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    # For the Tab key in a notebook, and for the pages of the site.
    return sorted({*globals(), *__all__})
