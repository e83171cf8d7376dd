"""A family of 300 cells against the bare draw, Gram matrix and eigendecomposition of its data.

Also holds the tabulated path against the direct recursion over all levels, metric by metric.
Run: .venv/bin/python -m benchmarks.family
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.timing import header, report, seconds
from lindiff.models.linear import run
from lindiff.models.linear_cells import groups
from lindiff.science import metrics
from lindiff.science.draws import make_draw
from lindiff.science.exact import divergences
from lindiff.science.measure import of_draw
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FIELDS, Evaluated, FilterTable, node_range
from tests.science.helpers import make_cells

D, N = 256, 1000
RIDGES = [0.0, *np.geomspace(1e-4, 1, 9).tolist()]
STOPS = [*np.geomspace(1, 1e6, 29).tolist(), math.inf]
WANTED = (
    "train_loss", "test_loss", "kl_model_data", "kl_model_data_mean", "kl_data_model",
    "kl_data_model_mean",
)  # fmt: skip


def bare(rng: np.random.Generator) -> None:
    """The draw, its Gram matrix and their eigendecomposition: what no method can do without."""
    X = rng.standard_normal((N, D))
    X -= X.mean(axis=0)
    np.linalg.eigh(X.T @ X / N)


def direct(cells, draw, span) -> dict[str, np.ndarray]:
    """All metrics with the filters from the recursion at every eigenvalue."""
    ((rows, filters),) = groups(cells)
    mu = of_draw(draw)
    table = FilterTable(filters.make_bank(), filters.make_sampler(), span)
    response = table.bank.response(mu.nodes, table.sampler)
    everywhere = {name: getattr(response, name) for name in FIELDS}
    none = np.empty(0, dtype=np.intp)
    every = np.arange(len(mu.nodes))
    evaluated = Evaluated(table, none, every, np.empty((0, table.size)), everywhere, None)
    root = filters.root_alpha_bar
    found = metrics.losses(mu, evaluated) | divergences(draw, mu, evaluated, root)
    return {name: values[np.argsort(rows)] for name, values in found.items()}


def accuracy(n: int, kind: str) -> tuple[float, float]:
    """Largest relative and absolute difference of any metric between both paths."""
    cells = make_cells(d=D, n=n, ridge=RIDGES, stop=STOPS, draw=kind)
    rows = run(cells, WANTED)
    s = make_spectrum("isotropic", D)
    draw = make_draw(kind, s, n, 0, {"spectrum": "isotropic", "params": "{}"})
    reference = direct(cells, draw, node_range(s, n))
    relative = absolute = 0.0
    for name in WANTED:
        a, b = np.array(rows[name].to_pylist()), reference[name]
        finite = np.isfinite(b)
        assert np.array_equal(a[~finite], b[~finite])
        difference = np.abs(a[finite] - b[finite])
        size = np.abs(b[finite])
        relative = max(relative, float(np.max(difference / np.maximum(size, 1e-3))))
        absolute = max(absolute, float(np.max(difference / np.maximum(size, 1))))
    return relative, absolute


def main() -> None:
    header(f"family: {len(RIDGES)} ridges × {len(STOPS)} stops, d = {D}, N = {N}, DDPM, T = 1000")
    rng = np.random.default_rng(0)
    for kind in ("samples", "wishart"):
        cells = [
            make_cells(d=D, n=N, ridge=RIDGES, stop=STOPS, draw=kind, seed=s) for s in range(9)
        ]
        for threads in (1, 2):
            with threadpool_limits(threads):
                first = seconds(lambda c=cells[0]: run(c, WANTED), 1)
                pairs = []
                for c in cells[1:] * 3:
                    own = seconds(lambda c=c: run(c, WANTED), 1)[0]
                    pairs.append((own, seconds(lambda: bare(rng), 1)[0]))
                ours, reference = np.array(pairs).T
                print(f" draw: {kind}, {threads} thread(s); tabulating the filters once: "
                      f"{first[0] * 1e3:.0f} ms")  # fmt: skip
                ratio = report("family", ours) / report("bare draw + Gram + eigh", reference)
                print(f"  ratio {ratio:.2f} (median of ratios {np.median(ours / reference):.2f}); "
                      "bar 1.5")  # fmt: skip
    print(" against the direct recursion over all levels (bar: 1e-9 relative, 1e-12 absolute)")
    for n, kind in itertools.product((64, 250, 257, 1000), ("samples", "wishart")):
        relative, absolute = accuracy(n, kind)
        print(f"  N = {n}, {kind}: relative {relative:.1e}, absolute {absolute:.1e}")


if __name__ == "__main__":
    main()
