"""The watcher: one small shell for each connection, which ends what was left running there.

It reads which process groups run: ``+PGID`` begins, ``-PGID`` has ended, ``kPGID`` is to be ended, ``KPGID`` at once.
At the end of its input (this process was killed, the connection broke, or it was closed) it ends all that it knows:
TERM, and KILL two seconds later. It is plain sh, ignores the signals that would end it, and writes nothing on the host.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectionLost
from elsewhere.sansio.hosts.prelude import is_plain

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.naming.settings import Settings

__all__ = ["Watcher", "script"]

GRACE = 2  # seconds between TERM and KILL
PATIENCE = 30.0  # seconds for its first word: behind a slow profile, on a busy host
CLOSING = 2.0  # seconds for its last one
WORD = b"elsewhere-watcher"
ALONE = b"elsewhere-alone"  # what runs there has no session of its own
# In one line, and without what a login shell of another kind than sh would take for its own. `kill -TERM -PGID` is the
# one spelling that dash, busybox, bash, ksh and zsh share.
SCRIPT = (
    "trap : HUP INT TERM PIPE QUIT; kill -0 -$$ 2>/dev/null || echo elsewhere-alone; "
    'echo elsewhere-watcher $SHELL; exec 2>/dev/null; all=" "; '
    'stop() { left=; for g in $1; do kill -TERM -$g && left="$left $g"; done; '
    '[ -z "$left" ] || { sleep GRACE; for g in $left; do kill -KILL -$g; done; }; }; '
    "while read -r what; do g=${what#?}; case $what in "
    '+*) all="$all$g " ;; '
    '-*) case $all in *" $g "*) all="${all%% $g *} ${all#* $g }" ;; esac ;; '
    "k*) { exec >&-; stop $g; } & ;; "
    "K*) kill -KILL -$g ;; "
    'esac; done; exec >&-; stop "$all"'
)


def script() -> str:
    """What it is, as an argument of ``sh -c``."""
    return SCRIPT.replace("GRACE", str(GRACE))


class Watcher:
    """See the module; the session of its channel, as asyncssh calls one.

    Attributes:
        connection: that it watches.
        shell: the login shell of the user there; None as long as it has not said its word.
        alone: commands have no session of their own there, as under dropbear; they are given one.
        understood: the login shell has run words of Bourne's kind, whatever its name is.
        gone: it has ended, though its connection may not have.
        running: the groups that it knows.
    """

    def __init__(self, connection: asyncssh.SSHClientConnection, settings: Settings) -> None:
        self.connection = connection
        self.shell: str | None = None
        self.alone = False
        self.understood = False
        self.gone = False
        self.running: set[int] = set()
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._silent: asyncio.Future[None] = self._loop.create_future()
        self._channel: Any = None
        self._started = False
        self._said = b""
        self._untold: list[str] = []
        self._patience = self._loop.call_later(
            PATIENCE, self._fail, f"its shell has not said a word for {PATIENCE:g} s"
        )
        self._opening = self._loop.create_task(
            connection.create_session(lambda: self, f"exec sh -c '{script()}'", encoding=None)  # type: ignore[arg-type, return-value, unused-ignore]  # it has all methods of one
        )
        self._opening.add_done_callback(self._opened)
        self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())  # who looks is told

    @property
    def plain(self) -> bool | None:
        """May the login shell be given words of Bourne's kind? None as long as that is not known."""
        if self.alone:
            return False
        return True if self.understood else None if self.shell is None else is_plain(self.shell)

    @property
    def ready(self) -> asyncio.Future[None]:
        """Is done when it watches.

        Raises:
            ConnectionLost: the connection broke, or there is no shell that does it.
        """
        return self._ready

    def runs(self, group: int) -> None:
        """A process group has begun."""
        self.running.add(group)
        self._tell(f"+{group}\n")

    def ended(self, group: int) -> None:
        """It has ended."""
        self.running.discard(group)
        self._tell(f"-{group}\n")

    def stop(self, group: int) -> None:
        """End it."""
        self._tell(f"k{group}\n")

    def kill(self, group: int) -> None:
        """End it at once."""
        self._tell(f"K{group}\n")

    def _tell(self, text: str = "") -> None:
        self._untold.append(text)
        if not self._started:
            return
        told, self._untold = "".join(self._untold), []
        if told:
            with contextlib.suppress(OSError):  # the connection is gone, which the watcher has seen, too
                self._channel.write(told.encode())

    async def close(self) -> None:
        """Have it end what is left, and then itself.

        Returns when it has read all that it was told, which it shows by the end of its output: an sshd that reads a
        goodbye throws away what it has not handed on. Or when the far side does not answer.
        """
        self._patience.cancel()
        if not self._started:
            self._opening.cancel()
            self.gone = True
        else:
            with contextlib.suppress(OSError):
                self._channel.write_eof()
            await asyncio.wait([self._silent], timeout=CLOSING)
        if self._channel is not None:
            self._channel.close()

    def _fail(self, reason: str) -> None:
        self._patience.cancel()
        if not self._ready.done():
            self._ready.set_exception(
                ConnectionLost(
                    f"{self._settings.name}: nothing can be run there: {reason}",
                    address=self._settings.address,
                    phase="command",
                )
            )
            self.gone = True
            if self._channel is not None:
                self._channel.close()

    # ---- what asyncssh tells its session -----------------------------------------------------------------------------

    def _opened(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self._fail("it was closed")
        elif (error := task.exception()) is not None:
            self._fail(str(error))

    def connection_made(self, channel: Any) -> None:
        self._channel = channel

    def session_started(self) -> None:
        self._started = True
        self._tell()

    def data_received(self, data: bytes, _kind: object) -> None:
        """Find its word: what a profile writes may come before."""
        if self.shell is not None:
            return
        self._said += data
        *lines, self._said = self._said.split(b"\n")
        for line in lines:
            self.alone = self.alone or line.startswith(ALONE)
            if line.startswith(WORD) and not self._ready.done():
                self.shell = line.decode(errors="replace").partition(" ")[2].strip()
                self._patience.cancel()
                self._ready.set_result(None)

    def eof_received(self) -> bool:
        self._ends()
        return True

    def exit_status_received(self, _status: int) -> None:
        """It has ended, which `connection_lost` tells."""

    def exit_signal_received(self, *_told: object) -> None:
        """See above."""

    def pause_writing(self) -> None:
        """What it is told is little."""

    def resume_writing(self) -> None:
        """See above."""

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self._ends()
        self._fail(str(error) if error is not None else "its shell does not run `sh`")

    def _ends(self) -> None:
        if not self._silent.done():
            self._silent.set_result(None)
