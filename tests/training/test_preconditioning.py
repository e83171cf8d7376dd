"""What a network's output means, against the formulas of Karras et al."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lindiff.columns import SETTING  # noqa: E402
from lindiff.training.forms import Form  # noqa: E402
from lindiff.training.preconditioning import PRECONDITIONINGS, edm, none, v, x0  # noqa: E402

D = 5
NOISES = st.floats(1e-3, 1e3)


def inputs(models=2, batch=7):
    """x, σ and the data's rms, in float64."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn((models, batch, D), generator=generator, dtype=torch.float64)
    sigma = torch.rand((models, batch), generator=generator, dtype=torch.float64) * 3 + 0.01
    return x, sigma, torch.tensor([0.7, 2.0], dtype=torch.float64)[:models]


def body(parameters, x, sigma):
    return torch.sin(3 * x.flip(-1)) * (1 + sigma[..., None]) * parameters["a"]


def test_the_setting_names_them_all():
    assert tuple(PRECONDITIONINGS) == SETTING["preconditioning"].choices
    assert Form(3, 4).preconditioning == SETTING["preconditioning"].neutral


def test_edm_is_that_of_karras_et_al():
    """ε̂ = (y − D)/σ with D = c_skip y + c_out F(c_in y, σ): their table 1."""
    x, sigma, scale = inputs()
    parameters = {"a": torch.tensor(0.3, dtype=torch.float64)}
    noise, s = sigma[..., None], scale[:, None, None]
    y = x * (1 + noise**2).sqrt()
    c_skip = s**2 / (noise**2 + s**2)
    c_out = noise * s / (noise**2 + s**2).sqrt()
    c_in = 1 / (noise**2 + s**2).sqrt()
    denoised = c_skip * y + c_out * body(parameters, c_in * y, sigma)
    found = edm(body)(parameters, x, sigma, scale)
    torch.testing.assert_close(found, (y - denoised) / noise, rtol=1e-11, atol=1e-11)


def test_without_a_body_edm_is_the_optimum_of_isotropic_data():
    """ε̂ = √q/(ᾱ s² + q) x_t, the optimum of N(0, s² I)."""
    x, sigma, scale = inputs()
    q, alpha_bar = sigma**2 / (1 + sigma**2), 1 / (1 + sigma**2)
    optimum = q.sqrt() / (alpha_bar * scale[:, None] ** 2 + q)
    found = edm(lambda parameters, x, sigma: torch.zeros_like(x))({}, x, sigma, scale)
    torch.testing.assert_close(found, optimum[..., None] * x, rtol=1e-12, atol=0)


@settings(max_examples=50, deadline=None)
@given(NOISES, NOISES, st.integers(0, 99))
def test_a_body_of_order_one_can_know_the_noise(noise, s, seed):
    """F = (x_0 − c_skip y)/c_out gives ε back, and is of variance 1 at every σ and s."""
    generator = torch.Generator().manual_seed(seed)
    x_0, epsilon = torch.randn((2, 1, 4000, D), generator=generator, dtype=torch.float64)
    sigma = torch.full((1, 4000), noise, dtype=torch.float64)
    target = []

    def knowing(parameters, x, sigma):
        r = (noise**2 + s**2) ** 0.5
        y = x * r
        target.append((s * x_0 - s**2 / r**2 * y) * r / (noise * s))
        return target[0]

    x_t = (s * x_0 + noise * epsilon) / (1 + noise**2) ** 0.5
    found = edm(knowing)({}, x_t, sigma, torch.tensor([s], dtype=torch.float64))
    torch.testing.assert_close(found, epsilon, rtol=1e-6, atol=1e-6)
    assert float(target[0].square().mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("how", ["none", "x0", "v"])
def test_an_output_that_is_right_gives_the_noise(how):
    """Of ε, x_0 and v by their definitions, at every level and whatever the data."""
    generator = torch.Generator().manual_seed(4)
    clean, noise = torch.randn((2, 2, 7, D), generator=generator, dtype=torch.float64)
    _, sigma, scale = inputs()
    a, b = (1 / (1 + sigma**2)).sqrt()[..., None], (sigma / (1 + sigma**2).sqrt())[..., None]
    right = {"none": noise, "x0": 3 * clean, "v": a * noise - b * 3 * clean}[how]
    seen = []

    def knowing(parameters, x, sigma):
        seen.append(x)
        return right

    x_t = a * 3 * clean + b * noise
    found = PRECONDITIONINGS[how](knowing)({}, x_t, sigma, scale)
    torch.testing.assert_close(found, noise, rtol=1e-9, atol=1e-9)
    assert seen[0] is x_t


def test_an_error_of_the_output_is_one_of_the_noise():
    """Of x_0 divided by σ, of v multiplied by √ᾱ: the ratios of their losses (`weighting`)."""
    x, sigma, scale = inputs()

    def error(how):
        one, other = (
            how(lambda p, x, s, c=c: torch.full_like(x, c))({}, x, sigma, scale) for c in (0.0, 1.0)
        )
        return (other - one)[..., 0].square()

    torch.testing.assert_close(error(x0), sigma**-2)
    torch.testing.assert_close(error(v), 1 / (1 + sigma**2))


def test_none_is_the_body():
    x, sigma, scale = inputs()
    parameters = {"a": torch.tensor(0.3, dtype=torch.float64)}
    expected = body(parameters, x, sigma)
    for s in (scale, 10 * scale):
        assert torch.equal(none(body)(parameters, x, sigma, s), expected)
