"""What the system and TLS say of a connection that fails, in a sentence and as our own error."""

from __future__ import annotations

import errno
import os
from typing import Any

from elsewhere.errors import ConnectError, ConnectionLost, ConnectTimeout, ElsewhereError, Unauthorized
from elsewhere.transport.address import Address

__all__ = ["lost", "tls_failed", "unreachable", "unresolved"]

# What a TLS server's last word is when it does not accept a client's certificate, or its lack. It says so when the
# client believes the handshake to be over, and before it has read anything.
_NOT_BELIEVED = (
    "CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED", "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "ACCESS_DENIED",
)  # fmt: skip


_GONE = {None, 0, errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}


def unresolved(error: OSError | UnicodeError, address: Address) -> ConnectError:
    """Why a host's name has no address."""
    text = getattr(error, "strerror", None) or str(error)
    return ConnectError(
        f"{address}: the name {address.host!r} cannot be resolved: {text}", address=str(address), phase="resolve"
    )


def unreachable(error: OSError, address: Address) -> ConnectError:
    """Why nobody could be connected to."""
    if error.errno == errno.ECONNREFUSED:
        text = "connection refused: nobody listens there"
    elif error.errno == errno.ENOENT and address.carrier == "unix":
        text = "there is no such socket: its server does not run, or listens somewhere else"
    elif error.errno == errno.EACCES and address.carrier == "unix":
        text = "permission denied: the socket may not be opened by this user"
    elif error.errno == errno.EAGAIN and address.carrier == "unix":
        text = "too many wait to be accepted there"
    else:
        text = _strerror(error)
    kind = ConnectTimeout if error.errno == errno.ETIMEDOUT else ConnectError
    found = kind(f"{address}: {text}", address=str(address), phase="connect")
    found.__cause__ = error
    return found


def tls_failed(error: OSError, address: Address) -> ConnectError:
    """Why TLS's handshake with a server failed."""
    if type(error).__name__ == "SSLCertVerificationError":  # by name, since plain sockets do without importing ssl
        why = getattr(error, "verify_message", "") or str(error)
        cure = "TLS(ca=...) names the authority, TLS(server_name=...) another name"
        text = f"its certificate is not believed: {why}. {cure}"
    elif type(error).__name__ == "SSLEOFError" or error.errno in _GONE:
        text = f"it closed the connection during the TLS handshake: is it a {address.carrier}:// server?"
    elif reason := getattr(error, "reason", None):
        text = f"TLS failed: {_words(reason)}"
        if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
            text += f": is it a {address.carrier}:// server?"
    else:
        text = f"TLS failed: {_strerror(error)}"
    return ConnectError(f"{address}: {text}", address=str(address), phase="handshake")


def lost(error: OSError, address: str, phase: str) -> ElsewhereError:
    """Why a connection that was well is so no longer.

    Returns:
        A `ConnectionLost`; or `Unauthorized`, where a server does not accept the certificate: it has read nothing.
    """
    reason: Any = getattr(error, "reason", None)
    if type(error).__name__ in {"SSLEOFError", "SSLZeroReturnError"}:
        return ConnectionLost(f"{address}: the far side has closed the connection", address=address, phase=phase)
    if reason:
        if any(word in reason for word in _NOT_BELIEVED):
            return Unauthorized(
                f"{address} does not accept this side's certificate ({_words(reason)}): "
                "TLS(cert=..., key=...) shows one, of an authority that it believes"
            )
        return ConnectionLost(f"{address}: TLS failed: {_words(reason)}", address=address, phase=phase)
    if error.errno in {errno.ECONNRESET, errno.ECONNABORTED}:
        text = "the far side has reset the connection"
    elif error.errno in {errno.EPIPE, errno.ESHUTDOWN}:
        text = "the far side has closed the connection"
    elif error.errno == errno.ETIMEDOUT:
        text = "the far side has vanished: it has confirmed nothing for a long time"
    else:
        text = _strerror(error)
    return ConnectionLost(f"{address}: {text}", address=address, phase=phase)


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()


def _strerror(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
