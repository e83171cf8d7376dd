"""The samplers, a file each, with one function `coefficients(beta, alpha, q, q_next)`.

It gives A, B, C and σ² of `lindiff.science.sampler.Sampler`, all of shape (S,), from β and α of
each step and q = 1 − ᾱ of the levels that it leaves and reaches (docs/theory.md, "Sampling").
"""
