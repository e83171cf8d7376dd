"""One process for all inputs: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.properties import Worker


@pytest.fixture(scope="session")
def lindiff() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()
