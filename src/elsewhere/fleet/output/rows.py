r"""What a host's outcome looks like for machines: one JSON object in one line.

::

    {"host": "web1", "ok": true, "returncode": 0, "stdout": "up 3 days\n", "stderr": "", "seconds": 0.031}
    {
        "host": "web2",
        "ok": false,
        "returncode": null,
        "stdout": "",
        "stderr": "",
        "seconds": 10.0,
        "error": {"type": "ConnectTimeout", "message": "..."},
        "kind": "not connected in time",
    }

As in the rows of ``elsewhere map``, a row that has ``error`` is a failure, and no line holds a byte that any reader
could take for the end of one. Bytes that were no text are surrogates (``\udcff``), as in file names.
"""

from __future__ import annotations

import json
import re
from typing import Any

from elsewhere.fleet.kinds import kind_of
from elsewhere.fleet.results import CommandError, Result

__all__ = ["line", "row"]

# Line breaks for str.splitlines and JavaScript, and half characters, which UTF-8 cannot write.
_UNSAFE = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def row(host: object, outcome: Any, seconds: float | None = None) -> dict[str, Any]:
    """A host's outcome as plain values.

    Args:
        host: as it was named.
        outcome: a verb's result, or its exception.
        seconds: that it took in all; what the result itself says, if None.
    """
    error = outcome if isinstance(outcome, BaseException) else None
    result = outcome.result if isinstance(outcome, CommandError) else outcome if error is None else None
    found: dict[str, Any] = {"host": str(host), "ok": error is None and bool(getattr(outcome, "ok", True))}
    if isinstance(result, Result):
        found |= {
            "returncode": result.returncode,
            "stdout": _text(result.stdout),
            "stderr": _text(result.stderr),
        }
        found |= {name: getattr(result, name) for name in ("signal", "pid") if getattr(result, name, None)}
    elif error is not None:
        found |= {"returncode": None, "stdout": "", "stderr": ""}
    else:
        found |= _told(result)
    took = seconds if seconds is not None else getattr(result, "seconds", None)
    found["seconds"] = None if took is None else round(float(took), 6)
    if error is not None:
        found["error"] = {"type": type(error).__name__, "message": str(error)}
    if not found["ok"]:
        found["kind"] = kind_of(outcome)
    return found


def line(found: dict[str, Any]) -> bytes:
    """A row as a line of JSON, with its end."""
    text = _dumps(found)
    if not text.isascii():
        text = _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text.encode() + b"\n"


def _text(data: Any) -> str:
    return bytes(data).decode("utf-8", "surrogateescape") if isinstance(data, bytes | bytearray) else str(data or "")


def _told(result: Any) -> dict[str, Any]:
    """What another verb's result says in plain values: a transfer's files and bytes."""
    values = vars(result) if hasattr(result, "__dict__") else {}
    return {
        name: value
        for name, value in values.items()
        if not name.startswith("_") and name not in {"host", "seconds"} and isinstance(value, str | int | float | bool)
    }
