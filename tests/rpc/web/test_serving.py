"""HTTP beside other addresses, several processes, time limits, clients that go away, and the end."""

from __future__ import annotations

import json
import logging
import os
import threading
import time

import pytest

from elsewhere import Service, connect
from elsewhere.rpc import caller
from tests.contract.work import PATIENCE, Gate, until
from tests.rpc import serving
from tests.rpc.raw import Raw
from tests.rpc.web.plain import JSON, Plain


def waiting(gate: Gate, msgid: int | None = 1) -> bytes:
    told = {} if msgid is None else {"id": msgid}
    return json.dumps({"jsonrpc": "2.0", "method": "wait_at", "params": [str(gate.folder), "it"], **told}).encode()


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


# ---- beside other addresses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["threads", "loop", "processes", "loop beside threads"])
def test_one_service_at_addresses_of_all_kinds(where):
    service = serving.service_of(where)
    with service.start(
        "tcp://127.0.0.1:0", "http://127.0.0.1:0", f"unix://@web-{os.getpid()}", "http://[::1]:0"
    ) as server:
        tcp, web, unix, six = server.addresses
        with Raw(tcp) as one, Raw(unix) as other, Plain(web) as peer, Plain(six) as last:
            for n in range(3):
                assert one.call("double", n) == other.call("double", n) == (None, 2 * n)
                assert peer.result("double", n) == last.result("double", n) == 2 * n
        assert service.statistics()["double"].calls == 12


def test_coroutines_of_all_addresses_run_on_one_loop():
    loops = set()
    service = Service()

    @service.method
    async def note() -> int:
        import asyncio

        loops.add(id(asyncio.get_running_loop()))
        return len(loops)

    service.register(serving.double)  # in a thread: other addresses have threads then
    with (
        service.start("tcp://127.0.0.1:0", "http://127.0.0.1:0") as server,
        Raw(server.addresses[0]) as one,
        Plain(server.addresses[1]) as peer,
    ):
        assert one.call("note") == (None, 1)
        assert peer.result("note") == 1


def test_threads_run_at_the_same_time(gate):
    with (
        serving.service_of("threads").start("http://127.0.0.1:0") as server,
        Plain(server.addresses[0]) as one,
        Plain(server.addresses[0]) as other,
    ):
        one.http.request("POST", "/jsonrpc", waiting(gate), JSON)
        gate.wait_for("came", "it")
        assert other.result("double", 2) == 4
        gate.open()
        assert one.answer().json["result"] == "it"


def test_connections_of_all_kinds_are_limited_together():
    service = serving.service_of("threads", max_connections=3)
    with service.start("tcp://127.0.0.1:0", "http://127.0.0.1:0") as server:
        tcp, web = server.addresses
        with Raw(tcp) as one, Plain(web) as other, Plain(web) as third:
            assert one.call("double", 1) == (None, 2)
            assert other.result("double", 1) == third.result("double", 1) == 2
            with Raw(tcp) as late:
                assert late.ended()
            with Plain(web) as late, pytest.raises(ConnectionError):
                late.result("double", 1)

        def there_is_room():
            with Plain(web) as again:
                try:
                    return again.result("double", 1) == 2
                except ConnectionError:
                    return False

        until(there_is_room)


def test_who_called_is_known_and_cannot_be_called_back():
    service = Service()

    @service.method(where="loop")
    def here() -> list:
        return [caller().address, caller().gone]

    @service.method
    def back() -> None:
        caller().call("double", 2)

    with service.start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        address, gone = peer.result("here")
        assert address == f"http://127.0.0.1:{peer.http.sock.getsockname()[1]}"
        assert gone is False
        assert "over HTTP, which has no way back" in peer.error("back")["message"]


# ---- time limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["threads", "loop", "processes"])
def test_a_method_has_a_time_limit(where, gate):
    service = Service()
    service.register(serving.wait_async if where == "loop" else serving.wait_at, "wait_at", where=where, timeout=0.5)
    service.register(serving.double, where=where)
    with service.start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        error = peer.post("/jsonrpc", waiting(gate), JSON).json["error"]
        assert error["message"] == "wait_at ran longer than its timeout of 0.5 s"
        assert error["data"]["kind"] == "timeout"
        if where == "loop":
            gate.wait_for("left", "it")  # it was cancelled
        gate.open()
        assert peer.result("double", 2) == 4
        assert service.statistics()["wait_at"].errors == 1


def test_threads_that_are_late_do_not_use_up_the_others(gate):
    service = Service(max_threads=2)
    service.register(serving.wait_at, timeout=0.1)
    service.register(serving.double)
    with service.start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        for _ in range(5):
            assert peer.post("/jsonrpc", waiting(gate), JSON).json["error"]["data"]["kind"] == "timeout"
        assert peer.result("double", 2) == 4
        gate.open()


# ---- clients that go away --------------------------------------------------------------------------------------------


def test_a_coroutine_whose_client_goes_away_is_cancelled(gate):
    service = serving.service_of("loop")
    with service.start("http://127.0.0.1:0") as server:
        with Plain(server.addresses[0]) as peer:
            peer.http.request("POST", "/jsonrpc", waiting(gate), JSON)
            gate.wait_for("came", "it")
        gate.wait_for("left", "it")
        until(lambda: service.statistics()["wait_at"].errors == 1)
        assert not gate.is_open()


def test_a_method_in_a_process_whose_client_goes_away_is_stopped(gate):
    service = serving.service_of("processes")
    with service.start("http://127.0.0.1:0") as server:
        with Plain(server.addresses[0]) as peer:
            peer.http.request("POST", "/jsonrpc", waiting(gate), JSON)
            gate.wait_for("came", "it")
        gate.wait_for("left", "it")
        assert not gate.is_open()


def test_a_method_in_a_thread_may_look_whether_its_client_is_there():
    service, came, told = Service(), threading.Event(), []

    @service.method
    def work() -> None:
        came.set()
        who, end = caller(), time.monotonic() + PATIENCE
        while not who.gone and time.monotonic() < end:
            time.sleep(0.002)
        told.append(who.gone)

    with service.start("http://127.0.0.1:0") as server:
        with Plain(server.addresses[0]) as peer:
            peer.http.request("POST", "/jsonrpc", b'{"jsonrpc": "2.0", "method": "work", "id": 1}', JSON)
            assert came.wait(PATIENCE)
        until(lambda: told == [True])


def test_a_notification_goes_on_when_its_client_has_gone(gate):
    with serving.service_of("loop").start("http://127.0.0.1:0") as server:
        with Plain(server.addresses[0]) as peer:
            assert peer.post("/jsonrpc", waiting(gate, None), JSON).status == 204
        with Plain(server.addresses[0]) as peer:
            assert peer.result("double", 2) == 4
        gate.wait_for("came", "it")
        assert not gate.has("left", "it")
        gate.open()
        gate.wait_for("left", "it")


def test_of_a_batch_only_what_is_waited_for_ends_with_its_client(tmp_path):
    kept, waited = Gate(tmp_path / "kept"), Gate(tmp_path / "waited")
    body = b"[%b, %b]" % (waiting(kept, None), waiting(waited))
    with serving.service_of("loop").start("http://127.0.0.1:0") as server:
        with Plain(server.addresses[0]) as peer:
            peer.http.request("POST", "/jsonrpc", body, JSON)
            kept.wait_for("came", "it")
            waited.wait_for("came", "it")
        waited.wait_for("left", "it")
        assert not kept.has("left", "it")
        kept.open()
        kept.wait_for("left", "it")


# ---- the end ---------------------------------------------------------------------------------------------------------


def closing(server, drain):
    thread = threading.Thread(target=server.close, args=(drain,))
    thread.start()
    return thread


@pytest.mark.parametrize("beside", [[], ["tcp://127.0.0.1:0"]])
@pytest.mark.parametrize("where", ["threads", "loop"])
def test_a_call_that_runs_is_answered_when_the_server_closes(where, beside, gate):
    with (
        serving.service_of(where).start("http://127.0.0.1:0", *beside) as server,
        Plain(server.addresses[0]) as peer,
        Plain(server.addresses[0]) as idle,
    ):
        assert idle.result("double", 1) == 2
        peer.http.request("POST", "/jsonrpc", waiting(gate), JSON)
        gate.wait_for("came", "it")
        thread = closing(server, 20)
        assert idle.ended()
        with pytest.raises(ConnectionRefusedError):
            Plain(server.addresses[0]).result("double", 1)
        gate.open()
        found = peer.answer()
        assert found.json["result"] == "it"
        assert peer.ended()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_notification_is_waited_for_when_the_server_closes(gate):
    with serving.service_of("threads").start("http://127.0.0.1:0") as server:
        with Plain(server.addresses[0]) as peer:
            peer.post("/jsonrpc", waiting(gate, None), JSON)
            gate.wait_for("came", "it")
        thread = closing(server, 20)
        thread.join(0.2)
        assert thread.is_alive()
        gate.open()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert gate.has("left", "it")


@pytest.mark.parametrize("where", ["threads", "loop", "processes"])
def test_a_server_that_is_closed_at_once_ends_what_runs(where, gate, caplog):
    with serving.service_of(where).start("http://127.0.0.1:0") as server, Plain(server.addresses[0]) as peer:
        peer.http.request("POST", "/jsonrpc", waiting(gate), JSON)
        gate.wait_for("came", "it")
        begun = time.monotonic()
        server.close(0)
        assert time.monotonic() - begun < PATIENCE / 2
        with pytest.raises((ConnectionError, OSError)):
            peer.answer()
    gate.open()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# ---- several processes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["threads", "loop"])
def test_several_processes(where):
    service = serving.service_of(where)
    with service.start("http://127.0.0.1:0", "tcp://127.0.0.1:0", workers=2) as server:
        peers = [Plain(server.addresses[0]) for _ in range(6)]
        pids = [peer.result("pid") for peer in peers]
        assert set(pids) == set(server.pids)
        assert len(set(pids)) == 2
        with Raw(server.addresses[1]) as other:
            assert other.call("double", 2) == (None, 4)
        for peer in peers:
            assert peer.result("double", 2) == 4
            peer.close()
        until(lambda: service.statistics()["double"].calls == 7)  # a worker without a core is left out of one sum
        with connect(server.addresses[0]) as client:
            assert client.double(4) == 8


def test_several_processes_over_tls(certificates):
    from elsewhere.transport.tls import TLS

    service = serving.service_of("loop")
    context = TLS(ca=certificates.authority).for_client()
    with (
        service.start("https://127.0.0.1:0", tls=TLS(cert=certificates.server), workers=2) as server,
        Plain(server.addresses[0], context) as peer,
    ):
        assert peer.result("double", 2) == 4
