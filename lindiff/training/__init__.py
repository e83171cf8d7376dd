"""Denoisers that are trained, many at once (docs/theory.md, "Trained denoisers"); needs torch."""
