"""What a host logs and warns of, made harmless: it is read by handlers and shown on terminals that trust their callers.

Rule: nothing here formats what a host asks for without a look (`"%999999999d"`), opens a file that it names (`warnings`
shows the line of the file), or lets it write what a terminal obeys or a line that looks like another's.
"""

from __future__ import annotations

import re
from typing import Any

from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["place_of", "record_of", "registry_of", "text_of"]

# Conversions that take no more room than a line; each part begins with another character, so that it is read once.
_HARMLESS = re.compile(
    r"(?:[^%]|%%|%(?:\([A-Za-z_][A-Za-z_0-9]{0,60}\))?[-#0 +]{0,5}[0-9]{0,3}(?:\.[0-9]{1,3})?[a-zA-Z])*"
)
MOST_WARNINGS = 10_000  # different ones of a host, of which it is remembered that they were shown
_registries: dict[str, dict[Any, Any]] = {}


def text_of(text: str, host: str) -> str:
    """Each line with the host's name before it, and nothing in it that a terminal obeys."""
    return "\n".join([f"[{host}] {plain(line)}" for line in text.split("\n")])


def record_of(state: dict[str, Any], host: str) -> dict[str, Any]:
    """The attributes of a log record.

    Args:
        state: plain values, as they came.
        host: whose; it becomes one of them.

    Raises:
        TypeError, ValueError: they are none of a record.
    """
    given = {name: plain(value) if type(value) is str else value for name, value in state.items() if type(name) is str}
    given |= {name: float(state[name]) for name in ("created", "msecs", "relativeCreated")}
    given |= {name: int(state[name]) for name in ("levelno", "lineno")}
    message = _message(str(state["msg"]), state.get("args"))
    given |= {"msg": text_of(message, host), "args": None, "exc_info": None, "host": plain(host)}
    for name in ("exc_text", "stack_info"):
        given[name] = text_of(state[name], host) if type(state.get(name)) is str else None
    given.pop("getMessage", None)
    return given


def _message(text: str, args: Any) -> str:
    if not args:
        return text
    if _HARMLESS.fullmatch(text):
        try:
            return str(text % args)
        except (TypeError, ValueError, KeyError, OverflowError):
            pass
    return f"{text} {args!r}"


def place_of(filename: str, host: str) -> str:
    """A file of the host's, as a name that no reader of sources takes for one of ours."""
    return f"<{plain(filename)} on {plain(host)}>"


def registry_of(host: str) -> dict[Any, Any]:
    """Which warnings of the host were shown."""
    found = _registries.setdefault(host, {})
    if len(found) > MOST_WARNINGS:
        found.clear()
    return found
