"""By source: what a script defines runs in every Python from 3.8 on, or is refused in one clear sentence."""

import argparse
import ast
import collections
import dataclasses
import enum
import functools
import inspect
import json.decoder
import linecache
import logging
import pathlib
import sys
import textwrap
import typing
from types import CodeType, FunctionType

import pytest

from elsewhere.runtime.far.packing import loading
from elsewhere.runtime.far.packing.sources import NoSource, class_text, code_text
from tests.far.driving import interpreters
from tests.runtime.packing import harness

DEFINED = '''
import abc, collections, dataclasses, enum, functools, json, os.path, sys, typing
from decimal import Decimal

BASE, NAMES = 40, {"a": 1}
calls = []

def version():
    return sys.version_info[:2]

def plain(a, /, b=2, *args, c=BASE, **more):
    """Its words."""
    return a + b + sum(args) + c + len(more) + BASE

def helper(x: "int") -> typing.List[int]:
    return [x, *NAMES.values()]

def notes():
    return {name: str(value) for name, value in helper.__annotations__.items()}

ONLY = 3

class Reads:
    def get(self): return ONLY

def uses(x):
    calls.append(x)
    return helper(x), json.dumps(NAMES), len(calls), os.path.basename("a/b")

def decorator(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return ["decorated", fn(*args, **kwargs), wrapper.count]
    wrapper.count = 7
    return wrapper

@decorator
@decorator
def decorated(x):
    return x + BASE

@functools.lru_cache(maxsize=None)
def cached(x):
    return x * 2

def counter(start):
    total = start
    text = """
  kept as it is
"""
    def add(n=1, *, twice=False):
        nonlocal total
        total += 2 * n if twice else n
        return total, text
    def read():
        return total
    return add, read

def recursive(n):
    return n and n + recursive(n - 1)

def generator(n):
    yield from (i * BASE for i in range(n))

def eager(n):
    return list(generator(n))

async def coroutine(x):
    async def inner():
        return x
    return await inner()

if BASE:
    def indented(x):
        return x - BASE

class Shape(abc.ABC):
    sides = BASE
    def __init__(self, n): self.n = n
    @abc.abstractmethod
    def area(self): ...
    @classmethod
    def make(cls, *args): return cls(*args)
    @staticmethod
    def unit(): return "cm"
    @property
    def double(self): return 2 * self.area()

class Square(Shape):
    __private = 3
    def __init__(self, n):
        super().__init__(n)
    def area(self):
        def inner():
            return self.n ** 2 + self.__private
        return inner()
    class Corner:
        def __init__(self, at): self.at = at
        def moved(self): return Square.Corner(self.at + 1)

@dataclasses.dataclass
class Point:
    x: int
    y: int = 3
    tags: list = dataclasses.field(default_factory=list)
    def moved(self, dx) -> "Point":
        return dataclasses.replace(self, x=self.x + dx)

class Color(enum.Enum):
    RED = 1
    def shout(self): return self.name + "!"

class Pair(typing.NamedTuple):
    left: int
    right: Decimal = Decimal("1.5")

Old = collections.namedtuple("Old", "a b", defaults=[9])

class Broken(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code

class Lazy:
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return name

def fails(code):
    raise Broken(code)

def twice(point):
    return point.moved(1).moved(1), type(point).__name__

def name_of(x):
    return type(x).__name__

Square.label = "set later"
'''
CALLS = """
add, read = counter(10)
assert add() == (11, "\\n  kept as it is\\n") and read() == 11
cases = [(plain, (1,)), (plain, (1, 2, 3)), (uses, (5,)), (decorated, (2,)), (cached, (4,)), (recursive, (4,)),
         (eager, (3,)), (notes, ()),
         (indented, (50,)), (Square.area, (Square(3),)), (Square(4).area, ()), (Square.make(2).area, ()),
         (Square.unit, ()), (add, (3,)), (functools.partial(plain, 5, c=1), (6,)), (twice, (Point(1),)),
         (Color.RED.shout, ()), (getattr, (Square(3), "double")), (getattr, (Square(1), "label")), (max, (1, 2)),
         (Square.Corner(1).moved, ()), (name_of, (Lazy(),)), (Decimal, ("2.5",)), (Square.sides.__add__, (1,))]
values = [Point(1, tags=["t"]), Color.RED, Pair(1), Old(1), Square.Corner(3), [Square(2)], {"k": Color.RED}]
with Worker() as w:
    assert (w.call(version) == sys.version_info[:2]) == (os.environ["FAR_PYTHON"] == sys.executable)
    assert w.call(Reads().get) == 3
    for fn, args in cases:
        calls.clear()
        there = w.call(fn, *args)
        if fn is add:
            assert there == (14, "\\n  kept as it is\\n") and read() == 11  # it is a copy that counts there
            continue
        calls.clear()
        here = fn(*args)
        assert type(there) is type(here), (fn, there)
        assert getattr(there, "__dict__", there) == getattr(here, "__dict__", here), (fn, there, here)
    for value in values:
        there = w.call(max, [value])
        assert type(there) is type(value)
        assert repr(there) == repr(value) or type(value).__repr__ is object.__repr__ or type(value) is list
    assert w.call(coroutine, 3) == 3
    assert w.call(list, "ab") == ["a", "b"]
    try:
        w.call(fails, 5)
    except Broken as error:
        assert error.code == 5 and type(error) is Broken
    else:
        raise AssertionError
    BASE = 41
    assert w.call(decorated, 1) == decorated(1)  # the globals of that moment
    Square.label = "again"
    assert w.call(getattr, Square(1), "label") == "again"
"""


NEWER = """
import sys
def which(x):
    match x:
        case [a, b]:
            return a
class Which:
    def which(self, x):
        match x:
            case [a, b]:
                return a
for fn in (which, Which().which):
    with Worker() as w:
        try:
            w.call(fn, [1, 2])
        except SyntaxError as error:
            here = "{}.{}".format(*sys.version_info[:2])
            name = "which()" if fn is which else "Which"
            start = f"{name} is written for Python {here}, and Python 3.8 does not understand it: invalid syntax ("
            assert str(error).startswith(start) and "script.py, line " in str(error), error
        else:
            raise AssertionError
"""


def others():
    return [python for python in interpreters() if python != sys.executable]


def other(version):
    """The interpreter of this version."""
    found = [python for python in interpreters() if f"3.{version}" in python]
    return found[0] if found else pytest.skip(f"there is no Python 3.{version} here: pyenv install 3.{version}")


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Run a script whose workers are of another version."""

    def run(text, python, **options):
        monkeypatch.setenv("FAR_PYTHON", python)
        return harness.run(text, tmp_path, harness="tests.far.harness", **options)

    return run


@pytest.mark.parametrize("python", [*others(), sys.executable], ids=lambda path: pathlib.Path(path).parent.parent.name)
def test_what_a_script_defines_runs_in_every_python(script, python):
    script(DEFINED + CALLS, python)


def test_what_is_too_new_for_a_python_says_so(script):
    script(NEWER, other(8))


REFUSED = """
import sys
class Thing:
    def one(self): return 1
class Thing(Thing):
    def two(self): return 2
def local():
    class Inner: pass
    return Inner
def plain(x): return x
registered = []
def refused(fn, *args):
    try:
        w.call(fn, *args)
    except TypeError as error:
        return str(error)
with Worker() as w:
    found = [refused(Thing().two), refused(local()), refused(plain, lambda: 0), refused(plain, [local()()])]
    assert w.call(plain, 5) == 5
assert found[0] == "the class Thing is made from an earlier Thing, whose name it has taken", found
assert found[1] == found[3], found
assert found[1] == "the class local.<locals>.Inner is defined inside a function: define it at the top of a file", found
assert found[2].startswith("a lambda has no name to find its source by"), found
"""


def test_what_has_no_source_of_its_own_is_refused_where_it_is_passed(script):
    script(REFUSED, other(8))


INTERRUPTED = """
import signal
from elsewhere.runtime.far.packing import Packer
class Stop(Exception): pass
def stop(*args): raise Stop
signal.signal(signal.SIGALRM, stop)
class Counted:
    def __reduce__(self):
        times.append(1)
        if len(times) == when: signal.raise_signal(signal.SIGALRM)
        if when == 0 and len(times) > 1: raise OSError("not again")
        return int, ()
def make(counted):
    def uses(x): return counted, x
    return uses
found = {}
for when in (1, 2, 9, 0):
    times = []
    try:
        found[when] = Packer(sources=True).function(make(Counted())).refusal
    except Stop:
        found[when] = "Stop"
assert found == {1: "Stop", 2: "Stop", 9: "", 0: "it cannot be sent as source (OSError: not again)"}, found
"""


def test_a_signal_handlers_exception_is_no_refusal(script):
    script(INTERRUPTED, sys.executable)


def test_own_modules_and_closures_of_theirs_work_in_another_python(script, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").write_text("from .base import BASE\n")
    (tmp_path / "mine/base.py").write_text(
        "BASE = 3\nclass Thing:\n    def __init__(self, n): self.n = n\n    def get(self): return self.n + BASE\n"
        "def adder(n):\n    def add(x):\n        return x + n + BASE\n    return add\n"
    )
    text = """
import mine.base
def use(thing):
    return thing.get() + mine.BASE
with Worker() as w:
    assert w.call(use, mine.base.Thing(1)) == 7
    assert w.call(mine.base.adder(1), 2) == 6
    assert type(w.call(mine.base.Thing, 4)) is mine.base.Thing
    assert w.asked[-2:] == ["mine", "mine.base"], w.asked
"""
    script(text, other(8))


# ---- refusals, and what is compared ----------------------------------------------------------------------------------


def module(tmp_path, text, name="written"):
    """The names that a file's text defines."""
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    names = {"__name__": "__main__"}
    exec(compile(text, str(path), "exec", dont_inherit=True), names)
    return names


def refusal(take, thing):
    with pytest.raises(NoSource) as caught:
        take(thing)
    return str(caught.value)


def test_what_has_no_source_is_refused(tmp_path):
    names = {"__name__": "__main__"}
    exec("def f(): pass\nclass C:\n def m(self): pass", names)
    end = "is not in a file that can be read (<string>): make it a function of a module"
    assert refusal(code_text, names["f"].__code__) == f"the source of f() {end}"
    assert "cannot be found: define it by a class statement in a file" in refusal(class_text, names["C"])
    assert "cannot be found" in refusal(class_text, type("Made", (), {}))
    assert refusal(code_text, (lambda: 0).__code__).startswith("a lambda has no name to find its source by")

    class Local:
        pass

    assert "is defined inside a function: define it at the top of a file" in refusal(class_text, Local)


def test_a_file_that_has_changed_since_is_refused(tmp_path):
    text = "def f(x):\n    return x + 1\n\nclass C:\n    def m(self):\n        return 1\n"
    names = module(tmp_path, text)
    path = tmp_path / "written.py"
    assert code_text(names["f"].__code__).text == "def f(x):\n    return x + 1\n"
    assert class_text(names["C"]).text == "class C:\n    def m(self):\n        return 1\n"
    for changed in (text.replace("1\n", "12\n"), "\n" + text, text.replace("x", "y").replace("self", "me"), "pass\n"):
        path.write_text(changed)
        assert "the source of f() has changed" in refusal(code_text, names["f"].__code__)
        assert "the class C " in refusal(class_text, names["C"])
    path.write_text(text + "\n# more\n")
    assert code_text(names["f"].__code__).line == 1
    path.unlink()
    assert "is not in a file that can be read" in refusal(code_text, names["f"].__code__)


def test_what_was_compiled_statement_by_statement_is_found_too(monkeypatch):
    """As notebooks do: the text is in `linecache` only."""
    text = (
        "import json\ndef f(x):\n    return json.dumps(x)\nclass C:\n    def m(self):\n        return json.dumps(1)\n"
    )
    cell = "/no/such/folder/cell.py"
    monkeypatch.setitem(linecache.cache, cell, (len(text), None, text.splitlines(keepends=True), cell))
    names = {"__name__": "__main__"}
    for statement in ast.parse(text).body:
        exec(compile(ast.Module([statement], []), cell, "exec", dont_inherit=True), names)
    assert code_text(names["f"].__code__).text == "def f(x):\n    return json.dumps(x)\n"
    assert class_text(names["C"]).line == 4


def test_one_of_two_definitions_is_told_by_its_line_or_refused(tmp_path, monkeypatch):
    text = "if 0:\n    def f(): return 1\nelse:\n    def f(): return 2\nclass C: pass\nclass C: pass\n"
    text += "class D:\n    def m(self): return 1\nFirst = D\nclass D:\n    def m(self): return 2\n"
    names = module(tmp_path, text)
    assert code_text(names["f"].__code__).text == "if 1:\n    def f(): return 2\n"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "written.py"))
    if sys.version_info < (3, 13):  # which knows the line
        assert "the class C is defined more than once" in refusal(class_text, names["C"])
    assert "return 1" in class_text(names["First"]).text
    assert "return 2" in class_text(names["D"]).text


def test_what_stands_around_a_function_is_kept_around_it(tmp_path):
    names = module(
        tmp_path,
        """
def outer(a, b):
    class Inner:
        def method(self):
            def deep():
                return super().__repr__, self.__hidden, a, b
            return deep
    return Inner
""",
    )
    method = names["outer"](1, 2).method
    text = code_text(method.__code__)
    assert text.text.startswith("def outer(a, b):\n class Inner:\n        def method(self):\n")
    code = loading.code_of(*text)
    assert code.co_freevars == ("__class__", "a", "b")
    assert code.co_firstlineno == method.__code__.co_firstlineno
    deep = next(const for const in code.co_consts if isinstance(const, CodeType))
    assert "_Inner__hidden" in deep.co_names


def test_annotations_that_are_texts_stay_texts(tmp_path):
    text = (
        "from __future__ import annotations\ndef f():\n    def g(x: no_such_name): pass\n    return g.__annotations__\n"
    )
    names = module(tmp_path, text)
    code = loading.code_of(*code_text(names["f"].__code__))
    assert FunctionType(code, {})() == {"x": "no_such_name"}


LIBRARY = [
    argparse,
    ast,
    collections,
    dataclasses,
    enum,
    functools,
    inspect,
    json.decoder,
    logging,
    pathlib,
    textwrap,
    typing,
]


@pytest.mark.parametrize("library", LIBRARY, ids=lambda library: library.__name__)
def test_the_source_of_the_standard_librarys_functions_compiles_to_the_same_code(library):
    """A crowd of real functions: nested, decorated, with cells and private names."""
    seen = refused = 0
    for code in functions_of(library):
        try:
            text = code_text(code)
        except NoSource:
            refused += code.co_name != "<lambda>"
            continue
        again = loading.code_of(*text)
        # Which opcode reads a module's attribute depends on what the rest of the file imports.
        for name in (
            "co_names",
            "co_varnames",
            "co_freevars",
            "co_cellvars",
            "co_argcount",
            "co_firstlineno",
            "co_flags",
        ):
            assert getattr(again, name) == getattr(code, name), (code, name)
        assert list(again.co_lines())[-1][2] == list(code.co_lines())[-1][2]
        seen += 1
    assert seen > 8
    assert refused == 0


def functions_of(library):
    """The code of its functions and methods; nested ones too, as if a function had been made of them."""
    found = [value for value in vars(library).values() if getattr(value, "__module__", "") == library.__name__]
    values = found + [
        getattr(inner, "__func__", inner) for cls in found if isinstance(cls, type) for inner in vars(cls).values()
    ]
    todo = [value.__code__ for value in values if isinstance(value, FunctionType)]
    while todo:
        code = todo.pop()
        if code.co_filename == library.__file__:
            yield code
            inner = [const for const in code.co_consts if isinstance(const, CodeType)]
            todo += [const for const in inner if const.co_name.isidentifier() and const.co_flags & inspect.CO_OPTIMIZED]
