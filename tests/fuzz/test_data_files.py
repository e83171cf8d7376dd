"""Files of data, whole, lying and damaged, under any name: the four properties of `properties`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import event, given
from hypothesis import strategies as st

from tests.fuzz.files import NAMES, chance, damaged, npy_files, npz_files, parquet_files
from tests.fuzz.properties import some

CONFIG = "experiments:\n  a: {{model: linear_exact, n: 3, seed: 0, {key}: {value}}}\n"


@st.composite
def inputs(draw):
    """A file, and how a config names it."""
    ending, files = draw(
        st.sampled_from([("npy", npy_files), ("npz", npz_files), ("parquet", parquet_files)])
    )
    content = draw(files())
    if draw(chance(35)):
        content = draw(damaged(content))
    if draw(chance(5)):
        ending = draw(st.sampled_from(["npy", "npz", "parquet", "csv", "pkl"]))
    written = {"file": f"m.{ending}"}
    if draw(chance(40 if ending == "npz" else 5)):
        written["array"] = draw(st.sampled_from(["x", "arr_0", "a/b", "", "nothing"]))
    if draw(chance(20)):
        columns = st.one_of(st.sampled_from(NAMES), st.integers(-2, 7))
        written["drop"] = draw(st.lists(columns, max_size=3))
    if draw(st.booleans()):
        written["standardize"] = draw(st.booleans())
    key = draw(st.sampled_from(["data", "spectrum"]))
    value = written if key == "data" else {"dataset": written}
    return content, written["file"], CONFIG.format(key=key, value=json.dumps(value))


@some(50)
@given(inputs())
def test_files_of_data(lindiff, given):
    content, name, config = given
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / name).write_bytes(content)
        (path / "c.yaml").write_text(config)
        refused = lindiff(path, "validate", "c.yaml").code
    event("refused" if refused else "accepted")
