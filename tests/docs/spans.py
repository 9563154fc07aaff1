"""Names in code spans: does what a page writes in `...` exist? For tables "old name | ours", and for any original.

Needs the standard library alone, as it also runs in the environments of the originals::

    python tests/docs/spans.py WORLD NAMES < spans.json   # prints what is wrong, and what was mentioned

A *world* says what the first word of a span may be: modules whose names all count, and instances (`pool` is some
`Pool`). A span is a Python expression; of it the attributes and the keywords of calls are looked up, and arguments that
are nobody's names are taken as they are.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

__all__ = ["World", "spans", "tables"]


class Instance:
    """Some object of a class."""

    def __init__(self, kind: type) -> None:
        self.kind = kind


class Wrong(Exception):
    """There is no such thing."""


class World:
    """What the first word of a span may be.

    Args:
        modules: dotted names of modules; each lends all its names, and the first word of its own.
        words: more words, and the dotted name of a class: a word with a capital is the class itself, any other an
            instance of it.
        more: keywords that a function takes besides those of its signature, by its name ("Pool.submit"); attributes
            that an object has besides those of its class, by the class's name. None: any.
    """

    def __init__(
        self, modules: Iterable[str], words: Mapping[str, str], more: Mapping[str, set[str] | None] | None = None
    ) -> None:
        self.names: dict[str, Any] = {}
        for name in modules:
            module = importlib.import_module(name)
            self.names.update({key: getattr(module, key) for key in dir(module) if not key.startswith("_")})
        for name in modules:
            self.names[name.partition(".")[0]] = importlib.import_module(name.partition(".")[0])
        for word, path in words.items():
            kind = pkgutil.resolve_name(path)
            self.names[word] = kind if word[0].isupper() else Instance(kind)
        self.more = more or {}
        self.mentioned: set[str] = set()
        self.latest = ""  # of what was looked up last, its class's name and its own

    def check(self, span: str) -> str | None:
        """What is wrong with it, or None."""
        text = span + " pass" if span.endswith(":") else span
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            return f"{span!r} is no Python: {error.msg}"
        try:
            for statement in tree.body:
                self._statement(statement)
        except Wrong as wrong:
            return f"{span!r}: {wrong}"
        return None

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            scope: dict[str, Any] = {}
            try:
                exec(compile(ast.Module([node], []), "<span>", "exec"), scope)
            except ImportError as error:
                raise Wrong(str(error)) from None
            self.mentioned.update(scope)
        elif isinstance(node, ast.With):
            for item in node.items:
                self._value(item.context_expr)
        elif isinstance(node, ast.For):
            self._value(node.iter)
        elif isinstance(node, ast.ExceptHandler | ast.Try):
            raise Wrong("write the exception's name alone")
        elif isinstance(node, ast.Assign):
            self._value(node.value if not isinstance(node.targets[0], ast.Attribute) else node.targets[0])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            for each in node.decorator_list:
                self._value(each)
            for base in getattr(node, "bases", []):
                self._value(base)
        elif isinstance(node, ast.Expr):
            self._value(node.value)
        else:
            raise Wrong(f"a {type(node).__name__} is nothing that is looked at")

    def _value(self, node: ast.expr) -> Any:
        """What it is: an object, an `Instance`, or None if nobody can tell."""
        if isinstance(node, ast.Name):
            if node.id not in self.names:
                raise Wrong(f"nothing is called {node.id!r}")
            found = self.names[node.id]
            self.latest = found.kind.__name__ if isinstance(found, Instance) else node.id
            self.mentioned.add(self.latest)
            return found
        if isinstance(node, ast.Attribute):
            return self._attribute(self._value(node.value), node.attr)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Await):
            return self._value(node.value)
        if isinstance(node, ast.Subscript):
            self._value(node.value)
            return None
        if isinstance(node, ast.Constant | ast.List | ast.Dict | ast.Tuple):
            return None
        raise Wrong(f"a {type(node).__name__} is nothing that is looked at")

    def _attribute(self, owner: Any, name: str) -> Any:
        if owner is None:
            raise Wrong(f"nobody can tell what has the attribute {name!r}: write it as a span of its own")
        kind = owner.kind if isinstance(owner, Instance) else owner
        self.latest = name if inspect.ismodule(kind) else f"{getattr(kind, '__name__', kind)}.{name}"
        self.mentioned.add(self.latest)
        try:
            return inspect.getattr_static(kind, name) if inspect.isclass(kind) else getattr(kind, name)
        except AttributeError:
            pass
        if inspect.isclass(kind) and any(_tells(each, name) for each in kind.__mro__):
            return None
        known = self.more.get(getattr(kind, "__name__", ""), set())
        if inspect.isclass(kind) and (known is None or name in known):
            return None  # what is made up when it is asked for: a client's methods
        raise Wrong(f"{getattr(kind, '__name__', kind)} has no {name!r}")

    def _call(self, node: ast.Call) -> Any:
        called = self._value(node.func)
        name = self.latest
        for each in [*node.args, *(word.value for word in node.keywords)]:
            self._argument(each)
        if isinstance(called, Instance):
            called = vars(called.kind).get("__call__")
        if isinstance(called, staticmethod | classmethod):
            called = called.__func__
        if called is None or isinstance(called, property):
            return None
        self._keywords(called, name, {word.arg for word in node.keywords if word.arg})
        if inspect.isclass(called):
            return Instance(called)
        return self._answer(called)

    def _argument(self, node: ast.expr) -> None:
        """Of arguments only what begins with a name that is known is looked at."""
        first: ast.AST = node
        while isinstance(first, ast.Attribute | ast.Call):
            first = first.value if isinstance(first, ast.Attribute) else first.func
        if first is not node and isinstance(first, ast.Name) and first.id in self.names:
            self._value(node)

    def _keywords(self, called: Any, name: str, words: set[str]) -> None:
        try:
            parameters = inspect.signature(called).parameters.values()
        except (TypeError, ValueError):
            return
        known = {each.name for each in parameters}
        if any(each.kind is each.VAR_KEYWORD for each in parameters):
            more = self.more.get(name, set())
            if more is None:
                return
            known |= more
        if unknown := words - known:
            raise Wrong(f"{name} takes no {', '.join(sorted(unknown))}")

    def _answer(self, called: Callable[..., Any]) -> Any:
        told = getattr(called, "__annotations__", {}).get("return")
        word = re.match(r"[\w.]*", told).group().rpartition(".")[2] if isinstance(told, str) else ""  # type: ignore[union-attr]
        found = self.names.get(word)
        return Instance(found) if inspect.isclass(found) else None


def _tells(kind: type, name: str) -> bool:
    """Its annotations or its docstring's "Attributes:" know that its instances have this."""
    if name in vars(kind).get("__annotations__", {}):
        return True
    if re.search(rf"^\s+(\w+, )*{name}(, \w+)*( \([^)]*\))?:", kind.__doc__ or "", re.MULTILINE):
        return True
    try:
        return bool(re.search(rf"self\.{name}\b(: [^=]+)? =", inspect.getsource(kind)))
    except (OSError, TypeError):
        return False


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Each table of a Markdown page: the cells of its head, and of its rows."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = [_cells(line) for line in block.splitlines()]
        yield head, rows


def _cells(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def spans(cell: str) -> list[str]:
    """The code spans of a cell."""
    return re.findall(r"`([^`]+)`", cell)


# Of Invoke's `Runner.run`, which takes them by **kwargs.
RUN_OPTIONS = {
    "asynchronous", "disown", "dry", "echo", "encoding", "env", "err_stream", "fallback", "hide", "in_stream",
    "out_stream", "pty", "replace_env", "shell", "timeout", "warn", "watchers",
}  # fmt: skip
WORLDS: dict[str, tuple[list[str], dict[str, str], dict[str, set[str] | None]]] = {
    "msgpackrpc": (
        [
            "msgpackrpc.error",
            "msgpackrpc.server",
            "msgpackrpc.session",
            "msgpackrpc.transport",
            "msgpackrpc.message",
            "msgpackrpc",
        ],
        {
            "client": "msgpackrpc.Client",
            "server": "msgpackrpc.Server",
            "future": "msgpackrpc.future.Future",
            "loop": "msgpackrpc.Loop",
            "address": "msgpackrpc.Address",
            "result": "msgpackrpc.server.AsyncResult",
        },
        {},
    ),
    "fabric1": (
        [
            "fabric.contrib.files",
            "fabric.contrib.project",
            "fabric.contrib.console",
            "fabric.tasks",
            "fabric.network",
            "fabric.utils",
            "fabric.api",
        ],
        {"result": "fabric.operations._AttributeString"},
        {
            "settings": None,
            "shell_env": None,
            "with_settings": None,
            "sudo": {"user", "group"},
            "_AttributeString": {"return_code", "stdout", "stderr", "command", "succeeded", "failed", "real_command"},
        },
    ),
    "fabric3": (
        ["invoke.exceptions", "invoke", "fabric.exceptions", "fabric.transfer", "fabric.executor", "fabric"],
        {
            "c": "fabric.Connection",
            "group": "fabric.ThreadingGroup",
            "result": "fabric.Result",
            "Runner": "invoke.Runner",
            "Local": "invoke.Local",
            "InvalidV1Env": "fabric.exceptions.InvalidV1Env",
            "OpenSSHAuthStrategy": "fabric.auth.OpenSSHAuthStrategy",
        },
        {
            "Result": {"connection"},
            "Connection.run": RUN_OPTIONS,
            "Connection.put": {"preserve_mode"},
            "Connection.sudo": RUN_OPTIONS | {"user", "password"},
        },
    ),
}


def main() -> None:
    """See the module; a further argument is an expression for names that ought to be mentioned."""
    world = World(*WORLDS[sys.argv[1]])
    wrong = [found for span in json.load(sys.stdin) if (found := world.check(span))]
    names = eval(sys.argv[2], dict(sys.modules))
    json.dump({"wrong": wrong, "mentioned": sorted(world.mentioned), "all": names}, sys.stdout)


if __name__ == "__main__":
    main()
