"""Set-up of the tests that train."""

import pytest


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """Every test of this folder trains."""
