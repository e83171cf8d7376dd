"""The generated files are current, and say what the program does."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from lindiff.columns import METRICS, SETTING, SETTINGS
from lindiff.config import reference
from lindiff.config.axes import value_schema
from lindiff.config.resolve import load
from lindiff.config.sheet import KEYS
from lindiff.errors import InputError
from lindiff.science.mixture import KEYS as OF_MIXTURE

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"


def plain(text):
    return YAML(typ="safe", pure=True).load(text)


def test_the_committed_files_are_current():
    assert reference.stale(ROOT) == [], "run: python -m lindiff.config.reference"


def test_the_readme_names_every_key_and_metric():
    text = (CONFIG / "README.md").read_text(encoding="utf-8")
    for column in (*KEYS, *METRICS):
        assert f"| `{column.name}` |" in text
    for key in ("defaults", "experiments", "stale", "shard.seconds", "shard.memory", "max_cells"):
        assert f"| `{key}` |" in text
    assert "| `ridge` | float | `0.0` | ≥ 0 | c: the denoiser" in text


def test_the_example_of_the_readme_loads(tmp_path):
    text = (CONFIG / "README.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example)
    assert list(load(path).experiments) == ["transition"]


def test_the_schema_is_plain_json_and_a_schema():
    text = (CONFIG / "schema.json").read_text(encoding="utf-8")
    assert "Infinity" not in text
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    settings = schema["$defs"]["Settings"]["properties"]
    assert set(settings) == {c.name for c in KEYS} | {"metrics", "figures", "theory"}
    assert {c.name for c in SETTINGS} - set(settings) == {"spectrum_params"}
    assert settings["ridge"]["description"].startswith("c: the denoiser")


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(CONFIG.rglob("*.yaml")) if p.parent.name != "claims"],
    ids=lambda p: p.stem,
)
def test_every_committed_config_fulfils_the_schema_and_loads(path):
    schema = json.loads((CONFIG / "schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(plain(path.read_text(encoding="utf-8")), schema)
    assert load(path).experiments


REQUIRED = "model: linear_exact, d: 4, n: 8, seed: 0"


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("ridge: 1", True),
        ("ridge: [0, 1.5]", True),
        ("ridge: {log: [0.1, 1, 3], also: [0]}", True),
        ("stop: .inf", True),
        ("spectrum: [isotropic, {two_level: {ratio: 2, fraction: 0.5}}]", True),
        ("metrics: {only: [bures]}", True),
        ("figures: [kl]", True),
        ("data: [gaussian]", True),
        ("data: digit", False),
        ("data: {array: x}", False),
        ("spectrum: {dataset: gaussian}", False),
        ("ridge: -1", False),
        ('ridge: "1"', False),
        ("ridge: []", False),
        ("ridge: {log: [0.1, 1]}", False),
        ("rigde: 1", False),
        ("sampler: dppm_beta", False),
        ("final_noise: 1", False),
        ("seed: 1.5", False),
        ("spectrum: {spiked: {spike: 2}}", False),
        ("metrics: [burse]", False),
    ],
)
def test_schema_and_program_agree(tmp_path, key, good):
    text = f"experiments:\n  a: {{{REQUIRED}}}\n  b: {{{REQUIRED}, {key}}}\n"
    if key.startswith("seed"):
        text = text.replace("seed: 0, ", "")
    path = tmp_path / "c.yaml"
    path.write_text(text)
    schema = json.loads(reference.schema())
    fulfils = jsonschema.Draft202012Validator(schema).is_valid(plain(text))
    try:
        load(path)
        loads = True
    except InputError:
        loads = False
    assert (fulfils, loads) == (good, good)


def test_the_schema_of_a_mixture_has_its_keys():
    _, mapping = value_schema(SETTING["mixture"])["anyOf"]
    assert tuple(mapping["properties"]) == OF_MIXTURE


def test_check_says_what_is_old_and_writes_nothing(tmp_path, capsys):
    assert reference.main(["--check", "--folder", str(tmp_path)]) == 1
    assert "config/README.md is not current" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert reference.main(["--folder", str(tmp_path)]) == 0
    assert reference.main(["--check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "config/schema.json").write_text("{}")
    assert reference.main(["--check", "--folder", str(tmp_path)]) == 1
    assert "schema.json is not current" in capsys.readouterr().err
