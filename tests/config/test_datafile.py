"""Matrices of the user: what is read, and what is said of what is not."""

import io
import json
import pickle
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lindiff.config.datafile import read_matrix

VALUES = np.random.default_rng(0).standard_normal((20, 3))


class Evil:
    """Says so if it is ever unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def refused(path, array=None):
    """The message, without the folder of the file."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the text
        read_matrix(path, array)
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
    found = read_matrix(tmp_path / "a.npy")
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, values.astype(float))
    np.savez(tmp_path / "a.npz", values)
    np.testing.assert_array_equal(read_matrix(tmp_path / "a.npz"), found)


def test_one_of_several_arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, train=VALUES, test=VALUES + 1)
    np.testing.assert_array_equal(read_matrix(path, "test"), VALUES + 1)
    assert refused(path) == (
        "a.npz has 2 arrays: train, test; write which, as in {file: a.npz, array: train}"
    )
    assert refused(path, "trai") == (
        "a.npz has no array 'trai'; there are: train, test (did you mean train?)"
    )
    np.savez(path)
    assert refused(path) == "a.npz has no arrays"
    np.save(tmp_path / "a.npy", VALUES)
    assert refused(tmp_path / "a.npy", "train") == "array is for .npz files only, not a.npy"


def test_numeric_columns_of_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1.5, 2.5], "b": pa.array([3, 4], pa.uint8())}), path)
    np.testing.assert_array_equal(read_matrix(path), [[1.5, 3], [2.5, 4]])
    path = tmp_path / "b=1" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table([[1.5, 2.5], [3, 4]], names=["a", "a"]), path)
    np.testing.assert_array_equal(read_matrix(path), [[1.5, 3], [2.5, 4]])
    pq.write_table(pa.table({"a": [1.5, 2.5], "name": ["x", "y"]}), path)
    assert refused(path) == "a.parquet: the column 'name' is string, not a number"
    pq.write_table(pa.table({"a": [1.5, None]}), path)
    assert refused(path) == "a.parquet: the column 'a' has empty values"
    pq.write_table(pa.table({"a": [1.5, float("nan")]}), path)
    assert refused(path).endswith("the first is nan in row 2, column 1")
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
    assert refused(path) == f"a.{ending} is a folder"


def test_other_endings(tmp_path):
    assert refused(tmp_path / "a.csv") == "a.csv must end in one of .npy, .npz, .parquet"


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_objects_are_never_unpickled(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    objects = np.array([[Evil(), 1], [None, 2]], dtype=object)
    save = {"npy": np.save, "npz": np.savez}[ending]
    save(path, objects, allow_pickle=True)
    assert refused(path) == f"a.{ending} holds Python objects, which are never unpickled"
    path.write_bytes(pickle.dumps(Evil()))
    assert refused(path) == (
        f"a.{ending} is no .{ending} file (of another format, or a bare pickle, which is never "
        "opened)"
    )


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (VALUES + 1j, "a.npy must hold real numbers, not complex128"),
        (np.array([["1", "2"]]), "a.npy must hold real numbers, not <U1"),
        (np.zeros((2, 2), "M8[s]"), "a.npy must hold real numbers, not datetime64[s]"),
        (np.zeros(3, [("x", float)]), "a.npy must hold real numbers, not [('x', '<f8')]"),
        (VALUES[0], "a.npy must hold a matrix (rows, columns), not an array of shape (3,)"),
        (
            VALUES[None],
            "a.npy must hold a matrix (rows, columns), not an array of shape (1, 20, 3)",
        ),
        (VALUES[:0], "a.npy is empty: a matrix of shape (0, 3)"),
    ],
    ids=["complex", "text", "dates", "records", "vector", "three axes", "no rows"],
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
        f"a.npy: 2 of its values are NaN or infinite; the first is {bad} in row 4, column 2"
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
    assert np.array_equal(read_matrix(path), values)
    for other in (b"{", b"[]", b'{"index_columns": [{"kind": "range"}]}'):
        pq.write_table(pa.table(columns).replace_schema_metadata({b"pandas": other}), path)
        assert read_matrix(path).shape == (20, 4)


def test_numbers_are_the_same_from_every_format(tmp_path):
    flags = np.array([[True, False], [False, True], [True, True]])
    np.save(tmp_path / "m.npy", flags)
    pq.write_table(pa.table({"a": flags[:, 0], "b": flags[:, 1]}), tmp_path / "m.parquet")
    assert np.array_equal(read_matrix(tmp_path / "m.npy"), read_matrix(tmp_path / "m.parquet"))
    prices = pa.array([Decimal("1.25"), Decimal("-3.5")], pa.decimal128(6, 2))
    pq.write_table(
        pa.table({"price": prices, "n": pa.array([1, 2], pa.uint8())}), tmp_path / "d.parquet"
    )
    assert read_matrix(tmp_path / "d.parquet").tolist() == [[1.25, 1.0], [-3.5, 2.0]]
