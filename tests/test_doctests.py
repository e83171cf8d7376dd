"""Every public name has an example, which runs; so does the README's Python."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import lindiff
from tests.sweeps import Sweep

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """A folder in which the sweep ``tiny.yaml`` has run."""
    sweep = Sweep(tmp_path_factory.mktemp("beside"))
    sweep.finish(sweep.config(shard="60"))
    return sweep.folder


@pytest.mark.parametrize("name", lindiff.__all__)
def test_every_exported_name_has_an_example_that_runs(name, beside, monkeypatch):
    monkeypatch.chdir(beside)
    # Of twenty: nothing that an example shows hangs on their number.
    monkeypatch.setattr("lindiff.advice.make._DRAWS", 6)
    # The finder's own check of modules would pass over what the type checks have wrapped.
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(getattr(lindiff, name), name, module=False, globs={})
    assert example.examples, f"lindiff.{name} has no example"
    if not isinstance(getattr(lindiff, name), type):
        assert {"Args:", "Returns:"} <= set(example.docstring.split())
    said: list[str] = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert not said, "".join(said)


def test_the_python_of_the_readme_runs_and_is_that_of_the_package(capsys):
    (block,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert "".join(f"    {line}\n" if line else "\n" for line in block.splitlines()) in (
        lindiff.__doc__ or ""
    )
    names: dict[str, object] = {}
    exec(block, names)
    loss, divergence = (
        np.array(text.split(), float) for text in re.findall(r"\[(.*?)\]", capsys.readouterr().out)
    )
    assert loss.shape == divergence.shape == (3,)
    # At N = 2 d some ridge is better than none.
    assert divergence[1:].min() < divergence[0]
