"""The manager's process: one thread that serves all connections.

Rule: what is quick runs in that thread, so each operation on a dict, list or value is atomic, also one of several
steps; what waits is parked (`locks`, `waiting`); what may do anything, methods of the user's own classes, runs in a
thread for each of the client's threads (`lanes`).
"""

from __future__ import annotations

import array
import collections
import queue
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import managers, process
from traceback import format_exc, format_exception
from typing import Any

from elsewhere.shared.managers import wire
from elsewhere.shared.managers.wire import HEADER

from .additions import ADDITIONS
from .lanes import Lane
from .locks import PARKED, Call, Condition, Machine
from .references import References
from .traffic import Client, Traffic
from .waiting import MACHINES

theirs: Any = managers  # the stubs lack half of it

__all__ = ["Server", "here"]

# Their methods end soon, and run no code of the user's but hashes and comparisons.
QUICK = frozenset({
    dict, list, set, frozenset, bytearray, array.array, collections.deque, collections.OrderedDict,
    collections.Counter, collections.defaultdict, theirs.Namespace, theirs.Value, type(iter({})),
})  # fmt: skip


class Server(Traffic, theirs.Server):
    """multiprocessing's Server with another way to serve."""

    address: Any

    def __init__(self, registry: Any, address: Any, authkey: bytes, serializer: str) -> None:
        theirs.Server.__init__(self, registry, address or wire.private_address(), authkey, serializer)
        if isinstance(self.address, bytes):  # of a socket without a file
            self.address = self.address.decode()
        self.codec = wire.codec_for(serializer)
        self.references = References(self.id_to_obj, self.id_to_refcount)
        self.id_to_obj.pop("0", None)
        self.replying: Client | None = None  # to whom what is being pickled goes
        Traffic.__init__(self, self.listener._listener._socket)

    def serve_forever(self) -> None:
        """Serve until somebody asks for an end."""
        current: Any = process.current_process()
        current._manager_server = self
        self.run()
        sys.exit(0)

    # ── calls ──

    def note(self, client: Client, kind: int, number: int, body: bytes) -> None:
        if kind == wire.DECREF:
            self._drop(client, body.decode())
        elif kind == wire.INCREF:
            with suppress(KeyError):  # gone before the fork had its own
                self.references.take(body.decode())
                client.references[body.decode()] += 1
        elif kind == wire.CANCEL:
            call = client.parked.get(number)
            if call is not None:
                self.withdraw(call)

    def _drop(self, client: Client, ident: str) -> None:
        if client.references[ident] > 0:
            client.references[ident] -= 1
            if not client.references[ident]:
                del client.references[ident]
            self.references.give_back(ident)

    def serve(self, client: Client, kind: int, number: int, body: bytes) -> None:
        try:
            ident, method, args, kwds, thread = self._loads(kind, body)
            if ident is None:
                self._control(Call(self, client, number, thread), method, args, kwds)
                return
            obj, exposed, gettypeid = self.id_to_obj[ident]
            if method in exposed and type(obj) in QUICK:
                self._quick(client, number, obj, method, gettypeid, args, kwds)
            elif method not in exposed:
                self._reply(client, wire.RETURN, number, self._fallback(obj, method, exposed, args))
            else:
                self._elsewhere(Call(self, client, number, thread), obj, method, gettypeid, args, kwds)
        except Exception:  # noqa: BLE001 - what the peer asked for failed, in whatever way; it is told
            self._reply(client, wire.TRACEBACK, number, format_exc())

    def _quick(self, client: Client, number: int, obj: Any, method: str, gettypeid: Any, args: Any, kwds: Any) -> None:
        try:
            function = getattr(obj, method, None)
            value = ADDITIONS[method](obj, *args, **kwds) if function is None else function(*args, **kwds)
        except BaseException as error:  # noqa: BLE001 - the caller's to handle, also a SystemExit
            self._raise(client, number, error)
        else:
            if gettypeid and method in gettypeid:
                self._proxy(client, number, gettypeid[method], value)
            else:
                self._reply(client, wire.RETURN, number, value)

    def _elsewhere(self, call: Call, obj: Any, method: str, gettypeid: Any, args: Any, kwds: Any) -> None:
        if isinstance(obj, Machine) and method != "__getattribute__":
            try:
                value = getattr(obj, method)(call, *args, **kwds)
            except Exception as error:  # noqa: BLE001 - the caller's to handle
                self.fail(call, error)
            else:
                if value is not PARKED:
                    self._reply(call.client, wire.RETURN, call.number, value)
            return
        typeid = gettypeid and gettypeid.get(method)
        self._lane(call).do(call, obj, method, args, kwds, typeid)

    def _lane(self, call: Call) -> Lane:
        client, thread = call.owner
        lane: Lane | None = client.lanes.get(thread)
        if lane is None:
            lane = client.lanes[thread] = Lane(self)
        return lane

    def _loads(self, kind: int, body: bytes) -> Any:
        if kind == wire.CALL:
            return self.codec.loads(body)
        return wire.loads_by_value(*self.codec.loads(body))

    def _fallback(self, obj: Any, method: str, exposed: Any, args: Any) -> Any:
        if method == "#GETVALUE":
            return obj
        if method == "__repr__":
            return repr(obj)
        if method == "__str__":
            return str(obj)
        raise AttributeError(f"method {method!r} of {type(obj)!r} object is not in exposed={exposed!r}")

    def local(self, ident: str, method: str, args: Any, kwds: Any) -> Any:
        """A call by a proxy that lies in here, made by the serving thread itself."""
        obj, exposed, _ = self.id_to_obj[ident]
        if method not in exposed:
            return self._fallback(obj, method, exposed, args)
        if isinstance(obj, Machine) and method != "__getattribute__":
            raise RuntimeError(
                f"{obj!r} cannot be used by code that runs in the manager's serving thread: it might wait"
            )
        function = getattr(obj, method, None)
        return ADDITIONS[method](obj, *args, **kwds) if function is None else function(*args, **kwds)

    # ── answers ──

    def _reply(self, client: Client, kind: int, number: int, value: Any) -> None:
        self.replying = client
        try:
            body = self.codec.result(value)
            if kind == wire.RETURN and wire.names_main(body):
                kind, body = wire.RETURN_BY_VALUE, self.codec.result((body, wire.by_value(value)))
        except Exception:  # noqa: BLE001 - pickling runs the user's code
            kind, body = wire.UNSERIALIZABLE, self.codec.result(format_exc())
        finally:
            self.replying = None
        self.write(client, HEADER.pack(kind, number, len(body)) + body)

    def _raise(self, client: Client, number: int, error: BaseException) -> None:
        # That a key is missing, or a queue empty, is no reason to write a traceback: it takes longer than all the rest.
        trace = error.__traceback__
        brief = trace is None or trace.tb_next is None or isinstance(error, (queue.Empty, queue.Full))
        text = repr(error) if brief else "".join(format_exception(error))
        try:
            packed = self.codec.result(error)
        except Exception:  # noqa: BLE001 - pickling runs the user's code
            self._reply(client, wire.TRACEBACK, number, text)
        else:
            self._reply(client, wire.ERROR, number, (packed, text))

    def _proxy(self, client: Client, number: int, typeid: str, obj: Any) -> None:
        ident, exposed = self._made(client, typeid, obj)
        self._reply(client, wire.PROXY, number, (typeid, exposed, ident))

    def answer(self, call: Call, value: Any) -> None:
        """The end of a call that was parked, or ran in a lane."""
        call.client.parked.pop(call.number, None)
        self._reply(call.client, wire.RETURN, call.number, value)

    def fail(self, call: Call, error: BaseException) -> None:
        """The same, in vain."""
        call.client.parked.pop(call.number, None)
        self._raise(call.client, call.number, error)

    # ── what the manager object itself asks for ──

    def _control(self, call: Call, method: str, args: Any, kwds: Any) -> None:
        if method == "create":
            typeid, *rest = args
            self._make(call, typeid, rest, kwds)
            return
        answers: dict[str, Callable[..., Any]] = {
            "dummy": lambda: None,
            "ticket": lambda ident: self.references.ticket(ident, call.client),
            "adopt": lambda ident, ticket: self._adopt(call.client, ident, ticket),
            "incref": lambda ident: self._incref(call.client, ident),
            "get_methods": lambda ident: tuple(self.id_to_obj[ident][1]),
            "number_of_objects": lambda: len(self.id_to_refcount),
            "debug_info": lambda: self.debug_info(None),
        }
        self.references.settle()
        self._reply(call.client, wire.RETURN, call.number, answers[method](*args, **kwds))

    def _adopt(self, client: Client, ident: str, ticket: int) -> None:
        self.references.adopt(ident, ticket)
        client.references[ident] += 1

    def _incref(self, client: Client, ident: str) -> None:
        self.references.take(ident)
        client.references[ident] += 1

    def _make(self, call: Call, typeid: str, args: Any, kwds: Any) -> None:
        function = self.registry[typeid][0]
        if function is None:
            if kwds or len(args) != 1:
                raise ValueError("Without callable, must have one non-keyword argument")
            self._reply(call.client, wire.RETURN, call.number, self._made(call.client, typeid, args[0]))
        elif function is theirs.Array or (isinstance(function, type) and (function in MACHINES or function in QUICK)):
            if function is Condition and args and isinstance(args[0], managers.BaseProxy):
                lock: Any = args[0]
                args = [self.id_to_obj[lock._id][0], *args[1:]]
            obj = function(*args, **kwds)
            self._reply(call.client, wire.RETURN, call.number, self._made(call.client, typeid, obj))
        else:
            self._lane(call).make(call, function, typeid, args, kwds)

    def made(self, call: Call, typeid: str, obj: Any) -> None:
        """A lane has made an object."""
        try:
            value = self._made(call.client, typeid, obj)
        except Exception:  # noqa: BLE001 - what the user registered is not right
            self._reply(call.client, wire.TRACEBACK, call.number, format_exc())
        else:
            self._reply(call.client, wire.RETURN, call.number, value)

    def done(self, call: Call, value: Any, typeid: str | None) -> None:
        """A lane has run a method."""
        if typeid is None:
            self._reply(call.client, wire.RETURN, call.number, value)
        else:
            self._proxy(call.client, call.number, typeid, value)

    def told(self, call: Call, text: str) -> None:
        """A lane could not make an object: as in multiprocessing, its traceback is told."""
        self._reply(call.client, wire.TRACEBACK, call.number, text)

    def _made(self, client: Client, typeid: str, obj: Any) -> tuple[str, tuple[str, ...]]:
        _, exposed, method_to_typeid, _ = self.registry[typeid]
        if exposed is None:
            exposed = obj.public if isinstance(obj, Machine) else theirs.public_methods(obj)
        if method_to_typeid is not None:
            exposed = [*exposed, *method_to_typeid]
        ident = self.references.add((obj, set(exposed), method_to_typeid))
        if client.sock is None:  # it has gone meanwhile
            self.references.give_back(ident)
        else:
            client.references[ident] += 1
        return ident, tuple(exposed)


def here(address: Any) -> Server | None:
    """The server, in the process of the manager with that address."""
    server = getattr(process.current_process(), "_manager_server", None)
    return server if isinstance(server, Server) and server.address == address else None
