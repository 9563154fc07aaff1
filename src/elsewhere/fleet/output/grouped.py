"""What hosts wrote, put together where it is the same, when all have ended.

::

    == web[01-19] (19 hosts): ok
    Debian GNU/Linux 12
    == web20: exit status 1
    ! cat: /etc/issue: No such file or directory
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from elsewhere.fleet.kinds import NOT_TOUCHED, kind_of
from elsewhere.fleet.output.base import Output
from elsewhere.fleet.output.live import written
from elsewhere.fleet.results import CommandError
from elsewhere.sansio.hosts.many.folding import fold
from elsewhere.sansio.hosts.many.lines import Lines
from elsewhere.sansio.hosts.many.plain import decoded, plain

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Grouped"]

Key = tuple[str, bytes, bytes]


class Grouped(Output):
    """See the module.

    Args:
        out: where to; stdout as it is now, if None.
        encoding: of what hosts write.
    """

    def __init__(self, out: TextIO | None = None, *, encoding: str = "utf-8") -> None:
        self._out = sys.stdout if out is None else out
        self._encoding = encoding
        self._order: dict[Host, int] = {}
        self._came: dict[tuple[Host, str], list[bytes]] = {}
        self._groups: dict[Key, list[tuple[Host, Any]]] = {}

    def begin(self, hosts: Sequence[Host]) -> None:
        self._order = {host: number for number, host in enumerate(hosts)}

    def came(self, host: Host, stream: str, data: bytes) -> None:
        self._came.setdefault((host, stream), []).append(data)

    def ended(self, host: Host, outcome: Any, seconds: float) -> None:
        out, err = (b"".join(self._came.pop((host, stream), ())) for stream in ("stdout", "stderr"))
        self._groups.setdefault((kind_of(outcome), out, err), []).append((host, outcome))

    def end(self) -> None:
        for members in self._groups.values():
            members.sort(key=lambda member: self._order[member[0]])
        # Most hosts first: what is alone is what is looked for, and stands at the end, where the eye is.
        groups = sorted(self._groups.items(), key=lambda item: (-len(item[1]), self._order[item[1][0][0]]))
        written(self._out, "".join(self._shown(key, members) for key, members in groups))

    def _shown(self, key: Key, members: list[tuple[Host, Any]]) -> str:
        kind, out, err = key
        many = f" ({len(members):,} hosts)" if len(members) > 1 else ""
        lines = [f"== {plain(fold(str(host) for host, _ in members))}{many}: {kind}"]
        lines += self._text(out, "")
        lines += self._text(err, "! ")
        outcome = members[0][1]
        if isinstance(outcome, Exception) and not isinstance(outcome, CommandError) and kind != NOT_TOUCHED:
            lines.append(f"! {plain(' '.join(str(outcome).split()))}")
        return "\n".join(lines) + "\n"

    def _text(self, data: bytes, mark: str) -> list[str]:
        lines = Lines()
        return [f"{mark}{decoded(line, self._encoding)}" for line in [*lines.feed(data), *lines.rest()]]
