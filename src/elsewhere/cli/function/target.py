"""Finds the function that ``package.module:name`` or ``path/to/file.py:name`` means, the same here and in a worker.

A `Target` is only text, so it crosses to workers by itself; each process finds the function anew and once. Nothing
that a user's module defines has to be pickled by reference to a name that another process might understand otherwise.

A file is imported under its stem, with its folder first on the path, so that it can import its neighbours as a script
can. Its ``if __name__ == "__main__"`` block does not run.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from elsewhere.cli.ending import WrongUsage

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a function is.

    Attributes:
        module: a dotted module name, or a file's absolute path.
        name: the function's name in it; dots lead into classes.
        is_file: `module` is a path.
    """

    module: str
    name: str
    is_file: bool

    @classmethod
    def parse(cls, text: str, *, what: str = "FUNCTION", such: str = "work.py:score") -> Target:
        """``"math:sqrt"``, ``"examples/measure.py:measure"``.

        Args:
            text: as it was typed.
            what, such: how a sentence calls it, and an example.

        Raises:
            WrongUsage: it is neither.
        """
        module, colon, name = text.rpartition(":")
        if not colon or not module or not all(part.isidentifier() for part in name.split(".")):
            raise WrongUsage(f"{what} is package.module:name or path/to/file.py:name, such as {such}, not {text!r}.")
        if module.endswith(".py") or os.sep in module:
            path = os.path.realpath(module)
            if not os.path.isfile(path):
                raise WrongUsage(f"There is no file {module}, where {name} was to be found.")
            return cls(path, name, True)
        return cls(module, name, False)

    @property
    def label(self) -> str:
        """What a user calls it: ``math.sqrt``, ``measure.measure``."""
        module = _stem(self.module) if self.is_file else self.module
        return f"{module}.{self.name}"

    @property
    def identity(self) -> str:
        """What tells it from every other function; a file's is its full path."""
        return f"{self.module}:{self.name}"

    def function(self) -> Callable[..., Any]:
        """The function itself.

        Raises:
            WrongUsage: it cannot be imported, does not exist, or is not callable. The sentence says which.
        """
        return _function(self)

    def thing(self) -> Any:
        """What has that name, whatever it is; raises as `function` does."""
        return _find(self)


@cache  # a worker asks for each run of calls
def _function(target: Target) -> Callable[..., Any]:
    found = _find(target)
    if not callable(found):
        raise WrongUsage(f"{target.label} is of type {type(found).__name__}, which cannot be called.")
    return found  # type: ignore[no-any-return]  # callable, which was checked


def _find(target: Target) -> Any:
    found: Any = _import(target)
    for part in target.name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise WrongUsage(_not_there(target, part, found)) from None
    return found


def _import(target: Target) -> ModuleType:
    try:
        # What a module prints while it is imported must not get between the rows on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            return _import_file(target.module) if target.is_file else _import_module(target.module)
    except WrongUsage:
        raise
    except ModuleNotFoundError as error:
        raise WrongUsage(_no_module(target, error.name or "")) from None
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too, while it is imported
        raise WrongUsage(_broken(target, error)) from None


def _import_module(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    return importlib.import_module(name)


def _import_file(path: str) -> ModuleType:
    folder, stem = os.path.dirname(path), _stem(path)
    known = sys.modules.get(stem)
    if known is not None and _same_file(known, path):
        return known
    if stem in sys.stdlib_module_names or known is not None:
        # With its folder on the path, every import of the real one would find this file instead.
        raise WrongUsage(f"{path} has the name of another module, {stem!r}: rename the file.")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # Not import_module: a stem may hold dots or minus signs, and something else on the path may have the same name.
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        raise WrongUsage(f"{path} is not a Python file: FUNCTION is package.module:name or path/to/file.py:name.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(stem, None)
        raise
    return module


def _same_file(module: ModuleType, path: str) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and os.path.realpath(file) == path


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


# ---------------------------------------------------------------- sentences


def _not_there(target: Target, part: str, inside: object) -> str:
    near = difflib.get_close_matches(part, [name for name in dir(inside) if not name.startswith("_")], n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    where = target.module if inside is sys.modules.get(target.module) or target.is_file else repr(inside)
    return f"{where} has no {part!r}.{guess}"


def _no_module(target: Target, missing: str) -> str:
    if not target.is_file and (target.module == missing or target.module.startswith(missing + ".")):
        return f"There is no module {missing!r}, neither installed nor in this folder ({os.getcwd()})."
    return f"{target.module} imports {missing!r}, which is not installed."


def _broken(target: Target, error: BaseException) -> str:
    text = " ".join(str(error).split())
    if "no known parent package" in text:
        return f"{target.module} imports its neighbours relatively: name it as package.module:{target.name} instead."
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        text = error.msg  # its own text has the file's name alone, and that twice
        where = f" (at {error.filename}, line {error.lineno})" if error.filename else ""
    else:
        where = f" (at {frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{target.module} cannot be imported: {type(error).__name__}: {text}{where}."
