"""Asyncssh, by which hosts are reached: an extra, loaded when it is first needed, and the sentence for who has none."""

from __future__ import annotations

import importlib

__all__ = ["NeedsAsyncssh", "load_asyncssh"]


class NeedsAsyncssh(ImportError):
    """It is not installed, or cannot be imported; the text says what to do."""


def load_asyncssh() -> None:
    """Import it; that takes a fifth of a second.

    Raises:
        NeedsAsyncssh: it is not here.
    """
    try:
        importlib.import_module("asyncssh")
    except ImportError as error:
        text = f"hosts are reached by asyncssh ({error}): python -m pip install 'elsewhere[fleet]'"
        raise NeedsAsyncssh(text, name=error.name) from None
