"""Checkpoints: a killed training goes on where it was, and ends with the same numbers.

A checkpoint is a safetensors file, which holds numbers and no code. Its name is the hash of what
the pack is, so that no other pack reads it; it also holds that hash, one of its own content, and
what the network answers to a probe, so that a file that was damaged, renamed or made by other code
is seen. Such a file costs training time and nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lindiff.files import atomic, remove_leftovers
from lindiff.science.schedule import Schedule
from lindiff.training.pack import State
from lindiff.training.task import Network, Recipe, Run, initial_parameters, views

# Part of what a pack is: raise it when the numbers of a training change.
VERSION = 1
# Seconds between checkpoints; more where writing one takes over `SHARE` of that time.
CHECKPOINT_SECONDS = 30.0
SHARE = 0.05
# A network that answers the probe otherwise by more than this is another one.
TOLERANCE = 1e-3

NAME = "pack-{}.safetensors"


class Unfit(Exception):
    """A checkpoint that cannot be used; ``str(error)`` says why."""


def identity(network: Network, runs: Sequence[Run], recipe: Recipe, schedule: Schedule) -> str:
    """Hash of what a pack is; the network itself counts by its shapes."""
    like = runs[0].rows
    what = {
        "version": VERSION,
        "torch": torch.__version__,
        "shapes": list(network.shapes.items()),
        "dtype": str(like.dtype),
        "device": like.device.type,
        "recipe": asdict(recipe),
        "schedule": blake2b(schedule.beta.tobytes(), digest_size=16).hexdigest(),
        "runs": [
            (
                *(run.key, run.learning_rate, run.weight_decay, run.scale, run.noises),
                _digest({"rows": run.rows}),
                None if run.weights is None else _digest({"weights": run.weights}),
            )
            for run in runs
        ],
    }
    return blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=16).hexdigest()


def probe(network: Network, run: Run) -> Tensor:
    """ε̂ of a pack's first model before the first step for two fixed inputs, shape (1, 2, d)."""
    x = torch.linspace(-2, 2, 2 * run.rows.shape[1]).view(1, 2, -1).to(run.rows)
    sigma, scale = x.new_tensor([[0.3, 3.0]]), x.new_tensor([run.scale])
    parameters = views(initial_parameters(network, [run]), network.shapes)
    with torch.no_grad():
        return network.predict(parameters, x, sigma, scale).cpu().contiguous()


class Keeper:
    """Keeps one pack's checkpoint, as often as is worth it."""

    def __init__(
        self,
        folder: Path,
        network: Network,
        runs: Sequence[Run],
        recipe: Recipe,
        schedule: Schedule,
    ) -> None:
        """For one pack; one process at a time uses a folder."""
        self._pack = identity(network, runs, recipe, schedule)
        self._answer = probe(network, runs[0])
        self._stops = recipe.stops
        self.path = folder / NAME.format(self._pack)
        self._due = time.monotonic() + CHECKPOINT_SECONDS
        self._works = True

    def load(self, state: State) -> None:
        """Brings a fresh state to where the checkpoint is; leaves it if there is none to use."""
        remove_leftovers(self.path)
        try:
            self._read(state)
        except FileNotFoundError:
            return
        except (Unfit, OSError, SafetensorError) as error:
            _say(f"{self.path}: not a checkpoint to go on from ({error}); training anew")
            return
        _say(f"{self.path}: going on from step {state.step:,} of {self._stops[-1]:,}")

    def save_if_due(self, state: State) -> None:
        """Saves if the last time is long enough ago."""
        if time.monotonic() >= self._due:
            self.save(state)

    def save(self, state: State) -> None:
        """Writes the file as a whole; if that fails, training goes on without."""
        if not self._works:
            return
        start = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._write(state)
        except OSError as error:
            _say(f"{self.path}: cannot be written ({error}); this pack trains without checkpoints")
            self._works = False
        end = time.monotonic()
        self._due = end + max(CHECKPOINT_SECONDS, (end - start) / SHARE)

    def _write(self, state: State) -> None:
        parts = _parts(state, state.step, self._stops)
        tensors = {name: part.cpu().contiguous() for name, part in parts.items()}
        tensors["probe"] = self._answer
        about = json.dumps({"pack": self._pack, "step": state.step, "failed": state.failed})
        data = save(tensors, {"about": about, "digest": _digest(tensors, about)})
        with atomic(self.path) as temporary:
            temporary.write_bytes(data)

    def _read(self, state: State) -> None:
        """Brings `state` to the file's.

        Raises:
            FileNotFoundError: There is none.
            Unfit, OSError, SafetensorError: It cannot be read or is not this pack's.
        """
        with safe_open(self.path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = metadata.get("about", "")
        if metadata.get("digest") != _digest(tensors, about):
            raise Unfit("it is damaged")
        pack, step, failed = _understood(about)
        fits = 0 <= step <= self._stops[-1] and set(failed) <= set(range(len(state.flat)))
        if pack != self._pack or not fits:
            raise Unfit("it is another pack's")
        parts = _parts(state, step, self._stops)
        if _forms(tensors) != _forms(parts | {"probe": self._answer}):
            raise Unfit("its shapes or dtypes are others")
        if not torch.allclose(tensors["probe"], self._answer, rtol=TOLERANCE, atol=TOLERANCE):
            raise Unfit("it is of another network")
        for name, part in parts.items():
            part.copy_(tensors[name])
        state.step, state.failed = step, failed


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parts(state: State, step: int, stops: Sequence[int]) -> dict[str, Tensor]:
    """What of a state is tensors; of the stops those that are reached after `step` steps."""
    reached = sum(stop <= step for stop in stops)
    mean = {} if state.mean is state.flat else {"mean": state.mean}
    return mean | {
        "flat": state.flat,
        "first": state.first,
        "second": state.second,
        "total": state.total,
        "snapshots": state.snapshots[:reached],
        "losses": state.losses[:reached],
    }


def _digest(tensors: Mapping[str, Tensor], *texts: str) -> str:
    """Hash of names, dtypes, shapes and bytes."""
    hashed = blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        hashed.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    hashed.update(json.dumps(texts).encode())
    return hashed.hexdigest()


def _forms(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _understood(about: str) -> tuple[str, int, dict[int, str]]:
    """Pack, step and failures of a file's metadata.

    Raises:
        Unfit: They are not a checkpoint's.
    """
    try:
        values = json.loads(about)
        failed = {int(m): str(message) for m, message in values["failed"].items()}
        return str(values["pack"]), int(values["step"]), failed
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unfit(f"its metadata are not a checkpoint's: {error!r}") from error
