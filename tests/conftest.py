"""Set-up of all tests: shapes and types of `lindiff.science` are checked at every call."""

import sys

import pytest
from jaxtyping import install_import_hook

from tests import typechecker

# The hook rewrites modules as they are imported, so it must come first.
if early := sorted(name for name in sys.modules if name.startswith("lindiff.science")):
    raise RuntimeError(f"imported before the type checks could be installed: {early}")
install_import_hook("lindiff.science", f"{typechecker.__name__}.checked")


@pytest.fixture
def one_thread():
    """For tests that train: the test runner uses the cores itself."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
