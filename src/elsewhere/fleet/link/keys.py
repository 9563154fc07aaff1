"""What a login is tried with: the keys of an agent, and those in files.

Rule: a file is read once, for however many hosts; and each try has pairs of its own, as asyncssh notes in them which
signature that host takes.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

from elsewhere.fleet.naming.settings import Settings

__all__ = ["Offer"]

USUAL = tuple(f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa", "ed25519_sk", "ecdsa_sk"))
MOST_LOADED = 256
_loaded: dict[tuple[Any, ...], Any] = {}


class Offer:
    """The keys for one try, which asyncssh asks for bit by bit.

    Args:
        settings: of the host.

    Attributes:
        number: of those that were offered so far.
        missing: why the agent has not said a word, or None.

    Raises:
        ValueError: a file that was asked for holds no key, or cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.number = 0
        self.missing: str | None = None
        self._settings = settings
        self._agent: Any = None
        self._asked = settings.agent is None
        self._identities: list[bytes] = []  # of the agent's keys, those that are in files that are encrypted
        self._pairs = list(self._from_files())
        self._only = settings.only_keys and bool(settings.keys)
        if self._only and not self._identities:
            self._asked = True

    async def more(self) -> list[Any]:
        """The next ones to try; none when all were."""
        if not self._asked:
            self._asked = True
            found = await self._from_agent()
            if found:
                self.number += len(found)
                return found
        found, self._pairs = self._pairs, []
        self.number += len(found)
        return found

    def close(self) -> None:
        """Leave the agent."""
        if self._agent is not None:
            self._agent.close()

    def _from_files(self) -> Iterator[Any]:
        settings = self._settings
        keys: Sequence[Any] = settings.keys
        if not keys and settings.usual_keys:
            keys = [path for path in map(os.path.expanduser, USUAL) if os.path.isfile(path)]
        for key in keys:
            if isinstance(key, str):
                yield from map(copy.copy, self._load(key, asked=bool(settings.keys)))
            else:
                yield from _pairs_of(key)

    def _load(self, path: str, *, asked: bool) -> Sequence[Any]:
        """The pairs of a file; none of one that is encrypted and that the agent is asked for, or that nobody named."""
        import asyncssh

        settings = self._settings
        try:
            stamp = (path, os.stat(path).st_mtime_ns, settings.passphrase, settings.certificates)
            if stamp not in _loaded:
                pairs = asyncssh.load_keypairs([path], settings.passphrase, list(settings.certificates))
                while len(_loaded) >= MOST_LOADED:
                    del _loaded[next(iter(_loaded))]
                _loaded[stamp] = pairs
            found: Sequence[Any] = _loaded[stamp]
        except (OSError, asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as error:
            if not asked:
                return ()
            if settings.agent is not None and settings.passphrase is None and not isinstance(error, OSError):
                public = _public(path)
                if public is not None:
                    self._identities.append(public)
                    return ()
            raise ValueError(_wrong(path, error)) from None
        return found

    async def _from_agent(self) -> list[Any]:
        import asyncssh

        try:
            self._agent = await asyncssh.connect_agent(self._settings.agent or "")
            found = list(await self._agent.get_keys(self._identities if self._only else None))
        except (OSError, ValueError, asyncssh.Error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            self.missing = f"the agent at {self._settings.agent} does not answer: {reason}"
            return []
        here = {pair.public_data for pair in self._pairs}  # which need no agent
        return [pair for pair in found if pair.public_data not in here]


def _pairs_of(key: Any) -> list[Any]:
    """Of one that the program has loaded itself: a key, a pair, or a key with its certificate."""
    import asyncssh

    pairs = asyncssh.load_keypairs([copy.copy(key) if isinstance(key, asyncssh.SSHKeyPair) else key])
    return list(pairs)


def _public(path: str) -> bytes | None:
    """The public part of a key, which is not encrypted."""
    import asyncssh

    for each in (f"{path}.pub", path):
        try:
            found: bytes = asyncssh.read_public_key(each).public_data
        except (OSError, asyncssh.KeyImportError):
            continue
        return found
    return None


def _wrong(path: str, error: Exception) -> str:
    import asyncssh

    if isinstance(error, OSError):
        return f"the key {error.filename or path} cannot be read: {error.strerror}"
    if isinstance(error, asyncssh.KeyEncryptionError):
        return f"the passphrase for the key {path} is wrong"
    if "passphrase" in str(error).lower():
        return f"the key {path} is encrypted: passphrase= opens it, or an agent that holds it"
    return f"{path} is no private key: {error}"
