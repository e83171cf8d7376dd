"""The samplers, a file each, with one function `coefficients(steps)`, or two.

It gives A, B, C and σ² of `lindiff.science.sampler.Sampler`, all of shape (S,), from the steps of
the grid (`_steps.Steps`; docs/theory.md, "Sampling"). A sampler that evaluates the denoiser at both
ends of a step has `corrector(steps)` too, which gives K, A, B and C of
`lindiff.science.sampler.Corrector`; its steps are those that reach a level, not the data.
"""
