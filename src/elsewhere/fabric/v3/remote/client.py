"""The little of paramiko's ``SSHClient`` and ``Transport`` that task files ask of a `Connection`."""

from __future__ import annotations

from typing import Any

from elsewhere.fabric.shared.sftp import Sftp
from elsewhere.fleet.below import peer_address

__all__ = ["Client", "Socket", "Transport"]


class Client:
    """What ``connection.client`` is.

    Args:
        connection: whose.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def get_transport(self) -> Transport | None:
        """The connection that is open, or None."""
        return Transport(self._connection) if self._connection.is_connected else None

    def open_sftp(self) -> Sftp:
        """Its files one by one, in a session of their own."""
        return Sftp(self._connection.reached())

    def close(self) -> None:
        self._connection.close()


class Transport:
    """What ``connection.transport`` is.

    Args:
        connection: whose.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def active(self) -> bool:
        """Is it open?"""
        return bool(self._connection.is_connected)

    def is_active(self) -> bool:
        return self.active

    def is_authenticated(self) -> bool:
        """It is, if it is open: until the login it is none."""
        return self.active

    @property
    def sock(self) -> Socket:
        """Its socket, as far as its addresses go."""
        return Socket(self._connection)

    def get_username(self) -> str:
        return str(self._connection.user)


class Socket:
    """What ``connection.transport.sock`` is.

    Args:
        connection: whose.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def getsockname(self) -> Any:
        """The address here."""
        return peer_address(self._connection.reached(), ours=True)

    def getpeername(self) -> Any:
        """The address there."""
        return peer_address(self._connection.reached())
