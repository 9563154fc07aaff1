"""Which keys hosts are known by, and whether one that is shown is believed.

Rule: the files of known hosts are read once, for however many hosts; again when they have changed. A key that differs
from the known one is never accepted, whatever the policy, but by "off", which asks for it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from elsewhere.errors import HostKeyError
from elsewhere.fleet.naming.settings import Settings
from elsewhere.sansio.hosts.known import Index, named

__all__ = ["Keys", "Shown", "added", "keys_of", "table", "untrusted"]

Stamp = tuple[tuple[str, int, int], ...]
_cache: dict[Stamp, Index] = {}
_lock = threading.Lock()
MOST_CACHED = 8


class Keys(NamedTuple):
    """What is known of a host.

    Attributes:
        trusted, authorities, revoked: loaded keys, as `asyncssh.connect(known_hosts=...)` takes them.
    """

    trusted: tuple[Any, ...]
    authorities: tuple[Any, ...]
    revoked: tuple[Any, ...]


class Shown(NamedTuple):
    """A key that a host has shown.

    Attributes:
        line: its type and its base64.
        fingerprint: ``"SHA256:..."``.
    """

    line: str
    fingerprint: str

    @classmethod
    def of(cls, key: Any) -> Shown:
        """Of a key that asyncssh has loaded."""
        kind, encoded = key.export_public_key().decode().split()[:2]
        return cls(f"{kind} {encoded}", key.get_fingerprint())


def keys_of(settings: Settings) -> Keys:
    """What the files know of a host.

    Raises:
        ValueError: a file holds what is no line of known_hosts.
    """
    lines = _read(settings.known_hosts).find(settings.alias or settings.hostname, _port(settings))
    keys: dict[str, list[Any]] = {"": [], "cert-authority": [], "revoked": []}
    for line in lines:
        if (key := _loaded(line.key)) is not None:
            keys[line.marker].append(key)
    keys[""].sort(key=_cost)  # the first one that the host has, too, is what it signs with
    return Keys(*map(tuple, keys.values()))


def _cost(key: Any) -> int:
    """What a signature takes there: 0.05 ms for the first, several times that for the next, 1 ms and more for RSA's."""
    kind = key.get_algorithm()
    return 0 if kind == "ssh-ed25519" else 1 if kind.startswith("ecdsa-") else 2


def _port(settings: Settings) -> int:
    return 22 if settings.alias else settings.port


@functools.lru_cache(4096)
def _loaded(text: str) -> Any:
    """A key; None where asyncssh knows none of its kind, as ssh leaves such lines out."""
    import asyncssh

    try:
        return asyncssh.import_public_key(text)
    except asyncssh.KeyImportError:
        return None


def _stamp(files: Sequence[str]) -> Stamp:
    stamp: list[tuple[str, int, int]] = []
    for path in files:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            stamp.append((path, status.st_mtime_ns, status.st_size))
    return tuple(stamp)


def _read(files: Sequence[str]) -> Index:
    key = _stamp(files)
    with _lock:
        if key not in _cache:
            known = Index()
            for path, _, _ in key:
                _load(known, path)
            _keep(key, known)
        return _cache[key]


def _keep(key: Stamp, known: Index) -> None:
    while len(_cache) >= MOST_CACHED:
        del _cache[next(iter(_cache))]
    _cache[key] = known


def _load(known: Index, path: str) -> None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            known.add(file.read())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def untrusted(settings: Settings, keys: Keys, shown: Shown) -> HostKeyError:
    """The error of a host whose key is not believed."""
    where = f"{settings.alias or settings.hostname}" + (f", port {settings.port}" if settings.port != 22 else "")
    file = settings.known_hosts[0] if settings.known_hosts else "~/.ssh/known_hosts"
    kind = shown.line.split()[0].removeprefix("ssh-")
    if keys.trusted or keys.revoked:
        name = settings.alias or _named(settings)
        text = (
            f"{settings.name}: the host shows another {kind} key than the one that is known of {where}: "
            f"{shown.fingerprint}. Either it was set up anew, or somebody is in between. If you know that it was: "
            f"ssh-keygen -R '{name}' -f {file}"
        )
        return HostKeyError(text, address=settings.address, fingerprint=shown.fingerprint, key=shown.line, changed=True)
    text = (
        f"{settings.name}: the {kind} key of {where} is not known: {shown.fingerprint}. If it is the right one, "
        f'host_keys="accept-new" (--accept-new) adds it to {file}'
    )
    return HostKeyError(text, address=settings.address, fingerprint=shown.fingerprint, key=shown.line)


def added(settings: Settings, shown: Shown) -> None:
    """Remember a key from now on, in the first of the host's files. One line is written at once.

    Raises:
        OSError: the file cannot be written.
    """
    if not settings.known_hosts:
        return
    path = settings.known_hosts[0]
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    before = _stamp(settings.known_hosts)
    line = f"{settings.alias or _named(settings)} {shown.line}\n"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        size = os.fstat(fd).st_size
        ended = size == 0 or os.pread(fd, 1, size - 1) == b"\n"
        data = f"{'' if ended else chr(10)}{line}".encode()
        os.write(fd, data)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    others = before[1:] if before and before[0][0] == path else before
    if size == sum(length for _, _, length in before[: len(before) - len(others)]) and after.st_size == size + len(
        data
    ):
        _add(before, ((path, after.st_mtime_ns, after.st_size), *others), line)


def _add(before: Stamp, after: Stamp, line: str) -> None:
    """Nobody else has written meanwhile: who accepts the keys of a thousand hosts does not read the file as often."""
    with _lock:
        known = _cache.pop(before, None)
        if known is not None:
            known.add(line)
            _keep(after, known)


def _named(settings: Settings) -> str:
    return named(settings.hostname, settings.port)


def table(errors: Mapping[Any, HostKeyError]) -> str:
    """The unknown keys of many hosts, as one message.

    Args:
        errors: by host.
    """
    width = max(len(str(host)) for host in errors)
    kinds = {host: error.key.split(" ")[0].removeprefix("ssh-") for host, error in errors.items()}
    wide = max(map(len, kinds.values()))
    rows = [f"  {host!s:{width}}  {kinds[host]:{wide}}  {error.fingerprint}" for host, error in errors.items()]
    return "\n".join(
        [
            f"{len(errors)} hosts show keys that are not known:",
            *rows,
            'If they are the right ones: host_keys="accept-new" (--accept-new) adds them to the known hosts.',
        ]
    )
