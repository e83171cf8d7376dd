"""Text files of numbers: first lines, separators, decimal commas, and what is refused."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lindiff.config import csvfile
from lindiff.config.sources import open_source
from tests.fuzz.properties import some

NUMBERED = "the first line has numbers, so a column is called by its number"
COMMAS = "numbers were read with decimal commas: 1,5 is one and a half"


@pytest.fixture
def read(tmp_path):
    """Values, names and notes of a text, but those on what its columns look like."""

    def opened(text, name="a.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        source = open_source(path, **options)
        notes = [note for note in source.notes if "may be no feature" not in note]
        return np.concatenate(list(source.blocks())).tolist(), source.names, notes

    return opened


@pytest.fixture
def refused(read, tmp_path):
    def message(text, **options):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the text
            read(text, **options)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return message


ROWS = [[1.5, 2.0], [3.0, 4.25]]


@pytest.mark.parametrize(
    ("text", "names", "notes"),
    [
        ("a,b\n1.5,2\n3,4.25\n", ("a", "b"), []),
        ("\ufeffa,b\r\n1.5,2\r\n3,4.25", ("a", "b"), []),
        ("\n\na , b\n1.5, 2\n\n3 , 4.25\n\n", ("a", "b"), []),
        ('"a",b\n"1.5",2\n3,"4.25"\n', ("a", "b"), []),
        ("# a,b\n1.5,2\n3,4.25\n", ("a", "b"), []),
        ("a\tb\n1.5\t2\n3\t4.25\n", ("a", "b"), []),
        ("a\tb\n1,5\t2\n3\t4,25\n", ("a", "b"), [COMMAS]),
        ("a;b\n1.5;2\n3;4.25\n", ("a", "b"), ["read as cells between semicolons"]),
        ("a;b\n1,5;2\n3;4,25\n", ("a", "b"), ["read as cells between semicolons", COMMAS]),
        ("1.5,2\n3,4.25\n", (1, 2), [NUMBERED]),
        ("1.5, 2\n3, 4.25\n", (1, 2), [NUMBERED]),
        ("+1.5,2e0\n3,425E-2\n", (1, 2), [NUMBERED]),
        ("1,5;2\n3;4,25\n", (1, 2), ["read as cells between semicolons", COMMAS, NUMBERED]),
        ("1.5e+00 2.0e+00\n3 4.25\n", (1, 2), ["read as cells between spaces", NUMBERED]),
    ],
)
def test_first_lines_separators_and_decimal_commas(read, text, names, notes):
    for name in ("a.csv", "a.tsv", "a.CSV"):
        assert read(text, name) == (ROWS, names, notes)


def test_one_column_and_true_and_false(read):
    assert read("7\n8\n9.5\n") == ([[7.0], [8.0], [9.5]], (1,), [NUMBERED])
    assert read("x\n8\n9.5\n") == ([[8.0], [9.5]], ("x",), [])
    assert read("true,1\nFalse,2\n")[:2] == ([[1.0, 1.0], [0.0, 2.0]], (1, 2))


def test_first_lines_that_may_be_read_wrongly(read):
    values, names, notes = read("0,1,2\n3,4,5\n4,4,9\n")
    assert (len(values), names) == (3, (1, 2, 3))
    assert notes == [
        NUMBERED,
        "the first line counts columns from 0, as pandas names them, and was read as a row; if it "
        "is none, take it out",
    ]
    assert read(",0,1\n0,5,6.5\n1,6,7\n") == ([[0, 5, 6.5], [1, 6, 7]], ("", "0", "1"), [])
    values, names, notes = read("5.1,3.5,setosa\n4,4,virginica\n", drop=["setosa"])
    assert (values, names) == ([[4.0, 4.0]], ("5.1", "3.5"))
    assert notes[0] == (
        "the first line was read as names of columns, though it has numbers, 5.1, 3.5; if it is a "
        "row, put a line with names above it"
    )
    assert read("label,0,1\n3,4,5\n4,4,9\n")[2] == []


def test_columns_by_name_and_by_number(read, refused):
    text = "a,name,b\n1.5,x,2\n3,y,4.25\n"
    assert read(text, drop=["name"])[0] == read(text, columns=["b", "a"])[0] == ROWS
    assert refused(text) == (
        "a.csv: the column 'name' has text, 'x' in row 1, not a number; `--drop name` leaves it out"
    )
    assert refused(text, drop=["names"]) == (
        "a.csv has no column 'names' to drop; there are: a, name, b (did you mean name?)"
    )
    numbers = "1.5,7,2\n3,7,4.25\n"
    assert read(numbers, drop=["2"])[:2] == (ROWS, (1, 3))
    assert read(numbers, columns=[1, 3])[0] == ROWS
    assert refused(numbers, columns=["4"]) == (
        "a.csv has no column 4 to keep; there are: 1 to 3, counted from 1"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n3,\n", ": the column 'b' has 1 empty values; the first is in row 2"),
        ("1,2\n3,NA\n", ": the column 2 has 1 empty values; the first is in row 2"),
        ("a,b,\n1,2,\n", ": the column '' is empty; `--drop ''` leaves it out"),
        ("a,b\n1,inf\n", ": row 1, column 'b' is inf; all values must be finite"),
        ("a,b\n1,2021-01-01\n", ": the column 'b' is date32[day], not a number; `--drop b`"),
        ("1,2\n3,4x\n", ": the column 2 has text, '4x' in row 2, not a number; `--drop 2`"),
        ('"1,5",2\n"2,5",2\n', ": the column 1 has text, '1,5' in row 1, not a number"),
        ("a;b\n1,234.5;2\n", ": the column 'a' has text, '1,234.5' in row 1, not a number"),
        ("a,b\n1,2\n1,2,3\n", " is no table of cells between commas (CSV parse error: line 3: Exp"),
        ("a,b\n", " is empty: it has names of columns, and no row"),
        ("", " is empty"),
        ("\n \n", " is empty: it has blank lines only"),
        ("a,b\n1,2\n".encode("utf-16"), " is no text in UTF-8 (it has zero bytes, as UTF-16 has)"),
        ("ä,b\n1,2\n".encode("latin-1"), " is no text in UTF-8 (invalid continuation byte)"),
        ("a,b\n1,ä\n".encode("latin-1"), ": the column 'b' is binary, not a number; `--drop b`"),
        (f"a,b\n{2**53 + 1},2\n", f": row 1, column 'a' is {2**53 + 1}, which float64 does not"),
    ],
)
def test_what_is_refused(refused, text, told):
    assert refused(text).startswith(f"a.csv{told}")


def test_more_text_than_memory(refused, monkeypatch):
    monkeypatch.setattr(csvfile, "machine_memory", lambda: 30)
    assert refused("a,b\n1,2\n").startswith("a.csv is 8e-09 GB of text, too much for the memory")


@some(40)
@given(
    arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.booleans(),
    st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", ","), ("\t", ".")]),
)
def test_every_number_and_every_row_is_read_as_it_was_written(values, has_names, marks):
    separator, point = marks
    # In a single column there is no separator from which a decimal comma is known.
    point = "." if values.shape[1] == 1 else point
    rows = [[repr(float(x)).replace(".", point) for x in row] for row in values]
    if has_names:
        rows.insert(0, [f"x{j}" for j in range(values.shape[1])])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("\n".join(map(separator.join, rows)))
        found = np.concatenate(list(open_source(path).blocks()))
    np.testing.assert_array_equal(found, values)
