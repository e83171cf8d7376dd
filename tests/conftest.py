"""Set-up of all tests: shapes and types of `lindiff.science` are checked in every kind of call."""

import gc
import os
import sys

from threadpoolctl import threadpool_limits

from tests import typechecker

# One thread a process, for the test runner uses the cores itself: threads that wait for one another
# on a busy machine spin. The variables are for libraries loaded later and for other processes.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
threadpool_limits(1)

# The hook rewrites modules as they are imported, so it must come first.
if early := sorted(name for name in sys.modules if name.startswith("lindiff.science")):
    raise RuntimeError(f"imported before the type checks could be installed: {early}")
typechecker.install("lindiff.science")


def pytest_collection_finish() -> None:
    """Leave all that is loaded out of searches for garbage, a tenth of the time of tests."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
