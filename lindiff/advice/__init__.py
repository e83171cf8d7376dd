"""Advice on a data set: how many samples, which regularization, when to stop."""
