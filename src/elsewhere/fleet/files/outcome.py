"""What a put or a get gives, how it fails, and how long it may take."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from elsewhere.errors import CallTimeout, ElsewhereError
from elsewhere.sansio.hosts.copies.plan import Plan

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Change", "Transfer", "TransferError", "done", "within"]


class Change(NamedTuple):
    """One thing that was done, or would be.

    Attributes:
        what: ``"send"`` a file or a link, ``"folder"`` made, ``"mode"`` set, ``"delete"``.
        path: of the copy.
    """

    what: Literal["send", "folder", "mode", "delete"]
    path: str


@dataclass(frozen=True)
class Transfer:
    """What a put or a get has done; with ``dry_run=True``, what it would do.

    Attributes:
        host: with whom.
        sent: files and links that were copied.
        skipped: files and links that were there already.
        deleted: what was removed, a folder and all that is in it being one.
        bytes: of the files that were copied.
        seconds: that it took, without connecting.
        changes: each thing that was done.
        dry_run: was nothing of it really done?
    """

    host: Host
    sent: int = 0
    skipped: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    changes: tuple[Change, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Always: what fails is raised."""
        return True


class TransferError(ElsewhereError, OSError):
    """A copy could not be made; says where and why. Nothing half-written is seen."""


@contextlib.asynccontextmanager
async def within(host: Host, seconds: float | None, copy: str, place: str) -> AsyncIterator[None]:
    """A block that may take so long.

    Args:
        host: with whom, for the message.
        seconds: None for no limit.
        copy: what is copied, or where to.
        place: ``"here"`` or ``"there"``: where the copy would be.

    Raises:
        CallTimeout: it took longer, and was ended.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if seconds is None or not limit.expired():  # it took too long to connect
            raise
        raise CallTimeout(
            f"{host}: the copy {copy} did not end within its timeout of {seconds:g} s, and was ended; "
            f"no half-written file is seen {place}"
        ) from None


def done(host: Host, plan: Plan, base: str, began: float, *, dry_run: bool) -> Transfer:
    """A plan that was carried out.

    Args:
        host: with whom.
        plan: what was done.
        base: the folder of the copies.
        began: when, by the monotonic clock.
        dry_run: was it only looked at?
    """
    return Transfer(
        host=host,
        sent=len(plan.send),
        skipped=plan.skipped,
        deleted=len(plan.delete) + len(plan.clear),
        bytes=plan.size,
        seconds=time.monotonic() - began,
        changes=_changes(plan, base),
        dry_run=dry_run,
    )


def _changes(plan: Plan, base: str) -> tuple[Change, ...]:
    """What a plan does, with the paths of the copies."""

    def full(path: str) -> str:
        return "/".join(part for part in (base.rstrip("/") if base != "/" else "", path) if part) or base or "."

    return (
        *(Change("delete", full(path)) for path in plan.clear),
        *(Change("folder", full(entry.path)) for entry in plan.folders),
        *(Change("send", full(entry.path)) for entry in plan.send),
        *(Change("mode", full(entry.path)) for entry in plan.modes),
        *(Change("delete", full(path)) for path in plan.delete),
    )
