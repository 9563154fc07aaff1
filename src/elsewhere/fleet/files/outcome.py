"""What a put or a get gives, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from elsewhere.errors import ElsewhereError
from elsewhere.sansio.hosts.copies.plan import Plan

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Change", "Transfer", "TransferError", "changes"]


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


def changes(plan: Plan, base: str) -> tuple[Change, ...]:
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
