"""The MLP: layer by layer, and from memorizing to generalizing."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lindiff.science.sampler import make_sampler  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training.engine import train  # noqa: E402
from lindiff.training.modulation import FREQUENCIES, embedding  # noqa: E402
from lindiff.training.networks.mlp import make_mlp  # noqa: E402
from lindiff.training.noise import batches  # noqa: E402
from lindiff.training.pack import noise_loss  # noqa: E402
from lindiff.training.task import Recipe, Run, initial_parameters, views  # noqa: E402

D = 8


def start(network, models=1):
    runs = [Run(torch.ones((1, D)), str(m), 0.1) for m in range(models)]
    return views(initial_parameters(network, runs).double(), network.shapes)


def test_the_body_layer_by_layer():
    network = make_mlp(D, 12, 2, "none")
    p = start(network, 2)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn((2, 64, D), generator=generator, dtype=torch.float64)
    sigma = torch.rand((2, 64), generator=generator, dtype=torch.float64) * 3 + 0.01
    found = network.predict(p, x, sigma, torch.ones(2))
    for m in range(2):
        h, levels = x[m], embedding(sigma[m])
        for i in range(2):
            factor = levels @ p[f"factor_{i}"][m] + p[f"factor_{i}_bias"][m]
            shift = levels @ p[f"shift_{i}"][m] + p[f"shift_{i}_bias"][m]
            new = torch.nn.functional.silu(factor * (h @ p[f"hidden_{i}"][m]) + shift)
            h = new if i == 0 else h + new
        expected = h @ p["output"][m] + p["output_bias"][m]
        torch.testing.assert_close(found[m], expected, rtol=1e-10, atol=1e-10)


def test_embedding_is_sines_and_cosines_of_ln_sigma():
    found = embedding(torch.tensor([math.e, 1.0], dtype=torch.float64))
    assert found.shape == (2, 2 * FREQUENCIES)
    frequencies = np.geomspace(0.25, 8, FREQUENCIES)
    expected = np.concatenate([np.sin(frequencies), np.cos(frequencies)])
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-12)
    assert found[1].tolist() == [0.0] * FREQUENCIES + [1.0] * FREQUENCIES


def test_initial_activations_keep_their_size():
    network = make_mlp(D, 512)
    p = start(network)
    for name, gain in (("hidden_1", 1.0), ("factor_0", 0.3), ("shift_2", 0.3), ("output", 0.1)):
        fan_in = network.shapes[name][0]
        deviation = float(p[name].std()) * math.sqrt(fan_in)
        assert deviation == pytest.approx(gain, rel=5 / math.sqrt(2 * p[name].numel()))
    assert float(p["shift_0_bias"].abs().max()) == 0
    assert p["factor_0_bias"].unique().tolist() == [1]


def sample(network, parameters, scale, schedule, count, d):
    """Samples of each model by 50 DDIM steps from the same start, shape (models, count, d)."""
    sampler = make_sampler("ddim", schedule, sampling_steps=50)
    models = len(scale)
    x = torch.randn((count, d), generator=torch.Generator().manual_seed(9)).repeat(models, 1, 1)
    sigmas = np.sqrt(schedule.q / schedule.alpha_bar)
    for i, index in enumerate(sampler.levels):
        sigma = torch.full((models, count), float(sigmas[index]))
        noise = network.predict(parameters, x, sigma, scale)
        x = float(sampler.A[i]) * x - float(sampler.B[i]) * noise
    return x


def memorized(samples, rows):
    """Share of samples whose nearest training row is three times nearer than the second."""
    nearest = (samples[:, None].double() - rows.double()).norm(dim=-1).sort(dim=1).values
    return float((nearest[:, 0] < nearest[:, 1] / 3).double().mean())


def test_few_rows_are_memorized_and_many_are_not():
    """Gaussian data, d = 16, λ_j ∝ 1/j, the same draw cut at N = 4 and N = 256.

    At N = 256 the test loss must be near that of the population optimum (0.350; seen 0.372), at
    N = 4 far above (seen 4.3). Memorized: seen 0.975 and 0.
    """
    d, schedule = 16, make_schedule()
    eigenvalues = 1 / torch.arange(1, d + 1)
    eigenvalues *= d / eigenvalues.sum()
    generator = torch.Generator().manual_seed(0)
    data = torch.randn((256, d), generator=generator) * eigenvalues.sqrt()
    fresh = torch.randn((4096, d), generator=generator) * eigenvalues.sqrt()
    network = make_mlp(d, 64)
    runs = [Run(data[:n], f"n {n}", 6e-3) for n in (4, 256)]
    recipe = Recipe(1500, (1500,), 64, "adam", (0.9, 0.99), 100, "cosine")
    (end,) = train(network, runs, recipe, schedule).parameters
    parameters = views(end, network.shapes)
    scale = torch.ones(2)
    samples = sample(network, parameters, scale, schedule, 200, d)
    shares = [memorized(samples[m], run.rows) for m, run in enumerate(runs)]
    test = next(batches([fresh] * 2, ["test"] * 2, 4096, schedule))
    losses = noise_loss(network.predict(parameters, test.x, test.sigma, scale), test.noise)
    q, alpha_bar = (a[:, None] for a in (schedule.q, schedule.alpha_bar))
    s = eigenvalues.double().numpy()
    optimum = float(np.mean(alpha_bar * s / (alpha_bar * s + q)))
    assert shares[0] >= 0.95
    assert shares[1] <= 0.02
    assert losses[0] > 2 * optimum
    assert losses[1] < 1.2 * optimum
