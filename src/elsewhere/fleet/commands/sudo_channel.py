"""One channel to a host on which sudo runs a command; what happens on it is decided by `sansio.hosts.sudo`."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectError, ConnectionLost, ElsewhereError
from elsewhere.fleet.commands.running import Source
from elsewhere.fleet.link.channels import opened
from elsewhere.fleet.naming.password import Permit
from elsewhere.fleet.results import shown
from elsewhere.sansio.hosts import sudo as words
from elsewhere.sansio.hosts.answers import Answers
from elsewhere.sansio.hosts.sudo import Refusal, Step

if TYPE_CHECKING:
    import asyncssh

    from elsewhere.fleet.commands.sudo import Sudo
    from elsewhere.fleet.host import Host

__all__ = ["Channel", "Refused"]

READ = 64 << 10  # bytes
FIRST = 64 << 10  # bytes of the first piece of input, which is twice as long each time
LARGEST = 4 << 20  # bytes of a piece; that much memory it takes there
SHORT = 16 << 10  # bytes of a line that is read byte by byte, and fits into a pipe
PATIENCE = 60.0  # seconds for sudo to run it or ask: it may have to ask others that are slow
QUESTION = 10.0  # seconds for what has no end of a line to have one: else it is a question that nobody answers
LINGERING = 10.0  # seconds for a sudo with a terminal to end after its command: what is left of the input is read
ENDING = 6.0  # seconds for what is stopped to be gone: TERM, two seconds, KILL, and the way there
END_OF_FILE = b"\x04"  # as it is typed


class Refused(Exception):
    """Sudo does not run it."""

    def __init__(self, why: Refusal, said: str) -> None:
        super().__init__(why, said)
        self.why = why
        self.said = said


class Channel:
    """See the module.

    Args:
        host: where.
        asked: what.
        connection: to there.
        came: is awaited with "stdout" or "stderr" and what came.
        raw: sudo gets a terminal that the command does not use.

    Attributes:
        answers: to what it asks, if there are any.
    """

    def __init__(
        self,
        host: Host,
        asked: Sudo,
        connection: asyncssh.SSHClientConnection,
        came: Callable[[str, bytes], Awaitable[None]],
        *,
        raw: bool,
    ) -> None:
        self._host = host
        self._asked = asked
        self._connection = connection
        self._came = came
        self._pty = asked.command.pty
        self._raw = raw
        self._terminal = self._pty or raw
        self._nonce, self._more = secrets.token_hex(8), secrets.token_hex(8)
        self._dialogue = words.Dialogue(self._nonce, self._more, marked=not self._terminal)
        self._credit: asyncio.Queue[Step] = asyncio.Queue()
        answers = asked.command.answers
        self.answers = Answers(answers, asked.command.encoding or "utf-8") if answers else None
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._begun = asyncio.Event()
        self._permit: Permit | None = None
        self._over = False  # the command has ended, and told so
        self._lingering: asyncio.TimerHandle | None = None
        self._process: asyncssh.SSHClientProcess[bytes] | None = None

    @property
    def begun(self) -> bool:
        """May it have run?"""
        return self._begun.is_set()

    async def run(self, source: Source | None, limit: asyncio.Timeout) -> None:
        """From the beginning to the end.

        Args:
            source: of its input.
            limit: the timeout, which does not count while the user is asked for a password.

        Raises:
            Refused: by sudo.
            Unauthorized: there is no password.
            ConnectError, ConnectionLost: the connection broke before it began, or after that.
        """
        import asyncssh

        try:
            await self._open()
            reading = [self._words(limit)] if self._terminal else [self._words(limit), self._output()]
            await _until(reading, self._feed(source))
            assert self._process is not None
            await self._process.wait_closed()
        except (OSError, asyncssh.Error) as error:
            if isinstance(error, ElsewhereError | TimeoutError):
                raise
            raise self._lost(error) from error
        finally:
            if self._permit is not None:
                self._permit.end()
            if self._lingering is not None:
                self._lingering.cancel()
        if self._process.exit_status is None and self._process.exit_signal is None and self._dialogue.status is None:
            raise self._lost(None)

    async def stop(self) -> None:
        """End it, on the far side too; returns when that has happened, or the far side does not answer."""
        process = self._process
        if process is None:
            return
        if self._dialogue.begun and not self._terminal:
            with contextlib.suppress(OSError):
                process.stdin.write_eof()  # the guard ends all; the channel is closed when all have ended
        else:
            process.channel.abort()  # `close` would first send what nobody may ever read
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await process.wait_closed()
        process.channel.abort()

    def status(self) -> tuple[int, str | None]:
        """How it has ended: its exit status, negative for a signal, and the signal's name."""
        process = self._process
        assert process is not None
        told = process.exit_signal
        status = process.returncode if self._dialogue.status is None else self._dialogue.status
        return -1 if status is None else status, told[0] if told else None

    # ---- what comes --------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        asked = self._asked
        terminal: dict[str, Any] = {}
        if self._terminal:
            terminal = {"term_type": "dumb" if self._raw else "xterm", "term_size": (200, 50)}
        begin = words.opening(self._nonce, user=asked.user, group=asked.group, pty=self._pty, raw=self._raw)
        connection = self._connection
        opening = asyncio.ensure_future(
            opened(connection, lambda: connection.create_process(begin, encoding=None, **terminal))
        )
        try:
            self._process = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_abandoned)
            raise

    async def _words(self, limit: asyncio.Timeout) -> None:
        """Read what it writes to its standard error, or its terminal, with our words between."""
        process, dialogue = self._process, self._dialogue
        assert process is not None
        name = "stdout" if self._terminal else "stderr"
        stream = process.stdout if self._terminal else process.stderr
        while data := await self._next(stream):
            found, steps = dialogue.heard(data)
            if found:
                await self._wrote(name, found)
            for step in steps:
                await self._do(step, limit)
        if not dialogue.begun:
            await process.wait_closed()
        if rest := dialogue.ended():
            await self._wrote(name, rest)
        if dialogue.refusal is not None:
            if process.exit_status is None and process.exit_signal is None:
                raise self._lost(None)
            raise self._refused()

    async def _next(self, stream: asyncssh.SSHReader[bytes]) -> bytes:
        if self._dialogue.begun:
            return await stream.read(READ)
        question = self._dialogue.question
        patience = QUESTION if question else PATIENCE
        try:
            async with asyncio.timeout(patience):
                return await stream.read(READ)
        except TimeoutError:
            text = f"it has neither begun nor asked for the password within {patience:g} s"
            raise Refused(Refusal.OTHER, f"{text}, but asks {question!r:.200}" if question else text) from None

    async def _output(self) -> None:
        process = self._process
        assert process is not None
        while data := await process.stdout.read(READ):
            if found := self._dialogue.out(data):
                await self._wrote("stdout", found)

    async def _wrote(self, name: str, data: bytes) -> None:
        if self.answers is not None and (typed := self.answers.feed(name, data)):
            self._typed.put_nowait(typed)
        await self._came(name, data)

    async def _do(self, step: Step, limit: asyncio.Timeout) -> None:
        process = self._process
        assert process is not None
        if step is Step.ASK:
            await self._ask(limit)
        elif step is Step.PASSWORD:
            assert self._permit is not None
            with contextlib.suppress(Exception):  # whose traceback would have it; the end is seen where words are read
                process.stdin.write(self._permit.secret.line())
        elif step is Step.BEGIN:
            if self._permit is not None and self._dialogue.sent:
                self._permit.right()
            elif self._permit is not None:
                self._permit.end()  # it was not asked for after all
            self._begun.set()
        elif step is Step.OVER:
            with contextlib.suppress(OSError):
                process.stdin.write(b"\n")
        elif step is Step.DONE:
            self._over = True
            with contextlib.suppress(OSError):
                process.stdin.write(words.end(self._more, pty=self._pty))
            self._lingering = asyncio.get_running_loop().call_later(LINGERING, process.channel.abort)
        elif step is Step.REFUSED:
            raise self._refused()
        else:
            self._credit.put_nowait(step)

    async def _ask(self, limit: asyncio.Timeout) -> None:
        """Have a password, for as long as that takes."""
        loop, when = asyncio.get_running_loop(), limit.when()
        left = None if when is None else when - loop.time()
        limit.reschedule(None)
        self._permit = await self._asked.password.permit(str(self._host), self._host.settings.address)
        limit.reschedule(None if left is None else loop.time() + left)
        await self._write(self._dialogue.ask())

    def _refused(self) -> Refused:
        why = self._dialogue.refusal
        assert why is not None
        if self._permit is not None and self._dialogue.sent:
            if why in {Refusal.WRONG, Refusal.MORE}:  # which would be the same everywhere
                self._permit.wrong()
            elif why is Refusal.FORBIDDEN:  # which is told to who has the right one
                self._permit.right()
        return Refused(why, self._dialogue.said)

    # ---- what goes ---------------------------------------------------------------------------------------------------

    async def _feed(self, source: Source | None) -> None:
        """The guard, the command, and its input, as fast as it takes it."""
        await self._begun.wait()
        guard = words.guard(self._more, self._dialogue.outer, pty=self._pty, raw=self._raw)
        line, given = self._asked.line(), self._asked.command.input
        own = given or b""
        if source is None and self.answers is not None:
            source = self._answered()
        elif source is None and given is not None and (self._pty or len(given) > LARGEST):
            source, own = _parts(given), b""
        if self._pty:
            await self._write(guard + line)
            await self._type(source)
        elif len(line) > SHORT:
            await self._write(guard)
            await self._feed_pieces(bytearray(line + own), source)
        else:
            last = source is None and not own
            await self._write(guard + words.first(line, last=last))
            if not last:
                await self._feed_pieces(bytearray(own), source)

    async def _type(self, source: Source | None) -> None:
        await self._credit.get()  # from here on the terminal is as any other
        last = b""
        if source is not None:
            async for data in source:
                last = data or last
                await self._write(data)
            await self._write(END_OF_FILE if last[-1:] in {b"", b"\n"} else END_OF_FILE * 2)

    async def _feed_pieces(self, held: bytearray, source: Source | None) -> None:
        """Whatever has come by the time that the last piece was taken is the next one.

        Args:
            held: the first of it.
            source: the rest; None for none.
        """
        size = FIRST
        credit: asyncio.Task[Step] | None = None
        coming: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                if credit is None and (held or source is None):
                    last = source is None and len(held) <= size
                    await self._write(words.piece(bytes(held[:size]), last=last))
                    if last:
                        return
                    del held[:size]
                    size = size if self._raw else min(2 * size, LARGEST)
                    credit = asyncio.create_task(self._credit.get())
                if coming is None and source is not None and len(held) < size:
                    coming = asyncio.create_task(_next(source))
                await asyncio.wait([task for task in (credit, coming) if task], return_when=asyncio.FIRST_COMPLETED)
                if coming is not None and coming.done():
                    data, coming = coming.result(), None
                    if data is None:
                        source = None
                    else:
                        held += data
                if credit is not None and credit.done():
                    if credit.result() is not Step.MORE:
                        return
                    credit = None
        finally:
            await _cancelled([task for task in (credit, coming) if task])

    async def _answered(self) -> Source:
        """What is typed for it."""
        while True:
            yield await self._typed.get()

    async def _write(self, data: bytes) -> None:
        process = self._process
        assert process is not None
        if self._over:
            return
        with contextlib.suppress(OSError):  # it reads no more, or is gone, which is seen where words are read
            process.stdin.write(data)
            await process.stdin.drain()

    def _lost(self, error: Exception | None) -> ConnectionLost | ConnectError:
        reason = getattr(error, "reason", None) or str(error or "the connection ended before it did")
        address, what = self._host.settings.address, f"{self._host}: {shown(self._asked.command.command)} under sudo"
        if self.begun:
            return ConnectionLost(f"{what} may have run: {reason}", address=address, phase="command")
        return ConnectError(f"{what} has not run: {reason}", address=address, phase="sudo")


def _abandoned(opening: asyncio.Future[asyncssh.SSHClientProcess[bytes]]) -> None:
    """Nobody waits any more for a channel that may yet be opened, and would be left open."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().channel.abort()


async def _until(reading: list[Coroutine[Any, Any, None]], feeding: Coroutine[Any, Any, None]) -> None:
    """Until all is read; what is not fed until then is not wanted. The first that fails ends the others."""
    readers, feeder = [asyncio.create_task(each) for each in reading], asyncio.create_task(feeding)
    tasks = [*readers, feeder]
    try:
        while not all(task.done() for task in readers):
            await asyncio.wait([task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: list[Any]) -> None:
    """End them; what is not wanted any more may fail."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()


async def _next(source: Source) -> bytes | None:
    return await anext(source, None)


async def _parts(data: bytes) -> Source:
    view = memoryview(data)
    for at in range(0, len(view), LARGEST):
        yield bytes(view[at : at + LARGEST])
