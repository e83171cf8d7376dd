"""Checksums of files that can be made again: damage is noticed, errors of the machine are none."""

import errno
import json

import pyarrow as pa
import pytest

from lindiff import checksums, files


@pytest.fixture
def made(tmp_path):
    """The files of a job, a table and a picture, with their checksums."""
    paths = [tmp_path / "table.parquet", tmp_path / "figures/a.png"]
    paths[1].parent.mkdir()
    with checksums.kept(tmp_path, "job", paths):
        files.write_table(pa.table({"x": range(1000)}), paths[0], {})
        paths[1].write_bytes(bytes(range(256)))
    return {"job": paths}


def flip(path, where):
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)


def test_what_was_written_is_whole_wherever_the_folder_is(made, tmp_path):
    assert checksums.damaged(tmp_path, made) == {}
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    made = {"job": [moved / path.relative_to(tmp_path) for path in made["job"]]}
    assert checksums.damaged(moved, made) == {}
    assert checksums.jobs(moved) == ["job"]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("where", [0, 100, -1])
def test_every_bit_counts(made, tmp_path, which, where):
    flip(made["job"][which], where)
    assert list(checksums.damaged(tmp_path, made)) == [made["job"][which]]


@pytest.mark.parametrize("size", [0, 1, 200])
def test_so_does_the_length(made, tmp_path, size):
    path = made["job"][1]
    path.write_bytes(path.read_bytes()[:size])
    assert checksums.damaged(tmp_path, made) == {path: "it is not what was written"}


def test_a_missing_file_is_not_damaged(made, tmp_path):
    made["job"][0].unlink()
    assert checksums.damaged(tmp_path, made) == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"other": "00"}', b"\xff"])
def test_damaged_checksums_vouch_for_nothing(made, tmp_path, content):
    (tmp_path / "checksums/job.json").write_bytes(content)
    assert list(checksums.damaged(tmp_path, made)) == made["job"]


@pytest.mark.parametrize("where", range(0, 290, 7))
def test_a_flipped_bit_in_the_checksums_is_noticed(made, tmp_path, where):
    path = tmp_path / "checksums/job.json"
    before = json.loads(path.read_bytes())
    flip(path, where)
    try:
        same = json.loads(path.read_bytes()) == before  # a space more or less
    except ValueError:
        same = False
    assert bool(checksums.damaged(tmp_path, made)) != same


def test_without_checksums_a_table_is_opened_and_a_picture_is_left(made, tmp_path):
    checksums.drop(tmp_path, "job")
    assert checksums.damaged(tmp_path, made) == {}
    for path in made["job"]:
        path.write_bytes(path.read_bytes()[:-50])
    assert list(checksums.damaged(tmp_path, made)) == made["job"][:1]


def test_a_job_that_is_killed_leaves_no_checksums(made, tmp_path):
    def killed():
        with checksums.kept(tmp_path, "job", made["job"]):
            flip(made["job"][1], 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert checksums.damaged(tmp_path, made) == {}
    assert checksums.jobs(tmp_path) == []


def test_an_error_of_the_machine_is_no_damage(made, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PAUSES", (0.0,))

    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(checksums, "file_digest", fails)
    with pytest.raises(OSError, match="Input/output error"):
        checksums.damaged(tmp_path, made)
