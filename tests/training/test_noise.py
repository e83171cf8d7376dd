"""The numbers of a run: distributions, and independence of company and of where one starts."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training.noise import BLOCK, batches, torch_generator  # noqa: E402

SCHEDULE = make_schedule("cosine", 10)


def rows_of(*sizes, d=3):
    return [torch.randn((n, d), generator=torch.Generator().manual_seed(n)) for n in sizes]


def take(iterator, count):
    return list(itertools.islice(iterator, count))


def test_a_run_draws_the_same_in_any_company():
    rows, keys = rows_of(5, 2, 9), ["a", "b", "c"]
    together = take(batches(rows, keys, 4, SCHEDULE), 2 * BLOCK + 3)
    back = take(batches(rows[::-1], keys[::-1], 4, SCHEDULE), 2 * BLOCK + 3)
    for m in range(3):
        alone = take(batches(rows[m : m + 1], keys[m : m + 1], 4, SCHEDULE), 2 * BLOCK + 3)
        for step, (one, all_, reversed_) in enumerate(zip(alone, together, back, strict=True)):
            for name in ("x", "sigma", "noise"):
                own = getattr(one, name)[0]
                assert torch.equal(own, getattr(all_, name)[m]), (m, step, name)
                assert torch.equal(own, getattr(reversed_, name)[2 - m]), (m, step, name)


@pytest.mark.parametrize("start", [1, BLOCK - 1, BLOCK, 2 * BLOCK + 5])
def test_a_training_may_go_on_anywhere(start):
    rows = rows_of(6, 4)
    whole = take(batches(rows, ["a", "b"], 4, SCHEDULE), start + 2)
    late = take(batches(rows, ["a", "b"], 4, SCHEDULE, start), 2)
    for one, other in zip(whole[start:], late, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.noise, other.noise)


def test_inputs_are_rows_with_the_noise_of_a_level():
    rows = rows_of(5, 7)
    # The last levels of this schedule hide the row (ᾱ_T = 2e-5): float32 gives it back to 2e-5.
    levels, used = np.zeros(10), [set(), set()]
    sigmas = np.sqrt(SCHEDULE.q / SCHEDULE.alpha_bar)
    for batch in take(batches(rows, ["a", "b"], 8, SCHEDULE), 200):
        level = np.abs(np.log(batch.sigma.numpy()[..., None] / sigmas)).argmin(axis=-1)
        np.testing.assert_allclose(batch.sigma.numpy(), sigmas[level], rtol=1e-6)
        np.add.at(levels, level.ravel(), 1)
        root_q, root_alpha = (
            np.sqrt(a)[level][..., None] for a in (SCHEDULE.q, SCHEDULE.alpha_bar)
        )
        clean = (batch.x.numpy() - root_q * batch.noise.numpy()) / root_alpha
        for m in range(2):
            distance = np.abs(clean[m][:, None] - rows[m].numpy()).max(axis=-1)
            assert distance.min(axis=1).max() < 1e-4
            used[m] |= set(distance.argmin(axis=1).tolist())
    assert used == [set(range(5)), set(range(7))]
    # 3200 draws over 10 levels: 320 ± 17 each.
    assert np.abs(levels - 320).max() < 5 * 17


def test_noise_is_standard_normal_and_new_at_every_step():
    noise = torch.stack([b.noise for b in take(batches(rows_of(3), ["a"], 16, SCHEDULE), 320)])
    values = noise.flatten().double()
    count = len(values)
    assert abs(float(values.mean())) < 5 / count**0.5
    assert abs(float(values.var()) - 1) < 5 * (2 / count) ** 0.5
    assert len(torch.unique(noise[:, 0, 0, 0])) == 320


def test_keys_and_purposes_tell_draws_apart():
    def first(purpose, **key):
        return float(torch.rand((), generator=torch_generator(purpose, **key)))

    assert first("noise", run="a", block=0) == first("noise", block=0, run="a")
    others = [
        first("noise", run="a", block=0),
        first("index", run="a", block=0),
        first("noise", run="b", block=0),
        first("noise", run="a", block=1),
    ]
    assert len(set(others)) == 4
