"""From what a user calls a cluster to a client that is connected: addresses, TLS, clients, cluster objects."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from elsewhere.errors import ConnectError, ConnectTimeout

__all__ = ["Target", "connect", "of_object", "parse"]

PORT = 8786
PATIENCE = 10.0  # seconds for a scheduler to answer
OPTIONS = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}
SCHEMES = {"dask": "tcp", "dask+tls": "tls"}


class Target(NamedTuple):
    """Where a scheduler is.

    Attributes:
        address: as Dask writes it, ``"tcp://host:8786"``.
        security: options of `distributed.Security`; None for what Dask's own configuration says.
        shown: as the user wrote it, for messages.
    """

    address: str
    security: dict[str, str] | None
    shown: str


def parse(text: str) -> Target:
    """What ``"dask://host:8786"`` and ``"dask+tls://host:8786?ca=ca.pem&cert=me.pem&key=me.key"`` mean.

    Raises:
        ValueError: it is no such address; says what it should be.
    """
    form = 'an address of a Dask scheduler is "dask://host:8786" or "dask+tls://host:8786?ca=...&cert=...&key=..."'
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{form}, not {text!r}: {error}") from None
    scheme = SCHEMES.get(parts.scheme)
    if scheme is None or not host or parts.path not in ("", "/") or parts.fragment or parts.username is not None:
        raise ValueError(f"{form}, not {text!r}")
    security: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if scheme != "tls" or name not in OPTIONS or not value:
            known = "ca, cert and key, each a file" if scheme == "tls" else "none without TLS"
            raise ValueError(f"options of {text!r} are {known}; {name}={value} is none of them")
        security[OPTIONS[name]] = value
    host = f"[{host}]" if ":" in host else host
    address = f"{scheme}://{host}:{PORT if port is None else port}"
    return Target(address, security or None, text.partition("?")[0])


def connect(target: Target) -> Any:
    """A client of our own.

    Raises:
        ConnectError: there is no scheduler; knows the address.
    """
    from distributed import Security

    parts = urlsplit(target.address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or PORT), timeout=PATIENCE).close()
    except OSError as error:  # said at once: a client would try again for long
        phase = "resolve" if isinstance(error, socket.gaierror) else "connect"
        raise _unreachable(target.shown, phase, error) from error
    tls = target.address.startswith("tls://")
    options = {"require_encryption": True, **(target.security or {})} if tls else {}
    return _client(target.address, Security(**options) if tls else None, target.shown)


def _client(address: str, security: Any, shown: str) -> Any:
    from distributed import Client, Security

    _greet(address, security or Security(), shown)
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False, security=security, name="elsewhere")
    except OSError as error:
        raise _unreachable(shown, "greeting", error) from error


def _greet(address: str, security: Any, shown: str) -> None:
    """Is a scheduler there? A client that cannot connect may hang for ever, and leaves its loop's thread."""
    failures: list[BaseException] = []

    async def greet() -> None:
        from distributed.core import connect

        comm = await connect(address, timeout=PATIENCE, **security.get_connection_args("client"))
        try:
            await comm.write({"op": "ncores", "reply": True})
            if not isinstance(await comm.read(), dict):
                raise OSError("what answers is no scheduler")
        finally:
            comm.abort()

    def run() -> None:  # in a thread, as the caller may be inside a loop of its own
        try:
            asyncio.run(asyncio.wait_for(greet(), PATIENCE))
        except Exception as error:  # noqa: BLE001 - what is no scheduler may answer anything
            failures.append(error)

    thread = threading.Thread(target=run, name="elsewhere-connect", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise _unreachable(shown, "handshake", failures[0]) from failures[0]


def _unreachable(shown: str, phase: str, error: BaseException) -> ConnectError:
    kind = ConnectTimeout if isinstance(error, TimeoutError) or "imed out" in str(error) else ConnectError
    return kind(f"no Dask scheduler answers at {shown}: {str(error) or 'in time'}", address=shown, phase=phase)


def of_object(where: Any) -> tuple[Any, bool]:
    """The client for what a user has made himself, a client or a cluster, and whether it is ours to close.

    Raises:
        TypeError, ValueError: it is neither, or cannot be used from here; says what to do.
    """
    from distributed import Client

    if isinstance(where, Client):
        if where.asynchronous or getattr(where, "_asynchronous", False):
            raise ValueError(
                "where= takes no asynchronous Client, whose loop the pool would wait for inside itself: "
                "pass the scheduler's address, or a Client made with asynchronous=False"
            )
        if where.status != "running":
            raise ValueError(f"where= takes a Client that is connected, and this one is {where.status}")
        return where, False
    address = getattr(where, "scheduler_address", None)
    if not isinstance(address, str):
        raise TypeError(f'where= takes "dask://host:8786", a distributed.Client or a Cluster, not {where!r}')
    if not address:
        raise ValueError(f"where= takes a Cluster that runs, and {where!r} has no scheduler")
    return _client(address, getattr(where, "security", None), address), True
