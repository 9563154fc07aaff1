"""The little of paramiko's ``SSHClient`` and ``Transport`` that task files ask of a `Connection`."""

from __future__ import annotations

from typing import Any

from elsewhere.fabric.shared.sftp import Sftp

__all__ = ["Client", "Transport"]


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

    def get_username(self) -> str:
        return str(self._connection.user)
