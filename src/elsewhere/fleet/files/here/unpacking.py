"""What comes as a tar stream, written into a `Stage`: in a thread, as it comes."""

from __future__ import annotations

import os
from collections.abc import Mapping

from elsewhere.errors import ProtocolError
from elsewhere.fleet.files.here.staging import Stage
from elsewhere.sansio.hosts.copies.members import Member, Members
from elsewhere.sansio.hosts.copies.tree import Entry

__all__ = ["Unpacking"]


class Unpacking:
    """See the module.

    Args:
        stage: what is written into.
        files: that were asked for, by the names under which they come.

    Attributes:
        left: those that have not come yet.
    """

    def __init__(self, stage: Stage, files: Mapping[str, Entry]) -> None:
        self.left = dict(files)
        self._stage = stage
        self._files = files
        self._members = Members()
        self._fd, self._path = -1, ""  # of the file that is open
        self._open: Member | None = None
        self._to_come = 0

    @property
    def ended(self) -> bool:
        """Has the archive's end come?"""
        return self._members.ended

    def feed(self, data: bytes) -> int:
        """Write it; gives how many bytes of files were in it.

        Raises:
            ProtocolError: it is no archive, or holds what was not asked for.
            OSError: it cannot be written.
        """
        count = 0
        for piece in self._members.feed(data):
            if isinstance(piece, Member):
                self._begin(piece)
                continue
            count += len(piece)
            self._to_come -= len(piece)
            self._stage.write(self._fd, self._path, piece)
            if not self._to_come:
                self._end()
        return count

    def _begin(self, member: Member) -> None:
        entry = self.left.pop(member.name, None)
        if entry is None:
            raise ProtocolError(f"the far side sends what was not asked for: {member.name!r:.200}")
        if member.kind == "1":
            first = self._files.get(member.target)
            if first is None or member.target in self.left:
                raise ProtocolError(f"the far side sends a name of a file that has not come: {member.target!r:.200}")
            self._stage.doubled(entry.path, first.path)
            return
        if member.kind not in "07":
            raise ProtocolError(f"the far side sends another kind of thing than it has listed: {member.name!r:.200}")
        self._fd, self._path = self._stage.opened(entry.path), entry.path
        self._open, self._to_come = member._replace(mode=entry.mode), member.size
        if member.mtime // 10**9 == entry.mtime // 10**9:  # the listing knows the time more exactly
            self._open = self._open._replace(mtime=entry.mtime)
        if not member.size:
            self._end()

    def _end(self) -> None:
        assert self._open is not None
        self._stage.closed(self._fd, self._open.mode, self._open.mtime)
        self.close()

    def close(self) -> None:
        """The file that is open, if one is."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
