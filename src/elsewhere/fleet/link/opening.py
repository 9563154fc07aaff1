"""One try to connect and log in, and what is said when it fails.

Rule: each way of failing is an error that tells it apart from the others: the name is not found, nobody is there, it is
refused, the host's key is not believed, the login is refused, it took too long (and what was under way then).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectError, ConnectTimeout, ElsewhereError, Unauthorized
from elsewhere.fleet.lean import lean
from elsewhere.fleet.link.dialing import dial, heard
from elsewhere.fleet.link.gates import Gates
from elsewhere.fleet.link.keys import Offer
from elsewhere.fleet.link.limits import most
from elsewhere.fleet.link.proxy import Proxy
from elsewhere.fleet.naming.known import Keys, Shown, added, keys_of, untrusted
from elsewhere.fleet.naming.settings import Settings

if TYPE_CHECKING:
    import asyncssh

__all__ = ["Transient", "open_connection"]

# With instructions for AES in the processor it is twice as fast as chacha20, which OpenSSH would choose.
_CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
    "aes256-ctr", "aes192-ctr", "aes128-ctr",
)  # fmt: skip


class Transient(ConnectError):
    """The connection broke before the login: often an sshd that has too many of them at the moment."""


class _Stages:
    """What has been reached so far, and the key that was shown."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self.settings = settings
        self.keys = keys
        self.offer = Offer(settings)
        self.shown: Shown | None = None
        self.phase = "connect"
        self.proxy: Proxy | None = None

    def end(self) -> None:
        """There is no connection, or not any more."""
        if self.proxy is not None:
            self.proxy.end()


@functools.cache
def _client() -> Any:
    """Asyncssh's client, which tells the stages and decides on keys. One class for all: a class is large."""
    import asyncssh

    class Client(asyncssh.SSHClient):
        def __init__(self, stages: _Stages) -> None:
            self.stages = stages

        def connection_made(self, conn: Any) -> None:
            lean(conn)
            self.stages.phase = "handshake"

        def connection_lost(self, exc: Exception | None) -> None:
            self.stages.end()

        def validate_host_public_key(self, host: str, addr: str, port: int, key: Any) -> bool:
            stages = self.stages
            stages.shown = Shown.of(key)
            known = stages.keys.trusted or stages.keys.authorities
            return stages.settings.policy != "strict" and not known

        def begin_auth(self, username: str) -> None:
            self.stages.phase = "login"

        async def public_key_auth_requested(self) -> Any:
            return await self.stages.offer.more()

    return Client


async def open_connection(settings: Settings, gates: Gates, tunnel: Any = None) -> asyncssh.SSHClientConnection:
    """A connection that is logged in.

    Args:
        settings: where to.
        gates: of this loop.
        tunnel: the connection of the host before it on the way, or None.

    Raises:
        HostKeyError, Unauthorized, ConnectTimeout, Transient, ConnectError: it cannot be had.
        ValueError: a file of keys or of known hosts cannot be read.
    """
    import asyncssh

    stages = _Stages(settings, keys_of(settings))
    arguments = _arguments(settings, stages)
    connection: asyncssh.SSHClientConnection | None = None
    try:
        async with asyncio.timeout(settings.connect_timeout) as limit:
            connection = await _connected(settings, stages, arguments, gates, limit, tunnel)
    except TimeoutError:
        raise ConnectTimeout(
            f"{settings.name}: not connected within {settings.connect_timeout:g} s: {_late(stages.phase)}",
            address=settings.address,
            phase=stages.phase,
        ) from None
    except (OSError, asyncssh.Error) as error:
        raise _failure(settings, stages, error) from error
    finally:
        stages.offer.close()
        if connection is None:
            stages.end()
    if stages.shown is not None and settings.policy == "accept-new":
        try:
            added(settings, stages.shown)
        except OSError as error:
            connection.abort()
            text = f"{settings.name}: its key cannot be added to {settings.known_hosts[0]}: {error.strerror}"
            raise ConnectError(text, address=settings.address, phase="host key") from error
    return connection


async def _connected(
    settings: Settings, stages: _Stages, arguments: dict[str, Any], gates: Gates, limit: asyncio.Timeout, tunnel: Any
) -> asyncssh.SSHClientConnection:
    import asyncssh

    sock: socket.socket | None = None
    connection: asyncssh.SSHClientConnection
    try:
        computes = True
        if settings.proxy_command:
            stages.proxy = Proxy(settings.proxy_command)
            sock = stages.proxy.sock
        elif tunnel is None:
            sock = await dial(settings.hostname, settings.port, settings.connect_timeout)
        if sock is not None:
            stages.phase = "handshake"
            computes = await heard(sock)
        async with gates.computing(limit) if computes else contextlib.nullcontext():
            connection = await asyncssh.connect(**arguments, sock=sock, tunnel=tunnel or ())
    except BaseException:
        if sock is not None:  # asyncssh's own copy of it is closed by asyncssh
            sock.close()
        raise
    return connection


def _arguments(settings: Settings, stages: _Stages) -> dict[str, Any]:
    more = dict(settings.more)
    more.setdefault("encryption_algs", _CIPHERS)
    arguments = {
        "host": settings.hostname,
        "port": settings.port,
        "username": settings.user,
        "config": None,
        "client_factory": functools.partial(_client(), stages),
        "client_keys": None,  # it asks `Client`
        "known_hosts": tuple(map(list, stages.keys)),
        "agent_path": None,
        "agent_forwarding": settings.agent if settings.forward_agent and settings.agent else False,
        "keepalive_interval": settings.keepalive,
        "keepalive_count_max": settings.keepalive_count,
        "login_timeout": 0,  # the time limit is that of the whole way
        **more,
    }
    if settings.alias:
        arguments["host_key_alias"] = settings.alias
    if settings.password is not None:
        arguments["password"] = settings.password
    return arguments


def _with_what(settings: Settings, offer: Offer) -> str:
    what = ["the password"] if settings.password is not None else []
    if offer.number:
        what.append("any key that was offered")
    missing = f" ({offer.missing})" if offer.missing else ""
    if not what:
        return f"without a key, and there is none: neither in a file, nor in an agent; keys= names one{missing}"
    return f"with {' or '.join(what)}{missing}"


def _late(phase: str) -> str:
    return {
        "connect": "nobody answers there",
        "handshake": "somebody is there, but does not finish the handshake",
        "login": "the login did not end",
    }[phase]


# ---- what went wrong -------------------------------------------------------------------------------------------------


def _failure(settings: Settings, stages: _Stages, error: Exception) -> ElsewhereError:
    import asyncssh

    def told(text: str, kind: type[ConnectError] = ConnectError, phase: str = stages.phase) -> ConnectError:
        return kind(f"{settings.name}: {text}", address=settings.address, phase=phase)

    where = f"{settings.hostname}, port {settings.port}"
    said = stages.proxy.last() if stages.proxy is not None else ""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        if stages.shown is not None:
            return untrusted(settings, stages.keys, stages.shown)
        return told(f"the key of {where} is not believed: {error.reason}", phase="host key")
    if isinstance(error, asyncssh.PermissionDenied):
        return Unauthorized(
            f"{settings.name}: {where} does not let {settings.user} in {_with_what(settings, stages.offer)}"
        )
    if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in error.reason:
        return told(f"{where} has no key of a kind that is known of it: {error.reason}", phase="host key")
    if isinstance(error, asyncssh.ChannelOpenError):
        return told(f"the host before it on the way does not reach {where}: {error.reason}", phase="connect")
    if isinstance(error, asyncssh.ConnectionLost | ConnectionResetError | BrokenPipeError):
        if stages.proxy is not None:
            return told(f"its ProxyCommand ended before the login{': ' if said else ''}{said}")
        return told(f"{where} closed the connection before the login", Transient)
    if isinstance(error, asyncssh.Error):
        return told(f"{where}: {error.reason}")
    if isinstance(error, socket.gaierror):
        return told(f"the name {settings.hostname} is not found: {error.strerror}", phase="resolve")
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return told(f"no connection to {where}: this process may have no more than {most()} files open (ulimit -n)")
    if isinstance(error, ConnectionRefusedError) or "Connection refused" in str(error):
        return told(f"{where} refuses connections: no sshd listens there")
    return told(f"{where} cannot be reached: {error.strerror if isinstance(error, OSError) else error}")
