"""Where models are trained, and how many at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lindiff.session import DEVICES
from lindiff.training.sizes import BLOCK, COPIES, pack_size
from lindiff.training.task import Network, Recipe, Run

# Of a GPU's free memory what is planned with; the rest is the allocator's and the kernels'.
USED = 0.7


def device_of(name: str) -> torch.device:
    """The device of a name in `DEVICES`; ``auto`` is the GPU if there is one.

    Raises:
        ValueError: Another name, or ``cuda`` where there is none.
    """
    if name not in DEVICES:
        raise ValueError(f"device {name!r} is none of {', '.join(DEVICES)}")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        why = "finds no GPU" if torch.version.cuda else "is built for CPUs only"
        raise ValueError(f"device cuda is asked for, but torch {torch.__version__} {why}")
    return torch.device("cuda", torch.cuda.current_device())


def prepare(name: str) -> None:
    """Check that the device is there, and leave this process one core.

    Shards are packed for one core, and sums over several threads would hang on their number.

    Raises:
        ValueError: See `device_of`.
    """
    if device_of(name).type == "cuda":
        # Single precision is single precision, and a run the same again, in convolutions too.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    torch.set_num_threads(1)


def bytes_of(network: Network, runs: Sequence[Run], recipe: Recipe) -> int:
    """Memory that training one of the models takes, about; the largest N counts."""
    like = runs[0].rows
    drawn = 3 * BLOCK * recipe.batch_size * like.shape[1]
    data = 2 * max(run.rows.numel() for run in runs)
    numbers = COPIES * network.size + recipe.batch_size * network.kept + drawn + data
    return numbers * like.element_size()


def fitting(free: int, each: int) -> int:
    """Models of `each` bytes that fit in `free` bytes: a power of two, at least 1.

    A training that is taken up later, with somewhat more or less memory free, shall have the same
    packs and find their checkpoints.
    """
    return 1 << (max(1, int(USED * free) // each).bit_length() - 1)


def models_at_once(network: Network, runs: Sequence[Run], recipe: Recipe) -> int:
    """Models to train as one on the device of their rows; on a GPU what its free memory takes."""
    device = runs[0].rows.device
    if device.type != "cuda":
        return pack_size(network.size)
    free, _ = torch.cuda.mem_get_info(device)
    return fitting(free, bytes_of(network, runs, recipe))
