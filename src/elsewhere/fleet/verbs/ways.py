"""Ways to a host and over it: connecting, tunnels, and a host that starts anew."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from elsewhere.fleet.naming.secret import hiding
from elsewhere.fleet.verbs.base import Part, engine

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from elsewhere.fleet.options import Asked
    from elsewhere.fleet.tunnels.forwarding import Place, Way
    from elsewhere.runtime.future import Future

__all__ = ["Forward", "Ways"]

PORTS = 65535


class Forward:
    """A port that stands for another on the other side, while its block is open; also with ``async with``."""

    def __init__(self, way: Way) -> None:
        self._way = way

    @property
    def port(self) -> Place:
        """Where it listens: a number, or the path of a socket. Where 0 was asked for, the one that was found."""
        return self._way.where

    @property
    def error(self) -> Exception | None:
        """Why the last connection that came could not be carried on, or None."""
        return self._way.error

    def __enter__(self) -> Self:
        engine().call(self._way.open)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        engine().call(self._way.close)

    async def __aenter__(self) -> Self:
        await engine().submit(self._way.open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await engine().submit(self._way.close)


class Ways(Part):
    """See the module."""

    @property
    def is_connected(self) -> bool:
        """Is there a connection, as far as that is known here?"""
        link = self._host._link
        return link is not None and link.up

    def connect(self) -> None:
        """Connect now, and not when it is first needed.

        Raises:
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: there is no way there.
            ValueError: a file of keys, of known hosts or of ssh's configuration cannot be read.
        """
        self._do("connect", lambda host, _: host._connect())

    def connect_async(self) -> Future[None]:
        """`connect`, as a `Future`, with the same arguments."""
        return self._begin("connect", lambda host, _: host._connect())

    async def _connect(self) -> None:
        await self._host.link.connection()

    @hiding
    def reboot(
        self, wait: float = 120.0, command: str = "reboot", sudo: bool | None = None, *, password: Asked = None
    ) -> float:
        """Start the host anew, and wait until it is back.

        Args:
            wait: seconds for all of it.
            command: that does it.
            sudo: under sudo; by default unless the login is root's.
            password: sudo's; see `sudo`.

        Returns:
            The seconds that it took.

        Raises:
            CommandError: the command has failed.
            CallTimeout: it is not back in time, or has not gone down; says what was seen last.
            ConnectError, HostKeyError, Unauthorized: it was not reached in the first place, or sudo refused; or it has
                come back with another key.
            TypeError, ValueError: an argument is wrong.
        """
        return engine().call(self._rebooting(wait, command, sudo, password))

    @hiding
    def reboot_async(
        self, wait: float = 120.0, command: str = "reboot", sudo: bool | None = None, *, password: Asked = None
    ) -> Future[float]:
        """`reboot`, as a `Future`, with the same arguments."""
        return engine().submit(self._rebooting(wait, command, sudo, password))

    def _rebooting(
        self, wait: float, command: str, sudo: bool | None, password: Any
    ) -> Callable[[], Coroutine[Any, Any, float]]:
        from elsewhere.fleet.commands import run as commands
        from elsewhere.fleet.commands import sudo as sudoing
        from elsewhere.fleet.commands.prepare import prepare
        from elsewhere.fleet.verbs.rebooting import checked, reboot

        host, seconds = self._host, checked(wait)
        if sudo if sudo is not None else host.settings.user != "root":
            under_sudo = sudoing.prepare_sudo(command, password=password)
            return lambda: reboot(host, lambda: sudoing.run(host, under_sudo), seconds)
        plain = prepare(command)
        return lambda: reboot(host, lambda: commands.run(host, plain), seconds)

    def forward_local(
        self,
        local_port: Place,
        remote_port: Place | None = None,
        remote_host: str = "localhost",
        local_host: str = "localhost",
    ) -> Forward:
        """Have a port here stand for one that the host reaches::

            with host.forward_local(0, 5432) as way:
                connect(port=way.port)

        Args:
            local_port: where to listen here; 0 for a port that is free. A path is a Unix socket, here and below.
            remote_port: where to; the same by default.
            remote_host: where to, as the host sees it: itself by default.
            local_host: the name or address to listen at.

        Raises:
            OSError: when its block is entered: the port is taken here, or may not be used.
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: likewise: there is no way to the host.
            TypeError, ValueError: a port is none.
        """
        from elsewhere.fleet.tunnels.forwarding import FromHere

        further = _further(local_port, remote_port, "remote_port")
        return Forward(FromHere(self._host, (local_host, _port(local_port, 0)), (remote_host, further)))

    def forward_remote(
        self,
        remote_port: Place,
        local_port: Place | None = None,
        remote_host: str = "127.0.0.1",
        local_host: str = "localhost",
    ) -> Forward:
        """Have a port of the host stand for one that is reached from here.

        It ends when the connection to the host breaks.

        Args:
            remote_port: where to listen there; 0 for a port that is free. A path is a Unix socket.
            local_port: where to; the same by default.
            remote_host: the name or address to listen at there; sshd allows its own loopback, most often.
            local_host: where to, as this machine sees it.

        Raises:
            ConnectError: when its block is entered: the host does not listen there, or is not reached.
            ConnectTimeout, HostKeyError, Unauthorized: likewise: there is no way to the host.
            TypeError, ValueError: a port is none.
        """
        from elsewhere.fleet.tunnels.forwarding import FromThere

        further = _further(remote_port, local_port, "local_port")
        return Forward(FromThere(self._host, (remote_host, _port(remote_port, 0)), (local_host, further)))


def _further(listens: Place, to: Place | None, name: str) -> Place:
    if to is None and (listens == 0 or isinstance(listens, str)):
        raise ValueError(f"{name} says where to: {listens!r} is no port of the other side")
    return _port(listens if to is None else to, 1)


def _port(port: Place, least: int) -> Place:
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise TypeError(f"a port is a number, or the path of a socket, not {port!r}")
    if isinstance(port, int) and not least <= port <= PORTS:
        raise ValueError(f"a port is a number from {least} to {PORTS}, not {port}")
    if isinstance(port, str) and (not port or "\0" in port):
        raise ValueError(f"{port!r} is no path of a socket")
    return port
