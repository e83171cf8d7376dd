"""Sizes that training works with, and that its cost is estimated from; imports no torch."""

# Models trained as one on a CPU: of more, the work arrays leave the cache.
PACK = 16
# Parameters of one model from which a loop over the models is as fast (benchmarks/training.py).
LOOP_FROM = 500_000
# Parameters, both running means, gradients and a copy on the way.
COPIES = 5
# Frequencies of ln σ that a network is told, and sin and cos of each.
FREQUENCIES = 16
FEATURES = 2 * FREQUENCIES
# Numbers of snapshots and training sets that are held at a time.
HELD = 30_000_000
# Numbers of a forward pass that measures.
ACTIVATIONS = 1 << 24
# Steps whose noise is drawn at once.
BLOCK = 16
# Numbers of the largest array of a chunk of noise levels of the linear model. A chunk does not hang
# on the stops, so a cell has the same numbers in any company.
CHUNK = 1 << 22


def pack_size(size: int) -> int:
    """Models of `size` parameters that are best trained as one on a CPU; 1 is the loop."""
    return 1 if size >= LOOP_FROM else PACK
