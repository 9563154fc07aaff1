"""Texts in colours, for terminals. The variable FABRIC_DISABLE_COLORS turns them off."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

__all__ = ["blue", "cyan", "green", "magenta", "red", "white", "yellow"]


def _colour(code: int) -> Callable[..., str]:
    def colour(text: Any, bold: bool = False) -> str:
        if os.environ.get("FABRIC_DISABLE_COLORS"):
            return text  # type: ignore[no-any-return]  # as it came, as in the original
        return f"\033[{'1;' if bold else ''}{code}m{text}\033[0m"

    return colour


red, green, yellow, blue, magenta, cyan, white = map(_colour, range(31, 38))
