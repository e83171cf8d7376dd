"""What holds for every network of the registry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lindiff.science.named import names  # noqa: E402
from lindiff.science.pictures import Picture  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training.forms import Form, make_network  # noqa: E402
from lindiff.training.noise import batches  # noqa: E402
from lindiff.training.pack import noise_loss  # noqa: E402
from lindiff.training.preconditioning import PRECONDITIONINGS  # noqa: E402
from lindiff.training.task import Run, initial_parameters, views  # noqa: E402

NETWORKS = names("lindiff.training.networks")
EVERY = [(name, how) for name in NETWORKS for how in PRECONDITIONINGS]


def form(how="edm", d=14, width=4, height=4, breadth=4):
    rng = np.random.default_rng(d)
    Q, _ = np.linalg.qr(rng.standard_normal((height * breadth, d)))
    return Form(d, width, how, Picture(height, breadth, Q.T))


def start(network, models, d, dtype=torch.float64):
    runs = [Run(torch.ones((1, d), dtype=dtype), str(m), 0.1) for m in range(models)]
    return views(initial_parameters(network, runs), network.shapes)


def inputs(models, batch, d, dtype=torch.float64):
    generator = torch.Generator().manual_seed(batch)
    x = torch.randn((models, batch, d), generator=generator, dtype=dtype)
    sigma = torch.rand((models, batch), generator=generator, dtype=dtype) * 3 + 0.01
    return x, sigma, torch.linspace(0.8, 1.2, models, dtype=dtype)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(EVERY),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from([(4, 4), (4, 6), (10, 2)]),
)
def test_a_model_in_a_batch_is_itself_alone(which, dtype, width, models, batch, sides):
    """Seen: equal to the bit for the MLP, to 4e-7 in float32 for the U-Net."""
    (name, how), d = which, 14
    network = make_network(name, form(how, d, width, *sides))
    p, (x, sigma, scale) = start(network, models, d, dtype), inputs(models, batch, d, dtype)
    together = network.predict(p, x, sigma, scale)
    assert together.shape == x.shape
    assert together.dtype == dtype
    assert together.isfinite().all()
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for m in range(models):
        own = {key: view[m : m + 1] for key, view in p.items()}
        (alone,) = network.predict(own, x[m : m + 1], sigma[m : m + 1], scale[m : m + 1])
        torch.testing.assert_close(together[m], alone, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_rows_do_not_feel_each_other(name, how):
    network = make_network(name, form(how))
    p, (x, sigma, scale) = start(network, 2, 14), inputs(2, 6, 14)
    whole = network.predict(p, x, sigma, scale)
    part = network.predict(p, x[:, 2:4], sigma[:, 2:4], scale)
    torch.testing.assert_close(whole[:, 2:4], part, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_gradients_are_finite_differences(name, how):
    """Along a random direction in each parameter, with biases away from 0."""
    network = make_network(name, form(how))
    x, sigma, scale = inputs(2, 5, 14)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    p = {
        key: (view + 0.05 * torch.randn(view.shape, generator=generator)).requires_grad_()
        for key, view in start(network, 2, 14).items()
    }

    def loss(parameters):
        return noise_loss(network.predict(parameters, x, sigma, scale), noise).sum()

    gradients = dict(zip(p, torch.autograd.grad(loss(p), tuple(p.values())), strict=True))
    for key, gradient in gradients.items():
        direction = torch.randn(gradient.shape, generator=generator, dtype=x.dtype)
        step = 1e-5 * direction
        ends = [loss({**p, key: p[key] + sign * step}) for sign in (1, -1)]
        found = float((ends[0] - ends[1]).detach()) / 2e-5
        assert float((gradient * direction).sum()) == pytest.approx(found, rel=1e-6, abs=1e-7), key


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_the_first_loss_is_that_of_an_output_of_zero(name, how):
    """Rows of N(0, I): 1 of ε̂ = 0, the optimum, ᾱ, of `edm` and of v̂ = 0, ᾱ/q of x̂_0 = 0."""
    d, schedule = 61, make_schedule(timesteps=100)
    network = make_network(name, form(how, d, 8, 8, 8))
    rows = torch.randn((200, d), generator=torch.Generator().manual_seed(1))
    batch = next(batches([rows] * 2, ["a", "b"], 300, schedule))
    p = start(network, 2, d, torch.float32)
    losses = noise_loss(network.predict(p, batch.x, batch.sigma, torch.ones(2)), batch.noise)
    alpha_bar = (1 / (1 + batch.sigma**2)).mean(dim=1)
    of_zero = {"none": torch.ones(2), "x0": (batch.sigma**-2).mean(dim=1)}
    # What is divided by σ counts the little that the output is at first.
    near = 0.12 if how == "x0" else 0
    torch.testing.assert_close(losses, of_zero.get(how, alpha_bar), atol=0.03, rtol=near)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_start_hangs_on_the_generator(name):
    network = make_network(name, form())
    one, same, other = (network.initial(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert {key: tuple(value.shape) for key, value in one.items()} == dict(network.shapes)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)
