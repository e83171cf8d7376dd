"""The reference schedule: β goes from `BETA_MIN` to `BETA_MAX` over `REFERENCE_TIMESTEPS` levels.

For another number of levels T the range scales by `REFERENCE_TIMESTEPS` / T.
"""

REFERENCE_TIMESTEPS = 1000
BETA_MIN, BETA_MAX = 1e-4, 1e-2
