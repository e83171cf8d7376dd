import ast

from lindiff.models import MODELS, fingerprint
from lindiff.models.fingerprint import ROOMS, closure, imports


def test_the_closure_stays_inside_science_and_models():
    for model in MODELS.values():
        modules = closure(model.module)
        assert model.module in modules
        assert model.planning not in modules
        reached = {name for tree in modules.values() for name in imports(tree)}
        own = {name for name in reached if name.split(".")[0] == "lindiff"}
        assert all(name.startswith(ROOMS) for name in own)
        assert "lindiff.science.draws" in modules


def test_only_code_counts(monkeypatch, tmp_path):
    source = tmp_path / "lindiff" / "models" / "linear.py"
    source.parent.mkdir(parents=True)
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)

    def digest(text):
        source.write_text(text, encoding="utf-8")
        fingerprint.fingerprint.cache_clear()
        return fingerprint.fingerprint("linear_exact")

    base = digest('"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 1\n')
    assert digest("# comment\ndef f(x):\n\n    return x + 1\n") != base
    assert (
        digest('"""Other."""\n\n# comment\ndef f(x):\n    """More."""\n    return (x + 1)\n')
        == base
    )
    assert digest('"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 2\n') != base
    fingerprint.fingerprint.cache_clear()


def test_an_imported_module_counts(monkeypatch, tmp_path):
    tree = ast.parse("from lindiff.science import draws, metrics\nimport lindiff.models.linear")
    assert imports(tree) >= {"lindiff.science.draws", "lindiff.models.linear"}
