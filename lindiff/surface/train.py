"""One trained model in a notebook: its denoiser, samples and metrics (docs/theory.md)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from jaxtyping import Num
from numpy.typing import NDArray

from lindiff.columns import METRIC, NESTED, REQUESTABLE
from lindiff.config.words import few, known_word, suggestion
from lindiff.errors import InputError
from lindiff.models import MODELS
from lindiff.models.measured import OF_TWO
from lindiff.planning import check
from lindiff.science import denoisers
from lindiff.science.draws import Draw, generator
from lindiff.science.numbers import whole
from lindiff.science.schedule import Schedule
from lindiff.session import DEVICES
from lindiff.surface.given import WHO, Given, given, known_model

if TYPE_CHECKING:
    from lindiff.models.fitting import Fitted

Array = NDArray[np.float64]


class TrainedDenoiser:
    """A trained model: what `train` returns.

    Everything is in the columns and units of the data that it was trained on, or, of a draw, in the
    eigenbasis of Σ; float64.

    Attributes:
        settings: All settings of its cell by name, as in a config.
        schedule: Its noise schedule; ``schedule.alpha_bar[t - 1]`` is ᾱ_t.
        unit: One unit of the model, in units of the data: the noise of x_t has the standard
            deviation √(1−ᾱ_t) · unit along every axis.

    Example:
        >>> import numpy as np, lindiff
        >>> rows = np.random.default_rng(0).normal(3.0, 0.1, (50, 2))
        >>> model = lindiff.train(rows, "mlp", steps=200, width=16, learning_rate=6e-3,
        ...                       timesteps=50)
        >>> model
        TrainedDenoiser(mlp, d=2, n=40)
        >>> model.sample(seed=0, count=3).shape
        (3, 2)
    """

    def __init__(self, own: Given, fitted: Fitted, device: str) -> None:
        """What `train` made."""
        self._own, self._fitted, self._device = own, fitted, device
        self.settings: dict[str, Any] = own.family.row
        self.schedule: Schedule = fitted.filters.make_schedule()
        self.unit: float = own.vectors.unit

    def __repr__(self) -> str:
        """One line."""
        row = self.settings
        return f"{type(self).__name__}({row['model']}, d={row['d']}, n={row['n']})"

    def denoise(self, y: Num[NDArray[Any], " K *sample"], t: int) -> Array:
        """x̂_0, the model's estimate of the data behind noisy data, shape as `y`.

        Args:
            y: Noisy data √ᾱ_t x + √(1−ᾱ_t) · `unit` · ε with white noise ε, shape ``(K, *sample)``:
                `sample` is the shape of one sample of the data.
            t: Noise level, from 1 to T.

        Raises:
            InputError: `y` has another shape, or `t` is no noise level.
        """
        t = _whole("t", t, 1, self.schedule.timesteps)
        alpha_bar, q = self.schedule.alpha_bar[t - 1], self.schedule.q[t - 1]
        centre = self._own.family.draw.centre
        relative = self._own.vectors.of(y, np.sqrt(alpha_bar)) - np.sqrt(alpha_bar) * centre
        with self._alone():
            noise = self._fitted.denoise(relative, t - 1)
        clean = (relative - np.sqrt(q) * noise) / np.sqrt(alpha_bar)
        return self._own.vectors.back(clean + centre)

    def sample(self, seed: int = 0, count: int = 16) -> Array:
        """Generated samples, shape ``(count, *sample)``, by the sampler of the settings.

        Args:
            seed: Of the noises; equal seeds give equal samples.
            count: How many.

        Raises:
            InputError: A number is none.
            FloatingPointError: The samples are not finite.
        """
        rng = generator("surface", seed=_whole("seed", seed, 0))
        count = _whole("count", count, 1)
        sampler, draw = self._fitted.filters.make_sampler(), self._own.family.draw
        assert sampler is not None
        with self._alone(), np.errstate(over="ignore", invalid="ignore"):
            made = denoisers.generate(
                self._fitted.denoise, self.schedule, sampler, draw.mean, draw.offset, rng, count
            )
        if not np.isfinite(made).all():
            raise FloatingPointError("the generated samples are not finite")
        return self._own.vectors.back(made + draw.centre)

    def metrics(self, *names: str) -> dict[str, Any]:
        """The metrics of its cell, which a sweep of the same settings has in its table.

        Args:
            names: Metrics by name (config/README.md); none are all that the model gives as one
                number and that need no second model. Of a list, as ``levels``, the value is a list
                of rows. ``agreement``, ``proximity_bias`` and ``differences`` train the model on a
                disjoint training set of as many samples too, a network as a sweep does together
                with the first once more: twice the training, when one is first asked for. That set
                is drawn from the same rows, or, of a draw, from its population.

        Returns:
            Numbers by name, each metric with its standard error where there is one; NaN where it is
            undefined, with a warning that says why.

        Raises:
            InputError: There is no such metric, or the model does not give it; there are no rows
                for a second training set, or the sampler draws noise of its own.
        """
        wanted = _metrics(self.settings["model"], names)
        self._check_pair({name.removesuffix("_se") for name in OF_TWO & set(wanted)})
        with self._alone():
            table = self._fitted.measure(wanted)
        row = table.to_pylist()[0]
        if row["status"] == "failed":
            raise RuntimeError(row["message"])
        if row["message"] is not None:
            warnings.warn(f"{row['status']}: {row['message']}", stacklevel=2)
        return {n: np.nan if row[n] is None and n not in NESTED else row[n] for n in wanted}

    def _check_pair(self, asked: Set[str]) -> None:
        """Refuse what compares two models where there can be no second one to compare with."""
        for _, key, why in check(self._own.cells, sorted(asked)) if asked else ():
            raise InputError(f"metrics: {key} = {self.settings[key]!r}: {why}")
        mean = self._own.family.draw.mean
        if asked and np.any(mean != mean[0]):
            raise InputError(
                f"metrics: {min(asked)} needs a second training set, and there is none of a draw "
                "whose population mean is not the same along all axes"
            )

    def _alone(self) -> Any:
        from lindiff.models.fitting import alone

        return alone(self._device)


def train(
    data: Num[NDArray[Any], " N *sample"] | Draw | str | Mapping[str, Any],
    model: str,
    *,
    n: int | None = None,
    seed: int = 0,
    name: str = "data",
    picture: tuple[int, int] | None = None,
    device: str = "auto",
    **settings: Any,
) -> TrainedDenoiser:
    """Train one model, as a cell of a sweep with the same settings is trained.

    The numbers are those of the cell: training set, noises and metrics hang on the data with their
    name, the settings and the seeds alone. Training takes one core, as a job of a sweep does.

    Args:
        data: Real numbers, one sample a row, shape (rows, …): a fifth of the distinct rows is held
            out for the test loss, the training set is drawn from the others. Or a draw of
            `make_draw` with samples; or a data set as a config names it: ``"digits"``,
            ``{"file": "measurements.parquet", "drop": ["label"]}``, or ``"gaussian"`` with the
            settings `d`, `spectrum` and ``draw="samples"``.
        model: ``mlp``, ``unet`` (for pictures: samples of shape (height, width), or (height, width,
            3) of coloured ones, with even sides) or ``linear_trained``.
        n: Size of the training set; None is all that is not held out.
        seed: Of the training set, and part of what the noises hang on.
        name: What a matrix is called. Noises hang on it: with the name of the file that a config
            reads the numbers are those of its cell.
        picture: Height and width of the pictures that the rows of a matrix are.
        device: ``auto``, a GPU where there is one, ``cpu`` or ``cuda``.
        settings: Those of an experiment of a config, one value each (config/README.md):
            `learning_rate` and `steps`, of a network `width`, are needed; `timesteps`, `sampler`,
            `batch_size`, `optimizer`, `weight_decay`, `train_seed` and others are as there.

    Returns:
        The model, with its `denoise`, `sample` and `metrics`.

    Raises:
        InputError: A line for each thing that is wrong with data and settings; the extra ``train``
            is not installed.
        FloatingPointError: The training diverged.

    Example:
        >>> import lindiff
        >>> s = lindiff.make_spectrum("power_law", 4, exponent=1.0)
        >>> draw = lindiff.make_draw("samples", s, n=100, seed=0)
        >>> model = lindiff.train(draw, "linear_trained", optimizer="gradient_descent", steps=200,
        ...                       learning_rate=0.1, timesteps=20, beta_max=9e-3)
        >>> found = model.metrics()
        >>> found["train_loss"] < found["test_loss"]
        True
    """
    try:
        known_word(device, DEVICES)
    except ValueError as error:
        raise InputError(f"{WHO}: device = {device!r}: {error}") from None
    own = given(data, known_model(model), {"n": n, "seed": seed, **settings}, name, picture)
    from lindiff.models.fitting import alone, fit

    try:
        with alone(device):
            fitted = fit(own.cells, own.family, own.picture)
    except ValueError as error:
        raise InputError(f"{WHO}: {error}") from None
    if fitted.failed is not None:
        raise FloatingPointError(f"{WHO}: the training diverged: {fitted.failed}")
    return TrainedDenoiser(own, fitted, device)


def _metrics(model: str, names: Sequence[str]) -> tuple[str, ...]:
    """Metric columns that the model gives, with their standard errors."""
    there = MODELS[model].metrics
    for name in names:
        if name not in there:
            what = f"{model} does not give it" if name in METRIC else "no such metric"
            known = [metric for metric in REQUESTABLE if metric in there]
            near = suggestion(name, known) or f"; there are: {few(known)}"
            raise InputError(f"metrics: {name!r}: {what}{near}")
    asked = set(names) or there - OF_TWO - set(NESTED)
    asked |= {f"{name}_se" for name in asked} & there
    return tuple(name for name in METRIC if name in asked)


def _whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number between two ends.

    Raises:
        InputError: It is none.
    """
    if not isinstance(value, SupportsIndex):
        raise InputError(f"{name} = {value!r} is not a whole number")
    try:
        number = whole(name, value, low)
    except ValueError as error:
        raise InputError(str(error)) from None
    if high is not None and number > high:
        raise InputError(f"{name} = {number} must be at most {high}")
    return number
