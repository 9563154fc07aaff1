"""Files read over SFTP."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import cast

from elsewhere.fleet.files.plain.session import Session, all_of

__all__ = ["contents", "sums"]

PIECE = 1 << 20  # bytes


async def contents(there: Session, path: str) -> AsyncIterator[bytes]:
    """A file's bytes."""
    with there.at(path):
        file = await there.sftp.open(path, "rb")
    async with file:
        while data := cast(bytes, await file.read(PIECE)):  # asyncssh's type is that of a file of text
            yield data


async def sums(there: Session, paths: Mapping[str, str]) -> dict[str, str]:
    """Sha256 of files there, which come here for it."""

    async def one(path: str) -> str:
        found = hashlib.sha256()
        async for data in contents(there, path):
            found.update(data)
        return found.hexdigest()

    return dict(zip(paths, await all_of(partial(one, path) for path in paths.values()), strict=True))
