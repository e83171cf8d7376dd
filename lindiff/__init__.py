"""How much data does a diffusion model need: linear diffusion models, exactly."""
