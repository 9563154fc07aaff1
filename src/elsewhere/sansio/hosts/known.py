"""The lines of known_hosts files, found by host.

::

    web1,10.0.0.7 ssh-ed25519 AAAA...         [web1]:2222 ...        *.example.com,!old.example.com ...
    |1|SALT|HASH ssh-ed25519 AAAA...          @cert-authority *.example.com ...         @revoked * ...

As OpenSSH reads them (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): names are compared without regard to case, ``*`` and
``?`` stand for characters, and a pattern with ``!`` before it excludes. Names that stand for themselves are looked up;
only patterns and hashes are gone through, once for each host that is asked for.

Rule: a line whose marker or hash is of no known kind is an error, as it may have been meant to revoke a key. A key of
no known kind is its reader's affair, who leaves it out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import NamedTuple

__all__ = ["Index", "Line", "named"]

MARKERS = ("cert-authority", "revoked")
PORT = 22


class Line(NamedTuple):
    """What a line says.

    Attributes:
        marker: ``""``, ``"cert-authority"`` or ``"revoked"``.
        key: its type and its base64.
    """

    marker: str
    key: str


def named(name: str, port: int) -> str:
    """A host as these files have it.

    Args:
        name: a name or an address.
        port: of its sshd.
    """
    return name if port == PORT else f"[{name}]:{port}"


class Index:
    """What some files hold; see the module."""

    def __init__(self) -> None:
        self._exact: dict[str, list[tuple[int, Line]]] = {}
        self._patterns: list[tuple[int, list[re.Pattern[str]], list[re.Pattern[str]], Line]] = []
        self._hashed: list[tuple[int, bytes, bytes, Line]] = []
        self._count = 0
        self._found: dict[str, list[Line]] = {}

    def add(self, text: str) -> None:
        """Take a file's lines.

        Raises:
            ValueError: a line is none; says which.
        """
        self._found.clear()
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            marker = ""
            if words[0].startswith("@"):
                marker = words.pop(0)[1:]
                if marker not in MARKERS:
                    raise ValueError(f"line {number}: @{marker} is no marker: @cert-authority and @revoked are")
            if len(words) < 2:
                raise ValueError(f"line {number}: Invalid known hosts entry: {line.strip():.80}")
            self._take(number, words[0], Line(marker, " ".join(words[1:3])))

    def _take(self, number: int, names: str, line: Line) -> None:
        self._count += 1
        if names.startswith("|"):
            try:
                empty, kind, salt, digest = names.split("|")
                self._hashed.append(
                    (self._count, base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True), line)
                )
            except (ValueError, binascii.Error):
                raise ValueError(f"line {number}: {names:.80} is no hash of a host's name") from None
            if kind != "1" or empty:
                raise ValueError(f"line {number}: {names:.80} is a hash of a kind that is not known")
            return
        patterns = names.lower().split(",")
        if not any(character in names for character in "*?!"):
            for pattern in dict.fromkeys(patterns):
                self._exact.setdefault(pattern, []).append((self._count, line))
            return
        those = [_pattern(pattern) for pattern in patterns if pattern and not pattern.startswith("!")]
        without = [_pattern(pattern[1:]) for pattern in patterns if pattern.startswith("!")]
        self._patterns.append((self._count, those, without, line))

    def find(self, name: str, port: int) -> list[Line]:
        """The lines that speak of a host, in their order; where none speaks of its port, those of its name alone.

        Args:
            name: as it is connected to, or its alias.
            port: of its sshd.
        """
        found = self._of(named(name, port).lower())
        if port != PORT and not any(line.marker != "revoked" for line in found):
            found = found + self._of(name.lower())
        return found

    def _of(self, name: str) -> list[Line]:
        found = self._found.get(name)
        if found is None:
            numbered = list(self._exact.get(name, ()))
            numbered += [
                (number, line)
                for number, those, without, line in self._patterns
                if any(each.fullmatch(name) for each in those) and not any(each.fullmatch(name) for each in without)
            ]
            told = name.encode()
            numbered += [
                (number, line)
                for number, salt, digest, line in self._hashed
                if hmac.digest(salt, told, "sha1") == digest
            ]
            found = self._found[name] = [line for _, line in sorted(numbered, key=lambda each: each[0])]
        return found


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in text))
