"""Every public name of every door, as a user writes it, with the types that a checker is to see; nothing of it is run.

`test_api.py` has it checked by mypy, as strictly as our own code, and by pyright.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypedDict, Unpack, assert_type

import elsewhere
from elsewhere import (
    Client,
    CommandError,
    Fleet,
    FleetError,
    Future,
    Host,
    Pool,
    Process,
    Retry,
    Service,
    WorkerLost,
    as_completed,
    connect,
    fleet,
    net,
    rpc,
    shared,
    wait,
)
from elsewhere.fleet import CommandOptions, Detached, HostOptions, Output, Result, Transfer


def square(x: int) -> float:
    return x * x


# ---- pool ----------------------------------------------------------------------------------------------------------


def pools() -> None:
    assert_type(elsewhere.map(square, [1, 2], timeout=3, retry=2, progress="squares"), list[float])
    assert_type(elsewhere.call(square, 3), float)
    limited = elsewhere.options(timeout=60, retry=Retry(2, on=OSError), name="squares", memory=2**30, cpu_seconds=5)
    assert_type(limited.call(square, 3), float)
    assert_type(limited.options(timeout=None).map(square, range(3), return_exceptions=True), list[float])
    with Pool(4, where="threads", timeout=3.5, retry=1, on_exit="terminate", grace=1, max_memory=2**30) as pool:
        assert_type(pool, Pool)
        assert_type(pool.apply(square, (3,)), float)
        assert_type(pool.apply_async(square, (3,), callback=print), Future[float])
        assert_type(pool.map(square, range(9), chunksize=3, timeout=1, progress=True), list[float])
        assert_type(pool.map_async(square, [1], timeout=1, retry=2, return_exceptions=True), Future[list[float]])
        assert_type(pool.starmap(square, [(1,)]), list[float])
        assert_type(pool.starmap_async(square, [(1,)], progress="so far"), Future[list[float]])
        assert_type(next(pool.imap(square, [1])), float)
        for value in pool.imap_unordered(square, [1], progress=1):
            assert_type(value, float)
        for call in pool.calls(square, [1], ordered=True, timeout=3):
            assert_type((call.index, call.error, call.attempt), tuple[int, BaseException | None, int])
        future = pool.submit(square, 3)
        assert_type(future, Future[float])
        assert_type(future.result(timeout=1), float)
        assert_type(future.cancel(), bool)
        assert_type(pool.options(timeout=3, name="one").submit(square, x=3), Future[float])
        assert_type(pool.share([1, 2]), list[int])
        for done in as_completed([future]):
            done.result()
        wait([future], timeout=3)
        executor: Executor = pool.executor()
        assert_type(executor.submit(square, 3).result(), float)
        assert_type(pool.statistics().workers, int)
        pool.close()
        pool.join(timeout=3)
    Pool(where=Fleet("web1")).terminate()
    Pool(where="dask://scheduler:8786", context=elsewhere.get_context("spawn"), preload=["numpy"]).terminate()


async def awaited(pool: Pool) -> None:
    assert_type(await pool.submit(square, 3), float)
    async for value in pool.imap(square, [1]):
        assert_type(value, float)


# ---- processes and what they share -----------------------------------------------------------------------------------


class Worker(Process):
    def run(self) -> Any:  # the standard library's says that it gives nothing
        return 6 * 7


def processes() -> None:
    process = Process(target=square, args=(3,), kwargs={}, name="one", daemon=True)
    process.start()
    process.result(timeout=3)
    process.join(3)
    process.terminate(tree=True)
    process.kill(tree=True)
    Worker().start()
    queue = elsewhere.Queue(3)
    queue.put("x", timeout=3)
    queue.get(block=False)
    one, other = elsewhere.Pipe()
    one.send(1)
    other.recv()
    with elsewhere.Lock(), elsewhere.RLock(), elsewhere.Semaphore(2), elsewhere.BoundedSemaphore(2):
        elsewhere.Event().set()
    with elsewhere.Condition() as condition:
        assert condition
    elsewhere.Barrier(2).wait(3)
    elsewhere.SimpleQueue().put(1)
    elsewhere.JoinableQueue().task_done()
    value, array = elsewhere.Value("i", 3), elsewhere.Array("d", 10)
    value.value += 1
    array[0] = 1.5
    elsewhere.RawValue("i").value = 3
    elsewhere.RawArray("i", 3)[0] = 3
    with elsewhere.Manager() as manager:
        assert_type(manager, elsewhere.SyncManager)
        manager.dict()["x"] = 1
        manager.list([1]).append(2)
        manager.Queue().put(3)
    shared.zeros((3, 4), dtype="float32")
    shared.copy_of([1, 2])
    shared.full((3,), 7)
    elsewhere.set_start_method("spawn", force=True)
    assert_type(elsewhere.cpu_count(), int)
    assert_type(elsewhere.get_all_start_methods(), list[str])
    elsewhere.active_children()
    elsewhere.current_process()
    elsewhere.parent_process()
    elsewhere.get_start_method(allow_none=True)
    elsewhere.set_forkserver_preload(["numpy"])
    elsewhere.set_executable("/usr/bin/python3")
    elsewhere.freeze_support()
    elsewhere.allow_connection_pickling()
    elsewhere.reducer.register(Worker, lambda worker: (Worker, ()))
    elsewhere.log_to_stderr(10)
    elsewhere.get_logger().info("here")


class Counters(elsewhere.BaseManager):
    pass


# ---- sockets and services --------------------------------------------------------------------------------------------


def sockets() -> None:
    def talk(connection: net.Connection) -> None:
        assert_type(connection.recv(100), bytes)
        assert_type(connection.recv_exactly(4, timeout=3), bytes)
        assert_type(connection.recv_until(b"\n"), bytes)
        connection.sendall(b"x")

    with net.Server(talk, "tcp://127.0.0.1:0") as server:
        assert_type(server.addresses, tuple[net.Address, ...])
        with net.connect(str(server.addresses[0]), timeout=3, tls=net.TLS()) as connection:
            connection.sendall(b"x")


class Point(TypedDict):
    x: int


def services() -> None:
    service = Service(name="points", token="secret", max_size=1 << 20, page=True)

    @service.method
    def double(n: int) -> int:
        return n * 2

    @service.method(where="processes", timeout=3, idempotent=True)
    def moved(point: Point) -> Point:
        return {"x": point["x"] + 1}

    assert_type(double(3), int)
    assert_type(moved({"x": 1})["x"], int)
    service.register(square, "square", where="threads")
    service.add(io.StringIO(), "io.")
    with service.start("tcp://127.0.0.1:0", "http://127.0.0.1:0", workers=2) as running:
        with connect(running.addresses[0], 3, token="secret", retry=2, name="tests") as client:
            assert_type(client, Client)
            client.double(7)
            client.call("double", 7)
            assert_type(client.submit("double", 7), Future[Any])
            client.notify("double", 7)
            client.options(timeout=None, retry=Retry(1), idempotent=True).double(7)
            with client.batch() as batch:
                batch.double(1)
            batch.results()
            assert_type(client.methods(), list[dict[str, Any]])
        running.close(drain=1)
    assert_type(service.serve("tcp://127.0.0.1:0", insecure=True, drain=3), int)
    assert_type(rpc.caller().gone, bool)


# ---- hosts -----------------------------------------------------------------------------------------------------------


def hosts() -> None:
    with Host("web1", user="deploy", port=22, keys=Path("key"), jump=["a", "b"], trust=False) as host:
        assert_type(host, Host)
        result = host.run("uptime", cwd="/srv", env={"A": "b"}, input="x", timeout=3, check=False, encoding=None)
        assert_type(result, Result)
        assert_type((result.returncode, result.ok, result.seconds), tuple[int, bool, float])
        assert_type(host.run(["sleep", "9"], detach=True), Detached)
        assert_type(host.run("x", answers={"y/n": "y"}, pty=True, output="live"), Result)
        assert_type(host.run_async("x", output="live"), Future[Result])
        assert_type(host.sudo("x", user="app", password=lambda: "secret", output="live"), Result)
        assert_type(host.sudo("x", detach=True, sudo_password_file="file"), Detached)
        assert_type(host.sudo_async("x"), Future[Result])
        assert_type(host.put(["a", Path("b")], "/srv/", mode=0o644, sudo="app", progress="files"), Transfer)
        assert_type(host.put(io.BytesIO(b"x"), "/srv/x", dry_run=True), Transfer)
        assert_type(host.put_async(b"x", "/srv/x", progress=True), Future[Transfer])
        assert_type(host.get("/srv/x", io.BytesIO()), Transfer)
        assert_type(host.get_async(["/srv/x"], Path(), checksum=True, delete=True), Future[Transfer])
        assert_type(host.call(square, 3), float)
        assert_type(host.submit(square, 3), Future[float])
        assert_type(host.options(timeout=3, retry=Retry(2)), Host)
        assert_type(host.is_connected, bool)
        with host.cd("/srv"), host.prefix("umask 027"), host.env(A="b"), host.forward_local(0, 5432) as way:
            assert_type(way.port, int | str)
        assert_type(host.reboot(60, password="secret"), float)
    assert_type(fleet.local("uptime", cwd=Path(), timeout=3), Result)


def fleets() -> None:
    with Fleet("web[01-20]", "db1", user="deploy", jobs=5, max_failures=1, exclude="web03") as many:
        assert_type(many, Fleet)
        assert_type(many.run("uptime", timeout=3, output="grouped"), dict[Host, Result])
        assert_type(many.run_async("uptime", return_exceptions=True), Future[dict[Host, Result]])
        assert_type(many.sudo("uptime", user="app", progress=True), dict[Host, Result])
        assert_type(many.put("dist/", "/srv/", delete=True), dict[Host, Transfer])
        assert_type(many.put_async("dist/", "/srv/", progress="all"), Future[dict[Host, Transfer]])
        assert_type(many.get("/var/log/", "logs", by_host=True), dict[Host, Transfer])
        assert_type(many.each(shutil.which, "sh"), dict[Host, str | None])
        assert_type(many.each_async(square, 3), Future[dict[Host, float]])
        assert_type(many.connect(progress=True), dict[Host, None])
        assert_type(many.reboot(60), dict[Host, float])
        assert_type(many["web01"], Host)
        assert_type(many[:3], Fleet)
        assert_type(many.only("web[01-02]").filter(lambda host: host.name), Fleet)
        assert_type(many.options(timeout=3, retry=2, jobs=1, max_failures=None, progress="all"), Fleet)
    assert_type(Fleet.from_inventory("hosts.ini", groups=["web"], port=2222), Fleet)


def deploy(host: Host, *commands: str, **options: Unpack[CommandOptions]) -> list[Result]:
    return [host.run(command, **options) for command in commands]


def at_home(name: str, **options: Unpack[HostOptions]) -> Host:
    return Host(name, **options)


class Quiet(Output):
    def came(self, host: Host, stream: str, data: bytes) -> None:
        """Nothing is shown."""


def told() -> None:
    Host("web1").run("true", output=Quiet(), answers=[(re.compile("a"), "b")])
    deploy(at_home("web1", keys=(), python="python3.12"), "true", timeout=3, cwd="/")


# ---- errors ----------------------------------------------------------------------------------------------------------


def errors(many: Fleet) -> None:
    try:
        many.run("true")
    except FleetError as error:
        assert_type(error.failed, dict[Host, Exception])
        assert_type(error.untouched, list[Host])
    except CommandError as error:
        assert_type(error.result, Result)
    except WorkerLost as error:
        assert_type(error.exitcode, int | None)
    except elsewhere.RemoteError as error:
        assert_type((error.type_name, error.text), tuple[str, str])


EVERY_ERROR: tuple[type[Exception], ...] = (
    elsewhere.ElsewhereError,
    elsewhere.ArgumentError,
    elsewhere.CallTimeout,
    elsewhere.ConnectError,
    elsewhere.ConnectTimeout,
    elsewhere.ConnectionLost,
    elsewhere.HostKeyError,
    elsewhere.InternalError,
    elsewhere.LimitExceeded,
    elsewhere.ManagerLost,
    elsewhere.MayHaveRun,
    elsewhere.MaybeEncodingError,
    elsewhere.MessageTooLarge,
    elsewhere.MethodNotFound,
    elsewhere.NeverStarted,
    elsewhere.NotTouched,
    elsewhere.PoolClosed,
    elsewhere.ProtocolError,
    elsewhere.SocketTimeout,
    elsewhere.TooLate,
    elsewhere.Unauthorized,
    elsewhere.WorkerStartError,
    elsewhere.TimeoutError,
    elsewhere.ProcessError,
    elsewhere.AuthenticationError,
    elsewhere.BufferTooShort,
)
CANCELLED: type[BaseException] = elsewhere.CallCancelled


async def mixed(client: Client, host: Host, function: Callable[[int], float]) -> None:
    assert_type(await host.submit(function, 1), float)
    assert_type(await host.run_async("true"), Result)
    await client.submit("double", 1)
    reader, writer = await net.open_connection("tcp://localhost:1")
    assert_type(await reader.read(1), bytes)
    writer.close()
