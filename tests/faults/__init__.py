"""Attacks on a small sweep, seeded: `python -m tests.faults KIND` (all: `make faults`)."""
