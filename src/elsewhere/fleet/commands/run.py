"""One command on one host: begun under the watcher's eyes, its output read while it comes, ended when it must be."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from elsewhere.errors import CallTimeout, ConnectError, ConnectionLost, ElsewhereError
from elsewhere.fleet.commands.command import Command
from elsewhere.fleet.commands.detached import detaching, found
from elsewhere.fleet.commands.running import Running, Sink, Source
from elsewhere.fleet.results import Result, shown

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Command", "Sink", "Source", "run"]

UNKNOWN_SIGNAL = 99  # the number of a signal whose name is not known here; asyncssh's


async def run(
    host: Host, command: Command, sink: Sink | None = None, *, source: Source | None = None, keep: bool = True
) -> Result:
    """Run it, and wait for its end; or only for its start, if it is to be `Detached`.

    Args:
        host: where.
        command: what.
        sink: is given the output while it comes; what it gives is awaited before more is read.
        source: its input, in pieces, which are asked for as fast as it takes them; instead of the command's own.
        keep: the output is in the result, too.

    Raises:
        CommandError: it has failed, and was to be checked.
        CallTimeout: it took too long, and was ended.
        ConnectError, ConnectTimeout, HostKeyError, Unauthorized: there is no way there. It has not run.
        ConnectionLost: the connection broke while it ran.
        TypeError, ValueError: it cannot be said.
    """
    command = command.on(host)
    if source is not None:
        command = replace(command, input=b"")  # it has some
    if command.detach:
        return found(host, command, await run(host, detaching(command)))
    running, took = await _once(host, command, sink, source, keep)
    if running is None:  # the connection was dead, which nobody had seen: it certainly has not run
        running, took = await _once(host, command, sink, source, keep)
    if running is None or running.lost is not None or (running.status is None and running.signal is None):
        raise _lost(host, command, running)
    result = _result(host, command, running, took)
    if command.check:
        result.check_returncode()
    return result


async def _once(
    host: Host, command: Command, sink: Sink | None, source: Source | None, keep: bool
) -> tuple[Running | None, float]:
    """What has run, and how long; None where the connection broke before it did."""
    link = host.link
    connection, watcher = await link.watching()
    async with link.session():
        running = Running(command, watcher, sink, source, keep=keep)
        began = time.monotonic()
        try:
            if command.timeout is None:
                await running.whole(connection)
            else:
                async with asyncio.timeout(command.timeout):
                    await running.whole(connection)
        except TimeoutError:
            await running.stop()
            raise _late(host, command, running, time.monotonic() - began) from None
        except ConnectionLost:
            if not connection.is_closed():
                raise
        except BaseException:
            await asyncio.shield(running.stop())
            raise
        took = time.monotonic() - began
    return (None if connection.is_closed() and not running.begun else running), took


def _result(host: Host, command: Command, running: Running, seconds: float) -> Result:
    """How it has ended."""
    status = running.status
    if running.signal is not None:
        status = -getattr(signal, f"SIG{running.signal}", UNKNOWN_SIGNAL)
    args = command.command
    return Result(
        args if isinstance(args, str) else list(args),
        -1 if status is None else status,
        command.decoded(running.output["stdout"]),
        command.decoded(running.output["stderr"]),
        host=host,
        seconds=seconds,
        signal=running.signal,
    )


def _late(host: Host, command: Command, running: Running, took: float) -> CallTimeout:
    text = (
        f"{host}: {shown(command.command)} did not end within its timeout of {command.timeout:g} s, and was ended "
        f"after {took:.3g} s"
    )
    if running.answers is not None and running.answers.open:
        text += f"; the last that it wrote was {running.answers.open!r:.200}, for which there is no answer"
    return CallTimeout(text)


def _lost(host: Host, command: Command, running: Running | None) -> ElsewhereError:
    error = running.lost if running is not None else None
    address = host.settings.address
    if isinstance(error, ConnectionLost):  # nothing is watched there
        return error
    reason = getattr(error, "reason", None) or str(error or "the connection ended before it did")
    if running is None or not running.begun:
        text = f"{host}: {shown(command.command)} has not run: {reason}"
        return ConnectError(text, address=address, phase="command")
    return ConnectionLost(f"{host}: {shown(command.command)} may have run: {reason}", address=address, phase="command")
