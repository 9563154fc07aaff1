"""What has been shipped of the caller's `__main__`, the objects that its calls share, and what pickles say of both."""

from __future__ import annotations

import os
import pickle
import time
from typing import Any, Callable, NamedTuple, NoReturn, Sequence, Tuple

MISSING = object()
PATIENCE = 60.0  # seconds that an object which another worker lends may take to come, before the caller is asked
PAUSE = 0.005  # seconds between two looks
Definition = Tuple[str, bytes, bytes]  # name, digest, pickle


class Namespace:
    """What has been shipped of the caller's `__main__`, in this process's: one for all.

    A name is bound by a shipment only while it holds what the last shipment bound (or nothing): what the user's own
    code bound there stays. A definition whose bytes have not changed is not made again.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        self.globals = names
        self.shipped = dict(names)
        self._in_force: dict[str, bytes] = {}
        self._pending: dict[str, tuple[bytes, bytes]] = {}
        self._begun: dict[str, tuple[bytes, bytes]] = {}

    def apply(self, needs: Sequence[Definition]) -> None:
        """Bring these names to these definitions: (name, digest, pickle), those that others hold first."""
        stale = {name: (digest, body) for name, digest, body in needs if self._in_force.get(name) != digest}
        if not stale:
            return
        self._pending = stale
        try:
            for name in list(stale):
                if name in self._pending:  # otherwise an earlier one needed it and has loaded it
                    self._load(name)
        finally:
            self._pending, self._begun = {}, {}

    def find(self, name: str) -> Any:
        """What was shipped under `name`, loaded now if it is needed but not loaded yet."""
        if name in self._pending or name in self._begun:
            self._load(name)
        try:
            return self.shipped[name]
        except KeyError:
            raise pickle.UnpicklingError(f"{name!r} of the caller's __main__ was not sent to this worker") from None

    def register(self, name: str, value: Any) -> None:
        """An object that exists and will be filled: others that refer back to it find it already."""
        self.shipped[name] = value
        self._begun.pop(name, None)

    def _load(self, name: str) -> None:
        # A second time when something that its making needs refers back to it; its object is the one that counts.
        digest, body = self._pending.pop(name) if name in self._pending else self._begun.pop(name)
        self._begun[name] = digest, body
        before = self.shipped.get(name, MISSING)
        try:
            value = pickle.loads(body)
        except BaseException:
            self.shipped.pop(name, None)
            if before is not MISSING:
                self.shipped[name] = before
            raise
        self._begun.pop(name, None)
        if self._in_force.get(name) == digest:
            return  # the second attempt was first
        self._in_force[name], self.shipped[name] = digest, value
        if name.isidentifier() and self.globals.get(name, MISSING) is before:
            self.globals[name] = value


class Bound(NamedTuple):
    """A function, and the definitions that are to be in force when it is called."""

    function: Any
    needs: Sequence[Definition]


main = Namespace({})  # of the process; `adopt` gives it the names
tokens: dict[type, str] = {}  # of classes that were shipped
objects: dict[int, list[Any]] = {}  # shared ones: token -> [body, object]; the body goes when the object is made
want: Any = None  # asks the caller for an object; `main` sets it
_classes: dict[str, type] = {}


def adopt(names: dict[str, Any]) -> None:
    """From now on the caller's `__main__` has these globals here."""
    main.globals, main.shipped = names, dict(names)  # what a fresh module holds is not the user's


def bound(needs: Sequence[Definition], body: bytes) -> Bound:
    """A function that needs definitions, for a FUNCTION frame."""
    main.apply(needs)
    return Bound(pickle.loads(body), needs)


def opened(needs: Sequence[Definition], body: bytes) -> Any:
    """A value that needs definitions."""
    main.apply(needs)
    return pickle.loads(body)


def lookup(name: str) -> Any:
    """An object that was shipped under `name`."""
    return main.find(name)


def namespace() -> dict[str, Any]:
    """The globals of all that comes from the caller's `__main__`."""
    return main.globals


def register(key: str | None, value: Any) -> None:
    """An object of the caller's `__main__` that exists, before it is filled with what may refer to it."""
    if key is not None:
        main.register(key, value)


def keep_class(token: str, make: Callable[..., type], args: tuple[Any, ...], key: str | None = None) -> type:
    """The class that the caller knows by that token, made if it is not here yet; results name it by the token."""
    cls = _classes.get(token)
    if cls is None:
        cls = _classes[token] = make(*args)
        tokens[cls] = token
    register(key, cls)
    return cls


def shipped(token: str) -> type:
    """The class with that token; in results it stands for the caller's own."""
    return _classes[token]


def lent(body: Any) -> Any:
    """A body that another process of this machine holds comes as the name of its file, which is there for now."""
    if body[:6] != b"/proc/":  # as no pickle begins
        return body
    import mmap

    try:
        with open(bytes(body), "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # it is the error of the calls that refer to it
        words = pickle.dumps((f"a shared object cannot be had: {error}",), 2)
        return b"\x80\x02celsewhere_far\nrefuse\n" + words[2:-1] + b"R."


def lend(token: int, body: Any) -> None:
    """Keep a shared object where the other workers of this machine find it: memory with a name that they know."""
    import mmap

    held: Any = None
    try:
        file = os.memfd_create(f"elsewhere-{os.getpid()}-{token}")
        try:
            rest = memoryview(body)
            while rest:
                rest = rest[os.write(file, rest) :]
            held = mmap.mmap(file, 0, access=mmap.ACCESS_READ)  # with a descriptor of its own, by which it is found
        finally:
            os.close(file)
    except (
        AttributeError,
        OSError,
        ValueError,
    ):  # no such thing on this system, or no memory: who waits asks the caller
        held = None
    objects[token] = [body if held is None else held, None, held]


def _borrowed(pid: int, size: int, token: int) -> Any:
    """The memory in which another worker of this machine holds that object: whole, or None; KeyError if it has gone."""
    folder, name = f"/proc/{pid}/fd", f"/memfd:elsewhere-{pid}-{token} (deleted)"
    try:
        files = os.listdir(folder)
    except OSError:
        raise KeyError(pid) from None
    for file in files:
        found = _mapped(f"{folder}/{file}", name, size)
        if found is not None:
            return found
    return None


def _mapped(path: str, name: str, size: int) -> Any:
    """The file there, if it has this name and is whole."""
    import mmap

    try:
        if os.readlink(path) == name:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size == size:  # it is written in order
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None  # it was closed just now
    return None


def _wait_for(token: int) -> list[Any]:
    """The entry of an object that another worker lends, or the caller sends instead when that one has gone."""
    end, asked = time.monotonic() + PATIENCE, False
    while True:
        entry = objects[token]
        if type(entry[0]) is not tuple:
            return entry
        gone = time.monotonic() > end
        try:
            pid, size = entry[0]
            body = _borrowed(pid, size, token)
            if body is not None:
                entry[0] = body
                return entry
        except KeyError:
            gone = True
        if gone and asked and time.monotonic() > end:
            raise pickle.UnpicklingError(f"the shared object {token} cannot be had: who lent it has gone")
        if gone and not asked:
            end, asked = time.monotonic() + PATIENCE, True
            want(token)
        time.sleep(PAUSE)


def shared(token: int) -> Any:
    """The object that was sent under that token, made when it is first asked for."""
    entry = objects.get(token)
    if entry is None:
        raise pickle.UnpicklingError(f"the shared object {token} is not here (any more)")
    if type(entry[0]) is tuple:
        entry = _wait_for(token)
    if entry[0] is not None:
        entry[1] = pickle.loads(entry[0])
        entry[0] = None
    return entry[1]


def refuse(text: str) -> NoReturn:
    """Called by what the caller sends instead of a function that cannot travel to this Python."""
    raise TypeError(text)


for _function in (bound, opened, lookup, namespace, register, keep_class, shipped, shared, refuse):
    _function.__module__ = __package__  # as pickles name them
