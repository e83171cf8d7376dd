"""Files of eigenvalues: text in every dress, arrays, damage; see `properties`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import event, given
from hypothesis import strategies as st

from tests.fuzz.files import chance, damaged, npy_files
from tests.fuzz.properties import some

CONFIG = (
    "experiments:\n  a: {{model: linear_exact, n: 3, seed: 0, spectrum: {{eigenvalues: v.{}}}}}\n"
)
WORDS = st.one_of(
    st.floats(allow_nan=True).map(repr),
    st.floats(1e-3, 1e3).map(repr),
    st.integers(-3, 10**6).map(str),
    st.sampled_from(
        ["0", "-0.0", "1e999", "1e-999", "1,5", "1.0D+00", "0x1p3", "1_0", "nan", "Infinity", "+.5",
         "5.", "１", "1e", "-", "None", "[1", "2]", "\0", "\x1b[31m", "9" * 5000, "1" * 300, "\\n"]
    ),
    st.text(max_size=8),
)  # fmt: skip
SEPARATORS = st.sampled_from(["\n", "\r\n", "\r", " ", "\t", ",", ", ", ";", ",\n", "\n\n", "\x0b"])
ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"]


@st.composite
def texts(draw):
    """Words with one separator or several, comments, a header."""
    words = draw(st.lists(WORDS, max_size=12))
    if draw(st.booleans()):
        words = [repr(value) for value in draw(st.lists(st.floats(1e-3, 1e3), max_size=30))]
    one = draw(SEPARATORS)
    text = "".join(word + (draw(SEPARATORS) if draw(chance(3)) else one) for word in words)
    if draw(chance(20)):
        text = (
            draw(st.sampled_from(["# eigenvalues\n", "index,value\n", '"', "\ufeff", "#"])) + text
        )
    return text.encode(draw(st.sampled_from(ENCODINGS)), "replace")


@st.composite
def inputs(draw):
    ending = draw(st.sampled_from(["txt", "txt", "npy", "csv"]))
    content = draw(npy_files() if ending == "npy" else texts())
    if draw(chance(30)):
        content = draw(damaged(content))
    if draw(chance(10)):
        ending = draw(st.sampled_from(["npy", "txt"]))
    return content, ending


@some(50)
@given(inputs())
def test_files_of_eigenvalues(lindiff, given):
    content, ending = given
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / f"v.{ending}").write_bytes(content)
        (path / "c.yaml").write_text(CONFIG.format(ending))
        refused = lindiff(path, "validate", "c.yaml").code
    event("refused" if refused else "accepted")
