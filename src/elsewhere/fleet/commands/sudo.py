"""A command under sudo: the whole of it, with its folder, its variables, its redirections."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from elsewhere.errors import CallTimeout, ConnectError, Unauthorized
from elsewhere.fleet.commands.command import Command
from elsewhere.fleet.commands.detached import detaching, found
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.commands.running import Sink, Source
from elsewhere.fleet.commands.sudo_channel import Channel, Refused
from elsewhere.fleet.naming.password import HOW, Password, password_of
from elsewhere.fleet.results import Result, shown
from elsewhere.sansio.hosts import prelude as words
from elsewhere.sansio.hosts.sudo import Refusal, account

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Sudo", "prepare_sudo", "run"]


@dataclass(frozen=True, kw_only=True)
class Sudo:
    """A command under sudo, for however many hosts; see `Host.sudo`.

    Attributes:
        command: what.
        password: for a sudo that asks for one.
        user: as whom; None for sudo's default.
        group: with which group; None for the user's.
    """

    command: Command
    password: Password
    user: str | None = None
    group: str | None = None

    @property
    def encoding(self) -> str | None:
        """Of what it writes."""
        return self.command.encoding

    def line(self) -> bytes:
        """What the shell under sudo reads; raises where something cannot be said. `Command.on` goes first."""
        command = self.command
        return words.line(
            command.command,
            cwd=command.cwd,
            prefixes=command.prefixes,
            env=command.env,
            quiet_input=command.quiet,
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
        secret = password_of(password, sudo_password_file)
    finally:
        password = None  # it shows in no traceback from here on
    if user is not None:
        account(user, "user")
    if group is not None:
        account(group, "group")
    asked = Sudo(command=prepare(command, **options), password=secret, user=user, group=group)
    asked.line()
    return asked


async def run(
    host: Host, asked: Sudo, sink: Sink | None = None, *, source: Source | None = None, keep: bool = True
) -> Result:
    """Run it, and wait for its end.

    Args:
        host: where.
        asked: what.
        sink: is given the output while it comes; what it gives is awaited before more is read.
        source: its input, in pieces, which are asked for as fast as it takes them; instead of the command's own.
        keep: the output is in the result, too.

    Where sudo wants a terminal and the command does not, what it writes to its standard error is in its output.

    Raises:
        Unauthorized: sudo does not run it: it has not run.
        CommandError: it has failed, and was to be checked.
        CallTimeout: it took too long, and was ended.
        ConnectError, ConnectTimeout, HostKeyError: there is no way there. It has not run.
        ConnectionLost: the connection broke while it ran.
    """
    asked = replace(asked, command=asked.command.on(host))
    if asked.command.detach:
        return found(host, asked.command, await run(host, replace(asked, command=_detaching(asked.command))))
    if source is not None:
        asked = replace(asked, command=replace(asked.command, input=b""))  # else it would be told to read nothing
    output: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

    async def came(name: str, data: bytes) -> None:
        if keep:
            output[name].append(data)
        given = sink(name, data) if sink is not None else None
        if given is not None and inspect.isawaitable(given):
            await given

    channel, took = await _ended(host, asked, came, source)
    status, signal = channel.status()
    command = asked.command
    result = Result(
        command.command if isinstance(command.command, str) else list(command.command),
        status,
        command.decoded(output["stdout"]),
        command.decoded(output["stderr"]),
        host=host,
        seconds=took,
        signal=signal,
    )
    if command.check:
        result.check_returncode()
    return result


def _detaching(command: Command) -> Command:
    """What is run to start it: all that is under sudo is run by sh, whose shell its user may not even have."""
    told = command.command
    return detaching(replace(command, command=("/bin/sh", "-c", told)) if isinstance(told, str) else command)


async def _ended(host: Host, asked: Sudo, came: Any, source: Source | None) -> tuple[Channel, float]:
    """The channel on which it has ended, and the seconds it took."""
    raw = lost = False
    while True:
        connection = await host.link.connection()
        async with host.link.session():
            channel = Channel(host, asked, connection, came, raw=raw)
            try:
                return channel, await _once(host, asked, channel, source)
            except ConnectError:
                if lost or channel.begun or not connection.is_closed():
                    raise
                lost = True  # it was dead, which nobody had seen: once more on a new one
            except Refused as refused:
                if refused.why is not Refusal.TERMINAL or raw or asked.command.pty:
                    raise _refusal(host, asked, refused) from None
                raw = True  # requiretty: sudo gets one, which is not the command's input


async def _once(host: Host, asked: Sudo, channel: Channel, source: Source | None) -> float:
    began = time.monotonic()
    limit = asyncio.timeout(asked.command.timeout)
    try:
        async with limit:
            await channel.run(source, limit)
    except BaseException as error:
        await asyncio.shield(channel.stop())
        if not isinstance(error, TimeoutError) or not limit.expired():
            raise
        text = (
            f"{host}: {shown(asked.command.command)} under sudo did not end within its timeout of "
            f"{asked.command.timeout:g} s, and was ended after {time.monotonic() - began:.3g} s"
        )
        if channel.answers is not None and channel.answers.open:
            text += f"; the last that it wrote was {channel.answers.open!r:.200}, for which there is no answer"
        raise CallTimeout(text) from None
    return time.monotonic() - began


def _refusal(host: Host, asked: Sudo, refused: Refused) -> Unauthorized:
    """In words."""
    login, target = host.settings.user, asked.user or "root"
    said = "; ".join(line.strip() for line in refused.said.splitlines() if line.strip())
    says = f": {said:.300}" if said else ""
    text = {
        Refusal.NONE: f"there is no sudo, with which {login} would become {target}",
        Refusal.WRONG: f"sudo does not take the password of {asked.password.source} for {login}; it was sent once",
        Refusal.MORE: f"sudo asks for more than the password of {asked.password.source}, which was sent once",
        Refusal.MISSING: f"sudo asks for a password, and none is known: {HOW}",
        Refusal.TERMINAL: f"sudo wants a terminal, and has got one{says}",
        Refusal.FORBIDDEN: f"sudo does not allow {login} to run /bin/sh as {target}"
        + (f" with the group {asked.group}" if asked.group else ""),
        Refusal.UNKNOWN: f"sudo knows no such user or group{says}",
        Refusal.OTHER: f"sudo has not run it{says or ', and does not say why'}",
    }[refused.why]
    return Unauthorized(f"{host}: {text}")
