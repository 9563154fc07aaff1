"""From the text of an element that holds no other to a value: ``<i4>7</i4>`` is 7.

Each raises ValueError with words that follow the name of the element, such as "holds no whole number".
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Callable
from datetime import datetime

__all__ = ["SCALARS", "date_time", "shown"]

_WHOLE = re.compile(r"\s*([+-]?[0-9]{1,40})\s*")
_TIME = re.compile(r"\s*[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T ][0-9]{2}:?[0-9]{2}:?[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9:]+)?\s*")
_HIGHEST = 2**63
_SHOWN = 40  # characters of what a stranger has sent


def shown(text: str) -> str:
    """What a stranger has sent, so that it harms no log and fills none."""
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _whole(text: str) -> int:
    found = _WHOLE.fullmatch(text)
    if found is None:
        raise ValueError(f"holds no whole number, but {shown(text)}")
    number = int(found[1])
    if not -_HIGHEST <= number < _HIGHEST:
        raise ValueError(f"holds a number of more than 64 bits: {shown(text)}")
    return number


def _double(text: str) -> float:
    if "_" not in text:
        try:
            return float(text)
        except ValueError:
            pass
    raise ValueError(f"holds no number, but {shown(text)}")


def _boolean(text: str) -> bool:
    bare = text.strip()
    if bare not in {"0", "1"}:
        raise ValueError(f"holds neither 0 nor 1, but {shown(text)}")
    return bare == "1"


def _base64(text: str) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:  # which line ends are, too
        pass
    try:
        return a2b_base64("".join(text.split()), strict_mode=True)
    except (Error, ValueError) as error:
        raise ValueError(f"holds no base64: {error}") from None


def date_time(text: str) -> datetime:
    """The specification's form, and what peers send beyond it: dashes, fractions, a zone.

    Raises:
        ValueError: it is none of these.
    """
    why = ""
    if _TIME.fullmatch(text) is not None:  # Python takes weeks, and any letter for the T
        try:
            return datetime.fromisoformat(text.strip())
        except ValueError as error:
            why = f": {error}"
    raise ValueError(f"holds no time such as 20261125T19:20:00, but {shown(text)}{why}")


SCALARS: dict[str, Callable[[str], object]] = {
    "string": str,
    "base64": _base64,
    "boolean": _boolean,
    "dateTime.iso8601": date_time,
    "double": _double,
    "float": _double,
    "i1": _whole,
    "i2": _whole,
    "i4": _whole,
    "i8": _whole,
    "int": _whole,
}
