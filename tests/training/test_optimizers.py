"""Optimizers step by step against torch.optim, and learning rates over the steps."""

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from lindiff.columns import EXACT_DESCENT, SETTING  # noqa: E402
from lindiff.training.optimizers import (  # noqa: E402
    LEARNING_RATE_DECAYS,
    OPTIMIZERS,
    optimizer_states,
    rate_factor,
)

RATES, WEIGHT_DECAYS = (0.1, 0.003), (0.0, 0.3)
REFERENCES = {
    "adamw": lambda p, rate, decay: torch.optim.AdamW(
        p, lr=rate, weight_decay=decay, betas=(0.9, 0.99)
    ),
    "adam": lambda p, rate, decay: torch.optim.Adam(
        p, lr=rate, weight_decay=decay, betas=(0.9, 0.99)
    ),
    "sgd": lambda p, rate, decay: torch.optim.SGD(p, lr=rate, weight_decay=decay),
}


def test_the_settings_name_them_all():
    assert set(SETTING["optimizer"].choices) == {*OPTIMIZERS, EXACT_DESCENT}
    assert set(SETTING["learning_rate_decay"].choices) == set(LEARNING_RATE_DECAYS)
    assert set(REFERENCES) == set(OPTIMIZERS)


def objective(parameters):
    """Not quadratic, so that gradients change in size and sign on the way."""
    return (parameters["a"].square().square() + parameters["a"].sin()).sum() + parameters[
        "b"
    ].cosh().sum()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_step_of_each_model_is_that_of_torch(name, dtype):
    generator = torch.Generator().manual_seed(3)
    start = {
        "a": torch.randn((2, 5, 3), generator=generator, dtype=dtype),
        "b": torch.randn((2, 7), generator=generator, dtype=dtype),
    }
    ours = {key: value.clone().requires_grad_() for key, value in start.items()}
    count = torch.zeros(())
    states = optimizer_states(
        {key: value.detach() for key, value in ours.items()}, (0.9, 0.99), count
    )
    theirs = [{k: v[m].clone().requires_grad_() for k, v in start.items()} for m in range(2)]
    references = [
        REFERENCES[name](list(parameters.values()), rate, decay)
        for parameters, rate, decay in zip(theirs, RATES, WEIGHT_DECAYS, strict=True)
    ]
    tolerance = 2e-6 if dtype == torch.float32 else 1e-14
    for _ in range(60):
        gradients = torch.autograd.grad(objective(ours), tuple(ours.values()))
        count += 1
        of_models = zip(*(g.unbind() for g in gradients), strict=True)
        for state, gradient, rate, decay in zip(
            states, of_models, RATES, WEIGHT_DECAYS, strict=True
        ):
            OPTIMIZERS[name](state, gradient, rate, decay)
        for m, reference in enumerate(references):
            reference.zero_grad()
            objective(theirs[m]).backward()
            reference.step()
            for key, expected in theirs[m].items():
                torch.testing.assert_close(ours[key][m], expected, rtol=tolerance, atol=tolerance)
    assert not torch.allclose(ours["a"], start["a"], rtol=0.01)


def test_decoupled_and_coupled_decay_differ():
    """One step: AdamW shrinks by η γ w besides, Adam's is η sign(g + γ w)."""
    moved = {}
    for name in ("adamw", "adam"):
        parameters = {"w": torch.tensor([[2.0, -4.0]])}
        state = optimizer_states(parameters, (0.9, 0.99), torch.ones(()))[0]
        OPTIMIZERS[name](state, [torch.tensor([0.5, 0.5])], 0.1, 0.25)
        moved[name] = parameters["w"][0]
    torch.testing.assert_close(moved["adamw"], torch.tensor([2 - 0.05 - 0.1, -4 + 0.1 - 0.1]))
    torch.testing.assert_close(moved["adam"], torch.tensor([2 - 0.1, -4 + 0.1]))


def test_rates_rise_in_the_warm_up_and_fall_after_it():
    factors = [rate_factor("cosine", step, 110, 10) for step in range(1, 111)]
    assert factors[:10] == pytest.approx([k / 10 for k in range(1, 11)])
    assert factors[10] == 1
    # Half way: 50 of the 100 steps after the warm-up are made.
    assert factors[60] == pytest.approx(0.5)
    assert all(a >= b for a, b in itertools.pairwise(factors[10:]))
    assert factors[-1] == pytest.approx((math.pi / 100) ** 2 / 4, rel=1e-3)
    assert {rate_factor("constant", step, 110, 10) for step in range(10, 111)} == {1}


@pytest.mark.parametrize("name", LEARNING_RATE_DECAYS)
def test_decays_start_at_one(name):
    assert rate_factor(name, 1, 7, 0) == 1
