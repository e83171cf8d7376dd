"""Many denoisers of one shape trained as one (docs/theory.md, "Trained denoisers").

The parameters of all models lie in one buffer of shape (models, parameters); a network sees views
of it with a leading axis of models, so a layer is one batched matrix product. What a model gets
does not depend on its company: each has its own data, random numbers, learning rate and weight
decay.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lindiff.science.schedule import Schedule
from lindiff.training.noise import batches, torch_generator
from lindiff.training.optimizers import DECAYS, OPTIMIZERS, make_rows, rate_factor

Parameters = Mapping[str, Tensor]

# Models trained as one on a CPU: of more, the work arrays leave the cache.
PACK = 8
# Parameters of one model from which a loop over the models is as fast (benchmarks/training.py).
LOOP_FROM = 200_000


@dataclass(frozen=True, eq=False)
class Network:
    """A denoiser's form; its parameters live elsewhere.

    Attributes:
        shapes: Name and shape of each parameter of one model, in the order of the buffer.
        initial: The initial parameters of one model, from a generator.
        predict: ε̂ of shape (models, batch, d) from parameters of shapes (models, *shape), x of
            shape (models, batch, d), σ = √(q/ᾱ) of shape (models, batch) and the rms of the data,
            shape (models,).
    """

    shapes: Mapping[str, tuple[int, ...]]
    initial: Callable[[torch.Generator], Parameters]
    predict: Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]

    @property
    def size(self) -> int:
        """Number of parameters of one model."""
        return sum(math.prod(shape) for shape in self.shapes.values())


@dataclass(frozen=True, eq=False)
class Run:
    """One model to train.

    Attributes:
        rows: Training rows, shape (N, d); their dtype and device are those of the training.
        key: What its random numbers hang on, initial parameters included.
        learning_rate: η after the warm-up, more than 0.
        weight_decay: Of AdamW decoupled, else γ of coupled L2.
        scale: Rms of the data, as the network's preconditioning takes it.
    """

    rows: Tensor
    key: str
    learning_rate: float
    weight_decay: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """How all models of a training are trained.

    Attributes:
        steps: Steps in all.
        stops: Steps after which the hook is called, ascending, from 1 to `steps`.
        batch_size: Rows a step.
        optimizer: A key of `OPTIMIZERS`.
        betas: Decay of Adam's running means.
        warm_up: Steps over which the learning rate rises to its value.
        decay: A key of `DECAYS`: the learning rate after that.
    """

    steps: int
    stops: tuple[int, ...] = ()
    batch_size: int = 64
    optimizer: str = "adam"
    betas: tuple[float, float] = (0.9, 0.99)
    warm_up: int = 0
    decay: str = "constant"

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.optimizer!r} is none of {', '.join(OPTIMIZERS)}")
        if self.decay not in DECAYS:
            raise ValueError(f"decay {self.decay!r} is none of {', '.join(DECAYS)}")
        if not 0 <= self.warm_up < self.steps:
            raise ValueError(f"warm_up = {self.warm_up} is not from 0 to below {self.steps} steps")
        stops = (0, *self.stops, self.steps + 1)
        if any(a >= b for a, b in itertools.pairwise(stops)):
            raise ValueError(f"stops {self.stops} do not ascend from 1 to {self.steps}")


@dataclass(frozen=True, eq=False)
class Stop:
    """What a hook sees.

    Attributes:
        step: Steps made.
        models: Which of the runs these are.
        parameters: Views of shapes (models, *shape), to be read before the hook returns.
        loss: Mean of the batches' loss since the last stop, shape (models,).
    """

    step: int
    models: range
    parameters: Parameters
    loss: Tensor


def log_spaced(steps: int, count: int) -> tuple[int, ...]:
    """At most `count` steps from 1 to `steps` in near-equal ratios, without repeats."""
    exponents = [i / max(1, count - 1) for i in range(count)]
    return tuple(sorted({round(steps**e) for e in exponents} | {steps}))


def pack_size(size: int) -> int:
    """Models of `size` parameters that are best trained as one on a CPU; 1 is the loop."""
    return 1 if size >= LOOP_FROM else PACK


def views(flat: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Views of shapes (models, *shape) into a buffer of shape (models, parameters)."""
    sizes = [math.prod(shape) for shape in shapes.values()]
    parts = torch.split(flat, sizes, dim=1)
    return {
        name: part.view(len(flat), *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


def initial_parameters(network: Network, runs: Sequence[Run]) -> Tensor:
    """The buffer before the first step, shape (models, parameters)."""
    rows = []
    for run in runs:
        start = network.initial(torch_generator("initial", run=run.key))
        rows.append(torch.cat([start[name].flatten() for name in network.shapes]))
    return torch.stack(rows).to(runs[0].rows)


def noise_loss(prediction: Tensor, noise: Tensor) -> Tensor:
    """Mean of (ε̂ − ε)² per dimension, shape (models,), from shapes (models, batch, d)."""
    return (prediction - noise).square().mean(dim=(1, 2))


def train(
    network: Network,
    runs: Sequence[Run],
    recipe: Recipe,
    schedule: Schedule,
    hook: Callable[[Stop], None] = lambda stop: None,
    pack: int = 0,
) -> Tensor:
    """Trains every run on the ε-loss with drawn rows, levels and noise.

    Args:
        network: The form of all models.
        runs: The models; their rows are of one d, dtype and device.
        recipe: How they are trained.
        schedule: The noise schedule.
        hook: Called at every stop of every pack, packs one after another.
        pack: Models trained as one; 1 is a loop over single trainings, 0 the faster of both.

    Returns:
        The trained parameters, shape (models, parameters).

    Raises:
        ValueError: No runs, or rows that do not fit together.
    """
    kinds = {(run.rows.shape[1:], run.rows.dtype, run.rows.device) for run in runs}
    if len(kinds) != 1:
        raise ValueError("runs must have rows of one d, dtype and device, and be at least one")
    flat = initial_parameters(network, runs)
    size = pack or pack_size(network.size)
    for first in range(0, len(runs), size):
        models = range(first, min(first + size, len(runs)))
        part = slice(models.start, models.stop)
        _train_pack(network, runs[part], recipe, schedule, flat[part], models, hook)
    return flat


def _train_pack(
    network: Network,
    runs: Sequence[Run],
    recipe: Recipe,
    schedule: Schedule,
    flat: Tensor,
    models: range,
    hook: Callable[[Stop], None],
) -> None:
    """Trains `flat`, shape (models, parameters), in place."""
    parameters = views(flat, network.shapes)
    leaves = {name: view.detach().requires_grad_() for name, view in parameters.items()}
    count = torch.zeros((), device=flat.device)
    rows = make_rows(parameters, recipe.betas, count)
    scale = flat.new_tensor([run.scale for run in runs])
    keys = [run.key for run in runs]
    data = batches([run.rows for run in runs], keys, recipe.batch_size, schedule)
    update, stops = OPTIMIZERS[recipe.optimizer], set(recipe.stops)
    total, since = flat.new_zeros(len(runs)), 0
    for step, batch in zip(range(1, recipe.steps + 1), data, strict=False):
        loss = noise_loss(network.predict(leaves, batch.x, batch.sigma, scale), batch.noise)
        gradients = torch.autograd.grad(loss.sum(), tuple(leaves.values()))
        count.add_(1)
        factor = rate_factor(recipe.decay, step, recipe.steps, recipe.warm_up)
        of_models = zip(*(gradient.unbind() for gradient in gradients), strict=True)
        for run, row, gradient in zip(runs, rows, of_models, strict=True):
            update(row, gradient, factor * run.learning_rate, run.weight_decay)
        total += loss.detach()
        if step in stops:
            hook(Stop(step, models, parameters, total / (step - since)))
            total, since = torch.zeros_like(total), step
