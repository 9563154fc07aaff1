"""A command under sudo: the whole of it, with its folder, its variables, its redirections.

Its input may be a stream, and its output go to one, as copies under sudo need it: see `pipe`.
"""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from elsewhere.errors import CallTimeout, Unauthorized
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.commands.run import Command, Sink
from elsewhere.fleet.commands.sudo_channel import Channel, Refused, Source
from elsewhere.fleet.naming.password import HOW, Password, password_of
from elsewhere.fleet.results import Result
from elsewhere.sansio.hosts import prelude as words
from elsewhere.sansio.hosts.sudo import Refusal, account

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Sudo", "pipe", "prepare_sudo", "run"]


@dataclass(frozen=True, kw_only=True)
class Sudo:
    """A command under sudo, for however many hosts; see `Host.sudo`."""

    command: Command
    password: Password
    user: str | None = None
    group: str | None = None

    def line(self) -> bytes:
        """What the shell under sudo reads; raises where something cannot be said."""
        command = self.command
        return words.line(
            command.command,
            cwd=command.cwd,
            prefixes=command.prefixes,
            env=command.env,
            quiet_input=command.input is None and not command.pty,
            plain=True,
        )


def prepare_sudo(
    command: str | Sequence[str],
    *,
    user: str | None = None,
    group: str | None = None,
    password: Any = None,
    sudo_password_file: Any = None,
    **options: Any,
) -> Sudo:
    """See `Host.sudo`.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """
    try:
        found = password_of(password, sudo_password_file)
    finally:
        password = None  # it shows in no traceback from here on
    if user is not None:
        account(user, "user")
    if group is not None:
        account(group, "group")
    asked = Sudo(command=prepare(command, **options), password=found, user=user, group=group)
    asked.line()
    return asked


async def run(host: Host, asked: Sudo, sink: Sink | None = None) -> Result:
    """Run it, and wait for its end.

    Args:
        host: where.
        asked: what.
        sink: is given the output while it comes.

    Raises:
        Unauthorized: sudo does not run it: it has not run.
        CommandError: it has failed, and was to be checked.
        CallTimeout: it took too long, and was ended.
        ConnectError, ConnectionLost: there is no way there, or not any more.
    """
    command, output = asked.command, {"stdout": [], "stderr": []}  # type: tuple[Command, dict[str, list[bytes]]]

    async def came(name: str, data: bytes) -> None:
        output[name].append(data)
        if sink is not None:
            sink(name, data)

    status, signal, seconds = await _ended(host, asked, command.input, came)
    texts = (_text(output[name], command.encoding) for name in ("stdout", "stderr"))
    result = Result(command.command, status, *texts, host=host, seconds=seconds, signal=signal)
    if command.check:
        result.check_returncode()
    return result


async def pipe(
    host: Host,
    asked: Sudo,
    source: Source,
    output: Callable[[bytes], Awaitable[None]] | None = None,
) -> Result:
    """Run it with a stream as its input, and its output going to another one, each as fast as the slower side is.

    Args:
        host: where.
        asked: what; its own ``input`` does not count.
        source: what it reads; None for nothing.
        output: is awaited with each piece of its standard output; None to keep it as the result's.

    Raises:
        As `run` does, and what the source and the output raise, after it was ended. Where sudo wants a terminal, what
        the command writes to its standard error is in its output.
    """
    errors: list[bytes] = []
    kept: list[bytes] = []

    async def came(name: str, data: bytes) -> None:
        if name == "stderr":
            errors.append(data)
        elif output is None:
            kept.append(data)
        else:
            await output(data)

    asked = replace(asked, command=replace(asked.command, input=None if source is None else b"", pty=False))
    status, signal, seconds = await _ended(host, asked, source, came)
    told = _text(errors, asked.command.encoding or "utf-8")
    result = Result(asked.command.command, status, b"".join(kept), told, host=host, seconds=seconds, signal=signal)
    if asked.command.check:
        result.check_returncode()
    return result


async def _ended(
    host: Host,
    asked: Sudo,
    source: Source,
    came: Callable[[str, bytes], Awaitable[None]],
) -> tuple[int, str | None, float]:
    """Its status, its signal, and the seconds it took."""
    connection = await host.link.connection()
    async with host.link.session():
        for raw in (False, True):
            channel = Channel(host, asked, connection, came, raw=raw)
            began = time.monotonic()
            try:
                async with asyncio.timeout(asked.command.timeout) as limit:
                    await channel.run(source, limit)
            except TimeoutError:
                await channel.stop()
                raise CallTimeout(
                    f"{host}: {asked.command.command!r} under sudo did not end within its timeout of "
                    f"{asked.command.timeout:g} s, and was ended after {time.monotonic() - began:.3g} s"
                ) from None
            except Refused as refused:
                await channel.stop()
                if refused.why is Refusal.TERMINAL and not raw and not asked.command.pty:
                    continue  # requiretty: with one for sudo, which the command does not see as its input
                raise _refusal(host, asked, refused) from None
            except BaseException:
                await asyncio.shield(channel.stop())
                raise
            status, signal = channel.status()
            return status, signal, time.monotonic() - began
    raise AssertionError


def _text(pieces: list[bytes], encoding: str | None) -> Any:
    data = b"".join(pieces)
    return data if encoding is None else codecs.decode(data, encoding, "surrogateescape")


def _refusal(host: Host, asked: Sudo, refused: Refused) -> Unauthorized:
    """In words."""
    login, target = host.settings.user, asked.user or "root"
    said = "; ".join(line.strip() for line in refused.said.splitlines() if line.strip())
    says = f": {said:.300}" if said else ""
    text = {
        Refusal.NONE: f"there is no sudo, with which {login} would become {target}",
        Refusal.WRONG: f"sudo does not take the password of {asked.password.source} for {login}; it was sent once",
        Refusal.MISSING: f"sudo asks for a password, and none is known: {HOW}",
        Refusal.TERMINAL: f"sudo wants a terminal, and has got one{says}",
        Refusal.FORBIDDEN: f"sudo does not allow {login} to run /bin/sh as {target}"
        + (f" with the group {asked.group}" if asked.group else ""),
        Refusal.UNKNOWN: f"sudo knows no such user or group{says}",
        Refusal.OTHER: f"sudo has not run it{says or ', and does not say why'}",
    }[refused.why]
    return Unauthorized(f"{host}: {text}")
