"""The functions of a server as methods of an object: `ServerProxy`."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any, Self

from elsewhere.xmlrpc.client.marshalling import dumps
from elsewhere.xmlrpc.client.transport import SafeTransport, Transport

__all__ = ["Server", "ServerProxy"]


class _Method:
    """A method, by its name, which may have dots: ``proxy.supervisor.getState``."""

    def __init__(self, send: Callable[[str, tuple[Any, ...]], Any], name: str) -> None:
        self.__send = send
        self.__name = name

    def __getattr__(self, name: str) -> _Method:
        return _Method(self.__send, f"{self.__name}.{name}")

    def __call__(self, *args: Any) -> Any:
        return self.__send(self.__name, args)


class ServerProxy:
    """A server, by its URL. Its methods are called as ``proxy.name(...)``; names with dots as they are written.

    ``proxy("close")()`` closes its connections, and ``proxy("transport")`` is its transport; as a context manager it
    closes them at the end. Any number of threads may call at once.

    Args:
        uri: ``"http://user:password@host:port/path"``, or https. Without a path it is ``/RPC2``.
        transport: sends the requests; made here if it is None. The arguments below that are marked * are its own then.
        encoding: of the requests; UTF-8 by default.
        verbose: print what is sent and what comes.
        allow_none: None may be an argument; it is ``<nil/>``.
        use_datetime: * make `datetime.datetime` of times, instead of `DateTime`.
        use_builtin_types: * that, and `bytes` of binary data, instead of `Binary`.
        headers: * more headers of each request: pairs of name and value.
        context: * an `ssl.SSLContext`, for https.
        timeout: * seconds, as of `Transport`. Not in the original.

    Raises:
        OSError: the URL is neither http nor https.
    """

    def __init__(
        self,
        uri: str,
        transport: Any = None,
        encoding: str | None = None,
        verbose: Any = False,
        allow_none: bool = False,
        use_datetime: bool = False,
        use_builtin_types: bool = False,
        *,
        headers: Iterable[tuple[str, str]] = (),
        context: Any = None,
        timeout: float | None = None,
    ) -> None:
        url = urllib.parse.urlsplit(uri)
        if url.scheme not in {"http", "https"}:
            raise OSError("unsupported XML-RPC protocol: the URL begins neither with http:// nor with https://")
        self.__host = url.netloc
        self.__handler = urllib.parse.urlunsplit(("", "", *url[2:])) or "/RPC2"
        if transport is None:
            kwargs: dict[str, Any] = {} if url.scheme == "http" else {"context": context}
            kind = Transport if url.scheme == "http" else SafeTransport
            transport = kind(use_datetime, use_builtin_types, headers=headers, timeout=timeout, **kwargs)
        self.__transport = transport
        self.__encoding = encoding or "utf-8"
        self.__verbose = verbose
        self.__allow_none = allow_none

    def __request(self, methodname: str, params: tuple[Any, ...]) -> Any:
        text = dumps(params, methodname, encoding=self.__encoding, allow_none=self.__allow_none)
        answer = self.__transport.request(
            self.__host, self.__handler, text.encode(self.__encoding, "xmlcharrefreplace"), verbose=self.__verbose
        )
        return answer[0] if len(answer) == 1 else answer

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self.__host.rpartition('@')[2]}{self.__handler}>"

    def __getattr__(self, name: str) -> _Method:
        if name.startswith("__") and name.endswith("__"):  # Python looks for such, notebooks too; no server has them
            raise AttributeError(name)
        return _Method(self.__request, name)

    def __call__(self, attr: str) -> Any:
        """What is the proxy's own, and no method of the server: ``"close"`` or ``"transport"``."""
        if attr == "close":
            return self.__transport.close
        if attr == "transport":
            return self.__transport
        raise AttributeError(f"Attribute {attr!r} not found")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.__transport.close()


Server = ServerProxy
