"""The commands in the heads of config/*.yaml: taken as they stand, and doing what is said there."""

import re
import shlex
from pathlib import Path

import pyarrow.compute as pc
import pytest

from lindiff.config.resolve import load
from lindiff.sweep.grid import wanted
from lindiff.sweep.validate import validate

CONFIG = Path(__file__).parents[2] / "config"
COMMAND = re.compile(r"^#   lindiff sweep (config/\S+) ((?:.*\\\n)*.*)$", re.MULTILINE)


def commands():
    """The config and the settings of every `lindiff sweep` with settings of a head."""
    return [
        (CONFIG.parent / name, shlex.split(re.sub(r"\\\n#", " ", settings)))
        for path in sorted(CONFIG.glob("*.yaml"))
        for name, settings in COMMAND.findall(path.read_text(encoding="utf-8"))
    ]


def test_the_commands_of_the_heads_are_taken():
    found = commands()
    assert [path.name for path, _ in found] == ["mnist28.yaml"]
    for path, settings in found:
        assert len(settings) > 5
        assert len(validate(load(path, settings)).cells)


def share_of_copies(path, settings, n):
    """The memorized fraction of the network of n pictures."""
    from lindiff.models.trained import run

    cells = wanted(load(path, settings)).cells
    plain = pc.and_(pc.equal(cells["augmentation"], "none"), pc.equal(cells["dropout"], 0))
    own = pc.and_(pc.equal(cells["model"], "mlp"), pc.equal(cells["n"], n))
    (row,) = run(cells.filter(pc.and_(own, plain)), ("memorized_fraction",)).to_pylist()
    return row["memorized_fraction"]


@pytest.mark.slow
def test_the_cpu_version_of_mnist28_copies_few_pictures_and_not_many():
    """Of 1,024 samples; seen 0.85 of 8 pictures, 0.05 of 64, and 0 of 8 at half the width."""
    pytest.importorskip("torch")
    ((path, settings),) = commands()
    assert share_of_copies(path, settings, 8) > 0.6
    assert share_of_copies(path, settings, 64) < 0.2
    narrow = [re.sub("width=768", "width=384", setting) for setting in settings]
    assert narrow != settings
    assert share_of_copies(path, narrow, 8) < 0.1
