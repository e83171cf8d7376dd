"""Configs that nobody would write."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from tests.fuzz.grammar import configs
from tests.fuzz.properties import Worker, some


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@given(text=configs())
@some(100)
def test_a_config_is_accepted_or_refused_with_a_word(
    lindiff: Worker, folder: Path, text: str
) -> None:
    """A grid of a million cells takes its time; here it is refused as one of thousands."""
    (folder / "c.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    found = lindiff(folder, "validate", "c.yaml", "--max-cells", "2000")
    assert not found.changed
