"""What programs for both Pythons took from here."""

from __future__ import annotations

from collections.abc import ItemsView
from typing import Any

__all__ = ["force_str", "inPy3k", "iteritems"]

inPy3k = True  # noqa: N816 - the original's name


def force_str(s: object) -> str:
    """As text; bytes are taken for UTF-8.

    Raises:
        UnicodeDecodeError: they are none.
    """
    return s.decode("utf-8") if isinstance(s, bytes) else str(s)


def iteritems(d: dict[Any, Any]) -> ItemsView[Any, Any]:
    return d.items()
