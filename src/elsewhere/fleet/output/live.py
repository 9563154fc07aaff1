"""What hosts write, shown while it comes: whole lines, with the host's name before each.

::

    [web1] Reading package lists...        to stdout
    [web2]! E: Unable to locate package    to stderr
    [web2]! exit status 100                and how it failed, where it did
"""

from __future__ import annotations

import contextlib
import itertools
import operator
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from elsewhere.fleet.kinds import OK, kind_of
from elsewhere.fleet.output.base import Output
from elsewhere.progress import colours
from elsewhere.sansio.hosts.many.lines import Lines
from elsewhere.sansio.hosts.many.plain import decoded, plain

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Live", "written"]

_COLOURS = (36, 32, 35, 34, 33)  # of names, in turns: cyan, green, magenta, blue, yellow; red is for what goes wrong
_RED = 31


class Live(Output):
    """See the module.

    Args:
        out, err: where to; stdout and stderr as they are now, if None.
        encoding: of what hosts write.
        bare: without names: for one host alone.
    """

    def __init__(
        self, out: TextIO | None = None, err: TextIO | None = None, *, encoding: str = "utf-8", bare: bool = False
    ) -> None:
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err
        self._encoding = encoding
        self._bare = bare
        self._lines: dict[tuple[Host, str], Lines] = {}
        self._names: dict[tuple[Host, str], str] = {}
        self._held: list[tuple[TextIO, str]] = []

    def begin(self, hosts: Sequence[Host]) -> None:
        for number, host in enumerate(hosts):
            name = plain(str(host))
            colour = _COLOURS[number % len(_COLOURS)]
            out = f"\x1b[{colour}m[{name}]\x1b[0m" if colours(self._out) else f"[{name}]"
            err = f"\x1b[{_RED}m[{name}]!\x1b[0m" if colours(self._err) else f"[{name}]!"
            self._names[host, "stdout"] = "" if self._bare else f"{out} "
            self._names[host, "stderr"] = "" if self._bare else f"{err} "

    def came(self, host: Host, stream: str, data: bytes) -> None:
        lines = self._lines.get((host, stream))
        if lines is None:
            lines = self._lines[host, stream] = Lines()
        self._put(host, stream, lines.feed(data))

    def ended(self, host: Host, outcome: Any, seconds: float) -> None:
        for stream in ("stdout", "stderr"):
            lines = self._lines.pop((host, stream), None)
            if lines is not None:
                self._put(host, stream, lines.rest())
        kind = kind_of(outcome)
        if kind != OK and not self._bare:
            self._held.append((self._err, f"{self._names[host, 'stderr']}{kind}\n"))

    def flush(self) -> None:
        held, self._held = self._held, []
        for to, texts in itertools.groupby(held, key=operator.itemgetter(0)):
            written(to, "".join(text for _, text in texts))

    def end(self) -> None:
        for host, stream in list(self._lines):  # of hosts that were interrupted
            self._put(host, stream, self._lines.pop((host, stream)).rest())
        self.flush()

    def _put(self, host: Host, stream: str, lines: list[bytes]) -> None:
        if lines:
            name = self._names[host, stream]
            text = "".join([f"{name}{decoded(line, self._encoding)}\n" for line in lines])
            self._held.append((self._out if stream == "stdout" else self._err, text))


def written(to: TextIO, text: str) -> None:
    """Write it, also where the stream has not all characters; all of it, now.

    Raises:
        OSError: nobody reads it, or it cannot be written.
    """
    encoding = getattr(to, "encoding", None) or "utf-8"
    with contextlib.suppress(LookupError):
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    to.write(text)
    to.flush()
