"""Hosts as people write them: ``deploy@web[01-20].example.com:2222``.

::

    web1   deploy@web1   web1:2222   [2001:db8::1]:22   2001:db8::1   ssh://deploy@web1:2222
    web[01-03]  →  web01 web02 web03        web[1-2,7]  →  web1 web2 web7        rack[a-c]n[1:2]  →  six

Ranges are ClusterShell's and Ansible's; a colon in one is as good as a hyphen. A leading zero keeps the width.

Rule: a text that names no host is said in one sentence, with what was probably meant. A name that begins with a hyphen
is refused, as programs would take it for an option.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from typing import NamedTuple

__all__ = ["MOST", "Spec", "expand", "split"]

MOST = 10_000  # hosts that one text may stand for
PORTS = 65535
_RANGE = re.compile(r"\[([^\[\]]*)\]")
_PART = re.compile(r"([0-9]+)(?:[-:]([0-9]+)(?:[:/]([0-9]+))?)?|([a-z])[-:]([a-z])|([A-Z])[-:]([A-Z])")
_WRONG = re.compile(r"[^\w.\-:%]")  # in the name of a host
_WRONG_USER = re.compile(r"[\s:/'\"`$;&|<>(){}\[\]*?!\\]")


class Spec(NamedTuple):
    """A host in parts; what was not said is None.

    Attributes:
        name: a host's name, an IP address without brackets, or an alias of ~/.ssh/config.
        user: who logs in there.
        port: a number.
    """

    name: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        """The shortest text that means it."""
        user = f"{self.user}@" if self.user else ""
        if self.port is None:
            return f"{user}{self.name}"
        return f"{user}[{self.name}]:{self.port}" if ":" in self.name else f"{user}{self.name}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Spec:
        """The parts of a host's text, which may hold no range.

        Raises:
            TypeError: it is no text.
            ValueError: it names no host; says what was probably meant.
        """
        if not isinstance(text, str):
            raise TypeError(f"a host is a text such as deploy@web1:22, not {text!r}")
        whole = text.strip()
        scheme, parted, rest = whole.rpartition("://")
        if parted and scheme.lower() != "ssh":
            raise ValueError(f"{text!r} is no host: hosts are reached by ssh://, or named without any such prefix")
        rest = rest.removesuffix("/") if parted else rest
        user, at, place = rest.rpartition("@")
        if at and (not user or _WRONG_USER.search(user) or user.startswith("-")):
            raise ValueError(
                f"{text!r} has no user before the @: deploy@web1 has one, and passwords have no place there"
            )
        name, port = _name_and_port(text, place)
        return cls(_checked(text, name), user if at else None, port)


def _name_and_port(text: str, place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        name, closed, tail = place[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")):
            raise ValueError(f"{text!r} is no host: an IPv6 address with a port is written [2001:db8::1]:22")
        _ip(text, name)
        return name, _port(text, tail[1:]) if tail else None
    if place.count(":") > 1:
        _ip(text, place)
        return place, None
    name, colon, tail = place.partition(":")
    return name, _port(text, tail) if colon else None


def _ip(text: str, name: str) -> None:
    try:
        ipaddress.IPv6Address(name)
    except ValueError:
        raise ValueError(
            f"{text!r} is no host: {name!r} is no IPv6 address, and names hold no more than one colon"
        ) from None


def _port(text: str, port: str) -> int:
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) <= PORTS or len(port) > 5:
        raise ValueError(f"{text!r} has the port {port!r}: ports are numbers from 1 to {PORTS}")
    return int(port)


def _checked(text: str, name: str) -> str:
    if not name:
        raise ValueError(f"{text!r} names no host")
    if name.startswith("-"):
        raise ValueError(f"{text!r} begins with a hyphen, which no host's name does")
    wrong = _WRONG.search(name)
    if wrong is not None:
        meant = ": several hosts are written with commas or as several arguments" if wrong[0] in " ;\n\t" else ""
        meant = ": a folder there is named by put and get, not here" if wrong[0] == "/" else meant
        raise ValueError(f"{text!r} is no host: a name holds no {wrong[0]!r}{meant}")
    return name


# ---- several at once -------------------------------------------------------------------------------------------------


def split(text: str) -> list[str]:
    """The parts of ``web[1-3,7],db1``; commas inside brackets part nothing. Empty parts are left out."""
    parts = [""]
    depth = 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def expand(text: str) -> list[str]:
    """The hosts that a text with ranges stands for, in their order; itself where it has none.

    Raises:
        ValueError: a range is none, or there are more than `MOST` hosts.
    """
    head, at, place = text.rpartition("@")
    keeps = f"{head}{at}"
    if place.startswith("[") and place.partition("]")[0].count(":") > 1:  # an IPv6 address, no range
        return [text]
    choices: list[list[str]] = []
    fixed: list[str] = []
    end = 0
    count = 1
    for found in _RANGE.finditer(place):
        fixed.append(place[end : found.start()])
        choices.append(_choices(text, found[1], count))
        count *= len(choices[-1])
        end = found.end()
    fixed.append(place[end:])
    if any(bracket in part for part in fixed for bracket in "[]"):
        raise ValueError(f"{text!r} has a bracket without its partner: web[01-20] is a range")
    return [
        keeps + "".join(itertools.chain.from_iterable(zip(fixed, [*chosen, ""], strict=True)))
        for chosen in itertools.product(*choices)
    ]


def _choices(text: str, inner: str, before: int) -> list[str]:
    """What stands for one pair of brackets; `before` counts the hosts that those before it make."""
    found: list[str] = []
    for part in inner.split(","):
        matched = _PART.fullmatch(part.strip())
        if matched is None:
            raise ValueError(f"{text!r} has a range that is none, [{inner}]: [01-20], [1,3,5] and [a-f] are ranges")
        first, last, step, *letters = matched.groups()
        if first is None:
            low, high = [letter for letter in letters if letter is not None]
            numbers, width = range(ord(low), ord(high) + 1), 0
        else:
            high = first if last is None else last
            numbers, width = range(int(first), int(high) + 1, max(1, int(step or 1))), len(first)
        if not numbers:
            raise ValueError(f"{text!r} has a range that ends before it begins: [{part}]")
        many = (numbers.stop - 1 - numbers.start) // numbers.step + 1  # len() takes no larger numbers than a pointer
        if before * (len(found) + many) > MOST:
            raise ValueError(f"{text!r} stands for more than {MOST:,} hosts")
        found += [chr(number) for number in numbers] if first is None else [f"{number:0{width}}" for number in numbers]
    return found
