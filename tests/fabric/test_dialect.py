from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.fabric.dialect import OldPython, dialect_of
from elsewhere.fabric.loading import Missing, dialect_of_file, find

ONE = [
    "from fabric.api import *",
    "from fabric.api import run, env",
    "import fabric.api",
    "from fabric import api",
    "from fabric import colors, api",
    "from fabric.contrib.files import exists",
    "from fabric import contrib",
    "from fabric.colors import red",
    "from fabric.tasks import execute",
    "from fabric.tasks import Task, execute",
    "from fabric.exceptions import NetworkError",
    "import fabric\nfabric.api.run('x')",
    "def iso():\n    print(1)",
    "",
    "try:\n    from fabric.api import run\nexcept ImportError:\n    from fabric import Connection",
    "def f():\n    from fabric.operations import put",
]
THREE = [
    "from fabric import Connection",
    "from fabric import task",
    "from fabric import task, Connection",
    "from fabric.connection import Connection",
    "from fabric.tasks import task",
    "from fabric.exceptions import GroupException",
    "from fabric.transfer import Transfer",
    "from invoke import task",
    "import invoke",
    "from invoke.exceptions import UnexpectedExit",
    "import fabric\n@fabric.task\ndef f(c): pass",
    "from patchwork.transfers import rsync",
    "try:\n    from fabric import Connection\nexcept ImportError:\n    from fabric.api import run",
]


@pytest.mark.parametrize("source", ONE)
def test_one(source):
    assert dialect_of(source, "f.py") == 1


@pytest.mark.parametrize("source", THREE)
def test_three(source):
    assert dialect_of(source, "f.py") == 3


def test_what_a_file_imports_from_beside_it_tells():
    files = {"deploy": "from invoke import task", "old": "import older", "older": "from fabric.api import run"}
    assert dialect_of("import deploy", "f.py", files.get) == 3
    assert dialect_of("from deploy import *", "f.py", files.get) == 3
    assert dialect_of("import old, deploy", "f.py", files.get) == 1
    assert dialect_of("import json", "f.py", files.get) == 1
    assert dialect_of("import a", "f.py", {"a": "import b", "b": "import a"}.get) == 1  # and ends


@given(st.lists(st.sampled_from(["x = 1", "import os", "def f(): pass", '"""from fabric import task"""'])))
def test_lines_that_tell_nothing_change_nothing(lines):
    text = "\n".join(lines)
    assert dialect_of(f"{text}\nfrom fabric import task", "f.py") == 3
    assert dialect_of(f"{text}\nfrom fabric.api import run", "f.py") == 1


OLD = {
    "print 'hello'": "print without parentheses",
    "if x: print 'hello'": "print without parentheses",
    "print >>sys.stderr, 'x'": "print",
    "try:\n    f()\nexcept ValueError, e:\n    pass": "except with a comma",
    "try:\n    f()\nexcept (A, B), e:\n    pass": "except with a comma",
    "raise ValueError, 'x'": "raise with a comma",
    "exec 'x = 1'": "exec without parentheses",
    "x = `y`": "backticks",
    "if a <> b:\n    pass": "<> instead of !=",
    "x = ur'y'": 'prefix ur""',
    "os.chmod('x', 0755)": "an octal number",
    "x = 10L": "an L",
    "def f(a, (b, c)):\n    pass": "a tuple as a parameter",
}


@pytest.mark.parametrize("source", OLD)
def test_python_2_is_one_sentence(source):
    with pytest.raises(OldPython) as caught:
        dialect_of(f"import os\n{source}\n", "old.py")
    text = str(caught.value)
    line = 2 + next(
        n for n, each in enumerate(source.splitlines()) if len(source.splitlines()) == 1 or n == _where(source)
    )
    assert text.startswith(f"old.py, line {line}: ")
    assert OLD[source] in text
    assert "\n" not in text


def _where(source):
    lines = source.splitlines()
    return next((n for n, line in enumerate(lines) if ", e:" in line), 0)


@pytest.mark.parametrize("source", ["def f(:\n    pass", "x = = 1", "print('x'"])
def test_what_is_no_python_at_all_is_no_python_2(source):
    with pytest.raises(SyntaxError) as caught:
        dialect_of(source, "f.py")
    assert not isinstance(caught.value, OldPython)


# ---- files -----------------------------------------------------------------------------------------------------------


def _write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__SLASH__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(textwrap.dedent(text))


def test_a_task_file_is_found_upwards(tmp_path, monkeypatch):
    _write(tmp_path, fabfile="x = 1")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find() == tmp_path / "fabfile.py"
    assert find("fabfile") == find("fabfile.py") == tmp_path / "fabfile.py"


def test_a_package_is_a_task_file(tmp_path, monkeypatch):
    _write(tmp_path, fabfile__SLASH____init__="from . import deploy", fabfile__SLASH__deploy="from invoke import task")
    monkeypatch.chdir(tmp_path)
    found = find()
    assert found == tmp_path / "fabfile"
    assert dialect_of_file(found) == 3


def test_none_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find() is None


def test_the_nearest_name_is_suggested(tmp_path, monkeypatch):
    _write(tmp_path, fab1="x = 1", other="x = 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Missing, match=r"there is no task file 'fb1.py'; did you mean 'fab1.py'\?"):
        find("fb1.py")
    with pytest.raises(Missing, match=r"the Python files here are fab1\.py, other\.py"):
        find("zzzzzzzz")
    with pytest.raises(Missing, match="there is no folder"):
        find("nowhere/fab1.py")
