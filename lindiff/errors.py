"""The error that a user can cause and mend."""

from __future__ import annotations


class InputError(Exception):
    """Something that the user gave is wrong; ``str(error)`` is what the user sees.

    The command line prints each line of it to stderr and exits with 2, without a traceback.
    """
