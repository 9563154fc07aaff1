"""What everything of ours needs: each is really tried."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
import threading
import time
from typing import Any

from elsewhere.cli.doctor.finding import CORE, FAILS, NOTE, WORKS, Finding

__all__ = ["blocks", "cloudpickle", "locks", "msgpack", "python", "service", "shell", "version", "worker"]

PATIENCE = 5.0  # seconds for a thread to be gone
BLOCK = 16 << 20  # bytes: an array that nobody would copy
AGAIN = "python -m pip install --force-reinstall {}"


def version(distribution: str) -> str:
    """Which is installed; "of unknown version" where no installer has left a record."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def python() -> list[Finding]:
    """The interpreter."""
    gil = "with the GIL" if getattr(sys, "_is_gil_enabled", lambda: True)() else "free-threaded"
    says = f"{platform.python_version()} {gil}, {platform.system()} {platform.release()}"
    if platform.system() == "Linux":
        return [Finding("python", CORE, WORKS, says)]
    do = "use Linux for processes; threads, loop and inline are for every system"
    return [Finding("python", CORE, NOTE, f"{says}: tried on Linux only", do)]


def worker() -> list[Finding]:
    """A worker process, as each Pool has some."""
    from elsewhere import Pool

    began = time.perf_counter()
    with Pool(1) as pool:
        pool.submit(os.getpid).result()
        took = (time.perf_counter() - began) * 1000
        began = time.perf_counter()
        pool.submit(os.getpid).result()
        again = (time.perf_counter() - began) * 1000
    how = "fork server" if hasattr(os, "fork") else "spawned"
    return [Finding("worker", CORE, WORKS, f"answered after {took:.0f} ms ({how}), then in {again:.1f} ms")]


def blocks() -> list[Finding]:
    """Shared memory, by which large values cross."""
    from elsewhere.runtime.memory.mapping import Mapping, make_block, supported

    if not supported():
        says = "this system has no memfd: large arrays travel as copies"
        return [Finding("blocks", CORE, NOTE, says, "use Linux for large arrays")]
    try:
        fd = make_block(BLOCK)
        try:
            Mapping(fd, BLOCK)
        finally:
            os.close(fd)
    except (OSError, MemoryError) as error:
        do = "raise the limit of memory (docker run --memory) or of the size of files (ulimit -f unlimited)"
        return [Finding("blocks", CORE, FAILS, f"no shared memory (memfd): {error}", do)]
    return [Finding("blocks", CORE, WORKS, f"{BLOCK >> 20} MB of shared memory were made (memfd)")]


def locks() -> list[Finding]:
    """A mutex whose holder ends."""
    if sys.platform != "linux":
        return [Finding("locks", CORE, NOTE, "locks that outlive their holder's death need Linux", "use Linux")]
    import ctypes

    from elsewhere.runtime.locks import mutex

    memory = ctypes.create_string_buffer(mutex.SIZE)
    lock = ctypes.byref(memory)
    mutex.make(lock)
    holder = threading.Thread(target=mutex.try_lock, args=(lock,))
    holder.start()
    holder.join()
    code = mutex.try_lock(lock)
    if code and not mutex.acquire(lock, code, time.monotonic() + PATIENCE):
        says = "a lock whose holder has ended is not given on"
        return [Finding("locks", CORE, FAILS, says, "use a C library with robust mutexes: glibc or musl")]
    mutex.unlock(lock)
    return [Finding("locks", CORE, WORKS, "go on to the next when their holder dies")]


def cloudpickle() -> list[Finding]:
    """Lambdas and what a script defines."""
    broken = _broken("cloudpickle")
    if broken is not None:
        return [broken]
    import cloudpickle as module

    twice = module.loads(module.dumps(lambda n: 2 * n))
    assert twice(21) == 42
    return [Finding("cloudpickle", CORE, WORKS, f"{version('cloudpickle')}, for functions by value")]


def msgpack() -> list[Finding]:
    """What services and their clients speak."""
    broken = _broken("msgpack")
    if broken is not None:
        return [broken]
    import msgpack as module

    assert module.unpackb(module.packb([1, "a"])) == [1, "a"]
    if module.Packer.__module__.endswith("fallback"):
        says = f"{version('msgpack')} in pure Python: services are several times slower"
        unset = "unset MSGPACK_PUREPYTHON" if os.environ.get("MSGPACK_PUREPYTHON") else AGAIN.format("msgpack")
        return [Finding("msgpack", CORE, NOTE, says, unset)]
    return [Finding("msgpack", CORE, WORKS, f"{version('msgpack')}, in C")]


def service() -> list[Finding]:
    """A method behind an address of this machine."""
    if _broken("msgpack") is not None:  # which has a line of its own
        return []
    return [Finding("service", CORE, WORKS, f"a call over TCP took {call_over('tcp://127.0.0.1:0'):.1f} ms")]


def call_over(address: str) -> float:
    """Milliseconds of a call of a service that listens there for a moment."""
    from elsewhere import Service, connect

    service = Service()
    service.register(abs, name="abs")
    with service.start(address) as server, connect(server.addresses[0]) as client:
        client.call("abs", -1)
        began = time.perf_counter()
        client.call("abs", -1)
        return (time.perf_counter() - began) * 1000


def shell() -> list[Finding]:
    """What draws bars and reads command lines."""
    for name in ("click", "rich"):
        broken = _broken(name)
        if broken is not None:
            return [broken]
    return [Finding("shell", CORE, WORKS, f"click {version('click')}, rich {version('rich')}")]


def _broken(name: str) -> Finding | None:
    """A dependency that cannot be imported, or is something else of the same name."""
    try:
        module: Any = importlib.import_module(name)
    except ImportError as error:
        return Finding(name, CORE, FAILS, f"cannot be imported: {error}", AGAIN.format(name))
    if getattr(module, "__file__", None) is None:  # a folder of that name
        return Finding(name, CORE, FAILS, f"another thing has its name: {list(module.__path__)}", AGAIN.format(name))
    return None
