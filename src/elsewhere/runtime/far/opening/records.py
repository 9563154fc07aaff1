"""What a host logs and warns of, made harmless: only texts and numbers, and nothing that formatting lets grow.

A record is formatted, a warning shown with its line of source, and both reach a terminal. So a width (``%999999999d``),
a list in itself, the name of a device as the file, a name with a million dots or an escape would be the host's.

Rule: everything here is a pure function.
"""

from __future__ import annotations

import re
from typing import Any

from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["file_of", "record_of", "text_of"]

# What `logging` and handlers read, and of which type it is; everything else of a record is the user's own.
TEXTS = {"name": 200, "levelname": 50, "pathname": 1000, "filename": 300, "module": 200, "funcName": 200}
TEXTS |= {"threadName": 200, "processName": 200, "taskName": 200}
NUMBERS = ("levelno", "lineno", "created", "msecs", "relativeCreated", "thread", "process")
LAST = 253402300800  # the end of the year 9999: later times cannot be written
LONG = ("msg", "exc_text", "stack_info")  # of any length, and any number of lines
OURS = {*TEXTS, *NUMBERS, *LONG, "args", "exc_info"}

WIDE = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(?:\*|\d{4,}|\d*\.(?:\*|\d{4,}))")  # takes more room than its argument
CONVERSION = re.compile(r"%(?:\([^)]*\))?")
DEEP = 4  # levels of lists and dictionaries, as the worker has them
PARTS = 10_000  # of a record's value
FORMAT = 4_000  # characters of a message that is still formatted
GROWN = 1 << 20  # characters that formatting may add


def record_of(state: Any) -> dict[str, Any]:
    """The attributes of a log record, of which those that are wrong are left out.

    Raises:
        ValueError: they are no attributes.
    """
    if type(state) is not dict or not all(type(name) is str for name in state):
        raise ValueError("a log record without attributes")
    found: dict[str, Any] = {"exc_info": None, "args": None}
    for name, value in state.items():
        if name in TEXTS:
            found[name] = plain(value[: TEXTS[name]]) if type(value) is str else None
        elif name in NUMBERS:
            least, most = (0, LAST) if name == "created" else (-(2**63), 2**63)
            if type(value) in (int, float) and least <= value < most:  # a NaN is not, either
                found[name] = value
        elif name in LONG:
            found[name] = text_of(value) if type(value) is str else None
        elif name not in OURS and not (name.startswith("__") or callable(getattr(_Record, name, None))):
            found[name] = _harmless(value)
    found.update(_message(found.get("msg"), state.get("args")))
    for name in ("name", "levelname", "pathname", "filename", "module"):
        found[name] = found.get(name) or "?"
    found["levelno"] = int(found.get("levelno", 30))
    return found


class _Record:
    """The method of a record, which no attribute takes the place of."""

    def getMessage(self) -> None: ...  # noqa: N802 - as `logging` has it


def text_of(text: str) -> str:
    """The text in lines, with nothing in them that a terminal obeys."""
    return "\n".join(map(plain, text.split("\n")))


def file_of(name: str, host: str) -> str:
    """The name of a file there, which is looked for nowhere here: not a device, not a pipe, and not its namesake."""
    return f"<{host}> {plain(name[:1000])}"


def _message(msg: Any, args: Any) -> dict[str, Any]:
    """Message and arguments; as one text where putting them together would go too far."""
    msg = msg if type(msg) is str else ""
    if not args:
        return {"msg": msg, "args": None}
    if type(args) in (tuple, dict) and _is_small(args) and len(msg) <= FORMAT and not WIDE.search(msg):
        args = _harmless(args)
        if type(args) is tuple or _length(args) * len(CONVERSION.findall(msg)) <= GROWN:
            return {"msg": msg, "args": args}
    return {"msg": f"{msg} {args!r:.1000}" if _is_small(args) else msg, "args": None}


def _length(args: Any) -> int:
    return max((len(str(value)) for value in args.values()), default=0)


def _harmless(value: Any) -> Any:
    """A plain value whose texts are plain; its own description where it is deep or large."""
    if not _is_small(value):
        return f"<{type(value).__name__}>"
    return _plain(value)


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return text_of(value)
    if kind in (tuple, list):
        return kind(map(_plain, value))
    if kind is dict:
        return {_plain(name): _plain(inner) for name, inner in value.items()}
    return value


def _is_small(value: Any) -> bool:
    """Not deep, and of few parts however often one is in it."""
    left = PARTS

    def walk(one: Any, deep: int) -> bool:
        nonlocal left
        left -= 1
        if type(one) not in (tuple, list, dict, set, frozenset):
            return True
        if not deep or left < len(one):
            return False
        parts = [*one, *one.values()] if type(one) is dict else one
        return all(walk(part, deep - 1) for part in parts)

    return walk(value, DEEP)
