"""The networks that an experiment may name, each in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lindiff.science.pictures import Picture
from lindiff.training.mlp import make_mlp
from lindiff.training.task import Network
from lindiff.training.unet import make_unet


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


def _mlp(form: Form) -> Network:
    return make_mlp(form.d, form.width, preconditioning=form.preconditioning)


def _unet(form: Form) -> Network:
    if form.picture is None:
        raise ValueError("a U-Net needs data that are pictures")
    return make_unet(form.picture, form.width, form.preconditioning)


NETWORKS: dict[str, Callable[[Form], Network]] = {
    "mlp": _mlp,
    "unet": _unet,
}
