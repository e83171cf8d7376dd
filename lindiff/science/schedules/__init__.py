"""The noise schedules, a file each, with one function `beta(timesteps, beta_min, beta_max)`.

It gives β_t, shape (T,); docs/theory.md, "Forward process".
"""
