"""Set-up of all tests: shapes and types of `lindiff.science` are checked at every call."""

import sys

from jaxtyping import install_import_hook

# The hook rewrites modules as they are imported, so it must come first.
if early := sorted(name for name in sys.modules if name.startswith("lindiff.science")):
    raise RuntimeError(f"imported before the type checks could be installed: {early}")
install_import_hook("lindiff.science", "beartype.beartype")
