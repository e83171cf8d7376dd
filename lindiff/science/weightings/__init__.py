"""The weightings of the loss over noise levels, a file each, with one function `weights`.

Of a schedule and the rms of the data it gives the weight of the ε-loss ℓ_t at each level, up to a
factor, shape (T,); docs/theory.md, "Weighting".
"""
