"""The rule that `measure` states, point by point; real files; and what the demo prints of them."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return __import__("stdlib_modules")


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return runpy.run_path(str(EXAMPLES / "demo.py"))


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("pass", 1),
        ("if a: pass\n  elif b: pass\n  else: pass", 3),
        ("return a if b else c", 2),
        ("for a in b: pass\n  else: pass", 2),
        ("while a: pass", 2),
        ("try: pass\n  except A: pass\n  except B: pass\n  else: pass\n  finally: pass", 3),
        ("return a and b and c or d", 4),
        ("return [a for a in b if a if c for d in e]", 5),
        ("return {a: b for a, b in c}", 2),
        ("match a:\n    case 1: pass\n    case b if b: pass\n    case _: pass", 3),
        ("with a: assert b, c", 1),
        ("return lambda: a or b", 2),
    ],
)
def test_complexity_of_a_function(example: Any, body: str, complexity: int) -> None:
    assert example.function_complexities(ast.parse(f"def f():\n  {body}")) == {"<module>": 1, "f": complexity}


def test_each_function_counts_for_itself(example: Any) -> None:
    source = """
if a: pass
class C:
    b = 1 if a else 2
    async def method(self):
        def inner():
            if a: pass
        async for c in d: pass
"""
    assert example.function_complexities(ast.parse(source)) == {
        "<module>": 3,
        "C.method": 2,
        "C.method.<locals>.inner": 2,
    }


def test_measure(example: Any, tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# -*- coding: latin-1 -*-\r\ndef f(x):\r\n    return 'é' if x else x\r\n".encode("latin-1"))
    found = example.measure(path)
    assert found == example.Module(str(path), 3, 1, 0, 3, "f", 2, found.volume)
    assert found.volume > 0


def test_volume_is_that_of_halstead(example: Any) -> None:
    assert example.halstead_volume("a = a + a  # a\n\n") == round(5 * 1.584962500721156)
    assert example.halstead_volume("") == 0


def test_a_file_that_is_no_python_raises(example: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(SyntaxError, match=r"bad\.py"):
        example.measure(tmp_path / "bad.py")
    (tmp_path / "bytes.py").write_bytes(b"# -*- coding: nonsense -*-\n")
    with pytest.raises(SyntaxError):
        example.measure(tmp_path / "bytes.py")
    (tmp_path / "empty.py").touch()
    assert example.measure(tmp_path / "empty.py").complexity == 1
    (tmp_path / "deep.py").write_text("x = " + " + ".join(["1"] * 500))
    assert example.measure(tmp_path / "deep.py").complexity == 1


def test_modules_of_the_standard_library(example: Any) -> None:
    files = list(example.stdlib_files())
    names = {example.module_name(file) for file in files}
    assert len(files) > 100
    assert {"ast", "email", "email.message", "json.decoder"} <= names
    assert not {name for name in names if {"test", "tests", "idle_test"} & set(name.split(".")[:-1])}
    assert example.measure(Path(os.__file__)).hardest_complexity > 5


def test_what_the_demo_prints(demo: dict[str, Any]) -> None:
    names = ("name", "complexity", "lines", "functions", "classes", "hardest", "hardest_complexity")
    rows = [("b", 9, 1000, 2, 0, "f", 8), ("a", 9, 1, 1, 1, "C.g", 9), ("c", 1, 0, 0, 0, "<module>", 1)]
    modules = [dict(zip(names, row, strict=True)) for row in rows]
    best = demo["top"](modules, 2)
    assert [module["name"] for module in best] == ["a", "b"]
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115 - closed below
    with console.file:
        console.print(demo["table"](best))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[-2:] == [["a", "9", "1", "C.g", "(9)"], ["b", "9", "1,000", "f", "(8)"]]
    said = demo["verdict"](14.2, 7.6, 2)
    assert said == "plain loop 14.2 s · elsewhere map 7.6 s on 2 cores · 1.9 times as fast"


def test_the_loop_leaves_out_what_fails(demo: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("a = 1\n")
    (tmp_path / "bad.py").write_text("a = \n")
    found, seconds = demo["run_loop"]([tmp_path / "good.py", tmp_path / "bad.py"])
    assert list(found) == [str(tmp_path / "good.py")]
    assert seconds > 0


def test_the_demo_explains_itself() -> None:
    command = [sys.executable, str(EXAMPLES / "demo.py"), "--help"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "--jobs" in said
