from lindiff import fingerprint
from lindiff import fingerprint as imports
from lindiff.fingerprint import ROOMS, closure
from lindiff.models import MODELS

# What models and training may import besides: it changes no number.
NO_NUMBER = ("lindiff.columns", "lindiff.session", "lindiff.files", "lindiff.progress")


def test_the_closure_stays_inside_science_and_models():
    for model in MODELS.values():
        modules = closure(model.module, ROOMS)
        assert model.module in modules
        assert model.planning not in modules
        reached = {name for path in modules.values() for name in imports._imports(path)}
        own = {name for name in reached if name.startswith("lindiff.")}
        outside = {name for name in own if not name.startswith(ROOMS)}
        assert {name for name in outside if not name.startswith(NO_NUMBER)} == set()
        assert "lindiff.science.draws" in modules


def test_only_code_counts(monkeypatch, tmp_path):
    source = tmp_path / "lindiff" / "models" / "linear.py"
    source.parent.mkdir(parents=True)
    monkeypatch.setattr(imports, "_ROOT", tmp_path)

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


def test_imports_of_every_kind_are_followed(monkeypatch, tmp_path):
    monkeypatch.setattr(imports, "_ROOT", tmp_path)
    files = {
        "a": "from room import b\nimport room.c\n\n\ndef f():\n    from room.d import g",
        "b": "import elsewhere.x\nimport numpy",
        "c": "",
        "d": "from room import a",
        "e": "",
    }
    (tmp_path / "room").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.py").write_text("")
    for name, text in files.items():
        (tmp_path / f"room/{name}.py").write_text(text)
    found = closure("room.a", ["room"])
    assert sorted(found) == ["room.a", "room.b", "room.c", "room.d"]
    assert sorted(closure("room.a", ["room.a", "room.d"])) == ["room.a", "room.d"]
    assert found["room.d"] == tmp_path / "room/d.py"
