"""A text that shows nowhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

__all__ = ["Secret", "hiding"]

P = ParamSpec("P")
T = TypeVar("T")


class Secret:
    """A password: ``***`` wherever it is shown, in tracebacks with values too.

    Args:
        text: it, or another secret.

    Raises:
        TypeError: it is no str.
        ValueError: no password prompt can be answered by it: it is empty, or holds a newline or a NUL.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        if isinstance(text, Secret):
            self._text: str = text._text
            return
        if not isinstance(text, str):
            raise TypeError(f"a password is a str, not a value of type {type(text).__name__}")
        if not text or set(text) & {"\n", "\r", "\0"}:
            text = ""  # not in this frame either
            raise ValueError("a password is a text of one line, and not empty")
        self._text = text

    def line(self) -> bytes:
        """It, and a newline: what a prompt reads."""
        return self._text.encode(errors="surrogateescape") + b"\n"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a password is not pickled")


def hiding(verb: Callable[P, T]) -> Callable[P, T]:
    """For a function that takes ``password=``: it, and all that it calls, has a `Secret` instead of a str.

    So no traceback that shows the values of variables has the password.
    """

    @functools.wraps(verb)
    def hidden(*args: P.args, **options: P.kwargs) -> T:
        _hide(options)
        return verb(*args, **options)

    return hidden


def _hide(options: dict[str, Any]) -> None:
    if isinstance(options.get("password"), str):
        options["password"] = Secret(options.pop("password"))  # taken out first: no caller has it if it is none
