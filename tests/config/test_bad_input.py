"""Every message about a config that is wrong."""

import os
import re

import numpy as np
import pytest

from lindiff import figures
from lindiff.config import yamlfile
from lindiff.config.resolve import load
from lindiff.models import MODELS
from lindiff.sweep.validate import validate, warnings
from tests.configs import BASE, Maker, message


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


# Bad input: keys


def test_unknown_key(make):
    assert message(make("rigde: 1")).startswith(
        "c.yaml:7:5: experiments.a.rigde: unknown key (did you mean ridge?); allowed: model, data, "
    )
    assert message(make(base="stael: keep\n" + BASE)) == (
        "c.yaml:1:1: stael: unknown key (did you mean stale?); "
        "allowed: defaults, experiments, stale, device, shard, max_cells"
    )
    assert message(make(base="shard: {second: 3}\n" + BASE)) == (
        "c.yaml:1:9: shard.second: unknown key (did you mean seconds?); allowed: seconds, memory"
    )
    assert message(make("ridge: {lgo: [1, 2, 3]}")) == (
        "c.yaml:7:13: experiments.a.ridge.lgo: unknown key (did you mean log?); "
        "allowed: range, linear, log, log2, also, refine, at, within, between, start"
    )
    assert "experiments.a.metrics.onlx: unknown key (did you mean only?)" in message(
        make("metrics: {onlx: [bures]}")
    )


def test_a_known_key_in_the_wrong_place(make):
    assert message(make(base="ridge: 1\n" + BASE)) == (
        "c.yaml:1:1: ridge: unknown key here; it belongs in `defaults` or in an experiment"
    )
    assert message(make("stale: keep")) == (
        "c.yaml:7:5: experiments.a.stale: unknown key here; it belongs at the top of the file"
    )
    assert "parameters are written inside `spectrum`" in message(make("spectrum_params: {}"))


def test_duplicate_key(make):
    assert message(make("d: 8")) == "c.yaml:7:5: experiments.a.d: duplicate key, first on line 4"


def test_missing_keys(make):
    assert message(make(base="experiments:\n  a: {ridge: 1}\n")).splitlines() == [
        f"c.yaml:2:3: experiments.a: the key {key} is missing"
        for key in ("model", "d", "n or n_over_d", "seed")
    ]
    assert message(make(base="defaults: {d: 3}\n")) == "c.yaml:1:1: experiments: missing"


def test_n_and_n_over_d_together(make):
    assert message(make("n_over_d: 2")) == (
        "c.yaml:7:15: experiments.a.n_over_d = 2: give n or n_over_d, not both"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "c.yaml: empty; a config needs the key `experiments`"),
        ("# nothing\n", "c.yaml: empty; a config needs the key `experiments`"),
        ("- a\n", "c.yaml:1:1: a config must be a mapping with the key `experiments`"),
        (
            "experiments: {}\n",
            "c.yaml:1:14: experiments = {}: there must be at least one experiment",
        ),
        ("experiments: 3\n", "c.yaml:1:14: experiments = 3: must be a mapping of keys to values"),
        (
            "experiments:\n  a:\n",
            "c.yaml:2:3: experiments.a = null: must be a mapping of keys to values",
        ),
        (
            "experiments:\n  a b: {}\n",
            "c.yaml:2:3: experiments.a b: a name must start with a letter and hold letters, "
            "digits, _ and - only",
        ),
        (
            "experiments:\n  1: {}\n",
            "c.yaml:2:3: experiments: the key 1 is not text; put it in quotes",
        ),
        (
            "experiments:\n  [a]: {}\n",
            "c.yaml:2:3: experiments: the key a collection is not text; put it in quotes",
        ),
    ],
)
def test_not_a_mapping_of_experiments(make, text, found):
    assert message(make(base=text)) == found


# Bad input: YAML


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: [1\n", "c.yaml:2:1: not YAML: while parsing a flow sequence, expected ',' or ']'"),
        ("a: {b: 1\nc: 2\n", "c.yaml:2:2: not YAML: while parsing a flow mapping"),
        ("\ta: 1\n", "c.yaml:1:1: not YAML: while scanning for the next token"),
        ("a: *b\n", "c.yaml:1:4: not YAML: found undefined alias 'b'"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2:1: not YAML: expected a single document"),
        ("a: 1\nb: \x01\n", "c.yaml:2: not YAML: the character U+0001 is not allowed"),
        ("[" * 5000, "c.yaml: too many nested levels"),
        ("experiments: &x\n  a: *x\n", "c.yaml:1:14: experiments.a: an alias inside what it names"),
    ],
)
def test_yaml_that_does_not_parse(make, text, found):
    assert message(make(base=text)).startswith(found)


def test_aliases_do_not_explode(make):
    lines = ["x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert message(make(base="\n".join(lines))) == (
        "c.yaml: more than 50,000 values; use ranges, and files of eigenvalues"
    )


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("!!python/object/apply:os.system ['touch {}']", "!!python/object/apply:os.system"),
        ("!!python/name:os.system ''", "!!python/name:os.system"),
        ("!!python/object/new:os.system {{args: ['touch {}']}}", "!!python/object/new:os.system"),
        ("!!set {{1}}", "!!set"),
        ("!!binary aGk=", "!!binary"),
        ("!mine 3", "!mine"),
    ],
)
def test_tags_are_refused_and_nothing_runs(make, tmp_path, value, tag):
    touched = tmp_path / "touched"
    path = make(f"ridge: {value.format(touched)}")
    assert message(path) == f"c.yaml:7:12: experiments.a.ridge: the tag {tag} is not allowed"
    assert not touched.exists()


def test_use_yte_is_refused(make, tmp_path):
    touched = tmp_path / "touched"
    text = f"__use_yte__: true\n?open({str(touched)!r}, 'w').close(): 1\n"
    assert "__use_yte__: refused: lindiff runs no code from a config; remove this key" in message(
        make(base=text + BASE)
    )
    assert not touched.exists()


def test_merge_keys_are_refused(make):
    assert "c.yaml:7:5: experiments.a: merge keys (<<) are not allowed" in message(make("<<: {}"))


@pytest.mark.parametrize(
    ("value", "what"), [("9" * 5000, "int"), ("!!float x", "float"), ("!!bool x", "bool")]
)
def test_numbers_that_cannot_be_read(make, value, what):
    found = message(make(f"ridge: {value}"))
    assert found.startswith("c.yaml:7:12: experiments.a.ridge: ")
    assert found.endswith(f"is not a readable {what}")


def test_files_that_cannot_be_read(tmp_path):
    assert message(tmp_path / "none.yaml") == "none.yaml: no such file"
    (tmp_path / "folder").mkdir()
    assert message(tmp_path / "folder") == "folder: is a folder, not a config file"
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    assert message(tmp_path / "latin.yaml") == "latin.yaml: not UTF-8 text (byte 3)"
    (tmp_path / "file").write_text("")
    assert message(tmp_path / "file" / "c.yaml").endswith("cannot be read: Not a directory")
    (tmp_path / "my sweep.yaml").write_text(BASE)
    assert "my sweep.yaml: the name of a config names its results" in message(
        tmp_path / "my sweep.yaml"
    )


# Bad input: values


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("ridge", '"1e-4"', "must be a number, not text (remove the quotes)"),
        ("stop", "inf", "must be a number, not text (YAML's infinity is .inf)"),
        ("ridge", "small", "must be a number, not text"),
        ("ridge", "true", "must be a number, not true or false"),
        ("ridge", "2020-01-01", "must be a number, not text"),
        ("ridge", "", "empty; a number is needed"),
        ("ridge", "-1", "must be at least 0"),
        ("ridge", ".nan", "must be a number, not NaN"),
        ("ridge", ".inf", "must be finite"),
        ("ridge", "1" + "0" * 400, "is too large for a floating-point number"),
        ("weight_decay", "-0.5", "must be at least 0"),
        ("weight_decay", ".nan", "must be a number, not NaN"),
        ("stop", "-1", "must be at least 0"),
        ("stop", ".nan", "must be a number, not NaN"),
        ("stop", "-.inf", "must be finite"),
        ("noises", "0", "must be at least 1"),
        ("noises", "2.5", "must be a whole number"),
        ("noises", "-.inf", "must be finite"),
        ("noises", "10000000000.0", "must be at most 1,000,000,000"),
        ("n", "1", "must be at least 2"),
        ("n", "8.0", "must be a whole number, written without a decimal point; write 8"),
        ("n", "8.5", "must be a whole number, written without a decimal point"),
        ("n", "true", "must be a whole number, not true or false"),
        ("n_over_d", "0", "must be more than 0"),
        ("d", "0", "must be at least 1"),
        ("d", "-3", "must be at least 1"),
        ("d", "[[4]]", None),
        ("seed", "-1", "must be at least 0"),
        ("seed", "1" + "0" * 30, "does not fit in 64 bits"),
        ("beta_min", "0", "must be more than 0"),
        ("beta_max", "1", "must be less than 1"),
        ("beta_max", "-0.1", "must be more than 0"),
        ("final_noise", "1", "must be true or false"),
        ("final_noise", "yes", "must be true or false"),
        (
            "model",
            "linear_exakt",
            f"not a known value; allowed: {', '.join(MODELS)} (did you mean linear_exact?)",
        ),
        (
            "sampler",
            "dppm_beta",
            "not a known value; allowed: ideal, ddpm_beta, ddpm_beta_tilde, ddim, euler, heun "
            "(did you mean ddpm_beta?)",
        ),
        (
            "sampler",
            "3",
            "not a known value; allowed: ideal, ddpm_beta, ddpm_beta_tilde, ddim, euler, heun",
        ),
        ("population_mean", ".inf", "must be finite"),
    ],
)
def test_bad_values(make, key, value, found):
    base = re.sub(rf"    {'n' if key == 'n_over_d' else key}: .*\n", "", BASE)
    line = len(base.splitlines()) + 1
    text = message(make(f"{key}: {value}", base))
    column = len(f"    {key}: ") + 1 if value else 5
    if value == "[[4]]":
        assert text == (
            f"c.yaml:{line}:9: experiments.a.d[0] = [4]: must be a whole number, not a list"
        )
    elif value.startswith("10000"):
        assert text.startswith(f"c.yaml:{line}:{column}: experiments.a.{key} = 1000")
        assert text.endswith(f": {found}")
    else:
        written = {"": "null", "true": "true"}.get(value, value.replace('"', "'"))
        if (value.isalpha() and value != "true") or "_" in value or value.count("-") == 2:
            written = f"'{value}'"
        assert text == f"c.yaml:{line}:{column}: experiments.a.{key} = {written}: {found}"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("[]", "= []: empty axis; give at least one value"),
        ("{range: [5, 5]}", "= {range: [5, 5]}: empty axis; range: [5, 5] has no value"),
        ("{range: [0, 5, 0]}", "range: the step must not be 0"),
        ("{range: [0, 1.5]}", "range[1] = 1.5: must be a whole number"),
        ("{range: [1]}", "range = [1]: must have at least 2 numbers"),
        ("{range: [1, 2, 3, 4]}", "range = [1, 2, 3, 4]: must have at most 3 numbers"),
        ("{range: 3}", "range = 3: must be a list"),
        ("{range: [-2, 2]}", "range: the value -2.0 must be at least 0"),
        ("{}", "= {}: must have exactly one of the keys range, linear, log, log2"),
        ("{also: [1]}", "must have exactly one of the keys range, linear, log, log2"),
        ("{range: [0, 2], log2: [1, 2]}", "must have exactly one of the keys"),
        ("{log: [0, 1, 3]}", "log: both ends must be more than 0"),
        ("{log: [1, 2, 2.0]}", "the count must be a whole number of at least 1, not 2.0"),
        ("{log: [1, 2, 0]}", "the count must be a whole number of at least 1, not 0"),
        ("{log: [1, 2, 1]}", "a count of 1 leaves out one of two ends; give at least 2"),
        ("{log: [1, .inf, 3]}", "log[1] = .inf: must be finite"),
        ('{linear: [1, "2", 3]}', "linear[1] = '2': must be a number"),
        ("{log2: [3, 8]}", "log2: 3 is not a power of two"),
        (f"{{log2: [1, 1{'0' * 400}]}}", "is too large for a floating-point number"),
        ("{log2: [8, 4]}", "log2: the first end must not be more than the second"),
        ("{log2: [1, 2], also: [-1]}", "also[0] = -1: must be at least 0"),
    ],
)
def test_bad_spans(make, written, found):
    text = message(make(f"ridge: {written}"))
    assert re.match(r"c\.yaml:7:\d+: experiments\.a\.ridge", text)
    assert found in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("power_law", "= 'power_law': needs {power_law: exponent}"),
        ("{powerlaw: 1}", "(did you mean power_law?)"),
        ("{power_law: .nan}", "= {power_law: .nan}: exponent = .nan must be a number, not NaN"),
        ("{power_law: .inf}", "exponent = .inf must be finite"),
        ('{power_law: "1"}', "exponent = '1' must be a number, not text (remove the quotes)"),
        ("{power_law: 1, isotropic: 2}", "must be one spectrum with its parameters"),
        ("{isotropic: {}}", "write isotropic"),
        (
            "{spiked: {spike: 2}}",
            "the parameter count is missing; write {spiked: {spike: …, count:",
        ),
        ("{spiked: {spike: 2, cuont: 1}}", "unknown parameter 'cuont' (did you mean count?)"),
        ("{spiked: {spike: -1, count: 1}}", "spike = -1 must be more than 0"),
        ("{spiked: {spike: 2, count: 5}}", "count = 5 is more than d = 4"),
        ("{spiked: 3}", "write {spiked: {spike: …, count: …}}"),
        ("{two_level: {ratio: 0, fraction: 0.5}}", "ratio = 0 must be more than 0"),
        ("{two_level: {ratio: 2, fraction: 1}}", "fraction = 1 must be less than 1"),
        ("{eigenvalues: [1, -2, 3, 4]}", "eigenvalue 2 = -2 must be at least 0"),
        ("{eigenvalues: [1, -1.0e-14, 3, 4]}", "must be at least 0 (write 0 for a direction"),
        ("{low_rank: 5}", "rank = 5 is more than d = 4"),
        ("{low_rank: 0}", "rank = 0 must be at least 1"),
        ("{eigenvalues: [0, 0.0]}", "all eigenvalues are zero"),
        ("{eigenvalues: []}", "no eigenvalues"),
        ("{eigenvalues: [1, .nan]}", "eigenvalue 2 = .nan must be a number, not NaN"),
        ("{eigenvalues: 3}", "eigenvalues must be a list of numbers or the name of a file"),
        ("{eigenvalues: [1, 2, 3]}", "3 eigenvalues fix d = 3, but d = 4"),
        ("{power_law: 4000}", "= {power_law: 4000.0}: spectrum power_law: "),
        ("[]", "= []: empty axis; give at least one value"),
    ],
)
def test_bad_spectra(make, written, found):
    text = message(make(f"spectrum: {written}"))
    assert text.startswith("c.yaml:7:15: experiments.a.spectrum")
    assert found in text


def test_bad_files_of_eigenvalues(make, tmp_path):
    path = make("spectrum: {eigenvalues: s.npy}")
    place = "c.yaml:7:15: experiments.a.spectrum = {eigenvalues: 's.npy'}: "
    assert message(path) == f"{place}there is no file s.npy"
    file = tmp_path / "s.npy"
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "s.npy holds Python objects, which are never unpickled" in message(path)
    np.save(file, np.eye(2))
    assert "s.npy must hold one row or column of real numbers, not 2×2 of float64" in message(path)
    np.save(file, np.array([1.0, -1.0]))
    assert "s.npy: eigenvalue 2 = -1.0 must be at least 0" in message(path)
    file.write_bytes(b"\x93NUMPY\x01\x00")
    assert "s.npy is damaged (" in message(path)
    file.unlink()
    file.mkdir()
    assert "s.npy is a folder" in message(path)
    path = make("spectrum: {eigenvalues: s.txt}")
    (tmp_path / "s.txt").write_text("1.0 two\n")
    assert "s.txt (values parted by white space): 'two' is no number" in message(path)
    (tmp_path / "s.txt").write_bytes(b"\xff\xfe\x00")
    assert "s.txt is neither text (UTF-8) nor .npy" in message(path)
    (tmp_path / "s.txt").write_text("# nothing\n")
    assert "s.txt: no eigenvalues" in message(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "stale: never",
            "c.yaml:1:8: stale = 'never': not a known value; allowed: rerun, error, keep",
        ),
        ("max_cells: 0", "c.yaml:1:12: max_cells = 0: must be at least 1"),
        ("shard: {seconds: 0}", "c.yaml:1:18: shard.seconds = 0: must be more than 0"),
        (
            "shard: {memory: 1 GiBB}",
            'must be a number of bytes or a text such as "512 MiB" or "1 GiB"',
        ),
        (
            'shard: {memory: "1,5 GiB"}',
            'must be a number of bytes or a text such as "512 MiB" or "1 GiB"',
        ),
        ("shard: {memory: 0 B}", "shard.memory = '0 B': must be at least 1"),
        ("shard: 3", "c.yaml:1:8: shard = 3: must be a mapping of keys to values"),
    ],
)
def test_bad_values_at_the_top(make, text, found):
    assert found in message(make(base=f"{text}\n{BASE}"))


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("two", "= 'two': not a mixture; write none, {weights: [w, …], between: b} or"),
        ("{weights: [1, 0], between: 0.5}", "weights: value 2 = 0 must be more than 0"),
        ("{weights: [1, -1], between: 0.5}", "weights: value 2 = -1 must be more than 0"),
        ("{weights: [1, .nan], between: 0.5}", "weights: value 2 = nan must be finite"),
        ('{weights: [1, "1"], between: 0.5}', "weights: value 2 = '1' is not a number"),
        ("{weights: [1, 1], between: 1.0}", "between = 1 must be at least 0 and less than 1"),
        ("{weights: [1, 1], weight: [1]}", "unknown key 'weight' (did you mean weights?); write"),
        ("{between: 0.5}", "the key weights is missing"),
        ("{weights: [1, 1, 1, 1, 1, 1], between: 0.5}", "means lie in 5 directions, but d = 4"),
        ("{weights: [1, 1], means: [[0.1], [0.2]]}\n    draw: wishart", "drawn as samples"),
    ],
)
def test_bad_mixtures(make, written, found):
    draw = "" if "draw" in written else "\ndraw: samples"
    text = message(make(f"mixture: {written}{draw}".replace("\n    ", "\n")))
    assert re.match(r"c\.yaml:[78]:\d+: experiments\.a\.(mixture|draw)", text)
    assert found in text
    assert len(text.splitlines()) == 1


def test_bad_metrics(make):
    assert message(make("metrics: [kl_model_data_mean]")) == (
        "c.yaml:7:15: experiments.a.metrics[0] = 'kl_model_data_mean': "
        "comes with kl_model_data; ask for that"
    )
    assert message(make("metrics: burse")).endswith(
        "differences, feature_spectrum, classes, coverage, copied_auc, copied_auc_se, pictures "
        "(did you mean bures?)"
    )
    assert "metrics.only = []: empty list; give at least one value" in message(
        make("metrics: {only: []}")
    )


def test_all_errors_are_said_at_once_in_the_order_of_the_file(make):
    text = message(make("ridge: [-1, x]\nsampler: none\nrigde: 2", base="stale: 3\n" + BASE))
    assert [line.split(": ")[0] for line in text.splitlines()] == [
        "c.yaml:1:8",
        "c.yaml:8:13",
        "c.yaml:8:17",
        "c.yaml:9:14",
        "c.yaml:10:5",
    ]


# Bad input: what only a whole experiment shows


def test_a_grid_that_is_too_large(make):
    path = make("ridge: {linear: [0, 1, 1000]}\nstop: {linear: [1, 9, 3000]}")
    assert message(path) == (
        "c.yaml:1:1: max_cells: the grid has 3,000,000 cells (a 3,000,000), more than 2,000,000; "
        "raise the limit with the flag --max-cells or the key max_cells"
    )
    small = make("ridge: [0, 1]", "max_cells: 1\n" + BASE)
    assert "c.yaml:1:12: max_cells: the grid has 2 cells (a 2), more than 1" in message(small)
    assert validate(load(small, ["max_cells=2"])).cells.num_rows == 2


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (
            "{range: [0, 1000000000000]}",
            "an axis of 1,000,000,000,000 values is more than max_cells = 2,000,000 (raise it with "
            "--max-cells or the key max_cells)",
        ),
        (
            "{linear: [0, 9, 1000000000000]}",
            "a count of 1,000,000,000,000 is too many; at most 50,000",
        ),
    ],
)
def test_an_axis_that_is_too_long_takes_no_memory(make, span, words):
    assert words in message(make(f"ridge: {span}"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stop", "1.0"),
        ("weight_decay", "0.1"),
        ("sampling_steps", "5"),
        ("truncation", "2"),
        ("final_noise", "true"),
        ("noises", "2.0"),
    ],
)
def test_ideal_sampling_with_a_setting_that_it_cannot_carry(make, key, value):
    text = message(make(f"sampler: [ddpm_beta, ideal]\n{key}: [{value}]"))
    column = 5 + len(f"{key}: [")
    assert text.startswith(
        f"c.yaml:8:{column}: experiments.a.{key} = {value}: cannot be combined with "
        f"sampler = 'ideal'; {key} needs sampler: ddpm_beta"
    )
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("key", ["noises", "stop", "ridge"])
def test_a_number_beyond_floating_point_is_not_taken_for_infinity(make, key):
    text = message(make(f"{key}: [1, 1.0e+400]"))
    assert f"{key}[1]: '1.0e+400' is too large for a floating-point number" in text


def test_ideal_sampling_with_training_names_every_setting(make):
    text = message(make("sampler: ideal\nstop: [1, 2, .inf]\nlearning_rate: 0.1\ninit_scale: 1"))
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "experiments.a.stop = 1.0",
        "experiments.a.stop = 2.0",
        "experiments.a.learning_rate = 0.1",
        "experiments.a.init_scale = 1.0",
    ]


def test_a_conflict_with_an_inherited_value_names_its_line(tmp_path):
    path = tmp_path / "c.yaml"
    last = "  b: {model: linear_exact, d: 2, n: 4, seed: 0, schedule: cosine, beta_max: 0.02}"
    path.write_text(f"defaults:\n  stop: 1\n{BASE}    sampler: ideal\n{last}\n")
    # `b` inherits the stop too, but can carry it.
    first, second = message(path).splitlines()
    assert first.startswith("c.yaml:2:9: experiments.a.stop = 1.0: cannot be combined with sampler")
    assert second.startswith(
        f"c.yaml:10:{last.index('0.02') + 1}: experiments.b.beta_max = 0.02: cannot be combined "
        "with schedule = 'cosine'; beta_max needs schedule: linear, constant"
    )


def test_beta_outside_0_1_after_its_scaling(make):
    assert message(make("timesteps: [10, 1000]")) == (
        "c.yaml:2:3: experiments.a.beta_max = 0.01: with timesteps = 10 β becomes "
        "0.01 · 1000/10 = 1; it must be less than 1: beta_max less than 0.01 or more timesteps"
    )
    text = message(make("timesteps: 100\nbeta_min: [1e-4, 0.2]\nbeta_max: 0.05"))
    assert text.startswith("c.yaml:8:22: experiments.a.beta_min = 0.2: with timesteps = 100 β")
    # The cosine schedule has no β to scale.
    assert validate(load(make("timesteps: 10\nschedule: cosine"))).cells.num_rows == 1


def test_an_unstable_step_is_said_with_the_largest_stable_one(make):
    text = message(make("stop: [100, .inf]\nlearning_rate: [0.01, 50]"))
    found = re.fullmatch(
        r"c\.yaml:8:27: experiments\.a\.learning_rate = 50\.0: .*unstable.*"
        r"largest stable value is ([0-9.e+-]+)",
        text,
    )
    assert found, text
    largest = float(found[1])
    assert 0.01 < largest < 50
    stable = f"stop: [100, .inf]\nlearning_rate: {0.99 * largest}"
    assert validate(load(make(stable))).cells.num_rows == 2


def test_more_sampling_steps_than_levels(make):
    assert message(make("sampling_steps: 2000")) == (
        "c.yaml:7:21: experiments.a.sampling_steps = 2000: "
        "more sampling steps than noise levels: timesteps = 1000"
    )


def test_a_ratio_that_gives_too_large_an_n(make):
    assert message(make("n_over_d: 1.0e+300", BASE.replace("    n: 8\n", ""))) == (
        "c.yaml:6:15: experiments.a.n_over_d = 1e+300: n would be 4e+300; "
        "it must be at most 1,000,000,000,000,000"
    )


def test_an_error_in_n_is_placed_at_n_over_d(make):
    path = make("n_over_d: [2, 4]", BASE.replace("    n: 8\n", ""))
    line = load(path).experiments["a"].line("n", "is bad", 8)
    assert line == f"{path}:6:15: experiments.a.n_over_d: is bad"


def test_a_metric_that_needs_another_setting(make):
    text = message(make("metrics: monte_carlo_gap"))
    assert text.startswith("c.yaml:2:3: experiments.a.draw = 'wishart': monte_carlo_gap needs")
    assert message(make("metrics: agreement\nsampler: [ddim, ideal, ddpm_beta_tilde]")) == (
        "c.yaml:8:28: experiments.a.sampler = 'ddpm_beta_tilde': agreement needs a sampler that "
        "draws no noise of its own; allowed: ddim, euler, heun, ideal"
    )


def test_a_model_that_needs_another_setting(make):
    assert message(make("draw: wishart", BASE.replace("linear_exact", "ledoit_wolf"))) == (
        "c.yaml:7:11: experiments.a.draw = 'wishart': ledoit_wolf needs the training samples; "
        "allowed: samples"
    )


def test_a_figure_that_does_not_exist(make):
    assert message(make("figures: [trnsition]")) == (
        "c.yaml:7:15: experiments.a.figures = 'trnsition': not a known value; "
        f"allowed: {', '.join(figures.FIGURES)} (did you mean transition?)"
    )


@pytest.mark.parametrize("figure", figures.FIGURES)
def test_a_figure_whose_experiment_lacks_what_it_needs(make, figure):
    needs = figures.needs(figure)
    text = message(make(f"figures: [{figure}]\nmetrics: {{only: [c_mean]}}"))
    assert text.startswith(
        f"c.yaml:7:15: experiments.a.figures = '{figure}': the experiment lacks "
    )
    for axis in needs.axes:
        assert f"at least two values of {axis}" in text
    for metric in needs.metrics:
        assert f"the metric {metric}" in text


def test_many_errors_of_one_kind_are_cut_short(make):
    path = make("stop: 10\nlearning_rate: {linear: [50, 100, 51]}")
    lines = message(path).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 31 more like these"


def test_what_is_allowed_but_odd_is_a_warning_with_its_place(make):
    config = load(make("schedule: linear\nbeta_max: 1.0e-3"))
    (line,) = warnings(config, validate(config))
    assert ".yaml:7:15: experiments.a.schedule = 'linear': " in line
    plain = load(make())
    assert warnings(plain, validate(plain)) == []


def test_an_override_is_not_blamed_on_the_file(make):
    assert message(make(), max_cells=-1) == ("command line: max_cells = -1: must be at least 1")


# Bad input: sizes, and what no terminal should get


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("d", "2000000000", "d = 2000000000: must be at most 1,000,000"),
        ("n", "1000000000000000000", "must be at most 1,000,000,000,000,000"),
        ("timesteps", "1000000000", "timesteps = 1000000000: must be at most 100,000"),
        ("d", "0x" + "f" * 5000, "is not a readable int"),
        ("d", "!!int ''", "d: '' is not a readable int"),
        ("d", "!!int '-'", "d: '-' is not a readable int"),
        ("ridge", "!!float ''", "ridge: '' is not a readable float"),
        ("sampler", '"\\U00110000"', "not YAML: \\U00110000 is no character"),
        ("sampler", '"\\uD800"', "the character U+D800 is not allowed in a text"),
        ("sampler", '"\\0"', "the character U+0000 is not allowed in a text"),
        ("data", '{file: "a\\0b.npy"}', "the character U+0000 is not allowed in a text"),
        (
            "seed",
            "{range: [0, 9223372036854775808]}",
            "range[1] = 9223372036854775808: does not fit",
        ),
        ("ridge", "{linear: [0, 1, 50001]}", "a count of 50,001 is too many; at most 50,000"),
        ("model", "[" + "linear_exact, " * 200 + "linear_exact]", "must have at most 200 values"),
    ],
)
def test_sizes_are_refused_before_memory_is_asked_for(make, key, value, found):
    base = re.sub(rf"    {key}: .*\n", "", BASE)
    text = message(make(f"{key}: {value}", base))
    assert text.startswith("c.yaml:")
    assert found in text
    assert len(text) < 300


def test_axes_that_multiply_beyond_all_numbers(make):
    axes = "\n".join(f"{key}: {{range: [1, 900000]}}" for key in ("steps", "width", "train_seed"))
    text = message(make(axes))
    assert "an axis of 899,999 values with 1,799,998 of other rules is more than max_cells" in text
    assert message(make(base=f"max_cells: {2**63 - 1}\n{BASE}")) == (
        f"c.yaml:1:12: max_cells = {2**63 - 1}: must be at most 20,000,000"
    )


@pytest.mark.parametrize("size", ["1" + "0" * 30, "1" + "0" * 400])
def test_memory_that_no_machine_has(make, size):
    text = message(make(base=f"shard: {{memory: {size} TiB}}\n{BASE}"))
    assert text.startswith("c.yaml:1:17: shard.memory = ")
    assert len(text) < 200


def test_an_alias_of_one_long_text_is_read_once(make):
    """Its characters are looked at once, and shown once, however often it stands there."""
    long = "y" * 100_000
    text = message(make(base=f"x: &x {long}\nexperiments:\n  a: {{n: [{'*x, ' * 9000}*x]}}\n"))
    assert text.splitlines()[-1] == "… and 8,963 more errors"
    assert len(text) < 10_000


def test_values_that_go_on_for_ever_are_shown_in_a_line():
    value = [1, 2]
    for _ in range(60):
        value = [value] * 20
    assert len(yamlfile.shown(value)) == 60
    assert yamlfile.shown({"k" * 100: "v" * 10**6})[-1] == "…"


def test_a_file_that_is_too_large_or_no_file(make, tmp_path):
    path = make(base="#" * 2**20 + "\n")
    assert message(path) == (
        "c.yaml: 1,048,577 bytes are too many for a config, which may have 1,048,576; use ranges, "
        "and files of eigenvalues"
    )
    many = message(make(base=f"experiments: [{'0,' * 60_000}]"))
    assert many == "c.yaml: more than 50,000 values; use ranges, and files of eigenvalues"
    os.mkfifo(tmp_path / "pipe.yaml")
    assert message(tmp_path / "pipe.yaml") == "pipe.yaml: is not a regular file"
