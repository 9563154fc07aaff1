"""Which modules are the caller's own, and which of them a host may ask for."""

import importlib
import pickle
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.runtime.far.packing import Packer
from elsewhere.runtime.far.packing.modules import Modules, imported_by_code, imported_by_source, imports_relatively
from elsewhere.runtime.far.packing.places import is_own, source_of
from tests.far.packed import Sent

MAKER = """
def maker():
    def made():
        from .parts.base import BASE
        return BASE
    return made
"""
PACKAGE = {
    "app/__init__.py": "from .parts.base import BASE\n" + MAKER,
    "app/parts/__init__.py": "",
    "app/parts/base.py": "import appside\nBASE = appside.SIDE",
    "app/jobs.py": "from . import parts\nfrom .parts.base import BASE\ndef run(n): return n + BASE\n"
    "class Job:\n    def __init__(self, n): self.n = n\n    def go(self): return run(self.n)",
    "appside.py": "SIDE = 40",
    "appsecret.py": "SECRET = 1\nraise RuntimeError('never imported')",
    "appspace/inner.py": "def three(): return 3",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that modules are imported from, and out of `sys.modules` again."""
    before = set(sys.modules)
    for name, text in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0].startswith("app"):
            del sys.modules[name]


def test_what_has_source_and_is_nobodys_distribution_is_own(folder):
    for name in ("app", "app.jobs", "app.parts.base", "appside", "appsecret", "appspace", "appspace.inner"):
        assert is_own(name), name
    assert source_of("app.parts") == ("", str(folder / "app/parts/__init__.py"), True)
    assert source_of("appspace") == ("", "<appspace>", True)
    text, filename, is_package = source_of("app.jobs") or ("", "", True)
    assert text == PACKAGE["app/jobs.py"]
    assert filename == str(folder / "app/jobs.py")
    assert not is_package
    assert not any(name.startswith("app") for name in sys.modules)  # nothing was imported to find out


def test_this_checkout_is_own():
    assert is_own("tests.contract.work")
    assert not is_own("elsewhere.errors")  # but for ourselves


def test_what_python_has_or_a_package_installer_brought_is_not_own():
    names = ["os", "os.path", "json", "sys", "math", "_socket", "pytest", "hypothesis.strategies", "cloudpickle"]
    names += ["test.support", "idlelib.idle"]
    assert [name for name in names if is_own(name)] == []


def test_what_has_a_name_of_the_standard_librarys_is_not_own(folder):
    assert "antigravity" not in sys.modules
    (folder / "antigravity.py").touch()
    assert not is_own("antigravity")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "app.", ".app", "../app", "app/jobs", "a b", "__main__", "no_such", "app.no"]
)
def test_what_is_no_module_is_not_own(folder, name):
    assert not is_own(name)
    assert source_of(name) is None


def test_what_was_installed_into_a_folder_is_not_own_and_what_is_edited_in_place_is(folder):
    info = folder / "app_dist-1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("app/__init__.py,sha256=x,1\nappside.py,,\napp_dist-1.0.dist-info/RECORD,,\n")
    assert not is_own("app.jobs")
    assert not is_own("appside")
    assert is_own("appsecret")
    (info / "RECORD").write_text("__editable___app_dist_finder.py,,\napp_dist-1.0.dist-info/RECORD,,\n")
    info.rename(folder / "app_dist-1.1.dist-info")  # another installation: the folder has changed
    assert is_own("app.jobs")


def test_a_namespace_that_is_partly_installed_is_not_own(folder, monkeypatch, tmp_path_factory):
    other = tmp_path_factory.mktemp("venv") / "site-packages"
    (other / "appspace").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(other))
    assert not is_own("appspace")
    assert is_own("appspace.inner")


def test_modules_in_an_archive_are_own(folder, monkeypatch):
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("apparchived/__init__.py", "from .part import PART")
        archive.writestr("apparchived/part.py", "PART = 5")
    monkeypatch.syspath_prepend(str(folder / "archive.zip"))
    assert is_own("apparchived")
    assert (source_of("apparchived.part") or ("",))[0] == "PART = 5"


def test_another_name_of_a_module_is_none(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "appalias", importlib.import_module("app.jobs"))
    assert not is_own("appalias")


def test_a_compiled_module_without_source_is_not_own(folder):
    import py_compile

    py_compile.compile(str(folder / "appside.py"), str(folder / "appcompiled.pyc"))
    assert importlib.import_module("appcompiled").SIDE == 40
    assert not is_own("appcompiled")


# ---- what a host may ask for -----------------------------------------------------------------------------------------


def test_nothing_may_be_asked_for_that_nothing_names(folder):
    modules = Modules()
    assert modules.source("app") is None
    importlib.import_module("app.jobs")
    assert modules.source("app") is None
    modules.named_in(pickle.dumps(["apple", "my app", "app.no", "app.jobs!", b"app.jobs", "zapp.jobs"]))
    assert modules.source("app.jobs") is None
    assert not modules.known("app.jobs")


def test_what_a_pickle_names_may_be_asked_for_with_its_package_and_what_that_imports(folder):
    jobs = importlib.import_module("app.jobs")
    modules = Modules()
    modules.named_in(pickle.dumps({"of": [jobs.Job(3)]}, 5))
    assert modules.known("app.jobs")
    assert modules.source("appside") is None  # until somebody has got what imports it
    assert modules.source("app.jobs") == source_of("app.jobs")
    assert modules.source("app") == source_of("app")
    assert modules.source("app.parts.base") == source_of("app.parts.base")
    assert modules.source("appside") == source_of("appside")
    for name in ("appsecret", "appspace.inner", "os", "pytest", "__main__", "tests.far.packed", "app/../appsecret"):
        assert modules.source(name) is None, name


def test_a_host_may_ask_for_nonsense(folder, monkeypatch):
    importlib.import_module("app.jobs")
    modules = Modules()
    modules.allow(["app"])
    (folder / "app/wrong.py").write_bytes(b"# coding: utf-8\nx = '\xff'\n")

    class Failing:
        def find_spec(self, name, path=None, target=None):
            raise RuntimeError(name)

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Failing()])
    for name in (
        "app" + ".x" * 100_000,
        "app.wrong",
        "app.no.such",
        "app.\udc80",
        "app.jobs.run",
        "app" * 10_000,
        "app\0",
    ):
        assert modules.source(name) is None, name[:20]
        assert not modules.known(name) or name == "app.wrong"
    assert modules.source("app.jobs")


def test_the_same_text_for_two_references_is_found(folder):
    importlib.import_module("app.jobs")
    module = sys.modules["app.jobs"]
    modules = Modules()
    modules.named_in(pickle.dumps(([1.5] * 50, "x" * 300, module.run.__module__, module.run), 5))
    assert modules.known("app.jobs")


def test_what_code_imports_may_be_asked_for(folder):
    def uses():
        def inner():
            import appside  # type: ignore[import-not-found]  # the fixture makes it
            from appspace.inner import three  # type: ignore[import-not-found]  # the fixture makes it

            return appside, three

        return inner

    packer = Packer(sources=False)
    packer.function(uses)
    assert packer.module("appside") is not None
    assert packer.module("appspace.inner") is not None
    assert packer.module("appsecret") is None


def test_imports_in_code_and_in_source():
    def uses():
        import json.decoder
        from os import path

        return json, path

    assert imported_by_code(uses.__code__) == ("json.decoder", "os")
    assert not imports_relatively(uses.__code__)
    text = "def f():\n    import a.b as c, d\nfrom e.f import g\nfrom . import h\nfrom .i import j\nif f:\n    import k"
    assert sorted(imported_by_source(text)) == ["a.b", "d", "e.f", "k"]
    assert list(imported_by_source("no python")) == []
    code = compile("def f():\n    from . import x\ndef g():\n    from .. import x", "", "exec")
    assert imports_relatively(code)


NAMES = [f"app{letter}" for letter in "abcdef"]


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3)), st.data())
def test_served_is_only_what_can_be_reached_from_what_was_sent(tmp_path_factory, imports, data):
    folder = tmp_path_factory.mktemp("graph")
    for name in NAMES:
        (folder / f"{name}.py").write_text("".join(f"import {other}\n" for other in imports.get(name, ())))
    sent = data.draw(st.sets(st.sampled_from(NAMES), max_size=2))
    sys.path.insert(0, str(folder))
    try:
        modules = Modules()
        modules.allow(sent)
        allowed, served = set(sent), set()
        for name in data.draw(st.lists(st.sampled_from(NAMES), max_size=20)):
            assert (modules.source(name) is not None) == (name in allowed)
            if name in allowed:
                served.add(name)
                allowed.update(imports.get(name, ()))
    finally:
        sys.path.remove(str(folder))


# ---- with a real worker ----------------------------------------------------------------------------------------------


def test_own_modules_are_imported_there_as_they_are_asked_for(folder):
    jobs = importlib.import_module("app.jobs")
    inner = importlib.import_module("appspace.inner")
    with Sent() as sent:
        assert sent.called(jobs.run, 2) == 42
        assert sent.called(jobs.Job.go, jobs.Job(3)) == 43
        assert sent.called(inner.three) == 3
        assert sent.called(sys.modules["app"].maker()) == 40
        assert sent.asked[0] == "app"
        assert set(sent.asked) == {
            "app",
            "app.parts",
            "app.parts.base",
            "appside",
            "app.jobs",
            "appspace",
            "appspace.inner",
        }
        assert len(sent.asked) == len(set(sent.asked))


def test_a_host_that_asks_for_more_gets_nothing(folder):
    def curious():
        found = []
        for name in ("appsecret", "app.jobs", "appside"):
            try:
                __import__(name)
            except ImportError:
                continue
            found.append(name)
        return found

    with Sent() as sent:
        assert sent.called(curious) == []
        assert {"appsecret", "app", "appside"} <= set(sent.asked)
