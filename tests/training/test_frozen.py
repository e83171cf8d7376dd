"""Frozen noises: Philox against its published answers, their law, and that they are a table."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch")

from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training.frozen import frozen_noise, philox  # noqa: E402
from lindiff.training.noise import BLOCK, batches  # noqa: E402

SCHEDULE = make_schedule("cosine", 3)


def table(key="a", rows=40, levels=20, copies=5, d=7):
    """The whole table, shape (rows, levels, copies, d), which nothing but a test holds."""
    i, t, j = (torch.arange(count) for count in (rows, levels, copies))
    i, t, j = torch.broadcast_tensors(i[:, None, None], t[:, None], j)
    return frozen_noise(key, i, t, j, d)


# Known answers of Random123, the authors' own library (its file kat_vectors).
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4, (0xFFFFFFFF, 0xFFFFFFFF),
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)  # fmt: skip
def test_philox_gives_the_published_answers(counter, key, answer):
    assert [int(word) for word in philox([torch.tensor(word) for word in counter], key)] == answer


def test_a_noise_is_the_same_whoever_asks_for_it():
    whole = table()
    rng = torch.Generator().manual_seed(0)
    i, t, j = (torch.randint(count, (50, 3), generator=rng) for count in (40, 20, 5))
    assert torch.equal(frozen_noise("a", i, t, j, 7), whole[i, t, j])
    (one,) = frozen_noise("a", i[:1, 0], t[:1, 0], j[:1, 0], 7)
    assert torch.equal(one, whole[i[0, 0], t[0, 0], j[0, 0]])
    # A coordinate knows no other, nor how many there are.
    assert torch.equal(frozen_noise("a", i, t, j, 2), whole[i, t, j, :2])
    assert not torch.equal(table("b"), whole)
    assert whole.dtype == torch.float32


def test_no_number_of_the_table_is_twice_there():
    values = torch.unique(table(rows=20).double())
    # Of float32: two of 14,000 numbers are the same now and then.
    assert len(values) > 0.999 * 20 * 20 * 5 * 7


def test_noises_are_standard_normal():
    values = table(rows=100, levels=50, copies=8, d=5).double().numpy().ravel()
    assert stats.kstest(values, "norm").pvalue > 0.01
    count = len(values)
    # Moments 1 to 4, whose variances are 1, 2, 15 and 96.
    for power, (moment, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], 1):
        assert abs((values**power).mean() - moment) < 4 * math.sqrt(variance / count)
    tail = (np.abs(values) > 3.5).sum() / (count * 2 * stats.norm.sf(3.5))
    assert abs(tail - 1) < 4 / math.sqrt(count * 2 * stats.norm.sf(3.5))


@pytest.mark.parametrize("axis", range(4))
def test_noises_are_independent_along_every_index(axis):
    """Neighbours' products, and those of their squares, have the means of independent numbers."""
    values = table(rows=60, levels=30, copies=10, d=12).double().transpose(0, axis)
    for lag in (1, 2, 3):
        one, other = values[lag:], values[:-lag]
        count = one.numel()
        assert abs(float((one * other).mean())) < 4 / math.sqrt(count)
        squares = (one**2 - 1) * (other**2 - 1)
        assert abs(float(squares.mean())) < 4 * 2 / math.sqrt(count)


def test_training_meets_each_frozen_noise_and_no_other():
    rows = [torch.zeros((n, 2)) for n in (4, 2)]
    given = [rows, ["a", "b"], 8, SCHEDULE]
    steps = list(itertools.islice(batches(*given, noises=[2, math.inf]), 5 * BLOCK))
    noise = torch.stack([batch.noise for batch in steps], dim=1)
    first, second = (torch.unique(each.flatten(0, 1), dim=0) for each in noise)
    # 640 draws of 4 · 3 · 2 noises: one is left out with a probability of 24 (23/24)^640 = 4e-11.
    assert len(first) == 4 * 3 * 2
    expected = table("a", 4, 3, 2, 2).flatten(0, 2)
    assert torch.equal(first, torch.unique(expected, dim=0))
    assert len(second) == 640
    # Company, and where one starts, change nothing; without frozen noises there are the old ones.
    late = next(batches(*given, 2 * BLOCK + 3, [2, math.inf]))
    assert torch.equal(late.noise, steps[2 * BLOCK + 3].noise)
    alone = next(batches([rows[0]], ["a"], 8, SCHEDULE, noises=[2]))
    assert torch.equal(alone.x[0], steps[0].x[0])
    plain = next(batches(*given))
    assert torch.equal(plain.noise[1], steps[0].noise[1])
    assert torch.equal(plain.sigma, steps[0].sigma)
    assert not torch.equal(plain.noise[0], steps[0].noise[0])


def test_each_noise_has_its_row_and_its_level():
    rows = [torch.tensor([[1.0, 2.0], [3.0, 5.0], [-7.0, 0.0]])]
    sigma = torch.tensor((SCHEDULE.q / SCHEDULE.alpha_bar) ** 0.5).float()
    noises = table("a", 3, 3, 4, 2)
    for batch in itertools.islice(batches(rows, ["a"], 5, SCHEDULE, noises=[4]), 3):
        for x, s, noise in zip(batch.x[0], batch.sigma[0], batch.noise[0], strict=True):
            t = int((sigma / s).log().abs().argmin())
            i, _ = (noises[:, t] == noise).all(dim=-1).nonzero()[0].tolist()
            alpha_bar, q = SCHEDULE.alpha_bar[t], SCHEDULE.q[t]
            expected = math.sqrt(alpha_bar) * rows[0][i] + math.sqrt(q) * noise
            torch.testing.assert_close(x, expected, rtol=1e-5, atol=1e-5)
