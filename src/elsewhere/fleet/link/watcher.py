"""The watcher: one small shell for each connection, which ends what was left running there.

It reads which process groups run: ``+PGID`` begins, ``-PGID`` has ended, ``kPGID`` is to be ended. At the end of its
input (this process was killed, the connection broke, or it was closed) it ends all that it knows: TERM, and KILL two
seconds later. It is plain sh, ignores the signals that would end it, and writes nothing on the host.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from elsewhere.errors import ConnectionLost

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.naming.settings import Settings

__all__ = ["Watcher"]

GRACE = 2  # seconds between TERM and KILL
PATIENCE = 30.0  # seconds for its first word
CLOSING = 2.0  # seconds for its last one
# In one line, and without what a login shell of another kind than sh would take for its own.
SCRIPT = (
    'trap : HUP INT TERM PIPE QUIT; echo elsewhere-watcher $SHELL; exec 2>/dev/null; all=" "; '
    'stop() { left=; for g in $1; do kill -s TERM -- -$g && left="$left $g"; done; '
    '[ -z "$left" ] || { sleep GRACE; for g in $left; do kill -s KILL -- -$g; done; }; }; '
    "while read -r what; do g=${what#?}; case $what in "
    '+*) all="$all$g " ;; '
    '-*) case $all in *" $g "*) all="${all%% $g *} ${all#* $g }" ;; esac ;; '
    "k*) stop $g & ;; "
    'esac; done; exec >&-; stop "$all"'
)


class Watcher:
    """See the module; `start` makes one.

    Attributes:
        connection: that it watches.
        shell: the login shell of the user there.
    """

    def __init__(
        self, connection: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes], shell: str
    ) -> None:
        self.connection = connection
        self.shell = shell
        self._process = process

    @classmethod
    async def start(cls, connection: asyncssh.SSHClientConnection, settings: Settings) -> Watcher:
        """Start it on a connection.

        Raises:
            ConnectionLost: the connection broke, or there is no shell that does it.
        """
        import asyncssh

        script = SCRIPT.replace("GRACE", str(GRACE))
        try:
            async with asyncio.timeout(PATIENCE):
                process = await connection.create_process(f"exec sh -c '{script}'", encoding=None)
                while True:  # what a profile writes may come before
                    line = await process.stdout.readline()
                    if not line:
                        raise _lost(settings, "its shell does not run `sh`")
                    if line.startswith(b"elsewhere-watcher"):
                        return cls(connection, process, line.decode(errors="replace").partition(" ")[2].strip())
        except TimeoutError:
            raise _lost(settings, f"its shell has not said a word for {PATIENCE:g} s") from None
        except (OSError, asyncssh.Error) as error:
            raise _lost(settings, str(error)) from error

    def runs(self, group: int) -> None:
        """A process group has begun."""
        self._tell(f"+{group}\n")

    def ended(self, group: int) -> None:
        """It has ended."""
        self._tell(f"-{group}\n")

    def stop(self, group: int) -> None:
        """End it."""
        self._tell(f"k{group}\n")

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the connection is gone, which the watcher has seen, too
            self._process.stdin.write(text.encode())

    async def close(self) -> None:
        """Have it end what is left, and then itself.

        Returns when it has read all that it was told, which it shows by the end of its output: an sshd that reads a
        goodbye throws away what it has not handed on. Or when the far side does not answer.
        """
        import asyncssh

        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            self._process.stdin.write_eof()
            async with asyncio.timeout(CLOSING):
                await self._process.stdout.read()
        self._process.close()


def _lost(settings: Settings, reason: str) -> ConnectionLost:
    return ConnectionLost(
        f"{settings.name}: nothing can be run there: {reason}", address=settings.address, phase="command"
    )
