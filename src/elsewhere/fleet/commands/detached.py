"""Commands that go on when we are gone: started, and left to themselves.

The far shell starts them in the background, with nothing to read and nowhere to write, says their number and ends. So
they are in no session of sshd's (of which there are ten at most), and the watcher knows nothing of them.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ProtocolError
from elsewhere.fleet.results import Result, shown

if TYPE_CHECKING:
    from elsewhere.fleet.commands.command import Command
    from elsewhere.fleet.host import Host

__all__ = ["Detached", "detaching", "found"]

_WORD = "elsewhere-detached"
_AWAY = f"</dev/null >/dev/null 2>&1 & g=$(ps -o pgid= -p $! 2>/dev/null) && [ $g -gt 1 ] || g=$$; echo {_WORD} $! $g"
_WORDS = f'"$@" {_AWAY}'
_TEXT = f'"${{SHELL:-/bin/sh}}" -c "$1" {_AWAY}'  # whatever kind of shell that is
_SAID = re.compile(rf"^{_WORD} (\d+) +(\d+)\r?$", re.MULTILINE)


class Detached(Result):
    """A command that was started, and left to itself.

    Attributes:
        pid: of its process there: the program's, or the shell's that runs a text.
        group: of its process group, to which all that it starts belongs;
            ``host.run(f"kill -TERM -{found.group}")`` ends that.
    """

    pid: int
    group: int

    def __repr__(self) -> str:
        return f"<Detached {shown(self.args)} on {self.host}, pid {self.pid}>"


def detaching(command: Command) -> Command:
    """What is run to start it."""
    told = command.command
    words = ("sh", "-c", _TEXT, "sh", told) if isinstance(told, str) else ("sh", "-c", _WORDS, "sh", *told)
    return dataclasses.replace(command, command=words, detach=False, check=True, encoding="utf-8")


def found(host: Host, command: Command, result: Result) -> Detached:
    """What has been started.

    Raises:
        ProtocolError: the far shell has not said it.
    """
    said = _SAID.search(result.stdout)
    if said is None:
        raise ProtocolError(
            f"{host}: {shown(command.command)} was started, but its process is not known: {result.stdout!r:.200}"
        )
    args: Any = command.command
    detached = Detached(args if isinstance(args, str) else list(args), 0, host=host, seconds=result.seconds)
    detached.pid, detached.group = int(said[1]), int(said[2])
    return detached
