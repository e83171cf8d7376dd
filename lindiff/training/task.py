"""What is trained and how: the form of the networks, the models, the recipe.

The parameters of all models lie in one buffer of shape (models, parameters); a network sees views
of it with a leading axis of models, so a layer is one batched matrix product.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lindiff.training.noise import torch_generator
from lindiff.training.optimizers import LEARNING_RATE_DECAYS, OPTIMIZERS

Parameters = Mapping[str, Tensor]

# Numbers kept for the gradient per output of a layer: a guess for networks that do not say.
KEPT = 2


@dataclass(frozen=True, eq=False)
class Network:
    """A denoiser's form; its parameters live elsewhere.

    Attributes:
        shapes: Name and shape of each parameter of one model, in the order of the buffer.
        initial: The initial parameters of one model, from a generator.
        predict: ε̂ of shape (models, batch, d) from parameters of shapes (models, *shape), x of
            shape (models, batch, d), σ = √(q/ᾱ) of shape (models, batch) and the rms of the data,
            shape (models,).
        activations: Numbers that one row of one model keeps for the gradient, which decides how
            many models a GPU is given at once; 0 takes `KEPT` times the last axis of every shape.
        droppable: Units of each layer that dropout takes units of, by its name, in the order of the
            network (`lindiff.training.dropout`); a network without any has no dropout.
    """

    shapes: Mapping[str, tuple[int, ...]]
    initial: Callable[[torch.Generator], Parameters]
    predict: Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]
    activations: int = 0
    droppable: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of parameters of one model."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def kept(self) -> int:
        """`activations`, or the guess in its place."""
        return self.activations or KEPT * sum(shape[-1] for shape in self.shapes.values())


@dataclass(frozen=True, eq=False)
class Run:
    """One model to train.

    Attributes:
        rows: Training rows, shape (N, d); their dtype and device are those of the training.
        key: What its random numbers hang on, initial parameters included.
        learning_rate: η after the warm-up, more than 0.
        weight_decay: Of AdamW decoupled, else γ of coupled L2.
        scale: Rms of the data, as the network's preconditioning takes it.
        noises: m frozen noises a row and noise level, which it is trained on; inf is new noise at
            every step.
        weights: w_t of the loss at each noise level, shape (T,); None is the plain mean.
    """

    rows: Tensor
    key: str
    learning_rate: float
    weight_decay: float = 0.0
    scale: float = 1.0
    noises: float = math.inf
    weights: Tensor | None = None


@dataclass(frozen=True)
class Recipe:
    """How all models of a training are trained.

    Attributes:
        steps: Steps of the whole run, which the decay of the learning rate counts.
        stops: Steps after which the parameters are kept, ascending from 1; training ends at the
            last. None are `steps` alone.
        batch_size: Rows a step.
        optimizer: A key of `OPTIMIZERS`.
        betas: Adam's β₁ and β₂: the share of its running means that each step keeps.
        warm_up: Steps over which the learning rate rises to its value.
        decay: The learning rate after that, `learning_rate_decay`: a key of
            `LEARNING_RATE_DECAYS`.
        ema: β of the mean of the parameters over steps that is kept at stops (`mean_factor`); 0 are
            those of the last step.
        dropout: Share of the units of a network's droppable layers that each step drops.

    Raises:
        ValueError: An unknown name, a warm-up that does not end, stops that do not ascend, a β
            outside [0, 1).
    """

    steps: int
    stops: tuple[int, ...] = ()
    batch_size: int = 64
    optimizer: str = "adam"
    betas: tuple[float, float] = (0.9, 0.99)
    warm_up: int = 0
    decay: str = "constant"
    ema: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.optimizer!r} is none of {', '.join(OPTIMIZERS)}")
        if self.decay not in LEARNING_RATE_DECAYS:
            raise ValueError(f"decay {self.decay!r} is none of {', '.join(LEARNING_RATE_DECAYS)}")
        if not 0 <= self.warm_up < self.steps:
            raise ValueError(f"warm_up = {self.warm_up} is not from 0 to below {self.steps} steps")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema = {self.ema} is not from 0 to below 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout = {self.dropout} is not from 0 to below 1")
        stops = (0, *self.stops, self.steps + 1)
        if any(a >= b for a, b in itertools.pairwise(stops)):
            raise ValueError(f"stops {self.stops} do not ascend from 1 to {self.steps}")
        if not self.stops:
            object.__setattr__(self, "stops", (self.steps,))


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
