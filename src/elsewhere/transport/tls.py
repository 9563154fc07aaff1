"""TLS: which certificate this side shows, and whom it believes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl  # who speaks no TLS does without: it takes as long to import as all the rest of a client

__all__ = ["TLS"]

Path = str | os.PathLike[str]


class TLS(NamedTuple):
    """How ``tls://`` and ``https://`` addresses are served and connected to. TLS 1.2 is the least that is spoken.

    Args:
        cert: a PEM file with this side's certificate, and those between it and its authority. A server needs one; a
            client shows it to servers that ask (mutual TLS).
        key: a PEM file with its private key; None if `cert` holds both.
        ca: a PEM file with the authorities to believe. For a client, None means the system's; for a server it means
            that clients need no certificate, and with it they need one.
        password: of the key's file; never shown.
        server_name: the name that the server's certificate must be for; None for the address's host.
        context: a context of your own, instead of all of these.

    Example::

        service.serve("tls://0.0.0.0:6789", tls=TLS(cert="server.pem", key="server.key", ca="clients.pem"))
        connect("tls://host:6789", tls=TLS(ca="authority.pem", cert="me.pem", key="me.key"))
    """

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    password: str | None = None
    server_name: str | None = None
    context: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        shown = {name: value for name, value in self._asdict().items() if value is not None and name != "password"}
        return f"TLS({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def wants_certificates(self) -> bool:
        """Has a server's client to show one?"""
        if self.context is not None:
            return self.context.verify_mode == 2  # ssl.CERT_REQUIRED
        return self.ca is not None

    def for_server(self) -> ssl.SSLContext:
        """The context of a server.

        Raises:
            ValueError: there is no certificate.
            OSError: a file cannot be read, or is no PEM file of that kind; names it.
        """
        if self.context is not None:
            return self.context
        if self.cert is None:
            raise ValueError(
                "a tls:// or https:// server needs a certificate: tls=TLS(cert='server.pem', key='server.key')"
            )
        import ssl

        context = _made(ssl.PROTOCOL_TLS_SERVER)
        self._load(context)
        if self.ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def for_client(self) -> ssl.SSLContext:
        """The context of a client; raises `OSError` as `for_server` does."""
        if self.context is not None:
            return self.context
        import ssl

        context = _made(ssl.PROTOCOL_TLS_CLIENT)  # it verifies the certificate and its name
        self._load(context)
        if self.ca is None:
            context.load_default_certs()
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        cert, key, ca = self.cert, self.key, self.ca
        if cert is not None:
            _named(lambda: context.load_cert_chain(cert, key, self.password or _no_password), cert)
        if ca is not None:
            _named(lambda: context.load_verify_locations(ca), ca)


def _made(protocol: int) -> ssl.SSLContext:
    import ssl

    from elsewhere.transport.secure import KeptSocket

    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = KeptSocket
    return context


def _no_password() -> str:
    raise ValueError("the key's file has a password: give it as TLS(password=...)")


def _named(load: Callable[[], None], file: Path) -> None:
    import ssl

    try:
        load()
    except ssl.SSLError as error:
        reason = error.reason or "no PEM data"
        raise ssl.SSLError(error.errno, f"{os.fspath(file)!r} cannot be used for TLS ({reason})") from None
    except OSError as error:
        raise type(error)(error.errno, f"{os.fspath(file)!r} cannot be read: {error.strerror}") from None
