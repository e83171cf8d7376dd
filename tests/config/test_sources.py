"""Rows of data files of every kind: the same numbers, block by block, and what is refused."""

import json
import os
import pickle
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import event, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from safetensors.numpy import save_file

from lindiff.cli import main
from lindiff.config import sources
from lindiff.config.datafile import read_matrix
from lindiff.config.sources import open_source
from lindiff.config.standardize import standardized as standardized_at_once
from lindiff.science.datasets import BUNDLED
from tests.fuzz.files import damaged
from tests.fuzz.properties import some

# Whole numbers of 0 to 255, which every format holds.
VALUES = np.random.default_rng(0).integers(0, 256, (20, 6))
CSV = "\n".join(",".join(map(str, row)) for row in [list("abcdef"), *VALUES.tolist()])


def write_hdf5(path, values, **options):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("group/x", data=values, **options)


def write_pictures(folder, values):
    folder.mkdir()
    for i, row in enumerate(values.astype(np.uint8)):
        Image.fromarray(row.reshape(2, 3)).save(folder / f"{i:03}.png")


def write_parquet(path, values):
    pq.write_table(pa.table(dict(zip("abcdef", values.T, strict=True))), path)


FORMATS = {
    "c.npy": np.save,
    "fortran.npy": lambda path, x: np.save(path, np.asfortranarray(x)),
    "big.npy": lambda path, x: np.save(path, x.astype(">i4")),
    "int16.npy": lambda path, x: np.save(path, x.astype(np.int16)),
    "float16.npy": lambda path, x: np.save(path, x.astype(np.float16)),
    "pictures.npy": lambda path, x: np.save(path, x.reshape(-1, 2, 3)),
    "m.npz": np.savez_compressed,
    "m.parquet": write_parquet,
    "m.csv": lambda path, x: path.write_text(CSV),
    "m.tsv": lambda path, x: path.write_text(CSV.replace(",", "\t")),
    "m.h5": lambda path, x: write_hdf5(path, x.astype(">i2")),
    "packed.hdf5": lambda path, x: write_hdf5(path, x, chunks=(7, 4), compression="gzip"),
    "m.safetensors": lambda path, x: save_file({"x": x.astype(np.float32)}, path),
    "pictures": write_pictures,
}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of seven rows of `VALUES`, of the last one fewer."""
    monkeypatch.setattr(sources, "_BLOCK", 7 * 8 * 6)


def every_row(source):
    return np.concatenate(list(source.blocks()))


def refused(path, **options):
    """The message, of opening the file or of reading it, without its folder."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the text
        every_row(open_source(path, **options))
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("small_blocks")
def test_the_same_numbers_from_every_format(tmp_path, name):
    FORMATS[name](tmp_path / name, VALUES)
    source = open_source(tmp_path / name)
    assert (source.rows, source.columns) == VALUES.shape
    assert source.names in (tuple("abcdef"), (1, 2, 3, 4, 5, 6))
    assert source.picture == ((2, 3) if "pictures" in name else None)
    blocks = list(source.blocks())
    assert [len(block) for block in blocks] == [7, 7, 6]
    assert all(block.dtype == np.float64 and block.flags.c_contiguous for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), VALUES)
    for rows in ([], [19], [0, 1, 1, 6, 7, 18], range(20)):
        wanted = np.array(rows, np.int64)
        np.testing.assert_array_equal(source.take(wanted), VALUES[wanted])
    blocks[0][:] = 0
    np.testing.assert_array_equal(every_row(source), VALUES)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("small_blocks")
def test_columns_that_are_kept_dropped_and_standardized(tmp_path, name):
    path = tmp_path / name
    FORMATS[name](path, VALUES)
    own = open_source(path).names
    second, last = own[1], own[-1]
    kept = open_source(path, columns=[last, second])
    assert (kept.names, kept.columns, kept.picture) == ((second, last), 2, None)
    np.testing.assert_array_equal(every_row(kept), VALUES[:, [1, 5]])
    dropped = open_source(path, drop=[str(second)])
    assert dropped.names == (own[0], *own[2:])
    assert f"left out (drop): column {second!r}" in dropped.notes
    np.testing.assert_array_equal(every_row(dropped), np.delete(VALUES, 1, axis=1))
    scaled = open_source(path, standardize=True)
    np.testing.assert_allclose(every_row(scaled), VALUES / VALUES.std(axis=0), rtol=1e-12)
    assert scaled.notes[-1] == "each column was divided by its standard deviation over all rows"
    np.testing.assert_array_equal(scaled.take(np.array([3])), every_row(scaled)[3:4])


@some(60)
@given(st.data())
def test_arrays_of_any_shape_and_order(data):
    dtype = data.draw(st.sampled_from(["?", "u1", ">i2", "<u4", "i8", "<f2", ">f4", "f8"]))
    shape = data.draw(array_shapes(min_dims=2, max_dims=5, max_side=5))
    # Halves stand in every one of these, as whole numbers where there are no others.
    values = data.draw(arrays(np.int8, shape, elements=st.integers(0, 100))).astype(dtype)
    order = data.draw(st.sampled_from("CF"))
    wanted = values.reshape(len(values), -1).astype(float)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_BLOCK", data.draw(st.integers(1, 2000)))
        path = Path(folder) / "a.npy"
        np.save(path, np.asarray(values, order=order))
        source = open_source(path)
        np.testing.assert_array_equal(every_row(source), wanted)
        rows = data.draw(st.lists(st.integers(0, len(values) - 1)).map(sorted))
        picked = np.array(rows, np.int64)
        np.testing.assert_array_equal(source.take(picked), wanted[picked])
        np.testing.assert_array_equal(every_row(source), read_matrix(path).values)
        assert source.picture == (shape[1:] if len(shape) in (3, 4) else None)


@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_of_a_large_file_are_small(tmp_path, order):
    np.save(tmp_path / "a.npy", np.ones((10**5, 100), np.int8, order=order))
    sizes = [block.nbytes for block in open_source(tmp_path / "a.npy").blocks()]
    assert len(sizes) == 3
    assert max(sizes) <= 2**25
    assert sum(sizes) == 8 * 10**7


@pytest.mark.usefixtures("small_blocks")
def test_columns_are_standardized_as_at_once(tmp_path):
    """Those that are constant, far from 0, huge and tiny too."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 6)) * [1, 1e-300, 1e300, 1e-3, 0, 1] + [0, 0, 0, 1e9, 0.1, 5]
    values[:20, 0] = 0
    np.save(tmp_path / "a.npy", values)
    found = every_row(open_source(tmp_path / "a.npy", standardize=True))
    wanted = standardized_at_once(values)
    # Far from 0 a mean is known but for its own rounding, and that of the column is taken off.
    for each in (found, wanted):
        each[:, 3] -= each[:, 3].mean()
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    assert (found[:, 4] == 0.1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.usefixtures("small_blocks")
def test_values_that_are_not_finite_are_named(tmp_path, monkeypatch, bad):
    values = VALUES.astype(float)
    values[17, 2] = bad
    np.save(tmp_path / "a.npy", values)
    told = (
        f"a.npy: row 18, column 3 is {bad}; all values must be finite; `--drop 3` leaves the "
        "column out"
    )
    assert refused(tmp_path / "a.npy") == told
    # Where it is not among the rows that are looked at when the file is opened.
    monkeypatch.setattr(sources, "_SEEN", 8 * 6 * 10)
    (note,) = open_source(tmp_path / "a.npy").notes
    assert note == "labels and indices were not looked for, as there are so many columns"
    monkeypatch.setattr(sources, "_FEWEST", 10)
    source = open_source(tmp_path / "a.npy")
    assert source.notes == ("labels and indices were looked for in 10 of 20 rows only",)
    with pytest.raises(ValueError, match=r"row 18, column 3 is"):
        list(source.blocks())
    with pytest.raises(ValueError, match=r"row 18, column 3 is"):
        source.take(np.array([2, 17]))
    np.testing.assert_array_equal(source.take(np.array([2, 15])), values[[2, 15]])
    assert open_source(tmp_path / "a.npy", drop=[3], standardize=True).columns == 5
    with pytest.raises(ValueError, match=r"row 18, column 3 is"):
        open_source(tmp_path / "a.npy", standardize=True)


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1])
def test_whole_numbers_that_float64_does_not_hold(tmp_path, value):
    values = VALUES.copy()
    values[4, 1] = value
    for name in ("a.npy", "a.parquet"):
        path = tmp_path / name
        FORMATS["c.npy" if name == "a.npy" else "m.parquet"](path, values)
        column, called = ("'b'", "b") if name == "a.parquet" else ("2", "2")
        assert refused(path) == (
            f"{name}: row 5, column {column} is {value}, which float64 does not hold (whole "
            f"numbers beyond 2^53); `--drop {called}` leaves the column out"
        )
        # The readers of a config said nothing of 2^53 + 1 once, which rounds to 2^53.
        with pytest.raises(ValueError, match=f"is {value}, which"):
            read_matrix(path)
        assert open_source(path, drop=[called]).columns == 5


def test_rows_that_are_not_there(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    source = open_source(tmp_path / "a.npy")
    for rows in ([-1, 3], [3, 20], [4, 3]):
        with pytest.raises(ValueError, match="rows must ascend and be from 0 to 19"):
            source.take(np.array(rows))


def test_labels_and_indices_are_pointed_out(tmp_path):
    rng = np.random.default_rng(0)
    table = pa.table(
        {"id": range(50), "x": rng.normal(size=50), "my class": rng.integers(0, 3, 50)}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert open_source(tmp_path / "a.parquet").notes == (
        "the column 'id' may be no feature (named as an index is); `--drop id` leaves it out",
        "the column 'my class' may be no feature (few whole numbers, each of them often, unlike "
        "the other columns); `--drop 'my class'` leaves it out",
    )
    values = np.c_[np.arange(3 * 10**5), rng.normal(size=(3 * 10**5, 99))].astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    assert open_source(tmp_path / "a.npy").notes == (
        "the column 1 may be no feature (it counts or orders the rows); `--drop 1` leaves it out",
        "labels and indices were looked for in 10,000 of 300,000 rows only",
    )


def test_the_index_that_pandas_saved_is_read_only_where_it_is_asked_for(tmp_path):
    about = {b"pandas": json.dumps({"index_columns": ["i"]}).encode()}
    table = pa.table({"x": [1.5, 2.5, 0.5], "i": [5, 6, 8]}).replace_schema_metadata(about)
    pq.write_table(table, tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    assert source.names == ("x",)
    assert source.notes[0] == "left out (the index that pandas saved): column 'i'"
    assert open_source(tmp_path / "a.parquet", columns=["i"]).names == ("i",)
    assert refused(tmp_path / "a.parquet", columns=["j"]).startswith(
        "a.parquet has no column 'j' to keep; there are: x, i"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.pt", "numpy.save('a.npy', torch.load('a.pt', weights_only=True).numpy())"),
        ("a.pth", "numpy.save('a.npy', torch.load('a.pth', weights_only=True).numpy())"),
        ("a.pkl", "numpy.save('a.npy', pandas.read_pickle('a.pkl')) (which runs code"),
        ("a.pickle", "numpy.save('a.npy', pandas.read_pickle('a.pickle')) (which runs code"),
        ("a.joblib", "numpy.save('a.npy', joblib.load('a.joblib')) (which runs code"),
        ("a.mat", "numpy.save('a.npy', scipy.io.loadmat('a.mat')['x']), where x"),
        ("a.xlsx", "pandas.read_excel('a.xlsx').to_parquet('a.parquet')"),
        ("a.csv.gz", "gunzip a.csv.gz"),
        ("a.txt", "pandas.read_csv('a.txt').to_parquet('a.parquet')"),
    ],
)
def test_other_formats_are_refused_with_the_line_that_converts_them(tmp_path, name, told):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    (tmp_path / name).write_bytes(pickle.dumps(Evil()))
    start = (
        f"{name} must end in one of .csv, .tsv, .parquet, .npy, .npz, .h5, .hdf5, .safetensors, or "
        f"be a folder of pictures; convert it: {told}"
    )
    assert refused(tmp_path / name).startswith(start)
    # Nor is it under a name that is read.
    for ending in sources.FORMATS:
        (tmp_path / f"evil{ending}").write_bytes(pickle.dumps(Evil()))
        assert refused(tmp_path / f"evil{ending}").startswith(f"evil{ending} ")


def test_what_is_asked_for_wrongly(tmp_path):
    path = tmp_path / "a.npy"
    assert refused(path) == "there is no file a.npy"
    np.save(path, VALUES)
    assert refused(path, array="x") == (
        "array is for .npz, .h5, .hdf5, .safetensors files only, not a.npy"
    )
    assert refused(path, columns=[1], drop=[2]) == (
        "columns to keep and columns to drop cannot both be given"
    )
    assert refused(path, columns=["a"]) == (
        "a.npy has no column 'a' to keep; there are: 1 to 6, counted from 1"
    )
    assert refused(path, drop=[1, 2, 3, 4, 5, 6]) == "a.npy has no columns, or none is left"
    np.save(path, VALUES[0])
    assert refused(path) == (
        "a.npy must hold a matrix (rows, columns), not an array of shape (6,); of one value a row: "
        "x.reshape(-1, 1)"
    )
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    assert refused(tmp_path / "a.png") == "a.png is one picture; name the folder that it is in"
    os.mkfifo(tmp_path / "pipe.csv")
    assert refused(tmp_path / "pipe.csv").startswith("pipe.csv is not a regular file")


def test_one_of_several_arrays(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["g/y"] = VALUES, VALUES + 1
    np.savez(tmp_path / "a.npz", x=VALUES, **{"g/y": VALUES + 1})
    save_file({"x": VALUES, "g/y": VALUES + 1}, tmp_path / "a.safetensors")
    for ending in ("h5", "npz", "safetensors"):
        path = tmp_path / f"a.{ending}"
        np.testing.assert_array_equal(every_row(open_source(path, array="g/y")), VALUES + 1)
        assert refused(path).startswith(f"a.{ending} has 2 arrays: ")
        assert "; write which, as in --array " in refused(path)
        assert "has no array 'z'; there are: " in refused(path, array="z")


def test_datasets_that_hold_no_matrix(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    layout = h5py.VirtualLayout((20, 6), "i8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (20, 6))
    with h5py.File(path, "w") as file:
        file["text"] = ["a", "b"]
        file["complex"] = np.ones((2, 2), complex)
        file["vector"] = np.ones(3)
        file["none"] = h5py.Empty("f")
        file["empty"] = np.ones((0, 2))
        file["linked"] = h5py.ExternalLink("other.h5", "x")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("bomb", (10**9, 10**4), "f4", chunks=(10, 10))
    told = {
        "text": "has text, references or lists in text, not real numbers",
        "complex": "must hold real numbers, not complex128",
        "vector": "must hold a matrix (rows, columns), not an array of shape (3,)",
        "none": "must hold a matrix (rows, columns), not an array of shape ()",
        "empty": "is empty: a matrix of shape (0, 2)",
        "linked": "has no array 'linked'",
        "virtual": "has the numbers of virtual in other files; copy them into one",
        "bomb": "holds 1000000000×10000 numbers, 8e+04 GB as float64, from",
    }
    for name, text in told.items():
        assert refused(path, array=name).startswith(f"a.h5 {text}"), name


def test_packages_that_are_not_installed(tmp_path, monkeypatch):
    for package, name in [("h5py", "a.h5"), ("safetensors", "a.safetensors")]:
        (tmp_path / name).write_bytes(b"something")
        assert refused(tmp_path / name)
        monkeypatch.setitem(sys.modules, package, None)
        assert refused(tmp_path / name) == (
            f"{name} needs the package {package}: pip install 'lindiff[data]'"
        )


def test_files_that_change_or_vanish_while_they_are_read(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    source = open_source(tmp_path / "a.npy")
    os.truncate(tmp_path / "a.npy", 200)
    with pytest.raises(ValueError, match=r"a\.npy has become shorter while it was read"):
        list(source.blocks())
    (tmp_path / "a.npy").unlink()
    with pytest.raises(ValueError, match=r"a\.npy cannot be read: No such file"):
        source.take(np.array([1]))


@some(150)
@given(st.data())
def test_damaged_files_are_read_or_refused(data):
    """Not of HDF5, whose library checks little."""
    name = data.draw(st.sampled_from(["c.npy", "m.npz", "m.csv", "m.safetensors", "pictures"]))
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        FORMATS[name](path, VALUES)
        file = path / "007.png" if path.is_dir() else path
        file.write_bytes(data.draw(damaged(file.read_bytes())))
        try:
            source = open_source(path)
            shape, told = every_row(source).shape, str(path)
        except ValueError as error:
            shape, told = None, str(error)
        event("refused" if shape is None else "read")
        assert shape is None or shape == (source.rows, source.columns)
        assert str(path) in told


def test_every_format_is_named_where_a_user_reads_of_them():
    told = CliRunner().invoke(main, ["advise", "--help"]).output
    page = (Path(__file__).parents[2] / "config" / "README.md").read_text(encoding="utf-8")
    for ending in sources.FORMATS:
        assert f"`{ending}`" in page, ending
        assert ending in told, ending
    for name in (*sources.ENDINGS, *BUNDLED):
        assert name in told, name
