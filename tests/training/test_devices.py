"""Devices by name, models that fit, and what a full memory says."""

import pytest

torch = pytest.importorskip("torch")

from lindiff.errors import is_out_of_memory  # noqa: E402
from lindiff.training import devices, sizes  # noqa: E402
from lindiff.training.devices import bytes_of, device_of, fitting, models_at_once  # noqa: E402
from lindiff.training.networks.mlp import make_mlp  # noqa: E402
from lindiff.training.task import Network, Recipe, Run  # noqa: E402


def test_the_cpu_is_always_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("cpu") == device_of("auto") == torch.device("cpu")


def test_auto_takes_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert device_of("auto") == device_of("cuda") == torch.device("cuda:0")
    assert device_of("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("built", "why"), [(None, "is built for CPUs only"), ("13", "finds no GPU")]
)
def test_a_missing_gpu_is_said(monkeypatch, built, why):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(ValueError, match=f"device cuda is asked for, but torch .* {why}"):
        device_of("cuda")


def test_unknown_devices_are_refused():
    with pytest.raises(ValueError, match="device 'gpu' is none of auto, cpu, cuda"):
        device_of("gpu")


def test_models_fill_the_memory_in_powers_of_two(monkeypatch):
    monkeypatch.setattr(devices, "USED", 0.5)
    assert [fitting(200, each) for each in (1, 3, 25, 26, 100, 101, 10_000)] == [
        64,
        32,
        4,
        2,
        1,
        1,
        1,
    ]


def test_memory_counts_parameters_activations_draws_and_data():
    network = Network({"w": (3, 5)}, lambda g: {}, lambda *a: a[1], activations=7)
    rows = torch.ones((11, 3))
    recipe = Recipe(10, batch_size=2)
    numbers = 5 * 15 + 2 * 7 + 3 * 16 * 2 * 3 + 2 * 33
    assert bytes_of(network, [Run(rows, "a", 0.1)], recipe) == 4 * numbers
    assert bytes_of(network, [Run(rows.double(), "a", 0.1)], recipe) == 8 * numbers
    more = bytes_of(network, [Run(rows, "a", 0.1), Run(torch.ones((100, 3)), "b", 0.1)], recipe)
    assert more - 4 * numbers == 4 * 2 * 3 * 89


def test_unknown_activations_are_guessed_from_above():
    """Against what the graph of an MLP saves for the gradient, tensor by tensor."""
    network, m, b = make_mlp(16, 32, 3), 2, 64
    parameters = {
        name: torch.randn((m, *shape)).requires_grad_() for name, shape in network.shapes.items()
    }
    saved = {}

    def pack(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 4
        return tensor

    x = torch.randn((m, b, 16))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network.predict(parameters, x, torch.ones((m, b)), torch.ones(m)).square().sum()
    kept = (sum(saved.values()) - m * network.size) / (m * b)
    assert kept < network.kept < 10 * kept


def test_a_cpu_takes_packs_of_its_own_size():
    network, runs = make_mlp(4, 8, 1), [Run(torch.ones((2, 4)), "a", 0.1)]
    assert models_at_once(network, runs, Recipe(1)) == sizes.pack_size(network.size) == sizes.PACK


def test_an_allocation_that_fails_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.float32)
    assert is_out_of_memory(caught.value), caught.value
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes"), ValueError("out of memory"), KeyError("a")]
)
def test_other_errors_are_not(error):
    assert not is_out_of_memory(error)
