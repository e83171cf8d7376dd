"""The mathematics: schedules, spectra, draws, samplers, filters, measures and metrics.

NumPy only, float64 throughout; this room imports nothing else of lindiff.
"""
