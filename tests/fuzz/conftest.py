"""One process for all inputs: it takes seconds to start."""

import pytest

from tests.fuzz.properties import Worker


@pytest.fixture(scope="session")
def worker():
    worker = Worker()
    yield worker
    worker.close()
