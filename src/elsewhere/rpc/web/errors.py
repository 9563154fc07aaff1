"""Errors on their way out, as our own peers understand them."""

from __future__ import annotations

from typing import Any

from elsewhere.rpc import codes, dialect
from elsewhere.rpc.serving.session import UNBEGUN

__all__ = ["OURS", "answered", "unsendable"]

OURS = (codes.OURS.lower().encode(), b"%d" % dialect.VERSION)  # a header of each answer
_PLAIN = (TypeError, ValueError, OverflowError)


def answered(error: BaseException, ran: bool, *, traceback: bool) -> dict[str, Any]:
    """What `dialect.described` tells of the error that ends a call.

    Args:
        error: it.
        ran: it may be the method's own.
        traceback: tell its traceback, too.
    """
    told = dialect.described(error, traceback=traceback)
    if ran and told["kind"] in UNBEGUN:
        told["kind"] = "error"  # raised in the method, by a call that it made itself: this one has run
    return told


def unsendable(error: Exception, name: str) -> Exception:
    """The error to answer with where a result cannot be written."""
    kind = next((kind for kind in _PLAIN if isinstance(error, kind)), type(error))
    return kind(f"{name} has run, but its result cannot be sent: {error}") if kind in _PLAIN else error
