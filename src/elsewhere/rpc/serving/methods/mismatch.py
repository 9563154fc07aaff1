"""What a converter raises, and how it says where in the argument it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Converter", "Mismatch", "convert_part"]

Converter = Callable[[Any], Any]


class Mismatch(Exception):
    """A value that the annotation does not allow.

    Attributes:
        expected: in words.
        path: where in the argument, such as ``"[3].name"``.
        got: what came instead, in words.
    """

    def __init__(self, expected: str, got: Any, path: str = "", *, told: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.path = path
        self.got = told or _got(got)

    def inside(self, path: str) -> Mismatch:
        """The same, seen from the value that holds it."""
        self.path = path + self.path
        return self


def _got(value: Any) -> str:
    """What came: its type, and a number or short text itself."""
    if value is None or isinstance(value, bool | int | float):
        return repr(value) if len(repr(value)) <= 40 else type(value).__name__
    return type(value).__name__


def convert_part(value: Any, part: Converter | None, path: str) -> Any:
    if part is None:
        return value
    try:
        return part(value)
    except Mismatch as mismatch:
        raise mismatch.inside(path) from None
