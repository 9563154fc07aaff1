"""From what a `Connection` says to the `Host` that does the work."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elsewhere.fabric.v3.remote.connection import Connection
    from elsewhere.fleet import Host

__all__ = ["described", "gateway_of"]

KNOWN = {
    "allow_agent", "banner_timeout", "auth_timeout", "channel_timeout", "compress", "disabled_algorithms",
    "key_filename", "look_for_keys", "passphrase", "password", "pkey", "timeout",
}  # fmt: skip


def gateway_of(connection: Connection) -> Any:
    """What ssh's configuration or the settings say: a `Connection`, a text, or None."""
    from elsewhere.fabric.v3.remote.connection import Connection

    says = connection.ssh_config
    if "proxyjump" not in says:
        return says.get("proxycommand", connection.config.gateway)
    found = None
    for hop in says["proxyjump"].split(","):
        if connection.derive_shorthand(hop)["host"] == connection.host:
            return None  # it is the way itself
        options: dict[str, Any] = {} if found is None else {"gateway": found}
        found = Connection(hop, config=connection.config.clone(), **options)
    return found


def described(connection: Connection) -> Host:
    """The host.

    Raises:
        TypeError: ``connect_kwargs`` hold something that nothing here knows.
    """
    from elsewhere.fleet import Host

    given = connection.connect_kwargs
    unknown = sorted(set(given) - KNOWN)
    if unknown:
        raise TypeError(f"connect_kwargs hold {', '.join(unknown)}; what is known is {', '.join(sorted(KNOWN))}")
    timeout = connection.connect_timeout or given.get("timeout")
    options: dict[str, Any] = {
        "config": connection.config.base_ssh_config.files,
        "connect_timeout": float(timeout) if timeout else None,
        "password": given.get("password"),
        "passphrase": given.get("passphrase") or given.get("password"),
        "forward_agent": bool(connection.forward_agent),
        "keys": _keys(given),
    }
    if connection.gateway and isinstance(connection.gateway, str):
        options["proxy_command"] = connection.gateway
    else:
        options["jump"] = _jumps(connection.gateway or None)
    if given.get("allow_agent") is False:
        options["agent"] = False
    if connection.config.accept_new:
        options["host_keys"] = "accept-new"
    return Host(_text(connection), **options)


def _text(connection: Connection) -> str:
    name = connection.original_host
    return f"{connection.user}@{f'[{name}]' if name.count(':') > 1 else name}:{connection.port}"


def _jumps(gateway: Any) -> str | None:
    """The hosts on the way, the first one first; "none" says that there is none, whatever files say."""
    if gateway is None:
        return "none"
    way: list[str] = []
    while gateway is not None and not isinstance(gateway, str):
        way.append(_text(gateway))
        gateway = gateway.gateway
    return ",".join(reversed(way))


def _keys(given: Any) -> tuple[Any, ...] | None:
    """Files and loaded keys; None for the usual ones."""
    names = given.get("key_filename") or []
    keys: list[Any] = [names] if isinstance(names, str) else [str(name) for name in names]
    if given.get("pkey") is not None:
        keys.insert(0, _translated(given["pkey"]))
    if keys:
        return tuple(keys)
    return () if given.get("look_for_keys") is False else None


def _translated(key: Any) -> Any:
    """A key of paramiko's as one of asyncssh's.

    Raises:
        ValueError: it has no private half here, as keys of an agent, or it is of a kind that cannot be taken along.
    """
    import asyncssh

    try:
        text = _written(key)
    except Exception as why:  # each version of paramiko raises its own
        raise ValueError(
            f"connect_kwargs hold a pkey whose private half cannot be had from {type(key).__module__}."
            f"{type(key).__name__}: give the file's name as key_filename, or leave it out if an agent has it"
        ) from why
    return asyncssh.import_private_key(text)


def _written(key: Any) -> bytes:
    """The private key as the text of a file. Paramiko before 5 writes text, later ones bytes, and none Ed25519's."""
    if getattr(key, "_signing_key", None) is not None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(bytes(key._signing_key)).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    file: Any = io.BytesIO()
    try:
        key.write_private_key(file)
        return bytes(file.getvalue())
    except TypeError:
        file = io.StringIO()
        key.write_private_key(file)
        return str(file.getvalue()).encode()
