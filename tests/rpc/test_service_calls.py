"""Calls of a service by a peer of any make, wherever its methods run."""

from __future__ import annotations

import os
import select
import threading
import time

import pytest

from elsewhere import ArgumentError, MethodNotFound, NeverStarted, Pool, Service, Unauthorized
from tests.contract import work
from tests.contract.work import Gate, until
from tests.rpc import serving
from tests.rpc.raw import Raw

# Connections live on a loop where no method is for threads; "..." beside threads, else.
WHERE = ["threads", "loop", "processes", "loop beside threads", "processes beside threads"]


@pytest.fixture(scope="module", params=WHERE)
def where(request):
    return request.param


@pytest.fixture(scope="module")
def pool(where):
    if not where.startswith("processes"):
        yield None
        return
    with Pool(2) as pool:
        until(lambda: len(set(pool.map(work.pid_of, range(50)))) == 2)  # both are there before the first look for leaks
        yield pool


@pytest.fixture
def server(where, pool):
    service = serving.service_of(where, pool=pool)
    with service.start(
        "tcp://127.0.0.1:0", f"unix://@elsewhere-test-{os.getpid()}-{where.replace(' ', '-')}"
    ) as server:
        server.service = service
        yield server


@pytest.fixture
def peer(server):
    with Raw(server.addresses[0]) as peer:
        yield peer


def test_a_value(peer):
    assert peer.call("double", 21) == (None, 42)


def test_the_methods_own_exception_is_one_str_to_a_plain_peer(peer):
    assert peer.call("fail", "bad") == ("ValueError: bad", None)


def test_the_methods_own_exception_is_a_map_to_one_of_ours(peer):
    assert peer.hello()[0] is None
    error, _ = peer.call("fail", "bad")
    assert error == {"kind": "error", "type": "builtins.ValueError", "message": "bad"}


def test_there_is_no_such_method(peer):
    assert peer.call("zzz") == ("'zzz' method not found", None)
    peer.hello()
    assert peer.call("zzz")[0]["kind"] == "method"
    assert peer.call("rpc.zzz")[0]["kind"] == "method"


@pytest.mark.parametrize(
    "name", ["__class__", "double.__call__", "fn", "_registry", "", "rpc", "serve", "rpc.call.double"]
)
def test_nothing_that_was_not_registered_can_be_reached(peer, name):
    error, result = peer.call(name)
    assert (error, result) == (f"{name!r} method not found", None)


def test_wrong_arguments_are_told_by_parameter_and_type(peer):
    peer.hello()
    assert "n: expected int, got str" in peer.call("double", "x")[0]["message"]
    assert "misses 'n' (int)" in peer.call("double")[0]["message"]
    assert "was given 2" in peer.call("double", 1, 2)[0]["message"]
    assert peer.call("double", "x")[0]["kind"] == "arguments"


def test_keywords_travel_in_our_dialect(peer):
    assert peer.call("rpc.call", "join", ["a", "b"], {"sep": "-"}) == (None, "a-b")
    peer.hello()
    assert peer.call("rpc.call", "join", ["a"], {"zip": "-"})[0]["kind"] == "arguments"
    assert peer.call("rpc.call", "rpc.methods", [], {})[0]["kind"] == "method"
    assert peer.call("rpc.call", "join")[0]["kind"] == "arguments"
    assert peer.call("rpc.call", "join", ["a"], {1: "-"})[0]["kind"] == "arguments"


def test_the_greeting(peer):
    error, told = peer.hello(name="me")
    assert error is None
    assert (told["name"], told["version"], told["idempotent"]) == ("tested", 1, ["double"])


def test_what_can_be_called_is_told(peer):
    error, methods = peer.call("rpc.methods")
    found = {method["name"]: method for method in methods}
    assert error is None
    assert found["double"] == {
        "name": "double", "signature": "(n: int) -> int", "doc": "Twice the number.", "idempotent": True,
    }  # fmt: skip
    assert "wait_at" in found


def test_a_result_that_cannot_be_sent_is_an_error_that_names_its_type(peer):
    error, _ = peer.call("thing")
    assert "lock" in error
    assert peer.call("double", 1) == (None, 2)


def test_one_that_wants_to_leave_fails_alone(peer):
    error, _ = peer.call("leave")
    assert error is not None
    assert peer.call("double", 2) == (None, 4)


def test_many_at_once_are_all_answered(peer):
    peer.send(*([0, n, "double", [n]] for n in range(500)))
    answers = [peer.receive() for _ in range(500)]
    assert sorted(answers, key=lambda answer: answer[1]) == [[1, n, None, 2 * n] for n in range(500)]


def test_a_notification_is_run_and_not_answered(peer, tmp_path):
    gate = Gate(tmp_path / "gate")
    gate.open()
    peer.send([2, "wait_at", [str(gate.folder), "it"]])
    gate.wait_for("came", "it")
    assert peer.call("double", 3) == (None, 6)


def test_a_notification_that_fails_is_logged(peer, caplog, where):
    peer.send([2, "fail", ["bad"]], [2, "zzz", []])
    assert peer.call("double", 3) == (None, 6)
    until(lambda: "the notification 'fail'" in caplog.text, "the log")


def test_later_calls_pass_one_that_takes_long(peer, tmp_path):
    gate = Gate(tmp_path / "gate")
    long = peer.request("wait_at", str(gate.folder), "long")
    assert peer.call("double", 1) == (None, 2)
    gate.wait_for("came", "long")
    assert peer.call("double", 2) == (None, 4)
    gate.open()
    assert peer.answer(long) == (None, "long")


def test_what_came_in_one_piece_with_one_that_takes_long_passes_it(peer, tmp_path):
    gate = Gate(tmp_path / "gate")
    peer.send([0, 900, "double", [1]], [0, 901, "wait_at", [str(gate.folder), "long"]], [0, 902, "double", [2]])
    assert peer.answer(900) == (None, 2)
    assert peer.answer(902) == (None, 4)
    gate.open()
    assert peer.answer(901) == (None, "long")


def test_a_deadline_of_its_own(peer, where, tmp_path):
    gate = Gate(tmp_path / "gate")
    peer.hello()
    error, _ = peer.call("rpc.call", "wait_at", [str(gate.folder), "late"], {}, {"timeout": 0.05})
    assert error["kind"] == "timeout"
    assert "0.05 s" in error["message"]
    assert peer.call("double", 1) == (None, 2)
    came = gate.has("came", "late")  # on a busy machine, the time may be over before
    if came:
        stopped(gate, where, "late")
    gate.open()  # also for one that comes a moment later
    if came:
        gate.wait_for("left", "late")


def late_while_it_runs(gate, call, prefix=""):
    """The name of a call that had begun when its time was over; on a busy machine, it may be over before."""
    for attempt in range(100):
        name = f"{prefix}attempt-{attempt}"
        assert call(name)[0]["kind"] == "timeout"
        if gate.has("came", name):
            return name
    raise AssertionError("none of them began in time")


def stopped(gate, where, name):
    """It was interrupted, where that is possible; a thread goes on."""
    place = where.split(" ", maxsplit=1)[0]
    if place != "threads":
        until(lambda: gate.names("CancelledError") | gate.names("CallCancelled") | gate.names("CallTimeout") == {name})
        gate.wait_for("left", name)


def test_the_deadline_of_the_greeting_is_that_of_each_call(peer, tmp_path):
    gate = Gate(tmp_path / "gate")
    peer.hello(timeout=0.05)
    late = late_while_it_runs(gate, lambda name: peer.call("wait_at", str(gate.folder), name))
    gate.open()
    gate.wait_for("left", late)


def test_cancelling(peer, where, tmp_path):
    gate = Gate(tmp_path / "gate")
    peer.hello()
    long = peer.request("wait_at", str(gate.folder), "long")
    gate.wait_for("came", "long")
    assert peer.call("double", 1) == (None, 2)  # by then it is known to be under way
    peer.send([2, "rpc.cancel", [long]])
    assert peer.answer(long)[0]["kind"] == "cancelled"
    peer.send([2, "rpc.cancel", [long]], [2, "rpc.cancel", []], [2, "rpc.cancel", ["x"]])
    assert peer.call("double", 1) == (None, 2)
    stopped(gate, where, "long")
    gate.open()
    gate.wait_for("left", "long")


def test_a_peer_that_leaves_takes_nobody_along(server, peer, tmp_path):
    gate = Gate(tmp_path / "gate")
    with Raw(server.addresses[0]) as other:
        other.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
    gate.open()
    gate.wait_for("left", "it")  # it was not stopped
    assert peer.call("double", 1) == (None, 2)


def test_who_says_that_it_sends_no_more_is_still_answered(server, peer, tmp_path):
    import socket

    gate = Gate(tmp_path / "gate")
    long = peer.request("wait_at", str(gate.folder), "it")
    peer.sock.shutdown(socket.SHUT_WR)
    gate.wait_for("came", "it")
    gate.open()
    assert peer.answer(long) == (None, "it")
    assert peer.ended()


def test_a_unix_socket(server):
    with Raw(server.addresses[1]) as peer:
        assert peer.call("double", 4) == (None, 8)


def test_what_was_called_is_counted(server, peer):
    peer.call("fail", "x")
    peer.call("fail", "y")
    peer.call("double", 1)
    found = server.service.statistics()
    assert found["fail"][:3] == (2, 2, 0)
    assert found["double"][:3] == (1, 0, 0)
    assert 0 < found["double"].mean == found["double"].longest
    assert found["pid"] == (0, 0, 0, 0.0, 0.0)


# ---- threads alone ---------------------------------------------------------------------------------------------------


@pytest.fixture
def started():
    servers = []

    def start(*methods, where=None, **options):
        service = Service(**options)
        for method in methods:
            service.register(method, where=where)
        servers.append(service.start("tcp://127.0.0.1:0"))
        servers[-1].service = service
        return servers[-1]

    yield start
    for server in servers:
        server.close(0)


def test_one_that_was_always_quick_may_take_long_one_day(started, tmp_path):
    gate = Gate(tmp_path / "gate")

    def moody(wait: bool) -> bool:
        if wait:
            work.hold(gate, "it")
        return wait

    server = started(moody)
    with Raw(server.addresses[0]) as peer:
        for n in range(300):
            peer.send([0, n, "moody", [False]])
            assert peer.receive() == [1, n, None, False]
        peer.send([0, 1000, "moody", [True]], [0, 1001, "moody", [False]])
        assert peer.receive() == [1, 1001, None, False]
        gate.open()
        assert peer.receive() == [1, 1000, None, True]


@pytest.mark.parametrize("where", ["threads", "loop"])
def test_answers_do_not_wait_for_all_that_came_with_their_calls(started, where):
    """The calls themselves look whether an answer has come to their peer, who reads none before all have run."""
    came, counting, over = [], threading.Lock(), threading.Event()

    def some_work() -> int:
        end = time.perf_counter() + 0.0003
        while time.perf_counter() < end:
            pass
        with counting:  # another thread goes on with the row where one call takes long
            came.append(bool(select.select([far.sock], [], [], 0)[0]))
            number = len(came)
        if number == 200:
            over.set()
        return number

    server = started(some_work, where=where)
    with Raw(server.addresses[0]) as far:
        far.send(*([0, n, "some_work", []] for n in range(200)))
        assert over.wait(work.PATIENCE)
        assert any(came)
        found = [far.receive() for _ in range(200)]
    assert sorted(answer[1] for answer in found) == list(range(200))
    assert sorted(answer[3] for answer in found) == list(range(1, 201))


def test_threads_come_as_needed_up_to_the_limit(started, tmp_path):
    gate = Gate(tmp_path / "gate")

    def hold(name: str) -> None:
        work.hold(gate, name)

    server = started(hold, max_threads=3)
    with Raw(server.addresses[0]) as peer:
        asked = [peer.request("hold", str(n)) for n in range(5)]
        for n in range(3):
            gate.wait_for("came", n)
        assert server.service.statistics()["hold"].running == 3
        assert gate.names("came") == {"0", "1", "2"}
        gate.open()
        assert [peer.answer(msgid) for msgid in asked] == [(None, None)] * 5


def test_a_thread_that_is_left_to_itself_is_replaced(started, tmp_path):
    gate = Gate(tmp_path / "gate")

    def hold(name: str) -> None:
        work.hold(gate, name)

    server = started(hold, serving.double, max_threads=1)
    with Raw(server.addresses[0]) as peer:
        peer.hello(timeout=0.02)
        late = [late_while_it_runs(gate, lambda name: peer.call("hold", name), f"{n}-") for n in range(3)]
        assert peer.call("rpc.call", "double", [1], {}, {"timeout": 20}) == (None, 2)
        gate.open()
        for name in late:
            gate.wait_for("left", name)


def test_a_coroutine_function_may_run_in_a_thread(started):
    server = started(serving.sleepy, serving.double, where="threads")
    with Raw(server.addresses[0]) as peer:
        assert peer.call("sleepy", 3) == (None, 6)


def test_methods_that_are_registered_while_it_serves(started):
    server = started(serving.sleepy)  # on a loop
    with Raw(server.addresses[0]) as peer:
        assert peer.call("double", 3)[1] is None
        server.service.register(serving.double, where="threads")
        server.service.register(serving.fail, where="threads")
        assert peer.call("double", 3) == (None, 6)
        assert peer.call("fail", "x") == ("ValueError: x", None)


def test_a_worker_that_dies_is_an_error_of_its_own_kind(started):
    server = started(serving.die, serving.double, where="processes")
    with Raw(server.addresses[0]) as peer:
        peer.hello()
        error, _ = peer.call("die")
        assert error["kind"] == "lost"
        assert "code 7" in error["message"]
        assert peer.call("double", 1) == (None, 2)


def test_the_limit_of_a_method_holds_where_the_callers_is_longer(started, tmp_path):
    gate = Gate(tmp_path / "gate")
    service = Service()

    @service.method(timeout=0.05)
    def hold(name: str) -> None:
        work.hold(gate, name)

    with service.start("tcp://127.0.0.1:0") as server, Raw(server.addresses[0]) as peer:
        peer.hello(timeout=30)
        error, _ = peer.call("hold", "first")
        assert (error["kind"], "0.05 s" in error["message"]) == ("timeout", True)
        late = late_while_it_runs(gate, lambda name: peer.call("hold", name))
        gate.open()
        gate.wait_for("left", late)


@pytest.mark.parametrize("told", [True, False])
def test_the_traceback_is_told_if_the_service_allows_it(started, told):
    server = started(serving.fail, traceback=told)
    with Raw(server.addresses[0]) as peer:
        peer.hello()
        error, _ = peer.call("fail", "x")
        assert ("raise ValueError(text)" in error.get("traceback", "")) is told


@pytest.mark.parametrize("where", ["threads", "loop", "processes"])
@pytest.mark.parametrize("error", [NeverStarted, MethodNotFound, ArgumentError, Unauthorized])
def test_what_a_method_raises_never_says_that_it_has_not_run(started, pool_of_one, where, error):
    server = started(serving.pass_on, where=pool_of_one if where == "processes" else where)
    with Raw(server.addresses[0]) as peer:
        peer.hello()
        found, _ = peer.call("pass_on", error.__name__)
        assert (found["kind"], found["type"]) == ("error", f"elsewhere.errors.{error.__name__}")


@pytest.fixture(scope="module")
def pool_of_one():
    with Pool(1) as pool:
        pool.apply(work.pid_of, (1,))
        yield pool
