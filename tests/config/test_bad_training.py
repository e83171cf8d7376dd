"""What is said, before anything runs, of a training that cannot be."""

import subprocess
import sys
from pathlib import Path

import pytest

from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.sweep.run import run_spec
from lindiff.sweep.validate import validate
from tests.configs import Maker, message
from tests.sweeps import Sweep

BASE = """\
experiments:
  a:
    model: mlp
    d: 4
    n: 8
    seed: 0
    width: 8
"""
WHOLE = "draw: samples\nsampler: ddim\nsteps: 10\nlearning_rate: 1.0e-2"


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


def with_line(added: str, base: str = WHOLE) -> str:
    """The whole experiment with the keys of `added` instead of its own."""
    keys = {line.split(":")[0] for line in added.splitlines()}
    kept = [line for line in base.splitlines() if line.split(":")[0] not in keys]
    return "\n".join([*kept, added])


def test_a_whole_training_is_accepted(make):
    config = load(make(WHOLE + "\nmetrics: [agreement, linearity]\nstop_step: [1, 9, 0]", BASE))
    assert len(validate(config).cells) == 3
    assert {"agreement_se", "linearity"} <= set(config.experiments["a"].metrics)


@pytest.mark.parametrize(
    ("added", "found"),
    [
        (
            "learning_rate: 0",
            "experiments.a.learning_rate = 0.0: a trained model needs a learning rate above 0",
        ),
        (
            "stop_step: [3, 10]",
            "experiments.a.stop_step = 10: the run has 10 steps; write 0 for its end",
        ),
        (
            "warm_up: 10",
            "experiments.a.warm_up = 10: the run has 10 steps; the warm-up must be shorter",
        ),
        ("steps: 0", "experiments.a.steps = 0: must be at least 1"),
        (
            "optimizer: gradient_descent",
            "experiments.a.optimizer = 'gradient_descent': mlp has no exact loss to descend on",
        ),
        ("optimizer: adan", "(did you mean adam?)"),
        ("draw: wishart", "mlp needs the training samples; allowed: samples"),
        ("metrics: monte_carlo_gap", "model mlp does not give this metric"),
        (
            "sampler: ddpm_beta\nmetrics: agreement",
            "agreement needs a sampler that draws no noise of its own; allowed: ddim, euler, heun, "
            "ideal",
        ),
        ("model: unet", "unet needs pictures; allowed: digits, mnist, patches"),
    ],
)
def test_messages(make, added, found):
    base = BASE.replace("    model: mlp\n", "") if added.startswith("model") else BASE
    text = message(make(with_line(added), base))
    assert found in text
    assert text.startswith("c.yaml:")


def test_the_ideal_sampler_is_for_gaussians(make):
    found = message(make(with_line("sampler: ideal"), BASE))
    assert (
        "cannot be combined with sampler = 'ideal'" in found
        or "mlp generates by its denoiser" in found
    )


@pytest.mark.parametrize("key", ["width", "steps"])
def test_a_run_says_how_long_and_how_wide(make, key):
    text = BASE + "".join(f"    {line}\n" for line in WHOLE.splitlines())
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith(f"{key}:"))
    assert f"the key {key} is missing" in message(make("", text + "\n"))


def test_other_models_need_no_width(make):
    config = load(make("", BASE.replace("mlp", "linear_exact").replace("    width: 8\n", "")))
    assert "width" not in config.experiments["a"].axes_of("linear_exact")


def planned(folder: Path) -> tuple[Sweep, Path, Path]:
    """A sweep of one network, its spec and where its part goes."""
    sweep = Sweep(folder)
    plan = sweep.write(
        sweep.config(
            "{model: mlp, d: 4, n: 8, width: 4, steps: 2, learning_rate: 0.01, draw: samples}",
            defaults="{timesteps: 20, beta_max: 9.0e-3, seed: 0, metrics: {only: [test_loss]}}",
        )
    )
    (shard,) = plan.pending
    return sweep, sweep.store.spec(shard.name), sweep.store.part(shard.name)


def test_a_gpu_that_is_not_there_is_refused_before_the_shard(tmp_path: Path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    _, spec, part = planned(tmp_path)
    with pytest.raises(InputError, match="device cuda is asked for, but torch"):
        run_spec(spec, part, device="cuda")
    assert not part.exists()


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from lindiff.cli import main
main(sys.argv[1:])
"""


def test_without_torch_the_message_says_what_to_install(tmp_path: Path):
    _, spec, part = planned(tmp_path)
    command = [sys.executable, "-c", WITHOUT_TORCH, "run", str(spec), "--out", str(part)]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == 2
    assert (
        "mlp is trained and needs the package torch: pip install 'lindiff[train]'" in found.stderr
    )
    assert "Traceback" not in found.stderr
    assert not part.exists()
