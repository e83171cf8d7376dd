"""Matrices of the user: what is read, and what is said of what is not."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lindiff.config import inputfile
from lindiff.config.datafile import read_matrix
from lindiff.config.standardize import standardized

VALUES = np.random.default_rng(0).standard_normal((20, 3))


class Evil:
    """Says so if it is ever unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def read(path, array=None, **options):
    """The values alone."""
    return read_matrix(path, array, **options).values


def refused(path, array=None, **options):
    """The message, without the folder of the file."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the text
        read_matrix(path, array, **options)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    "values",
    [
        VALUES,
        np.asfortranarray(VALUES),
        VALUES.astype(">f4"),
        (VALUES * 100).astype(np.int16),
        VALUES.astype(np.longdouble),
        VALUES > 0,
    ],
    ids=["plain", "columns first", "big-endian float32", "int16", "long double", "true or false"],
)
def test_every_kind_of_real_number_is_read(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    found = read(tmp_path / "a.npy")
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, values.astype(float))
    np.savez(tmp_path / "a.npz", values)
    np.testing.assert_array_equal(read(tmp_path / "a.npz"), found)


def test_one_of_several_arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, train=VALUES, test=VALUES + 1)
    np.testing.assert_array_equal(read(path, "test"), VALUES + 1)
    assert refused(path) == (
        "a.npz has 2 arrays: train, test; write which, as in {file: a.npz, array: train}"
    )
    assert refused(path, "trai") == (
        "a.npz has no array 'trai'; there are: train, test (did you mean train?)"
    )
    np.savez(path)
    assert refused(path) == "a.npz has no arrays"
    np.save(tmp_path / "a.npy", VALUES)
    assert refused(tmp_path / "a.npy", "train") == (
        "array is for .npz, .h5, .hdf5, .safetensors files only, not a.npy"
    )


def test_numeric_columns_of_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1.5, 2.5], "b": pa.array([3, 4], pa.uint8())}), path)
    np.testing.assert_array_equal(read(path), [[1.5, 3], [2.5, 4]])
    path = tmp_path / "b=1" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table([[1.5, 2.5], [3, 4]], names=["a", "a"]), path)
    np.testing.assert_array_equal(read(path), [[1.5, 3], [2.5, 4]])
    pq.write_table(pa.table({"a": [1.5, 2.5], "name": ["x", "y"]}), path)
    assert refused(path) == (
        "a.parquet: the column 'name' is string, not a number; `drop: ['name']` leaves it out"
    )
    assert read(path, drop=["name"]).tolist() == [[1.5], [2.5]]
    pq.write_table(pa.table({"a": [1.5, None]}), path)
    assert refused(path) == ("a.parquet: the column 'a' has 1 empty values; the first is in row 2")
    pq.write_table(pa.table({"a": [1.5, float("nan")]}), path)
    assert refused(path).endswith(
        "row 2, column 'a' is nan; all values must be finite; `drop: ['a']` leaves the column out"
    )
    path.write_bytes(b"PAR1 and something else")
    assert refused(path).startswith("a.parquet is damaged, or no Parquet file (")


@pytest.mark.parametrize("ending", ["npy", "npz", "parquet"])
def test_missing_and_empty_files_and_folders(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    assert refused(path) == f"there is no file a.{ending}"
    path.touch()
    assert refused(path) == f"a.{ending} is empty"
    path.unlink()
    path.mkdir()
    assert refused(path) == f"a.{ending} is a folder without pictures (.png, .jpg, .jpeg)"


def test_other_endings(tmp_path):
    (tmp_path / "a.dat").write_text("1 2")
    assert refused(tmp_path / "a.dat") == (
        "a.dat must end in one of .csv, .tsv, .parquet, .npy, .npz, .h5, .hdf5, .safetensors, or "
        "be a folder of pictures"
    )


def test_a_table_of_text_is_read_too(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,label\n1,2.5,0\n3,4,1\n")
    found = read_matrix(tmp_path / "a.csv", drop=["label"])
    np.testing.assert_array_equal(found.values, [[1, 2.5], [3, 4]])


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_objects_are_never_unpickled(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    objects = np.array([[Evil(), 1], [None, 2]], dtype=object)
    save = {"npy": np.save, "npz": np.savez}[ending]
    save(path, objects, allow_pickle=True)
    assert refused(path) == (
        f"a.{ending} holds Python objects, which are never unpickled; save np.save(file, "
        "np.array(x.tolist(), dtype=float))"
    )
    path.write_bytes(pickle.dumps(Evil()))
    assert refused(path) == (
        f"a.{ending} is no .{ending} file (of another format, or a bare pickle, which is never "
        "opened)"
    )


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (
            VALUES + 1j,
            "a.npy must hold real numbers, not complex128; save np.save(file, "
            "np.concatenate([x.real, x.imag], axis=-1))",
        ),
        (
            np.array([["1", "2"]]),
            "a.npy must hold real numbers, not <U1; save np.save(file, x.astype(float))",
        ),
        (np.zeros((2, 2), "M8[s]"), "a.npy must hold real numbers, not datetime64[s]"),
        (
            np.zeros(3, [("x", float)]),
            "a.npy must hold real numbers, not [('x', '<f8')]; save np.save(file, "
            "numpy.lib.recfunctions.structured_to_unstructured(x))",
        ),
        (
            VALUES[0],
            "a.npy must hold a matrix (rows, columns), not an array of shape (3,); of one value a "
            "row: x.reshape(-1, 1)",
        ),
        (VALUES[:0], "a.npy is empty: an array of shape (0, 3)"),
    ],
    ids=["complex", "text", "dates", "records", "vector", "no rows"],
)
def test_what_is_no_matrix_of_real_numbers(tmp_path, values, found):
    np.save(tmp_path / "a.npy", values)
    assert refused(tmp_path / "a.npy") == found


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path, bad):
    values = VALUES.copy()
    values[3, 1] = values[7, 0] = bad
    np.save(tmp_path / "a.npy", values)
    assert refused(tmp_path / "a.npy") == (
        f"a.npy: row 4, column 2 is {bad}; all values must be finite; `drop: [2]` leaves the "
        "column out"
    )


def test_damaged_files(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, VALUES)
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    assert refused(path).startswith("a.npy is damaged (")
    path.write_bytes(whole[:20])
    assert refused(path).startswith("a.npy is damaged (")
    # A header that promises more than memory holds.
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 900)}
    np.lib.format.write_array_header_1_0(header, shape)
    path.write_bytes(header.getvalue() + b"12345678")
    assert refused(path).startswith("a.npy is damaged (")
    path = tmp_path / "a.npz"
    np.savez(path, VALUES)
    content = bytearray(path.read_bytes())
    content[300] ^= 255
    path.write_bytes(content)
    assert refused(path) == "a.npz is damaged (Bad CRC-32 for file 'arr_0.npy')"
    path.write_bytes(content[:300])
    assert refused(path).startswith("a.npz is no .npz file (")


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_a_file_that_may_not_be_read(tmp_path, monkeypatch, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"something")

    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", forbidden)
    assert refused(path) == f"a.{ending} cannot be read: Permission denied"


def test_the_index_of_a_data_frame_is_no_feature(tmp_path):
    """Its name is in the file's own metadata, as pandas leaves it there."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((20, 3))
    columns = {f"x{i}": values[:, i] for i in range(3)} | {"__index_level_0__": np.arange(20)}
    about = {b"pandas": json.dumps({"index_columns": ["__index_level_0__"]}).encode()}
    path = tmp_path / "frame.parquet"
    pq.write_table(pa.table(columns).replace_schema_metadata(about), path)
    assert np.array_equal(read(path), values)
    for other in (b"{", b"[]", b'{"index_columns": [{"kind": "range"}]}'):
        pq.write_table(pa.table(columns).replace_schema_metadata({b"pandas": other}), path)
        assert read(path).shape == (20, 4)


def test_what_pandas_saved_as_index_is_said(tmp_path):
    frame = pd.DataFrame(VALUES, columns=list("abc"))
    frame[frame.a > -1].to_parquet(tmp_path / "filtered.parquet")
    found = read_matrix(tmp_path / "filtered.parquet")
    assert np.array_equal(found.values, VALUES[VALUES[:, 0] > -1])
    assert found.notes == ("left out (the index that pandas saved): column '__index_level_0__'",)
    frame.set_index("a").to_parquet(tmp_path / "named.parquet")
    assert read_matrix(tmp_path / "named.parquet").notes == (
        "left out (the index that pandas saved): column 'a'",
    )
    frame.to_parquet(tmp_path / "plain.parquet")
    assert read_matrix(tmp_path / "plain.parquet").notes == ()


def saved(folder, values):
    """The same numbers in every format."""
    np.save(folder / "m.npy", values)
    np.savez_compressed(folder / "m.npz", values)
    columns = {f"c{j}": np.ascontiguousarray(values[:, j]) for j in range(values.shape[1])}
    pq.write_table(pa.table(columns), folder / "m.parquet")
    return [folder / f"m.{ending}" for ending in ("npy", "npz", "parquet")]


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8"])
def test_numbers_are_the_same_from_every_format(tmp_path, dtype):
    values = (8 * VALUES).clip(0).astype(dtype)
    for path in saved(tmp_path, values):
        assert np.array_equal(read(path), values.astype(float))


def test_decimals(tmp_path):
    path = tmp_path / "d.parquet"
    for kind in (pa.decimal32(6, 2), pa.decimal128(6, 2), pa.decimal256(40, 2)):
        prices = pa.array([Decimal("1.25"), Decimal("-3.5")], kind)
        pq.write_table(pa.table({"price": prices, "n": pa.array([1, 2], pa.uint8())}), path)
        assert read(path).tolist() == [[1.25, 1.0], [-3.5, 2.0]]


def test_lists_of_one_length_are_columns(tmp_path):
    path = tmp_path / "e.parquet"
    rows = pa.array(VALUES.ravel())
    kinds = [
        pa.array(VALUES.tolist()),
        pa.array(VALUES.tolist(), pa.large_list(pa.float32())),
        pa.FixedSizeListArray.from_arrays(rows, 3),
        pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.float64(), (3,)), pa.FixedSizeListArray.from_arrays(rows, 3)
        ),
        pa.array([[[a], [b], [c]] for a, b, c in VALUES]),
    ]
    for kind in kinds:
        pq.write_table(pa.table({"x": kind, "z": VALUES[:, 0]}), path)
        found = read_matrix(path)
        np.testing.assert_allclose(found.values, np.c_[VALUES, VALUES[:, 0]], rtol=1e-7)
        assert found.notes == ("the column 'x' is a list of 3 numbers, each of them a column",)
        np.testing.assert_array_equal(read(path, drop=["x"]), VALUES[:, :1])
    pq.write_table(pa.table({"x": [[1.0, 2.0], [3.0]]}), path)
    assert refused(path) == (
        "e.parquet: the column 'x' holds lists of 1 to 2 values; all must be of one length"
    )
    pq.write_table(pa.table({"x": [[1.0, 2.0], None]}), path)
    assert refused(path).endswith("'x' has 1 empty values; the first is in row 2")
    pq.write_table(pa.table({"x": [[1.0, 2.0], [3.0, 4.0], [None, 5.0]]}), path)
    assert refused(path).endswith("'x' has 1 empty values; the first is in row 3")
    pq.write_table(pa.table({"x": [["a"], ["b"]]}), path)
    assert "'x' is list<element: string>, not a number" in refused(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_pictures_are_rows(tmp_path, order):
    pictures = np.arange(20 * 4 * 3 * 2, dtype=np.uint8).reshape(20, 4, 3, 2)
    np.save(tmp_path / "p.npy", np.asarray(pictures, order=order))
    found = read_matrix(tmp_path / "p.npy")
    np.testing.assert_array_equal(found.values, pictures.reshape(20, 24))
    assert found.notes[0] == "arrays of 4×3×2 values were made rows of 24, the last axis fastest"


def test_columns_that_are_dropped(tmp_path):
    for path in saved(tmp_path, VALUES):
        table = path.suffix == ".parquet"
        found = read_matrix(path, drop=["c0", "c2"] if table else [1, 3])
        np.testing.assert_array_equal(found.values, VALUES[:, [1]])
        named = "columns 'c0', 'c2'" if table else "columns 1, 3"
        assert found.notes == (f"left out (drop): {named}",)
        assert np.array_equal(read(path, drop=[]), VALUES)
    assert refused(tmp_path / "m.parquet", drop=["c9"]) == (
        "m.parquet has no column 'c9' to drop; there are: c0, c1, c2"
    )
    assert refused(tmp_path / "m.parquet", drop=[1]) == (
        "m.parquet has no column '1' to drop; there are: c0, c1, c2 (did you mean c1?)"
    )
    for wrong in (0, 4, -1, "c0"):
        assert refused(tmp_path / "m.npy", drop=[wrong]).startswith(
            f"m.npy has no column {wrong!r} to drop; there are: 1 to 3, counted from 1"
        )
    assert refused(tmp_path / "m.npy", drop=[1, 2, 3]) == "m.npy has no columns, or none is left"


def test_columns_keep_the_numbers_they_have_in_the_file(tmp_path):
    values = VALUES.copy()
    values[2, 0] = values[4, 2] = np.nan
    np.save(tmp_path / "m.npy", values)
    assert refused(tmp_path / "m.npy", drop=[1]).startswith("m.npy: row 5, column 3 is nan")


def test_standardize(tmp_path):
    scales = np.array([1e5, 1e-6, 1e200])
    values = np.c_[VALUES * scales + [0, 1, 0], np.full(20, 0.1)]
    for path in saved(tmp_path, values):
        found = read(path, standardize=True)
        np.testing.assert_allclose(
            found[:, :3], VALUES / VALUES.std(axis=0) + [0, 1e6 / VALUES[:, 1].std(), 0], rtol=1e-9
        )
        assert (found[:, 3] == 0.1).all()
        np.testing.assert_allclose(found[:, :3].std(axis=0), 1, rtol=1e-9)
        assert read_matrix(path, standardize=True).notes[-1].startswith("each column was divided")


def test_a_column_far_from_0_keeps_its_digits_when_it_is_standardized():
    values = np.c_[VALUES[:, 0], np.round(VALUES[:, 1] * 2**10) / 2**10 + 2**40]
    exact = values[:, 1] - 2**40
    found = standardized(values)[:, 1]
    expected = (exact - exact.mean()) / exact.std()
    np.testing.assert_allclose(found - found.mean(), expected, atol=1e-12)


def test_rounding_is_not_made_a_column_of_variance_one():
    values = np.c_[VALUES[:, 0], np.where(VALUES[:, 1] > 0, 0.1 + 0.2, 0.3)]
    assert np.ptp(values[:, 1]) > 0
    np.testing.assert_array_equal(standardized(values)[:, 1], values[:, 1])


def test_whole_numbers_that_float64_does_not_hold(tmp_path):
    values = np.arange(60).reshape(20, 3) + np.array([0, 2**53 - 5, 0])
    for path in saved(tmp_path, values):
        name = "'c1'" if path.suffix == ".parquet" else 2
        assert refused(path).endswith(
            f"row 4, column {name} is {2**53 + 5}, which float64 does not hold (whole numbers "
            f"beyond 2^53); `drop: [{name}]` leaves the column out"
        )
    np.save(tmp_path / "m.npy", 2**60 * (values[:, [0]] % 2))
    assert read(tmp_path / "m.npy").max() == 2**60


@pytest.mark.parametrize("ending", ["npy", "npz", "parquet"])
def test_pipes_and_devices(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    os.mkfifo(path)
    assert refused(path).startswith(f"a.{ending} is not a regular file")
    path.unlink()
    path.symlink_to("/dev/zero")
    assert refused(path).startswith(f"a.{ending} is not a regular file")


def npy(shape, descr="<f8"):
    """A header."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return header.getvalue()


def zipped(path, content, name="arr_0.npy"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


def test_small_files_that_ask_for_much(tmp_path, monkeypatch):
    monkeypatch.setattr(inputfile, "_SURE", 2**20)
    path = tmp_path / "bomb.npz"
    zipped(path, npy((2**10, 2**10)) + bytes(2**23))
    assert refused(path).startswith("bomb.npz holds 1024×1024 numbers, 0.00839 GB as float64, from")
    # An archive that lies of its own size too.
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = content.rindex(b"PK\x01\x02") + 20
        assert int.from_bytes(content[at : at + 4], "little") == archive.infolist()[0].compress_size
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    assert refused(path).startswith("bomb.npz holds 1024×1024 numbers, 0.00839 GB as float64, from")
    path = tmp_path / "bomb.parquet"
    ones = pa.DictionaryArray.from_arrays(np.zeros(10**6, np.int8), pa.array([1.0]))
    pq.write_table(pa.table({"x": ones, "y": ones}), path)
    assert refused(path).startswith(
        "bomb.parquet holds 1000000×2 numbers, 0.016 GB as float64, from"
    )
    ones = pa.DictionaryArray.from_arrays(np.zeros(10**6, np.int32), pa.array([1.0]))
    lists = pa.FixedSizeListArray.from_arrays(ones.dictionary_decode(), 10**4)
    pq.write_table(pa.table({"x": lists}), path)
    assert refused(path).startswith("bomb.parquet holds 1000000 numbers, 0.008 GB as float64, from")
    # A file whose numbers take what they say is read, however large.
    np.save(tmp_path / "large.npy", np.zeros((2**9, 2**9)))
    assert read(tmp_path / "large.npy").size == 2**18
    path = tmp_path / "sparse.npy"
    path.write_bytes(npy((2**20, 2**19)))
    os.truncate(path, 128 + 2**42)
    assert "more than the memory of this machine" in refused(path)


def test_damage_that_ends_the_process_in_pyarrow(tmp_path):
    """Where the footer's histograms of levels are, one for each column."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": VALUES[:, 0], "x": VALUES.tolist()}), path)
    code = (
        "import sys; from pathlib import Path; from lindiff.config.datafile import read_matrix\n"
        "path = Path(sys.argv[1]); whole = path.read_bytes()\n"
        "for at in range(len(whole) - 8 - int.from_bytes(whole[-8:-4], 'little'), len(whole)):\n"
        "    damaged = bytearray(whole); damaged[at] ^= 1; path.write_bytes(damaged)\n"
        "    try: read_matrix(path)\n"
        "    except ValueError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_headers_that_lie(tmp_path):
    for shape in [(10**30, 2), (2, -3), (-2, -3), (10**12, 900), (1,) * 69 + (6,)]:
        (tmp_path / "a.npy").write_bytes(npy(shape) + bytes(48))
        assert refused(tmp_path / "a.npy").startswith("a.npy is damaged (its header says (")
        zipped(tmp_path / "a.npz", npy(shape) + bytes(48))
        assert refused(tmp_path / "a.npz").startswith("a.npz is damaged (its header says (")
    (tmp_path / "a.npy").write_bytes(2 * (npy((2, 2)) + bytes(32)))
    assert refused(tmp_path / "a.npy").startswith("a.npy has more than one array, or is damaged")


def test_archives_without_arrays(tmp_path):
    zipped(tmp_path / "a.npz", "some text", "readme.txt")
    assert refused(tmp_path / "a.npz") == "a.npz has no arrays"
    zipped(tmp_path / "a.npz", "some text")
    assert refused(tmp_path / "a.npz").startswith("a.npz is no .npy file")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", npy((2, 2)) + bytes(32))
    assert refused(tmp_path / "a.npz") == "a.npz is compressed in a way that NumPy does not write"
