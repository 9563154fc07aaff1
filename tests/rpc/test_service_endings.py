"""How a service ends: closed, by a signal, killed; and what becomes of the calls that run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from elsewhere import Service, get_start_method, set_start_method
from tests.contract.work import PATIENCE, Gate, until
from tests.rpc import serving
from tests.rpc.raw import Raw


@pytest.fixture(params=["threads", "loop"])
def where(request):
    return request.param


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


@pytest.fixture
def server(where):
    with serving.service_of(where).start("tcp://127.0.0.1:0") as server:
        yield server


def closing(server, drain):
    thread = threading.Thread(target=server.close, args=(drain,))
    thread.start()
    return thread


def test_a_call_that_runs_is_answered_and_what_comes_meanwhile_is_refused(server, gate):
    with Raw(server.addresses[0]) as peer, Raw(server.addresses[0]) as idle:
        assert idle.call("double", 1) == (None, 2)
        peer.hello()
        long = peer.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
        thread = closing(server, 20)
        assert idle.ended()
        with pytest.raises(ConnectionRefusedError):
            Raw(server.addresses[0])
        error, _ = peer.call("double", 1)
        assert error["kind"] == "never"
        gate.open()
        assert peer.answer(long) == (None, "it")
        assert peer.ended()
        thread.join(PATIENCE)
        assert "closed" in repr(server)


def test_patience_ends(server, gate):
    with Raw(server.addresses[0]) as peer:
        peer.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
        started = time.monotonic()
        server.close(0.05)
        assert time.monotonic() - started < 5
        assert peer.ended()
    gate.open()
    gate.wait_for("left", "it")


def test_closing_twice_and_from_two_threads(server, gate):
    with Raw(server.addresses[0]) as peer:
        long = peer.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
        threads = [closing(server, 20), closing(server, 20)]
        gate.open()
        assert peer.answer(long) == (None, "it")
        for thread in threads:
            thread.join(PATIENCE)
    server.close()


@pytest.mark.parametrize("place", ["threads", "loop", "loop beside threads", "threads beside loop"])
def test_a_method_may_close_its_service_and_is_answered(place):
    where, _, beside = place.partition(" beside ")
    service = serving.service_of("loop" if beside == "loop" else "threads" if beside else where)

    def leave_now() -> str:
        service.close()
        return "bye"

    if not beside:
        service.register(leave_now, where=where)
    with service.start("tcp://127.0.0.1:0") as server, Raw(server.addresses[0]) as peer:
        if beside:
            service.register(leave_now, where=where)
        assert peer.call("leave_now") == (None, "bye")
        assert peer.ended()
        assert server.wait(PATIENCE)


def test_nothing_is_left_of_one_for_which_there_is_no_thread(where, monkeypatch):
    def none(self):
        raise RuntimeError("can't start new thread")

    service = serving.service_of(where)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            service.start("tcp://127.0.0.1:0")
    assert service._servers == []
    with service.start("tcp://127.0.0.1:0") as server, Raw(server.addresses[0]) as peer:
        assert peer.call("double", 1) == (None, 2)


def test_nothing_is_left_of_one_that_was_never_called(where):
    server = serving.service_of(where).start("tcp://127.0.0.1:0")
    server.close()
    assert server.wait(0)


def test_an_idle_server_sleeps(server):
    """No thread of it wakes up by itself: after a few calls and the linger, none uses the processor."""
    with Raw(server.addresses[0]) as peer:
        for n in range(50):
            assert peer.call("double", n) == (None, 2 * n)
        threads = [int(tid) for tid in os.listdir("/proc/self/task") if int(tid) != os.getpid()]

        def switches():
            found = []
            for tid in threads:
                with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{tid}/status") as file:
                    found += re.findall(r"ctxt_switches:\s+(\d+)", file.read())
            return found

        def still():
            before = switches()
            threading.Event().wait(0.25)
            return before == switches()

        until(still, "the threads to sleep")
        assert peer.call("double", 1) == (None, 2)


def test_the_methods_of_a_service_can_be_served_twice(where):
    service = serving.service_of(where)
    with service.start("tcp://127.0.0.1:0") as one, service.start("tcp://127.0.0.1:0") as two:
        for server in (one, two):
            with Raw(server.addresses[0]) as peer:
                assert peer.call("double", 1) == (None, 2)
        service.close()
        assert one.wait(0)
        assert two.wait(0)


def test_serving_in_a_thread_until_it_is_closed(capfd):
    service = serving.service_of("threads")
    ended = []
    thread = threading.Thread(target=lambda: ended.append(service.serve("tcp://127.0.0.1:0")))
    thread.start()
    until(lambda: service._servers, "the server")
    with Raw(service._servers[0].addresses[0]) as peer:
        assert peer.call("double", 1) == (None, 2)
    service.close()
    thread.join(PATIENCE)
    assert ended == [0]
    assert capfd.readouterr().err.startswith("serving at tcp://127.0.0.1:")


def test_what_another_signals_handler_raises_ends_the_service(capfd):
    class Alarm(Exception):
        pass

    def handle(signum, frame):
        raise Alarm

    service = serving.service_of("threads")

    def interrupt():
        until(lambda: service._servers, "the server")
        with Raw(service._servers[0].addresses[0]) as peer:
            assert peer.call("double", 1) == (None, 2)
            until(lambda: "serving at" in capfd.readouterr().err, "it to say so")
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            assert peer.ended()

    before = signal.signal(signal.SIGUSR1, handle)
    thread = threading.Thread(target=interrupt)
    try:
        thread.start()
        with pytest.raises(Alarm):
            service.serve("tcp://127.0.0.1:0")
        assert not service._servers
    finally:
        thread.join(PATIENCE)
        signal.signal(signal.SIGUSR1, before)


def test_a_forked_copy_leaves_the_server_alone(server):
    child = multiprocessing.get_context("fork").Process(target=server.close)
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0
    with Raw(server.addresses[0]) as peer:
        assert peer.call("double", 1) == (None, 2)


# ---- a program -------------------------------------------------------------------------------------------------------


class Program:
    """One that serves."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self.process.stderr.readline()
        assert line.startswith("serving at "), line + self.process.stderr.read()
        self.address = line.split()[-1]

    def end(self):
        """Exit code and what it has written."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def program():
    programs = []

    def start(workers=1, drain=20, where="threads", address="tcp://127.0.0.1:0"):
        return start_any("-m", "tests.rpc.served", address, workers, drain, where)

    def start_any(*arguments):
        programs.append(Program(*arguments))
        return programs[-1]

    start.any = start_any
    yield start
    for each in programs:
        each.kill()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_lets_what_runs_end(program, gate, signum, workers):
    served = program(workers)
    with Raw(served.address) as peer:
        long = peer.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
        served.process.send_signal(signum)
        until(lambda: not connects(served.address), "the end of accepting")
        gate.open()
        assert peer.answer(long) == (None, "it")
    assert served.end()[:2] == (0, f"ended by {int(signum)}\n")


def connects(address):
    try:
        Raw(address).close()
    except ConnectionRefusedError:
        return False
    except ConnectionError:  # it is just being closed
        return True
    return True


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_ends_the_patience(program, gate, workers):
    served = program(workers)
    with Raw(served.address) as peer:
        peer.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
        served.process.send_signal(signal.SIGTERM)
        until(lambda: not connects(served.address), "the end of accepting")
        served.process.send_signal(signal.SIGTERM)
        assert served.end()[0] == 0
        assert peer.ended()


def test_a_signal_to_the_whole_group_is_one_for_the_parent(program, gate):
    served = program(2)
    with Raw(served.address) as peer:
        worker = peer.call("pid")[1]
        long = peer.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
        os.kill(worker, signal.SIGINT)
        served.process.send_signal(signal.SIGINT)
        gate.open()
        assert peer.answer(long) == (None, "it")
    assert served.end()[0] == 0


def test_a_service_that_is_killed_lets_go_of_its_address(program, tmp_path):
    address = f"unix://{tmp_path}/sock"
    served = program(address=address)
    with Raw(address) as peer:
        assert peer.call("double", 1) == (None, 2)
        served.kill()
        assert peer.ended()
    again = program(address=address)
    with Raw(address) as peer:
        assert peer.call("double", 1) == (None, 2)
    again.process.send_signal(signal.SIGTERM)
    assert again.end()[0] == 0


def test_workers_end_with_a_parent_that_is_killed(program):
    served = program(2)
    pids = set()
    with contextlib.ExitStack() as stack:
        for peer in [stack.enter_context(Raw(served.address)) for _ in range(4)]:
            pids.add(peer.call("pid")[1])
        assert len(pids) == 2
        served.kill()
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "the workers to end")


SCRIPT = """
from elsewhere import Service

service = Service(name="mine")
count = 0

@service.method
def names(n: int) -> list:
    global count
    count += n
    return [service.name, count, sorted(service.statistics())]

service.serve("tcp://127.0.0.1:0", workers=2)
"""


def test_a_script_whose_methods_use_what_it_defines(program, tmp_path):
    """No main guard, and a method that refers to the very service: both travel to the workers."""
    (tmp_path / "script.py").write_text(SCRIPT)
    served = program.any(tmp_path / "script.py")
    with Raw(served.address) as one, Raw(served.address) as other:
        assert one.call("names", 1) == (None, ["mine", 1, ["names"]])
        assert one.call("names", 1) == (None, ["mine", 2, ["names"]])
        assert other.call("names", 1) == (None, ["mine", 1, ["names"]])
    served.process.send_signal(signal.SIGTERM)
    assert served.end()[0] == 0


# ---- workers ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["forkserver", "spawn"])
def workers(request):
    before = get_start_method(allow_none=True)
    set_start_method(request.param, force=True)
    service = serving.service_of("threads")
    service.register(serving.die)
    service.add(serving.Counter(), "counter.")
    try:
        with service.start("tcp://127.0.0.1:0", workers=2) as server:
            server.service = service
            yield server
    finally:
        set_start_method(before, force=True)


def test_connections_are_shared_out_evenly(workers):
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Raw(workers.addresses[0])) for _ in range(8)]
        pids = [peer.call("pid")[1] for peer in peers]
        assert sorted(pids.count(pid) for pid in set(pids)) == [4, 4]
        assert set(pids) == set(workers.pids)


def test_the_object_of_a_method_goes_to_each_worker(workers):
    with Raw(workers.addresses[0]) as one, Raw(workers.addresses[0]) as other:
        assert [one.call("counter.up")[1] for _ in range(3)] == [1, 2, 3]
        assert other.call("counter.up") == (None, 1)


def test_what_workers_were_called_is_summed_up(workers):
    with contextlib.ExitStack() as stack:
        for peer in [stack.enter_context(Raw(workers.addresses[0])) for _ in range(4)]:
            assert peer.call("join", "a", "b") == (None, "a b")
    # A worker that gets no core for a second is left out of one sum.
    until(lambda: workers.service.statistics()["join"].calls == 4, "the sum")


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_worker_that_dies_is_replaced_and_others_go_on(workers, how, caplog):
    until(lambda: len(workers.pids) == 2, "both workers")
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Raw(workers.addresses[0])) for _ in range(4)]
        owners = [peer.call("pid")[1] for peer in peers]
        victim = owners[0]
        if how == "kill":
            os.kill(victim, signal.SIGKILL)
        else:
            peers[0].request("die")
        for peer, owner in zip(peers, owners, strict=True):
            if owner == victim:
                assert peer.ended()
            else:
                assert peer.call("double", 1) == (None, 2)
        until(lambda: len(set(workers.pids) - {victim}) == 2, "the next worker")
    assert "is replaced" in caplog.text
    with Raw(workers.addresses[0]) as peer:
        assert peer.call("double", 2) == (None, 4)


def test_workers_that_die_at_once_while_nothing_is_accepted_are_replaced_too(tmp_path, caplog):
    file = tmp_path / "file"
    with Service(serving.Fragile(str(file))).start("tcp://127.0.0.1:0", workers=2) as server:
        file.touch()
        for pid in server.pids:
            os.kill(pid, signal.SIGKILL)

        def several_have_died():
            with contextlib.suppress(ConnectionError):  # who comes now is turned away, and then nobody is let in
                Raw(server.addresses[0]).close()
            return sum("is replaced" in record.getMessage() for record in caplog.records) >= 4

        until(several_have_died, "their successors to die")
        file.unlink()
        until(lambda: len(server.pids) == 2, "two workers")
        with Raw(server.addresses[0]) as peer:
            assert peer.call("well") == (None, "well")


def test_a_worker_that_takes_nothing_for_a_while_is_told_of_the_end_all_the_same():
    """The channel to it is full just then."""
    with serving.service_of("threads").start("tcp://127.0.0.1:0", workers=2) as server:
        pids = server.pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for worker in server._workers:
            while worker.channel.send(["statistics", -1]):  # for nobody
                pass
        thread = closing(server, 60)
        until(lambda: not connects(server.addresses[0]), "the end of accepting")
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_what_cannot_go_to_workers_is_said_at_once():
    from elsewhere import Pool

    with Pool(1) as pool, pytest.raises(ValueError, match="a Pool cannot go"):
        Service(abs, pool=pool).start("tcp://127.0.0.1:0", workers=2)
    with pytest.raises(ValueError, match="workers is 1 or more"):
        Service(abs).start("tcp://127.0.0.1:0", workers=0)
