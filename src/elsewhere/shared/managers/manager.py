"""Managers: multiprocessing's, whose process runs no ``__main__`` again, and whose clients need one connection.

Rule: what multiprocessing's BaseManager promises is promised here, by the same names; its class is our base.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from multiprocessing import managers, process, util
from multiprocessing.context import ProcessError
from typing import Any, ClassVar

from elsewhere.runtime.packing import Packer, loads_result
from elsewhere.runtime.worker.surroundings import take_surroundings

from . import proxies, wire
from .link import ManagerLost, link_to
from .process import ServerProcess
from .proxies import Granted, adapted
from .server import locks, waiting
from .server.child import ENTRY, receive, send
from .server.serve import Server

theirs: Any = managers  # the stubs lack half of it
State: Any = theirs.State

__all__ = ["BaseManager", "Manager", "SyncManager"]


class BaseManager(managers.BaseManager):
    """multiprocessing's BaseManager.

    Args:
        address: where the server listens; a private Unix socket if None.
        authkey: who has it may connect, and run anything in the manager; this process's if None.
        serializer: ``"pickle"`` or ``"xmlrpclib"``.
        ctx: a start method's name or a context of multiprocessing; "forkserver" if None.
        shutdown_timeout: seconds for an orderly end, before SIGTERM and then SIGKILL.

    Also a context manager, which starts it and shuts it down. ``shutdown()`` and ``join()`` are multiprocessing's.
    """

    _Server = Server
    _registry: ClassVar[Any] = {}
    _process: ServerProcess | None = None

    def __init__(
        self,
        address: Any = None,
        authkey: bytes | None = None,
        serializer: str = "pickle",
        ctx: Any = None,
        *,
        shutdown_timeout: float = 1.0,
    ) -> None:
        self._address = address
        self._authkey = theirs.process.AuthenticationString(
            process.current_process().authkey if authkey is None else authkey
        )
        self._state = State()
        self._state.value = State.INITIAL
        self._serializer = serializer
        self._Listener, self._Client = theirs.listener_client[serializer]
        self._ctx = ctx
        self._shutdown_timeout = shutdown_timeout
        self._link: Any = None

    def _must_be_new(self) -> None:
        if self._state.value == State.STARTED:
            raise ProcessError("Already started server")
        if self._state.value == State.SHUTDOWN:
            raise ProcessError("Manager has shut down")

    def get_server(self) -> Any:
        """A server with ``serve_forever()`` and ``address``, for this very process.

        Raises:
            multiprocessing.ProcessError: the manager was started, or was shut down.
        """
        self._must_be_new()
        return self._Server(self._registry, self._address, self._authkey, self._serializer)

    def connect(self) -> None:
        """Use a server that runs already.

        Raises:
            OSError: nobody listens at the address.
            multiprocessing.AuthenticationError: the keys differ.
        """
        link = link_to(self._address, self._authkey, self._serializer)
        try:
            link.open()
            link.call(None, "dummy")
        except ManagerLost:  # it was another manager's, at the same address, and nobody has noticed yet
            link = link_to(self._address, self._authkey, self._serializer, fresh=True)
            link.open()
            link.call(None, "dummy")
        self._link = link
        self._state.value = State.STARTED

    def start(self, initializer: Callable[..., object] | None = None, initargs: Any = ()) -> None:
        """Start the server's process.

        Args:
            initializer: called as ``initializer(*initargs)`` there, before anything else; None for nothing.
            initargs: its arguments.

        Raises:
            multiprocessing.ProcessError: the manager was started before.
            TypeError: the initializer cannot be called.
            Exception: what the initializer raised, or the listening (a port in use).
        """
        self._must_be_new()
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._process, self._address = self._launch(initializer, initargs)
        self._link = link_to(self._address, self._authkey, self._serializer, fresh=True)
        self._state.value = State.STARTED
        self.shutdown = util.Finalize(
            self,
            type(self)._finalize_manager,
            args=(self._process, self._address, self._link, self._state, None, self._shutdown_timeout),
            exitpriority=0,
        )

    def _launch(self, initializer: Any, initargs: Any) -> tuple[ServerProcess, Any]:
        method = _start_method(self._ctx)
        registry = {typeid: (*entry[:3], None) for typeid, entry in self._registry.items()}
        whole = (registry, initializer, tuple(initargs))
        setup: dict[str, Any] = {
            "surroundings": take_surroundings(),
            "address": self._address,
            "authkey": bytes(self._authkey),
            "serializer": self._serializer,
        }
        if method != "fork":
            packer = Packer()
            packed = packer.item(whole, lambda: f"the registry and initializer of {type(self).__name__}")
            definitions = [tuple(packer.definitions[digest]) for digest in packed.needs]
            setup.update(definitions=definitions, needs=packed.needs, body=packed.body)
        ours, theirs = socket.socketpair()
        with theirs:
            inherited = whole if method == "fork" else None
            started = ServerProcess(method, [theirs.fileno()], inherited, ENTRY, type(self).__name__)
        started.control(ours)
        try:
            send(ours, wire.Pickling().result(setup))
            address, error = loads_result(receive(ours))
        except (EOFError, OSError):
            address, error = None, started.failed()
        except BaseException:
            started.close()
            raise
        if error is not None:
            started.close()
            raise error
        return started, address

    @staticmethod
    def _finalize_manager(
        process: ServerProcess, address: Any, link: Any, state: Any, _client: Any, shutdown_timeout: float
    ) -> None:
        if process.is_alive():
            process.ask_to_end()
            for end in (process.terminate, process.kill):
                process.join(shutdown_timeout)
                if not process.is_alive():
                    break
                end()
            process.join()
        process.close()
        state.value = State.SHUTDOWN
        link.close(
            f"the manager at {address!r} was shut down, and with it the objects it held; start another Manager()"
        )

    def _ask(self, what: str, args: Any = (), kwds: Any = None) -> Any:
        kind, value = self._link.call(None, what, args, kwds)
        if kind != wire.RETURN:
            raise value
        return value

    def _create(self, typeid: str, /, *args: Any, **kwds: Any) -> Any:
        assert self._state.value == State.STARTED, "server not yet started"
        ident, exposed = self._ask("create", (typeid, *args), kwds)
        return Granted(typeid, self._address, ident), exposed

    def _debug_info(self) -> str:
        """What the manager holds, one object in two lines."""
        return str(self._ask("debug_info"))

    def _number_of_objects(self) -> int:
        """How many objects it holds."""
        return int(self._ask("number_of_objects"))

    @classmethod
    def register(
        cls,
        typeid: str,
        callable: Any = None,  # noqa: A002 - multiprocessing's name
        proxytype: Any = None,
        exposed: Any = None,
        method_to_typeid: Any = None,
        create_method: bool = True,
    ) -> None:
        """Have the manager make objects of this type: by a method of that name, or for methods that return such.

        Args:
            typeid: the name.
            callable: what makes one there; None where only methods return such.
            proxytype: the class of the proxies; one that has all public methods if None.
            exposed: the names of the methods that proxies may call; the public ones if None.
            method_to_typeid: which methods return a proxy, and of which typeid: a dict.
            create_method: give the manager a method of that name, which is the default.
        """
        proxytype = proxies.AutoProxy if proxytype is None else adapted(proxytype)
        super().register(typeid, callable, proxytype, exposed, method_to_typeid, create_method=False)
        if not create_method:
            return

        def create(self: Any, /, *args: Any, **kwds: Any) -> Any:
            token, exposed = self._create(typeid, *args, **kwds)
            return proxytype(token, self._serializer, manager=self, authkey=self._authkey, exposed=exposed)

        create.__name__ = typeid
        setattr(cls, typeid, create)


class SyncManager(BaseManager, managers.SyncManager):
    """multiprocessing's SyncManager: a process that holds objects for others.

    Each of ``dict list Namespace Value Array Queue JoinableQueue Lock RLock Semaphore BoundedSemaphore Event Condition
    Barrier Pool`` is a method that makes one there, with the original's arguments, and gives a proxy, which may be
    passed on. The proxy of a dict can do more, each in one step that no other client comes between:

    - ``increment(key, by=1)`` adds to a value, which is 0 if there is none, and gives the new one;
    - ``compare_and_set(key, old, new)`` sets a value if it equals `old`, and says whether it did;
    - ``get_many(keys)`` gives a dict of those keys that are there;
    - ``update_with(key, fn, default)`` sets ``fn(value)``, computed in the manager, and gives it.

    Args:
        address, authkey, serializer, ctx, shutdown_timeout: as of `BaseManager`. `Manager` gives one that was started.
    """


def _pool(*args: Any, **kwargs: Any) -> Any:
    """In the manager: elsewhere's Pool. It is a door above this one, and only who asks for a pool loads it."""
    from importlib import import_module

    return import_module("elsewhere.pool.pool").Pool(*args, **kwargs)


def _register() -> None:
    for queue in ("Queue", "JoinableQueue"):
        SyncManager.register(queue, waiting.Queue, exposed=waiting.Queue.public)
    for kind in (locks.Lock, locks.RLock, locks.Semaphore, locks.BoundedSemaphore):
        SyncManager.register(kind.__name__, kind, proxies.AcquirerProxy)
    SyncManager.register("Event", waiting.Event, proxies.EventProxy)
    SyncManager.register("Condition", locks.Condition, proxies.ConditionProxy)
    SyncManager.register("Barrier", waiting.Barrier, proxies.BarrierProxy)
    SyncManager.register("Pool", _pool, proxies.PoolProxy)
    SyncManager.register("list", list, proxies.ListProxy)
    SyncManager.register("dict", dict, proxies.DictProxy)
    SyncManager.register("Value", theirs.Value, proxies.ValueProxy)
    SyncManager.register("Array", theirs.Array, proxies.ArrayProxy)
    SyncManager.register("Namespace", theirs.Namespace, proxies.NamespaceProxy)
    SyncManager.register("Iterator", proxytype=proxies.IteratorProxy, create_method=False)
    SyncManager.register("AsyncResult", create_method=False)
    for typeid, (make, exposed, returned, proxytype) in theirs.SyncManager._registry.items():
        if typeid not in SyncManager._registry:  # what a later Python has more of
            create = hasattr(theirs.SyncManager, typeid)
            SyncManager.register(typeid, make, proxytype, exposed, returned, create)


_register()


def _start_method(ctx: Any) -> Any:
    if ctx is None:
        return "forkserver"
    return ctx if isinstance(ctx, str) else ctx.get_start_method()


def Manager(*, context: Any = None) -> SyncManager:  # noqa: N802 - multiprocessing's name
    """A started `SyncManager`: a process that holds objects for others.

    Args:
        context: how its process starts: "forkserver" (the default), "spawn", "fork", or a context of multiprocessing.

    Raises:
        OSError: the process cannot be started.
    """
    manager = SyncManager(ctx=context)
    manager.start()
    return manager
