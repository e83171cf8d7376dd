"""YAML to resolved experiments, with messages that name the line.

This is the code that reads the user's configs; the configs themselves are in the folder
``config/`` of the checkout.
"""
