"""One option of a task, or of the program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["Argument", "to_flag", "translate_underscores"]


def translate_underscores(name: str) -> str:
    """As it is typed."""
    return name.strip("_").replace("_", "-")


def to_flag(name: str) -> str:
    """With its dashes."""
    name = translate_underscores(name)
    return f"-{name}" if len(name) == 1 else f"--{name}"


class Argument:
    """See the module.

    Args:
        name: its only name, or
        names: several, the main one first.
        kind: what its text becomes: str, int, bool (it takes no text), list (it may come more than once).
        default: its value where it does not come.
        help: for people.
        positional: it needs no flag.
        optional: it may come without a text, and is True then.
        incrementable: each time it comes it is one more.
        attr_name: the parameter's, where that cannot be typed.
    """

    def __init__(
        self,
        name: str | None = None,
        names: Iterable[str] = (),
        kind: Any = str,
        default: Any = None,
        help: str | None = None,  # noqa: A002 - the original's name
        positional: bool = False,
        optional: bool = False,
        incrementable: bool = False,
        attr_name: str | None = None,
    ) -> None:
        names = tuple(names)
        if bool(name) == bool(names):
            raise TypeError("an Argument has a name or names, and not both")
        self.names = names or (str(name),)
        self.kind = kind
        self.default = default
        self.help = help
        self.positional = positional
        self.optional = optional
        self.incrementable = incrementable
        self.attr_name = attr_name
        self.raw_value: Any = [] if kind is list else default if incrementable else None
        self._value: Any = self.raw_value

    def __repr__(self) -> str:
        nicks = f" ({', '.join(self.nicknames)})" if self.nicknames else ""
        marks = f" {'*' * self.positional}{'?' * self.optional}" if self.positional or self.optional else ""
        kind = "" if self.kind is str else f" [{self.kind.__name__}]"
        return f"<{type(self).__name__}: {self.name}{nicks}{marks}{kind}>"

    @property
    def name(self) -> str:
        return self.attr_name or self.names[0]

    @property
    def nicknames(self) -> tuple[str, ...]:
        return self.names[1:]

    @property
    def takes_value(self) -> bool:
        return self.kind is not bool and not self.incrementable

    @property
    def value(self) -> Any:
        return self.default if self._value is None else self._value

    @value.setter
    def value(self, text: Any) -> None:
        self.set_value(text)

    def set_value(self, value: Any, cast: bool = True) -> None:
        """It has come."""
        self.raw_value = value
        if self.kind is list:
            self._value = [*self.value, value]
        elif self.incrementable:
            self._value = self.value + 1
        else:
            self._value = self.kind(value) if cast else value

    @property
    def got_value(self) -> bool:
        return bool(self._value) if self.kind is list else self._value is not None
