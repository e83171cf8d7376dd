"""What a network is made from, and the network of a name."""

from __future__ import annotations

from dataclasses import dataclass

from lindiff.science.named import load
from lindiff.science.pictures import Picture
from lindiff.training.task import Network


@dataclass(frozen=True, eq=False)
class Form:
    """What a network is made from.

    Attributes:
        d: Dimension of the vectors.
        width: Units of a hidden layer, or channels of a U-Net's finest level.
        preconditioning: A key of `lindiff.training.preconditioning.PRECONDITIONINGS`.
        picture: How the vectors are pictures, where they are.
    """

    d: int
    width: int
    preconditioning: str = "edm"
    picture: Picture | None = None


def make_network(name: str, form: Form) -> Network:
    """The network called `name`.

    Args:
        name: A file of `lindiff.training.networks`.
        form: What it is made from.

    Raises:
        ValueError: There is no such network, or it needs pictures, and the form has none that
            it can take.
    """
    network: Network = load("lindiff.training.networks", name).make(form)
    return network
