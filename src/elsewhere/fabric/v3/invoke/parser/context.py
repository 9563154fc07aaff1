"""The options of one task, or of the program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from elsewhere.fabric.v3.invoke.parser.argument import Argument, to_flag

__all__ = ["ParserContext"]

_TAKES = {str: "STRING", int: "INT"}


class ParserContext:
    """See the module.

    Args:
        name: the task's; None for the program.
        aliases: further names.
        args: its options.

    Attributes:
        args: them by all their names.
        flags: them by their names as they are typed.
        inverse_flags: ``--no-x`` for those that are true by default, to ``--x``.
        order: them, once each.
    """

    def __init__(self, name: str | None = None, aliases: Iterable[str] = (), args: Iterable[Argument] = ()) -> None:
        self.name = name
        self.aliases = list(aliases)
        self.args: dict[str, Argument] = {}
        self.flags: dict[str, Argument] = {}
        self.inverse_flags: dict[str, str] = {}
        self.order: list[Argument] = []
        for arg in args:
            self.add_arg(arg)

    def __repr__(self) -> str:
        return f"<parser/Context {self.name!r}: {self.order!r}>"

    def add_arg(self, arg: Argument) -> None:
        """One more.

        Raises:
            ValueError: there is one of that name.
        """
        for name in arg.names:
            if name in self.args:
                raise ValueError(f"Tried to add an argument named {name!r} but one already exists!")
        self.order.append(arg)
        for name in arg.names:
            self.args[name] = self.flags[to_flag(name)] = arg
        if arg.attr_name:
            self.args[arg.attr_name] = arg
        if arg.kind is bool and arg.default is True:
            self.inverse_flags[to_flag(f"no-{arg.names[0]}")] = to_flag(arg.names[0])

    @property
    def positional_args(self) -> list[Argument]:
        return [arg for arg in self.order if arg.positional]

    @property
    def missing_positional_args(self) -> list[Argument]:
        return [arg for arg in self.positional_args if arg.value is None]

    @property
    def as_kwargs(self) -> dict[str, Any]:
        """What the task is called with."""
        return {arg.name: arg.value for arg in self.order}

    def help_tuples(self) -> list[tuple[str, str]]:
        """What ``--help`` shows of each option: how it is typed, and what it is."""
        return [(self._typed(arg), arg.help or "") for arg in sorted(self.order, key=_place)]

    def _typed(self, arg: Argument) -> str:
        takes = _TAKES.get(arg.kind)
        found = []
        for name in map(to_flag, arg.names):
            if takes is None:
                found.append(f"--[no-]{name[2:]}" if name in self.inverse_flags.values() else name)
            elif len(name.strip("-")) == 1:
                found.append(f"{name} {f'[{takes}]' if arg.optional else takes}")
            else:
                found.append(f"{name}[={takes}]" if arg.optional else f"{name}={takes}")
        return ", ".join(sorted(found, key=len))


def _place(arg: Argument) -> tuple[bool, str, str]:
    """Those that have only long names first; by letter, the small letter before the capital."""
    short = [name for name in arg.names if len(name.strip("-")) == 1]
    name = min(short or arg.names)
    return len(name) == 1, name.lower(), name.swapcase()
