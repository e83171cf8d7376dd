"""Checkpoints: kills at random moments, files that cannot be trusted, disks that are full."""

import errno
import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training import checkpoint  # noqa: E402
from lindiff.training.checkpoint import identity  # noqa: E402
from lindiff.training.engine import train  # noqa: E402
from lindiff.training.networks.mlp import make_mlp  # noqa: E402
from lindiff.training.pack import begin  # noqa: E402
from lindiff.training.task import Network, Recipe, Run  # noqa: E402

D = 6
SCHEDULE = make_schedule("linear", 50)
RECIPE = Recipe(60, (1, 20, 33, 60), 8, "adamw", warm_up=4, decay="cosine")
NETWORK = make_mlp(D, 8, 1)


def make_runs(count=3):
    return [
        Run(
            torch.randn((4 + m, D), generator=torch.Generator().manual_seed(m)),
            f"run {m}",
            0.002 * (m + 1),
            0.01 * m,
            1 + 0.1 * m,
        )
        for m in range(count)
    ]


class Killed(BaseException):
    """In place of a signal."""


def mortal(network, calls):
    """The network, killed after so many calls of predict."""
    counter = itertools.count()

    def predict(*arguments):
        if next(counter) == calls:
            raise Killed
        return network.predict(*arguments)

    return Network(network.shapes, network.initial, predict)


def assert_equal(one, other):
    """To the bit, nan included."""
    assert one.failed == other.failed
    for a, b in ((one.parameters, other.parameters), (one.losses, other.losses)):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def interrupted(folder, calls=55, network=NETWORK, runs=None):
    """Leaves the checkpoints of a training that was killed; returns their paths."""
    with pytest.raises(Killed):
        train(mortal(network, calls), runs or make_runs(), RECIPE, SCHEDULE, checkpoints=folder)
    return sorted(folder.iterdir())


@pytest.fixture
def _often(monkeypatch):
    """A checkpoint in every pause."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(checkpoint, "SHARE", float("inf"))


@pytest.fixture(scope="module")
def undisturbed():
    return train(NETWORK, make_runs(), RECIPE, SCHEDULE)


@pytest.mark.usefixtures("_often")
def test_kills_at_random_moments_leave_the_same_numbers(tmp_path):
    """Packs of 2 and 1 with 61 calls of predict each; killed at 20 places, at some twice."""
    runs = make_runs()
    calm = train(NETWORK, runs, RECIPE, SCHEDULE, pack=2)
    rng = np.random.default_rng(5)
    for trial in range(20):
        folder = tmp_path / str(trial)
        for calls in rng.integers(122, size=1 + trial % 2):
            try:
                mortal_network = mortal(NETWORK, int(calls))
                train(mortal_network, runs, RECIPE, SCHEDULE, pack=2, checkpoints=folder)
            except Killed:
                pass
        late = train(NETWORK, runs, RECIPE, SCHEDULE, pack=2, checkpoints=folder)
        assert_equal(late, calm)


@pytest.mark.usefixtures("_often")
def test_a_training_goes_on_where_it_was(tmp_path, capsys, undisturbed):
    interrupted(tmp_path, calls=55)
    assert_equal(train(NETWORK, make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path), undisturbed)
    # Call 1 is the probe's: 54 steps were made, the last pause was after 48.
    assert capsys.readouterr().err.endswith("going on from step 48 of 60\n")


def test_a_finished_training_is_not_repeated(tmp_path, capsys, undisturbed):
    train(NETWORK, make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path)
    # One call for the probe, none for a step.
    again = train(mortal(NETWORK, 1), make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path)
    assert_equal(again, undisturbed)
    assert "going on from step 60 of 60" in capsys.readouterr().err


@pytest.mark.usefixtures("_often")
def test_failed_models_stay_failed(tmp_path):
    runs = make_runs()
    runs[1] = replace(runs[1], learning_rate=1e30)
    calm = train(NETWORK, runs, RECIPE, SCHEDULE)
    assert calm.failed.keys() == {1}
    interrupted(tmp_path, runs=runs)
    assert_equal(train(NETWORK, runs, RECIPE, SCHEDULE, checkpoints=tmp_path), calm)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("no checkpoint\n" * 100, encoding="utf-8")


def folder(path):
    path.unlink()
    path.mkdir()


def rewritten(change):
    """A change of tensors and metadata with a digest that is right."""

    def damage(path):
        with safe_open(path, framework="pt") as file:
            about = file.metadata()["about"]
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        about = change(tensors, about) or about
        digest = checkpoint._digest(tensors, about)
        save_file(tensors, path, {"about": about, "digest": digest})

    return damage


DAMAGES = {
    "truncated": truncated,
    "empty": empty,
    "text": text,
    "folder": folder,
    "shape": rewritten(lambda t, about: t.update(flat=t["flat"][:, :-1].contiguous())),
    "dtype": rewritten(lambda t, about: t.update(second=t["second"].double())),
    "missing": rewritten(lambda t, about: t.__delitem__("total")),
    "surplus": rewritten(lambda t, about: t.update(more=torch.ones(2))),
    "models": rewritten(lambda t, about: t.update({k: v[:1].clone() for k, v in t.items()})),
    "network": rewritten(lambda t, about: t.update(probe=t["probe"] + 1)),
    "step": rewritten(lambda t, about: about.replace('"step": 48', '"step": 65000')),
    "stops": rewritten(lambda t, about: about.replace('"step": 48', '"step": 20')),
    "pack": rewritten(lambda t, about: about.replace('"pack": "', '"pack": "0')),
    "failed": rewritten(lambda t, about: about.replace('"failed": {}', '"failed": {"7": "?"}')),
    "no JSON": rewritten(lambda t, about: "{"),
    "JSON of another kind": rewritten(lambda t, about: "[1]"),
}


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_cannot_be_used_is_said_and_not_used(damage, tmp_path, capsys, undisturbed):
    (path,) = interrupted(tmp_path)
    damage(path)
    capsys.readouterr()
    if path.is_dir():
        again = train(NETWORK, make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path)
        said, unwritten = capsys.readouterr().err.splitlines()
        assert "cannot be written" in unwritten
    else:
        again = train(NETWORK, make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path)
        (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{path}: not a checkpoint to go on from (")
    assert said.endswith("); training anew")
    assert_equal(again, undisturbed)


@pytest.mark.usefixtures("_often")
def test_no_flipped_bit_is_trained_on(tmp_path, capsys):
    """The header's, of which only the padding bears one, and some of the numbers'."""
    (path,) = interrupted(tmp_path)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    numbers = np.random.default_rng(1).integers(header, len(whole), 100).tolist()
    keeper = checkpoint.Keeper(tmp_path, NETWORK, make_runs(), RECIPE, SCHEDULE)
    like = begin(NETWORK, make_runs(), RECIPE)
    for place in [*range(0, header, 2), *numbers]:
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        state = begin(NETWORK, make_runs(), RECIPE)
        keeper.load(state)
        if state.step:
            assert whole[place : place + 1] == b" ", place
        else:
            assert torch.equal(state.flat, like.flat)
            assert "training anew" in capsys.readouterr().err


@pytest.mark.usefixtures("_often")
def test_another_network_of_the_same_shapes_is_seen(tmp_path, capsys):
    """As when its code was changed between two starts."""
    interrupted(tmp_path)
    other = Network(
        NETWORK.shapes, NETWORK.initial, lambda *arguments: 2 * NETWORK.predict(*arguments)
    )
    calm = train(other, make_runs(), RECIPE, SCHEDULE)
    assert_equal(train(other, make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path), calm)
    assert "it is of another network" in capsys.readouterr().err


def test_all_that_the_numbers_hang_on_is_in_the_name():
    runs = make_runs()
    first = runs[0]
    packs = [
        (NETWORK, runs, RECIPE, SCHEDULE),
        (make_mlp(D, 9, 2), runs, RECIPE, SCHEDULE),
        (NETWORK, runs[:2], RECIPE, SCHEDULE),
        (NETWORK, runs[::-1], RECIPE, SCHEDULE),
        *(
            (NETWORK, [replace(first, **change), *runs[1:]], RECIPE, SCHEDULE)
            for change in (
                {"rows": first.rows + 1},
                {"rows": first.rows.double()},
                {"key": "run 9"},
                {"learning_rate": 0.003},
                {"weight_decay": 0.1},
                {"scale": 2.0},
                {"noises": 4.0},
                {"weights": torch.ones(SCHEDULE.timesteps)},
            )
        ),
        *(
            (NETWORK, runs, replace(RECIPE, **change), SCHEDULE)
            for change in (
                {"steps": 61},
                {"stops": (1, 60)},
                {"batch_size": 9},
                {"optimizer": "adam"},
                {"betas": (0.9, 0.999)},
                {"warm_up": 5},
                {"decay": "constant"},
            )
        ),
        (NETWORK, runs, RECIPE, make_schedule("linear", 51)),
        (NETWORK, runs, RECIPE, make_schedule("cosine", 50)),
    ]
    names = [identity(*pack) for pack in packs]
    assert len(set(names)) == len(names)
    assert identity(NETWORK, make_runs(), RECIPE, SCHEDULE) == names[0]


@pytest.mark.usefixtures("_often")
def test_a_full_disk_does_not_end_a_training(tmp_path, capsys, monkeypatch, undisturbed):
    """Half of the file is written before the disk is full."""

    def full(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    (path,) = interrupted(tmp_path, calls=30)
    before = path.read_bytes()
    capsys.readouterr()
    monkeypatch.setattr(Path, "write_bytes", full)
    assert_equal(train(NETWORK, make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path), undisturbed)
    resumed, said = capsys.readouterr().err.splitlines()
    assert "going on from step 20" in resumed
    assert said.startswith(f"{path}: cannot be written (")
    assert "No space left on device" in said
    assert said.endswith("this pack trains without checkpoints")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_leftovers_of_a_kill_are_removed(tmp_path):
    name = checkpoint.NAME.format(identity(NETWORK, make_runs(), RECIPE, SCHEDULE))
    leftover = tmp_path / f".{name}.123-abc.tmp"
    leftover.write_bytes(b"half")
    train(NETWORK, make_runs(), RECIPE, SCHEDULE, checkpoints=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_checkpoints_take_a_small_share_of_the_time(tmp_path, monkeypatch):
    """One that took 6 s is not written again before 114 s are over."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    keeper = checkpoint.Keeper(tmp_path, NETWORK, make_runs(), RECIPE, SCHEDULE)
    written = []

    def slow(state):
        written.append(now[0])
        now[0] += 6

    monkeypatch.setattr(keeper, "_write", slow)
    while now[0] < 300:
        keeper.save_if_due(None)
        now[0] += 1
    assert written == [30, 156, 282]


CHILD = """
import sys
from pathlib import Path
import torch
from tests.training import test_checkpoint as here
torch.set_num_threads(1)
here.checkpoint.CHECKPOINT_SECONDS = 0
here.checkpoint.SHARE = float("inf")
print("started", flush=True)
here.train(here.NETWORK, here.make_runs(), here.LONG, here.SCHEDULE, checkpoints=Path(sys.argv[1]))
print("ended", flush=True)
"""
LONG = replace(RECIPE, steps=2000, stops=(500, 1200, 2000))


@pytest.mark.slow
def test_processes_killed_by_a_signal_leave_the_same_numbers(tmp_path):
    """Three kills one after another, at random moments after the first checkpoint."""
    rng = np.random.default_rng(2)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        process.stdout.readline()
        time.sleep(float(rng.uniform(0.05, 0.8)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert list(tmp_path.glob("pack-*"))
    late = train(NETWORK, make_runs(), LONG, SCHEDULE, checkpoints=tmp_path)
    assert_equal(late, train(NETWORK, make_runs(), LONG, SCHEDULE))
