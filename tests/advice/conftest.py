import pytest

from lindiff.advice import make


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch):
    """Six are enough for intervals that hold (Student's t), at a third of the time."""
    monkeypatch.setattr(make, "_DRAWS", 6)
