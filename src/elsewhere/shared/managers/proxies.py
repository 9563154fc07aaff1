"""Proxies: multiprocessing's, on one connection for the process.

Rule: a proxy is pickled as the manager's address and the object's name, never with the key; who loads it proves that it
has the key of its own process, or of a manager with that address which it made or connected to.

Inside the manager a proxy refers to its object without a connection.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterable
from multiprocessing import managers, process
from multiprocessing.managers import BaseProxy, Token
from typing import Any

from . import wire
from .link import link_to
from .server.serve import Server, here

theirs: Any = managers  # the stubs lack half of it

__all__ = ["AutoProxy", "DictProxy", "Proxy", "adapted", "make_proxy_type"]


class Granted(Token):
    """A token whose reference the server has counted already, for this process's connection."""

    __slots__ = ()


class _Hold:
    """A proxy's reference on the connection; given back when the proxy goes."""

    __slots__ = ("_link",)

    def __init__(self, link: Any, ident: str) -> None:
        self._link = link
        link.held[id(self)] = ident

    def __del__(self, _ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not _ending():  # the end of the connection will say the same
            self._link.drop(id(self))


class _Inner:
    """A reference of a proxy that lies in the manager itself."""

    __slots__ = ("_ident", "_server")

    def __init__(self, server: Server, ident: str) -> None:
        self._server, self._ident = server, ident

    def __del__(self) -> None:
        self._server.references.dropped.append(self._ident)


class Proxy(BaseProxy):
    """multiprocessing's BaseProxy, with another way to the server."""

    def __init__(
        self,
        token: Any,
        serializer: str,
        manager: Any = None,
        authkey: bytes | None = None,
        exposed: Any = None,
        incref: bool = True,
        manager_owned: bool = False,
    ) -> None:
        self._token = token
        self._id = token.id
        self._manager = manager
        self._serializer = serializer
        self._owned_by_manager = manager_owned
        if authkey is None and manager is not None:
            authkey = manager._authkey
        self._link = link_to(token.address, authkey, serializer) if not manager_owned else None
        # multiprocessing's attribute; the link has the key that is used
        self._authkey = theirs.process.AuthenticationString(
            process.current_process().authkey if authkey is None else authkey
        )
        if incref:
            self._incref()

    def _incref(self) -> None:
        if self._owned_by_manager:
            server = here(self._token.address)
            assert server is not None
            self._hold: Any = _Inner(server, self._id)
            return
        if not isinstance(self._token, Granted):
            self._ask("incref", self._id)
        self._hold = _Hold(self._link, self._id)

    def _ask(self, what: str, *args: Any) -> Any:
        assert self._link is not None
        kind, value = self._link.call(None, what, args)
        if kind != wire.RETURN:
            try:
                raise value
            finally:
                del value  # or the error would be part of a cycle, with its traceback's frames
        return value

    def _callmethod(self, methodname: str, args: Any = (), kwds: Any = None) -> Any:
        """Call a method of the referent; a copy of its result."""
        if self._link is None:
            server = here(self._token.address)
            if server is not None and server.thread == threading.get_ident():
                return server.local(self._id, methodname, args, kwds or {})
            self._link = link_to(self._token.address, self._authkey, self._serializer)
        kind, value = self._link.call(self._id, methodname, args, kwds)
        if kind == wire.RETURN:
            return value
        if kind == wire.PROXY:
            return self._proxy_of(*value)
        try:
            raise value
        finally:
            del value  # as in `_ask`

    def _proxy_of(self, typeid: str, exposed: Any, ident: str) -> Any:
        # A proxy that was pickled has lost its manager, and with it the registry.
        proxytype = RETURNED.get(typeid, AutoProxy) if self._manager is None else self._manager._registry[typeid][-1]
        token = Granted(typeid, self._token.address, ident)
        return proxytype(token, self._serializer, manager=self._manager, authkey=self._authkey, exposed=exposed)

    def __reduce__(self) -> Any:
        server = here(self._token.address)
        if server is not None:
            ticket = server.references.ticket(self._id, server.replying)
        else:
            ticket = self._ask("ticket", self._id)
        auto = getattr(self, "_isauto", False)
        kind = None if auto else getattr(type(self), "_adapts", type(self))
        exposed = getattr(self, "_exposed_", None) if auto else None
        token = self._token
        return rebuild, (kind, token.typeid, token.address, token.id, self._serializer, exposed, ticket)


def rebuild(kind: Any, typeid: str, address: Any, ident: str, serializer: str, exposed: Any, ticket: int) -> Any:
    """Load a proxy: the reference that came with it is this process's from here on."""
    server = here(address)
    make = AutoProxy if kind is None else adapted(kind)
    if server is not None:
        server.references.adopt(ident, ticket)
        return make(Token(typeid, address, ident), serializer, exposed=exposed, manager_owned=True)
    link = link_to(address, None, serializer)
    answer, value = link.call(None, "adopt", (ident, ticket))
    if answer != wire.RETURN:
        raise value
    return make(Granted(typeid, address, ident), serializer, authkey=link.authkey, exposed=exposed)


@functools.cache
def _adapted(kind: type) -> type:
    return type(kind.__name__, (Proxy, kind), {"__module__": kind.__module__, "_adapts": kind})


def adapted(kind: Any) -> Any:
    """The user's proxy type, or one of multiprocessing's, on our connection."""
    if kind is theirs.AutoProxy:
        return AutoProxy
    if not isinstance(kind, type) or issubclass(kind, Proxy) or not issubclass(kind, BaseProxy):
        return kind
    return OURS.get(kind) or _adapted(kind)  # type: ignore[arg-type]  # BaseProxy's hash in the stubs


@functools.cache
def make_proxy_type(name: str, exposed: tuple[str, ...]) -> type[Proxy]:
    """A proxy type whose methods are these."""
    return type(name, (Proxy, theirs.MakeProxyType(name, exposed)), {"__module__": __name__})


def AutoProxy(  # noqa: N802 - multiprocessing's name
    token: Any,
    serializer: str,
    manager: Any = None,
    authkey: bytes | None = None,
    exposed: Any = None,
    incref: bool = True,
    manager_owned: bool = False,
) -> Any:
    """A proxy whose methods are what the server exposes."""
    if exposed is None:
        kind, exposed = link_to(token.address, authkey, serializer).call(None, "get_methods", (token.id,))
        if kind != wire.RETURN:
            raise exposed
    proxy_type = make_proxy_type(f"AutoProxy[{token.typeid}]", tuple(exposed))
    proxy: Any = proxy_type(
        token, serializer, manager=manager, authkey=authkey, incref=incref, manager_owned=manager_owned
    )
    proxy._isauto = True
    return proxy


class IteratorProxy(Proxy, theirs.IteratorProxy):
    """multiprocessing's."""


class AcquirerProxy(Proxy, theirs.AcquirerProxy):
    """multiprocessing's."""


class ConditionProxy(Proxy, theirs.ConditionProxy):
    """multiprocessing's."""


class EventProxy(Proxy, theirs.EventProxy):
    """multiprocessing's."""


class BarrierProxy(Proxy, theirs.BarrierProxy):
    """multiprocessing's."""


class NamespaceProxy(Proxy, theirs.NamespaceProxy):
    """multiprocessing's."""


class ValueProxy(Proxy, theirs.ValueProxy):
    """multiprocessing's."""


class ArrayProxy(Proxy, theirs.ArrayProxy):
    """multiprocessing's."""


class ListProxy(Proxy, theirs.ListProxy):
    """multiprocessing's."""


class PoolProxy(Proxy, theirs.PoolProxy):
    """multiprocessing's."""

    _method_to_typeid_ = theirs.PoolProxy._method_to_typeid_


class DictProxy(Proxy, theirs.DictProxy):
    """multiprocessing's, and operations of several steps that nobody comes between."""

    _exposed_ = (*theirs.DictProxy._exposed_, "increment", "compare_and_set", "get_many", "update_with")
    _method_to_typeid_ = theirs.DictProxy._method_to_typeid_

    def increment(self, key: Any, by: Any = 1) -> Any:
        """Add to a value, which is 0 if there is none; returns the new one."""
        return self._callmethod("increment", (key, by))

    def compare_and_set(self, key: Any, old: Any, new: Any) -> bool:
        """Set a value if it equals `old` now; False if it does not, or there is none."""
        return bool(self._callmethod("compare_and_set", (key, old, new)))

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """Of those keys that are there, the values of one moment."""
        return dict(self._callmethod("get_many", (list(keys),)))

    def update_with(self, key: Any, fn: Callable[[Any], Any], *default: Any) -> Any:
        """Set a value to ``fn(value)``, computed in the manager, and return it.

        Where there is none, ``fn(default)``, or a KeyError without a default. Everybody waits for `fn`: keep it short.
        """
        return self._callmethod("update_with", (key, fn, *default))


RETURNED: dict[str, type[Proxy]] = {"Iterator": IteratorProxy}
OURS: dict[type, type[Proxy]] = {
    ours.__mro__[2]: ours
    for ours in (
        IteratorProxy, AcquirerProxy, ConditionProxy, EventProxy, BarrierProxy, NamespaceProxy, ValueProxy, ArrayProxy,
        ListProxy, PoolProxy, DictProxy,
    )
}  # fmt: skip
