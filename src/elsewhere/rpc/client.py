"""`connect` and `Client`: call the methods of a service, or of any peer of MessagePack-RPC, JSON-RPC or XML-RPC."""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from elsewhere.call import UNSET, Options, Retry
from elsewhere.rpc.calling.batch import Batch
from elsewhere.rpc.calling.link import Link
from elsewhere.rpc.calling.names import Method
from elsewhere.rpc.calling.terms import Calling, Terms
from elsewhere.runtime.future import Future
from elsewhere.transport.address import STREAMS, WEB, Address
from elsewhere.transport.tls import TLS

if TYPE_CHECKING:
    from elsewhere.rpc.calling.http.link import HttpLink
    from elsewhere.rpc.service import Service

__all__ = ["Client", "connect"]

LIMIT = 64 << 20  # bytes of a message


def connect(
    address: str | Address,
    timeout: float | None = 10.0,
    *,
    token: str | None = None,
    user: str | None = None,
    password: str | None = None,
    tls: TLS | None = None,
    service: Service | None = None,
    old_raw: bool = False,
    name: str | None = None,
    retry: int | Retry | None = None,
    max_size: int = LIMIT,
) -> Client:
    """A `Client` for the service, or the peer of another make, at an address.

    It is connected at once, so that a wrong address is said here, and connects again by itself when a call finds the
    connection gone.

    Args:
        address: ``"tcp://host:6789"``, ``"tls://host:6789"`` or ``"unix:///run/app.sock"`` for MessagePack-RPC;
            ``"http://host:8000"`` or ``"https://host"`` for JSON-RPC (at ``/jsonrpc``), ``"http://host:8000/RPC2"`` for
            XML-RPC. With any path, ``"jsonrpc+http://host/path"`` and ``"xmlrpc+http://host/path"`` (or ``+https``,
            ``+unix``) say which.
        timeout: seconds that connecting may take, and each call that sets no other; None for no limit.
        token: the secret that the service asks for; a bearer's over HTTP. It is checked at once.
        user, password: for basic authentication, over HTTP. They are checked at once.
        tls: whom to believe, and which certificate to show, for ``tls://`` and ``https://``.
        service: methods that the far side may call on this connection, at any time; those of ours find the way with
            ``elsewhere.rpc.caller()``. They run in threads, or where the service says. Not over HTTP.
        old_raw: the peer speaks MessagePack of before 2013, which has one type for str and bytes.
        name: what the service may call this client, in its logs.
        retry: see `Client.options`.
        max_size: bytes of the largest message, both ways.

    Raises:
        TypeError, ValueError: an argument is wrong.
        ConnectTimeout: nobody answered within the time.
        ConnectError: nobody listens there, the name is not found, a certificate is not believed, ...
        Unauthorized: the service asks for a token, or another one.
        ProtocolError: with a token or a password, where the far side speaks something else.
    """
    target = Address.parse(address, (*STREAMS, *WEB))
    options = Options.of(timeout, retry)
    for what, value in {"token": token, "name": name, "user": user, "password": password}.items():
        _check_text(what, value)
    if tls is not None and not target.encrypted:
        raise ValueError(f"tls= is for addresses that begin with tls:// or https://, and this one is {target}")
    if isinstance(max_size, bool) or not isinstance(max_size, int) or not 0 < max_size < 2**31:
        raise ValueError(f"max_size is a number of bytes from 1 to 2 GiB, not {max_size!r}")
    limit = math.inf if options.timeout is None else options.timeout
    terms = Terms(limit, f"connect(timeout={limit:g})", options.retry)
    if target.scheme in WEB:
        _check_for_http(service, old_raw)
        return Client(_over_http(target, terms, token, user, password, tls=tls, name=name, max_size=max_size), terms)
    if user is not None or password is not None:
        raise ValueError(f"user= and password= are for addresses of HTTP, and this one is {target}: token= is a secret")
    link = Link(target, limit, token=token, tls=tls, old_raw=old_raw, name=name, max_size=max_size)
    if service is not None:
        link.serve(_checked_service(service))
    link.start(terms)
    return Client(link, terms)


def _over_http(
    target: Address, terms: Terms, token: str | None, user: str | None, password: str | None, **options: Any
) -> HttpLink:
    from elsewhere.rpc.calling.http.link import HttpLink
    from elsewhere.rpc.calling.http.posting import authorization

    secret = authorization(token, user, password)
    link = HttpLink(target, secret=secret, **options)
    link.start(terms, proves=secret is not None)
    return link


def _check_for_http(service: Any, old_raw: bool) -> None:
    if service is not None:
        raise ValueError("service= is not for HTTP, over which nobody can call back: connect to a tcp:// address")
    if old_raw:
        raise ValueError("old_raw= is for MessagePack, and not for HTTP")


def _checked_service(service: Any) -> Service:
    from elsewhere.rpc.service import Service

    if not isinstance(service, Service):
        raise TypeError(f"service is a Service, not {service!r}: Service(obj) makes one of an object")
    if service._token is not None:
        raise ValueError("a service that asks for a token cannot be offered here: the far side of a client sends none")
    return service


def _check_text(what: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{what} is a str, not a value of type {type(value).__name__}")


class Client:
    """Calls the methods of one service, from any number of threads; made by `connect`.

    ``client.double(7)`` is ``client.call("double", 7)``, and ``client.a.b.c(1)`` calls ``"a.b.c"``. Methods whose names
    the client uses itself (`call`, `submit`, `notify`, `batch`, `options`, `methods`, `close`, `address`, `closed`) are
    reached by `call`.

    Also a context manager, which closes it. A process that is forked off may use it too, over a connection of its own.
    """

    __slots__ = ("__weakref__", "_link", "_methods", "_terms")

    def __init__(self, link: Calling, terms: Terms) -> None:
        self._link = link
        self._terms = terms
        self._methods: dict[str, Method] = {}  # that were asked for

    @property
    def address(self) -> str:
        """The service's, as a URL."""
        return self._link.address

    @property
    def closed(self) -> bool:
        """Was it closed?"""
        return self._link.closed

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method and wait for its result.

        Keyword arguments travel to services of ours; plain peers know positional ones only, but for those of
        JSON-RPC, which take one kind or the other.

        Raises:
            RemoteError: the far side answered with an error, which has its text and data.
            MethodNotFound, ArgumentError: ... because there is no such method, or it does not take these arguments.
            CallTimeout: it did not answer within the limit. It was told to stop, if it is one of ours.
            ConnectionLost: the connection ended before the answer; the call may have run. See `options`.
            ConnectError: there is no connection; it certainly did not run.
            TypeError, ValueError, OverflowError: the arguments cannot be packed, or a plain peer should get keywords.
            MessageTooLarge: they are above `max_size`.
            ProtocolError: over HTTP, what came back is no answer; says which address to try.
        """
        if type(method) is not str or not method:
            _no_method(method)
        return self._link.call(method, args, kwargs, self._terms)

    def submit(self, method: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a method without waiting: a `Future`, which has ``result()`` and can be awaited.

        Calls that are submitted in a row are sent together, each within a millisecond; over HTTP up to 16 are under way
        at a time, each on a connection of its own. Cancelling the future stops the method, if the service is one of
        ours. When 8,192 calls or 64 MiB could not be sent yet, it waits for room.

        Raises:
            TypeError, ValueError, OverflowError, MessageTooLarge: as `call` does. All else is the future's.
        """
        if type(method) is not str or not method:
            _no_method(method)
        return self._link.submit(method, args, kwargs, self._terms)

    def notify(self, method: str, /, *args: Any) -> None:
        """Call a method of which no answer is wanted; returns when that is sent. Nobody tells whether it has run.

        Over HTTP it returns when the request is answered, which for XML-RPC is when the method has run.

        Raises:
            ConnectError: there is no connection.
            CallTimeout: the far side takes no data.
            TypeError, ValueError, OverflowError, MessageTooLarge: as `call` does.
        """
        if type(method) is not str or not method:
            _no_method(method)
        self._link.notify(method, args, self._terms)

    def batch(self) -> Batch:
        """Collects calls in a ``with`` block, and sends them at its end, together.

        Example::

            with client.batch() as batch:
                one = batch.double(7)
                two = batch.call("double", 8)
            batch.results()  # [14, 16]; one.result() is 14
        """
        return Batch(self._link, self._terms)

    def options(
        self, timeout: float | None = UNSET, retry: int | Retry | None = UNSET, *, idempotent: bool = UNSET
    ) -> Client:
        """A view of this client that calls with other terms; what is left out stays as it is.

        Args:
            timeout: seconds for each call; None for no limit.
            retry: a number of repeats, or a `Retry`. It repeats calls that certainly did not run, and those whose
                method raised. One that may have run (its connection was lost, or it was too late) is repeated if its
                method is idempotent, or if the `Retry` names that error: ``Retry(2, on=ConnectionLost)``.
            idempotent: calls do no harm if they run twice. Services of ours tell which of their methods are.

        Raises:
            TypeError, ValueError: one of them is wrong.
        """
        terms = self._terms
        checked = Options.of(None if timeout is UNSET else timeout, None if retry is UNSET else retry)
        if timeout is not UNSET:
            limit = math.inf if checked.timeout is None else checked.timeout
            terms = terms._replace(limit=limit, by=f"options(timeout={limit:g})")
        if retry is not UNSET:
            terms = terms._replace(retry=checked.retry)
        if idempotent is not UNSET:
            if not isinstance(idempotent, bool):
                raise TypeError(f"idempotent is True or False, not {idempotent!r}")
            terms = terms._replace(idempotent=idempotent)
        return Client(self._link, terms)

    def methods(self) -> list[dict[str, Any]]:
        """What can be called there: each method's ``name``, ``signature``, ``doc``, and if it is ``idempotent``.

        Raises:
            MethodNotFound: the far side is a peer of another make, of which nobody can ask that. (XML-RPC's often can.)
        """
        return self._link.listed(self._terms)

    def close(self) -> None:
        """Close the connection. Calls under way fail; later ones too. Closes all views of the client."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Method:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        method = self._methods.get(name)
        if method is None:
            method = self._methods[name] = Method(self._link, name, self._terms)
        return method

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client is a connection and cannot be pickled: connect() in the other process")

    def __repr__(self) -> str:
        return f"<Client of {self.address}: {self._link.state()}>"


def _no_method(method: Any) -> NoReturn:
    if not isinstance(method, str):
        raise TypeError(f"the name of a method is a str, not {method!r}")
    raise ValueError("the name of a method is a str of one character or more, and of no subclass")
