"""The source of a function's code or of a class: exact lines of a file, which make the same again in another Python.

Rule: the file is compiled again and compared with what runs here, so that a file that has changed since, or a name that
has two definitions, is a refusal and never another function.
"""

from __future__ import annotations
import __future__

import ast
import functools
import linecache
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from elsewhere.runtime.far.packing import loading
from elsewhere.runtime.far.packing.trees import parsed

__all__ = ["ClassText", "CodeText", "NoSource", "class_text", "code_text"]

VERSION = "{}.{}".format(*sys.version_info[:2])
ALONE = "if 1:\n"  # stands above what is indented, but in nothing
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class NoSource(Exception):
    """There is no source to send; says why, as the end of a sentence."""


class CodeText(NamedTuple):
    """The arguments of `loading.code_of`."""

    text: str
    filename: str
    line: int
    path: tuple[str, ...]
    annotations: bool
    version: str


class ClassText(NamedTuple):
    """The arguments of `loading.run_class` that tell its source, and what that is compiled to here."""

    text: str
    filename: str
    line: int
    name: str
    annotations: bool
    version: str

    def compiled(self) -> CodeType:
        """The class statement, as the code of a module."""
        return loading.compiled(self.text, self.filename, self.line, self.name, self.annotations, self.version)


class _File:
    """The definitions in a file, and their code, by name and first line, decorators included."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name = name
        self.lines = lines
        self.tree = parsed("".join(lines))
        self.annotations = _has_future(self.tree)
        self.functions: dict[tuple[str, int], Definition] = {}
        self.classes: dict[str, list[Definition]] = {}
        self._codes = _codes(compile(self.tree, name, "exec", dont_inherit=True))
        self._index(self.tree, "")

    def has(self, code: CodeType) -> bool:
        """Does the file still say what this code does?"""
        place = code.co_name, code.co_firstlineno
        now = self._codes.get(place)
        if now is not None and _alike(code, now):
            return True
        # Prompts and notebooks compile each statement for itself, which makes other code of what uses an import.
        now = self._apart.get(place)
        return now is not None and _alike(code, now)

    @functools.cached_property
    def _apart(self) -> dict[tuple[str, int], CodeType]:
        flags = __future__.annotations.compiler_flag if self.annotations else 0
        found: dict[tuple[str, int], CodeType] = {}
        for statement in self.tree.body:
            alone = ast.Module([statement], [])
            found.update(_codes(compile(alone, self.name, "exec", flags, dont_inherit=True)))
        return found

    def _index(self, node: ast.AST, path: str) -> None:
        for child in ast.iter_child_nodes(node):
            below = path
            if isinstance(child, ast.ClassDef):
                self.classes.setdefault(path + child.name, []).append(child)
                below = f"{path}{child.name}."
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[child.name, _first(child)] = child
                below = f"{path}{child.name}.<locals>."
            self._index(child, below)


_files: dict[str, _File] = {}


@functools.lru_cache(maxsize=256)
def _text_of(code: CodeType, filename: str, lines: tuple[int, int]) -> CodeText:
    """`code_text` of a file in a certain state. (Equal code of two files is told apart by the name.)"""
    file = _files[filename]
    node = file.functions.get((code.co_name, code.co_firstlineno))
    if node is None or not file.has(code):
        raise NoSource(f"the source of {code.co_qualname}() has changed since it was loaded")
    found = _lines(file, node)
    heads = _heads(code, found)
    text = CodeText(
        "".join(heads) + found,
        filename,
        code.co_firstlineno - len(heads),
        (*(_name(head) for head in heads if head != ALONE), code.co_name),
        file.annotations,
        VERSION,
    )
    try:
        again = loading.code_of(*text)
    except (SyntaxError, LookupError) as error:
        raise NoSource(f"the source of {code.co_qualname}() does not stand alone: {error}") from None
    if again.co_freevars != code.co_freevars:
        raise NoSource(f"the source of {code.co_qualname}() does not stand alone: it needs {code.co_freevars}")
    return text


def code_text(code: CodeType) -> CodeText:
    """The source of a function's code.

    Raises:
        NoSource: it has none, or another one by now.
    """
    if code.co_name == "<lambda>":
        raise NoSource("a lambda has no name to find its source by: make it a function of a module")
    file = _file(code.co_filename)
    if file is None:
        raise NoSource(
            f"the source of {code.co_qualname}() is not in a file that can be read ({code.co_filename}): "
            "make it a function of a module"
        )
    return _text_of(code, code.co_filename, (id(file.lines), len(file.lines)))


def class_text(cls: type) -> ClassText:
    """The source of a class that was defined at the top of a file.

    Raises:
        NoSource: it has none, or another one by now, or it is part of something else.
    """
    name = cls.__qualname__
    if "<locals>" in name:
        raise NoSource(f"the class {name} is defined inside a function: define it at the top of a file")
    methods = [
        fn.__code__
        for fn in _functions(cls)
        if fn.__qualname__ == fn.__code__.co_qualname and fn.__qualname__.startswith(f"{name}.")
    ]
    module = sys.modules.get(cls.__module__)
    places = [code.co_filename for code in methods] + [str(getattr(module, "__file__", None) or "")]
    for place in dict.fromkeys(places):
        file = _file(place)
        nodes = [] if file is None else file.classes.get(name, [])
        inside = [code.co_firstlineno for code in methods if code.co_filename == place]
        line = vars(cls).get("__firstlineno__")  # Python 3.13
        fitting = [
            node
            for node in nodes
            if all(_first(node) <= at <= _last(node) for at in inside) and line in (None, _first(node))
        ]
        if file is not None and len(fitting) == 1:
            return _checked(cls, methods, file, fitting[0], place)
        if len(fitting) > 1:
            raise NoSource(f"the class {name} is defined more than once in {place}")
        if nodes:
            raise NoSource(f"the source of the class {name} has changed since it was loaded")
    raise NoSource(f"the source of the class {name} cannot be found: define it by a class statement in a file")


def _checked(cls: type, methods: list[CodeType], file: _File, node: Definition, filename: str) -> ClassText:
    found = _lines(file, node)
    name = cls.__name__
    if found[:1].isspace():
        text = ClassText(ALONE + found, filename, _first(node) - 1, name, file.annotations, VERSION)
    else:
        text = ClassText(found, filename, _first(node), name, file.annotations, VERSION)
    try:
        text.compiled()
    except SyntaxError as error:
        raise NoSource(f"the source of the class {name} does not stand alone: {error}") from None
    for code in methods:
        if code.co_filename == filename and not file.has(code):
            raise NoSource(f"the source of the class {name} has changed since it was loaded")
    return text


def _functions(cls: type) -> Iterator[FunctionType]:
    for value in vars(cls).values():
        value = getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", value)
        if type(value) is FunctionType:
            yield value


def _file(name: str) -> _File | None:
    """The definitions of a file, as it is now; None if nobody knows its text."""
    linecache.checkcache(name)
    lines = linecache.getlines(name)
    known = _files.get(name)
    if known is not None and known.lines is lines:
        return known
    if not lines:
        return None
    try:
        file = _files[name] = _File(name, lines)
    except (SyntaxError, ValueError):
        return None
    return file


def _codes(module: CodeType) -> dict[tuple[str, int], CodeType]:
    found = {}
    inner = [module]
    while inner:
        code = inner.pop()
        found[code.co_name, code.co_firstlineno] = code
        inner += [const for const in code.co_consts if isinstance(const, CodeType)]
    return found


def _has_future(tree: ast.Module) -> bool:
    """Does the file say ``from __future__ import annotations``?"""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )


def _first(node: Definition) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _last(node: Definition) -> int:
    return node.end_lineno or node.lineno


def _lines(file: _File, node: Definition) -> str:
    text = "".join(file.lines[_first(node) - 1 : _last(node)])
    return text if text.endswith("\n") else text + "\n"


def _heads(code: CodeType, text: str) -> list[str]:
    """Lines to stand above an indented function: what it is in, so that its names mean what they mean there.

    A class around it makes ``super()`` and ``__private`` names work; the variables that it captured become parameters
    of the innermost function around it. Nothing of this is run.
    """
    lead = text[: len(text) - len(text.lstrip(" \t\f"))]
    *path, _ = code.co_qualname.replace(".<locals>", "()").split(".")
    if not path or not lead:
        return [ALONE] if lead else []
    if len(path) > len(lead):
        raise NoSource(f"the source of {code.co_qualname}() does not stand alone")
    innermost = max((depth for depth, part in enumerate(path) if part.endswith("()")), default=-1)
    free = ", ".join(name for name in code.co_freevars if name != "__class__")
    heads = []
    for depth, part in enumerate(path):
        name = part.removesuffix("()")
        if part.endswith("()"):
            name = name if name.isidentifier() else "_"
            heads.append(f"{lead[:depth]}def {name}({free if depth == innermost else ''}):\n")
        else:
            heads.append(f"{lead[:depth]}class {name}:\n")
    return heads


def _name(head: str) -> str:
    return head.split()[1].partition("(")[0].rstrip(":")


def _alike(one: CodeType, other: CodeType) -> bool:
    """Do they do the same?"""
    if any("@" in name for name in (*one.co_varnames, *one.co_names)):
        # Rewritten when it was imported, as pytest does with its asserts: such names cannot be written.
        return one.co_varnames[: one.co_argcount] == other.co_varnames[: other.co_argcount]
    return (
        _shape(one) == _shape(other)
        and len(one.co_consts) == len(other.co_consts)
        and all(
            _alike(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else _same(a, b)
            for a, b in zip(one.co_consts, other.co_consts, strict=True)
        )
    )


def _shape(code: CodeType) -> Any:
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    return counts, code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or repr(one) == repr(other))
