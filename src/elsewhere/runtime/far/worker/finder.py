"""Modules that a far worker has not got: a finder before all others, which has some and asks the caller for others.

This file is the first that runs there, and makes the import of all others possible; so it imports none of them.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any, Callable, NoReturn, Tuple

Given = Tuple[str, str, bool]  # source, filename, is it a package?


class Modules:
    """A finder before all others: what is not the standard library's is asked for from the caller, once for each name.

    Args:
        sent: those that were sent with this file.

    Attributes:
        ask: gives a module of the caller's, or None if the host's own is to be used.
        caller: the version of the caller's Python, as (3, 11), if it is known.
        never: top-level names that are the host's own without asking.
    """

    def __init__(self, sent: dict[str, Given]) -> None:
        self.ask: Callable[[str], Given | None] = lambda _: None
        self.caller: Any = None
        self._given: dict[str, Given | None] = dict(sent)
        self.never = {*sys.builtin_module_names, *getattr(sys, "stdlib_module_names", ()), "__main__"}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Called by the import system."""
        top, _, rest = name.partition(".")
        if top in self.never:
            return None
        if name not in self._given:
            if rest and self._given.get(name.rpartition(".")[0]) is None:
                return None  # its parent is the host's own
            self._given[name] = self._stand_in(name) if top == "elsewhere" else self.ask(name)
        given = self._given[name]
        if given is None:
            return None
        from importlib.machinery import ModuleSpec

        spec = ModuleSpec(name, self, origin=given[1], is_package=given[2])  # type: ignore[arg-type]  # a loader in all that matters
        spec.has_location = True
        return spec

    def _stand_in(self, name: str) -> Given | None:
        """Nothing where the host has the package."""
        finders = [finder for finder in sys.meta_path if finder is not self]
        if "." not in name and any(finder.find_spec(name, None) for finder in finders):
            return None
        return STAND_IN, f"<stand-in for {name}>", True

    def forget(self) -> bool:
        """Ask again for what was refused: what has come since may name it. False if there is nothing of the kind."""
        refused = [name for name, given in self._given.items() if given is None]
        for name in refused:
            del self._given[name]
        return bool(refused)

    def create_module(self, spec: Any) -> None:
        """A plain one."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source."""
        name = module.__name__
        source, filename, _ = self._given[name] or ("", "", False)
        try:
            code = compile(source, filename, "exec", dont_inherit=True)
        except SyntaxError as error:
            if self.caller and self.caller > sys.version_info[:2]:
                version = sys.version.split()[0]
                error.msg = f"{name} is written for a newer Python than {version} on this host: {error.msg}"
            raise
        exec(code, module.__dict__)

    def get_source(self, name: str) -> str | None:
        """For tracebacks and `inspect`."""
        return (self._given.get(name) or (None,))[0]

    def is_package(self, name: str) -> bool:
        """Has it modules of its own?"""
        return bool((self._given.get(name) or (0, 0, False))[2])


def stand_in(module: str, name: str) -> Any:
    """What a module has from ``elsewhere`` on a machine that has no such package: names that can be imported."""
    if name in ("CallCancelled", "CallTimeout"):
        from . import answers

        return getattr(answers, name)

    def refused(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"{module}.{name} is not here: {os.uname().nodename} has no elsewhere, so no call can use it"
        )

    return type(name, (Exception,), {"__new__": refused, "__module__": module})


STAND_IN = (
    "def __getattr__(name):\n"
    "    if name[:2] == '__':\n"
    "        raise AttributeError(name)\n"
    "    from elsewhere_far.finder import stand_in\n"
    "    return stand_in(__name__, name)\n"
)


def install(sent: dict[str, Given]) -> Modules:
    """From now on these can be imported."""
    modules = Modules(sent)
    sys.meta_path.insert(0, modules)
    return modules
