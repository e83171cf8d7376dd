"""Folders of pictures: which are rows, how they are read, and what is refused."""

import os

import numpy as np
import pytest
from PIL import Image

from lindiff.config.sources import open_source

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 3, 3), np.uint8)


def save(path, pixels, mode=None):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)


@pytest.fixture
def folder(tmp_path):
    """Four pictures of 5×3 pixels, in colours."""
    made = tmp_path / "folder"
    made.mkdir()
    for name, pixels in zip("abcd", PIXELS, strict=True):
        save(made / f"{name}.png", pixels)
    return made


def read(folder):
    source = open_source(folder)
    return np.concatenate(list(source.blocks())), source


def refused(folder):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the text
        read(folder)
    return str(caught.value).replace(f"{folder.parent}/", "")


def test_pictures_are_rows_sorted_by_name(folder):
    os.mkfifo(folder / "pipe.png")
    (folder / ".hidden.png").write_text("")
    (folder / "notes.txt").write_text("")
    (folder / "more").mkdir()
    values, source = read(folder)
    np.testing.assert_array_equal(values, PIXELS.reshape(4, 45))
    assert source.picture == (5, 3, 3)
    assert source.notes == (
        "arrays of 5×3×3 values were made rows of 45, the last axis fastest",
        "4 coloured pictures, sorted by name, pixels from 0 to 255",
        "left out: .hidden.png, more, notes.txt, pipe.png",
    )


def test_grey_pictures_and_transparent_ones(folder):
    save(folder / "b.png", PIXELS[1], "RGBA")
    values, source = read(folder)
    np.testing.assert_array_equal(values, PIXELS.reshape(4, 45))
    assert "1 of the pictures can be transparent, which was left out" in source.notes
    for name, mode in zip("abcd", ("L", "LA", "1", "L"), strict=True):
        save(folder / f"{name}.png", PIXELS[0, :, :, 0], mode)
    values, source = read(folder)
    assert source.picture == (5, 3)
    np.testing.assert_array_equal(values[[0, 1, 3]], [PIXELS[0, :, :, 0].ravel()] * 3)
    assert set(values[2]) <= {0, 255}


def test_jpeg(tmp_path):
    flat = np.full((8, 8), 77, np.uint8)
    for name in ("a.jpg", "b.JPEG"):
        save(tmp_path / name, flat)
    values, _ = read(tmp_path)
    np.testing.assert_array_equal(values, np.full((2, 64), 77))


def test_pictures_that_differ(folder):
    save(folder / "c.png", PIXELS[2, :4])
    assert refused(folder) == (
        "folder/c.png is of 4×3 coloured pixels, a.png of 5×3 coloured pixels; all pictures of a "
        "folder must be of one size, and all grey or all coloured"
    )
    save(folder / "b.png", PIXELS[2], "L")
    assert refused(folder).startswith("folder/b.png is of 5×3 grey pixels, a.png of 5×3 coloured")


def test_pictures_that_cannot_be_read(folder):
    path = folder / "c.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert refused(folder).startswith("folder/c.png is damaged, or no PNG or JPEG file (")
    path.write_bytes(b"GIF89a")
    assert refused(folder).startswith("folder/c.png is damaged, or no PNG or JPEG file (")
    save(path, PIXELS[0, :, :, 0].astype(np.uint16))
    assert refused(folder) == (
        "folder/c.png has pixels of more than eight bits (mode I;16); save the pictures as one "
        "array: np.save(file, x)"
    )
    path.write_bytes(whole)
    source = open_source(folder)
    save(path, PIXELS[0, :2])
    with pytest.raises(ValueError, match=r"c\.png has changed while the folder was read"):
        list(source.blocks())


@pytest.mark.parametrize("pixels", [150, 250])
def test_pictures_that_are_many_times_their_file(folder, monkeypatch, pixels):
    """Above the limit Pillow warns, above twice the limit it refuses."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("RGB", (pixels, 1)).save(folder / "c.png")
    assert refused(folder) == "folder/c.png has more than 100 pixels, which no row should"


def test_folders_without_pictures(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / "all" / name).mkdir(parents=True)
    assert refused(tmp_path / "all") == (
        "all is a folder without pictures (.png, .jpg, .jpeg); it has folders, name one of them: "
        "cats, dogs"
    )
    assert refused(tmp_path / "all" / "cats").endswith("without pictures (.png, .jpg, .jpeg)")
