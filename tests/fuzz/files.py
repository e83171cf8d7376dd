"""Strategies of hypothesis for files of numbers: whole ones, lying headers, damage."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

DTYPES = ("?", "i1", "u1", ">i2", "i4", "u8", "i8", "f2", ">f4", "f8", "g", "c8", "O", "U3", "S2",
          "M8[s]", "m8[ns]", "V5", "i4,f8")  # fmt: skip
NAMES = ("a", "b", "label", "id", "y", "Unnamed: 0", "a b", "ü", "x" * 300, "", "[1]", "\x1b[31m")


def chance(percent: int) -> st.SearchStrategy[bool]:
    """True as often; hypothesis tries bounds, where it is false, more often than the rest."""
    return st.integers(0, 1000).map(lambda number: number % 100 >= 100 - percent)


@st.composite
def arrays(draw: st.DrawFn, dtypes: tuple[str, ...] = DTYPES) -> np.ndarray:
    """Arrays of every kind, most of them matrices of real numbers."""
    shape = draw(
        st.one_of(
            st.tuples(st.integers(12, 30), st.integers(1, 5)),
            st.tuples(st.integers(12, 30), st.integers(1, 5), st.integers(1, 3)),
            st.lists(st.integers(0, 12), max_size=4).map(tuple),
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.standard_normal(shape) * 10.0 ** draw(
        st.sampled_from([0, 0, 0, 1, 2, 15, -300, 307])
    )
    dtype = draw(st.sampled_from(dtypes if draw(chance(30)) else ("f8", "f4")))
    if draw(chance(10)) and values.size:
        values.flat[draw(st.integers(0, values.size - 1))] = draw(
            st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e308, -1e-320, 2.0**63])
        )
    with np.errstate(all="ignore"):
        array = np.asarray(values.tolist(), object) if dtype == "O" else _cast(values, dtype)
    return np.asfortranarray(array) if draw(st.booleans()) else array


def _cast(values: np.ndarray, dtype: str) -> np.ndarray:
    if np.dtype(dtype).kind in "Mm":
        return np.nan_to_num(values, posinf=0, neginf=0).astype("i8").astype(dtype)
    if np.dtype(dtype).kind == "V":
        return np.zeros(values.shape, dtype)
    return values.astype(dtype)


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    try:
        np.lib.format.write_array(file, array, version=version)
    except ValueError:  # a version that cannot hold it
        np.lib.format.write_array(io.BytesIO(), array)
    return file.getvalue()


_SIZES = st.one_of(
    st.integers(0, 30),
    st.sampled_from(["-1", "True", "1.5", "10**9", "'3'", "None", "2" * 30, "2" * 5000]),
)
_DESCR = st.sampled_from(
    ["'<f8'", "'|O'", "'<f8,<i4'", "[('a', '<f8')]", "('<f8', (2, 2))", "'|V0'", "'<U0'", "''",
     "'<f999999999999'", "'|S99999999999'", "None", "3", "'float'", "[]", "{'names': ['a']}",
     "[('a', [('b', '|O')])]", "'>m8[25s]'", "'<f2'", "'|b1'", "\"__import__('os')\""]
)  # fmt: skip


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """The start of a ``.npy`` file, right in form, that says anything."""
    shape = "(" + "".join(f"{size}, " for size in draw(st.lists(_SIZES, max_size=5))) + ")"
    shape = draw(st.one_of(st.just(shape), st.sampled_from(["(3)", "[3, 3]", "None", "(1," * 70])))
    order = draw(st.sampled_from(["False", "True", "1", "None", "'C'"]))
    text = draw(
        st.one_of(
            st.just(f"{{'descr': {draw(_DESCR)}, 'fortran_order': {order}, 'shape': {shape}, }}"),
            st.sampled_from(
                ["", "{}", "(" * 3000, "[" * 9000, "{'shape': ()}", "\0", "1_0", "-" * 5000]
            ),
            st.text(max_size=50),
        )
    ).encode("utf-8", "surrogatepass")
    major = draw(st.sampled_from([1, 1, 1, 2, 3, 0, 9]))
    length = draw(st.one_of(st.just(len(text)), st.integers(0, 2**16 - 1)))
    return (
        b"\x93NUMPY" + bytes([major, 0]) + length.to_bytes(2 if major < 2 else 4, "little") + text
    )


@st.composite
def npy_files(draw: st.DrawFn) -> bytes:
    if not draw(chance(25)):
        version = draw(st.sampled_from([None, (1, 0), (2, 0), (3, 0)]))
        return npy(draw(arrays()), version)
    return draw(headers()) + bytes(draw(st.sampled_from([0, 8, 48, 960, 5000])))


@st.composite
def npz_files(draw: st.DrawFn) -> bytes:
    file = io.BytesIO()
    names = st.sampled_from(["x.npy", "arr_0.npy", "y", "a/b.npy", "../x.npy", ".npy", "x" * 300])
    compressions = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(file, "w") as archive:
        for name in draw(st.lists(names, max_size=3, unique=True)):
            content = draw(st.binary(max_size=40) if draw(chance(10)) else npy_files())
            content = draw(damaged(content)) if draw(chance(20)) else content
            compression = draw(st.sampled_from(compressions[: 4 if draw(chance(10)) else 2]))
            archive.writestr(name, content, compress_type=compression)
    return file.getvalue()


@st.composite
def parquet_files(draw: st.DrawFn) -> bytes:
    rows = draw(st.integers(0, 3) if draw(chance(5)) else st.integers(12, 30))
    names = draw(st.lists(st.sampled_from(NAMES), max_size=5))
    table = pa.table([draw(columns(rows)) for _ in names], names=names)
    if draw(chance(25)):
        metadata = st.sampled_from(
            [b'{"index_columns": ["a"]}', b"{", b"[]", b"[" * 9000, b'{"index_columns": 3}',
             b'{"index_columns": [["a"], {"b": 1}, null]}', b'{"index_columns": null}', b"\xff"]
        )  # fmt: skip
        key = draw(st.sampled_from([b"pandas", b"ARROW:schema"]))
        table = table.replace_schema_metadata({key: draw(metadata)})
    file = io.BytesIO()
    pq.write_table(
        table,
        file,
        compression=draw(st.sampled_from(["NONE", "snappy", "zstd", "gzip"])),
        row_group_size=draw(st.sampled_from([None, 3])),
        write_page_checksum=draw(st.booleans()),
        use_dictionary=draw(st.booleans()),
        data_page_version=draw(st.sampled_from(["1.0", "2.0"])),
        store_schema=draw(st.booleans()),
    )
    return file.getvalue()


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pa.Array:
    """Columns of numbers in every dress, and some of what is no number."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    numbers = rng.standard_normal(rows)
    kinds: list[Any] = [
        lambda: pa.array(numbers),
        lambda: pa.array(numbers.astype(np.float16)),
        lambda: pa.array((9 * numbers).astype(int)),
        lambda: pa.array(numbers > 0),
        lambda: pa.array([Decimal(str(round(x, 3))) for x in numbers], pa.decimal128(9, 3)),
        lambda: pa.array((9 * numbers).astype(int)).dictionary_encode(),
        lambda: pa.array([[x, 2 * x] for x in numbers], pa.list_(pa.float64())),
        lambda: pa.array([[[x], [x]] for x in numbers], pa.list_(pa.list_(pa.float32(), 1), 2)),
        lambda: pa.array([x if x > -1 else None for x in numbers], pa.float64()),
        lambda: pa.array([[x] * (i % 3) for i, x in enumerate(numbers)], pa.list_(pa.float64())),
        lambda: pa.array([[x, None] for x in numbers], pa.list_(pa.float64())),
        lambda: pa.array([[]] * rows, pa.list_(pa.float64())),
        lambda: pa.array([f"{x:.1f}" for x in numbers], pa.string()).dictionary_encode(),
        lambda: pa.array([str(x) for x in numbers], pa.string()),
        lambda: pa.array([{"a": x} for x in numbers], pa.struct([("a", pa.float64())])),
        lambda: pa.array([[("k", x)] for x in numbers], pa.map_(pa.string(), pa.float64())),
        lambda: pa.array((1e9 * numbers).astype(int), pa.timestamp("ns")),
        lambda: pa.array([b"x"] * rows, pa.binary()),
        lambda: pa.nulls(rows),
        lambda: pa.array([2**53 + i for i in range(rows)], pa.uint64()),
    ]
    readable = not draw(chance(10))
    chosen = draw(st.integers(0, 7 if readable else len(kinds) - 1))
    return kinds[chosen]()


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file after damage: bits and bytes, missing and repeated pieces, another end."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        # Where formats keep what they say of the rest: at the start and at the end.
        at = draw(st.one_of(st.integers(0, 200), st.integers(-400, -1), st.integers(0, 10**5)))
        at %= max(len(data), 1)
        what = draw(st.integers(0, 5))
        if what == 0 and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif what == 1 and data:
            data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x28, 0x2C]))
        elif what == 2:
            del data[at:]
        elif what == 3:
            del data[at : at + draw(st.integers(1, 40))]
        elif what == 4:
            data[at:at] = draw(st.one_of(st.binary(max_size=9), st.just(bytes(data[at : at + 60]))))
        else:
            data += draw(st.binary(max_size=20))
    return bytes(data)
