"""Pipes whose ends both send and receive: sockets, which travel to other processes at any time."""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.connection
import os
import pickle
import resource
import signal
import socket
import stat
import sys
import threading
from multiprocessing import reduction

import pytest

import elsewhere
from elsewhere.errors import ProtocolError
from elsewhere.process.sync.duplex import exchange, wire
from tests.process.sync import ends

METHODS = ("forkserver", "spawn", "fork")


@pytest.fixture(autouse=True)
def nothing_is_on_its_way():
    yield
    gc.collect()
    assert exchange._parcels == {}
    assert exchange._office is None


def test_an_end_is_one_socket_that_reads_and_writes():
    first, second = elsewhere.Pipe()
    assert all(isinstance(end, multiprocessing.connection.Connection) for end in (first, second))
    assert stat.S_ISSOCK(os.fstat(first.fileno()).st_mode)
    os.write(first.fileno(), b"\0\0\0\2ab")
    os.write(second.fileno(), b"\0\0\0\2cd")
    assert (first.recv_bytes(), second.recv_bytes()) == (b"cd", b"ab")
    first.send_bytes(b"x" * 100)
    with pytest.raises(multiprocessing.BufferTooShort) as caught:
        second.recv_bytes_into(bytearray(10))
    assert caught.value.args == (b"x" * 100,)
    assert not first.poll(0)
    assert multiprocessing.connection.wait([first, second], 0) == []
    second.close()
    assert multiprocessing.connection.wait([first], 5) == [first]
    with pytest.raises(EOFError):
        first.recv()
    with pytest.raises(OSError, match="handle is closed"):
        pickle.dumps(second)
    first.close()


@pytest.mark.parametrize("method", METHODS)
def test_descriptors_go_through_it(method, tmp_path):
    ours, theirs = elsewhere.Pipe()
    process = elsewhere.get_context(method).Process(target=ends.write_through, args=(theirs,))
    process.start()
    theirs.close()
    with open(tmp_path / "file", "wb") as file:
        reduction.send_handle(ours, file.fileno(), process.pid)
        assert ours.recv() == "written"
    assert (tmp_path / "file").read_bytes() == b"hello"
    ours.close()
    process.join()
    assert process.exitcode == 0
    process.close()


@pytest.mark.parametrize("method", METHODS)
def test_ends_that_are_forgotten_at_once(method):
    with elsewhere.get_context(method).Pool(1) as pool:
        for _ in range(20):
            first, second = elsewhere.Pipe()
            call = pool.submit(ends.echo, second)
            del second
            first.send("ab")
            assert first.recv() == "abab"
            first.close()
            assert call.result(30) == "closed"  # nobody has the end any more, so its end is seen
        for _ in range(20):
            made = pool.submit(ends.make, "made").result(30)
            assert made.recv() == "made"
            with pytest.raises(EOFError):
                made.recv()
            made.close()


def test_a_process_does_not_end_before_its_result_is_loaded():
    process = elsewhere.Process(target=ends.make, args=("made",))
    process.start()
    assert multiprocessing.connection.wait([process.sentinel], 0.5) == []  # five seconds at most
    with process.result(30) as made:
        assert made.recv() == "made"
    process.join()
    process.close()


def test_through_queues_pipes_managers_and_multiprocessings_own():
    with elsewhere.Manager() as manager, multiprocessing.get_context("forkserver").Pool(1) as pool:
        items, kept, both, theirs = elsewhere.Queue(), manager.dict(), elsewhere.Pipe(), multiprocessing.Queue()

        def through_dict(end):
            kept["end"] = end
            del end
            return kept.pop("end")

        ways = {
            "queue": lambda end: (items.put(end), items.get())[1],
            "pipe": lambda end: (both[0].send(end), both[1].recv())[1],
            "multiprocessing's queue": lambda end: (theirs.put(end), theirs.get())[1],
            "multiprocessing's pool": lambda end: pool.apply(ends.give_back, (end,)),
            "dict of a manager": through_dict,
        }
        for name, way in ways.items():
            first, second = elsewhere.Pipe()
            second = way(second)
            first.send(name)
            assert second.recv() == name
            second.close()
            with pytest.raises(EOFError):
                first.recv()
            first.close()
        for end in both:
            end.close()
        pool.terminate()
        pool.join()
        theirs.close()
        theirs.join_thread()


def test_while_it_is_open_a_pickle_can_be_loaded_again_and_again_then_once():
    first, second = elsewhere.Pipe()
    body = pickle.dumps(second)
    for _ in range(3):
        with pickle.loads(body) as copy:
            copy.send(1)
            assert first.recv() == 1
    again = pickle.dumps(second)
    number = second.fileno()
    second.close()
    other = elsewhere.Pipe()
    assert number not in {end.fileno() for end in other}  # it is kept until the second pickle is loaded
    with pytest.raises(FileNotFoundError, match=r"process \d+.*has ended, or has closed its end of the pipe"):
        pickle.loads(body)
    with pickle.loads(again) as copy:
        copy.send(2)
    assert first.recv() == 2
    with pytest.raises(EOFError):
        first.recv()
    with pytest.raises(FileNotFoundError, match="this end of a pipe is gone"):
        pickle.loads(again)
    for end in (first, *other):
        end.close()


@pytest.mark.parametrize("method", METHODS[:2])
def test_a_pickle_that_was_in_vain_keeps_nothing(method):
    first, second = elsewhere.Pipe()
    with elsewhere.get_context(method).Pool(1) as pool:
        call = pool.submit(ends.say, second, "hello", lambda: 1)  # plain pickle fails after it has seen the end
        second.close()
        assert call.result(30) == "hello"
        assert first.recv() == "hello"
        with pytest.raises(EOFError):
            first.recv()
        _, other = pair = elsewhere.Pipe()
        with pytest.raises(TypeError, match="cannot pickle"):
            pool.submit(ends.say, other, "hello", threading.Lock())
        other.close()
        with pytest.raises(EOFError):
            pair[0].recv()
        pair[0].close()
    first.close()


@pytest.mark.parametrize("method", METHODS[:2])
def test_a_killed_sender_is_an_error_at_once_and_the_pool_goes_on(method):
    items, bodies = elsewhere.Queue(), elsewhere.Queue()
    process = elsewhere.get_context(method).Process(target=ends.put_and_wait, args=(items, bodies))
    process.start()
    with items.get(timeout=30) as loaded, elsewhere.get_context(method).Pool(1) as pool:
        os.kill(items.get(timeout=30), signal.SIGKILL)
        process.join()
        with pytest.raises(EOFError):
            loaded.recv()
        body = bodies.get(timeout=30)
        with pytest.raises(FileNotFoundError, match=rf"process {process.pid}, which pickled it, has ended"):
            pool.submit(pickle.loads, body).result(30)
        assert pool.submit(ends.give_back, 1).result(30) == 1
    process.close()


def stop(pid: int) -> None:
    """Return when each of its threads is stopped: the one that has the signal passes it on."""
    os.kill(pid, signal.SIGSTOP)
    states = {""}
    while states != {"T"}:
        os.sched_yield()
        states = set()
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat") as file:
                states.add(file.read().rpartition(")")[2].split()[0])


def test_a_sender_that_is_stopped_is_not_waited_for_without_an_end(monkeypatch):
    monkeypatch.setattr(wire, "SECONDS", 1)
    items, bodies = elsewhere.Queue(), elsewhere.Queue()
    process = elsewhere.Process(target=ends.put_and_wait, args=(items, bodies))
    process.start()
    items.get(timeout=30).close()
    stop(items.get(timeout=30))  # the last that it has put
    with pytest.raises(TimeoutError, match=rf"process {process.pid} did not hand out .* in 1 s: is it stopped"):
        pickle.loads(bodies.get(timeout=30))
    process.kill()
    process.join()
    process.close()


def test_what_nobody_loads_is_given_up_when_descriptors_get_short(monkeypatch):
    monkeypatch.setattr(exchange, "limit", lambda: 16)
    monkeypatch.setattr(exchange, "PAUSE", 0.01)
    before = len(os.listdir("/proc/self/fd"))
    bodies = []
    for _ in range(100):
        first, second = elsewhere.Pipe()
        first.close()
        bodies.append(pickle.dumps(second))
        del second
    assert len(os.listdir("/proc/self/fd")) <= before + 18
    with pytest.raises(FileNotFoundError):
        pickle.loads(bodies[0])
    for body in bodies[-5:]:
        pickle.loads(body).close()
    for parcel in list(exchange._parcels.values()):
        exchange._take_back(parcel, next(iter(parcel.pending)))


def test_thousands_one_after_another():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 200, hard))
    try:
        with elsewhere.Pool(2) as pool:
            calls = []
            for number in range(2000):
                first, second = elsewhere.Pipe()
                calls.append((pool.submit(ends.say, second, str(number)), first))
                del second
                if len(calls) == 30:
                    for call, end in calls:
                        assert end.recv() == call.result(30)
                        end.close()
                    calls.clear()
            for _, end in calls:
                end.close()
            pool.close()
            pool.join()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_minute_after_a_later_one_was_loaded_earlier_pickles_are_given_up(monkeypatch):
    first, second = elsewhere.Pipe()
    pickle.dumps(second)
    body = pickle.dumps(second)
    second.close()
    pickle.loads(body).close()
    assert not first.poll(0)
    monkeypatch.setattr(exchange, "GRACE", 0.0)
    other = elsewhere.Pipe()
    assert ends_of_another_process(pickle.dumps(other[0])) == 0  # the thread wakes up for it, and looks
    with pytest.raises(EOFError):
        first.recv()
    for end in (first, *other):
        end.close()


def ends_of_another_process(body: bytes) -> int:
    """Let another process load it, and close it."""
    code = f"import sys, pickle; sys.path[:0] = {sys.path!r}; pickle.loads({body!r}).close()"
    return os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code])


def test_a_fork_keeps_nothing_of_what_its_parent_sends():
    first, second = elsewhere.Pipe()
    body = pickle.dumps(second)
    second.close()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writer)
            first.close()
            mine = elsewhere.Pipe()
            with pickle.loads(pickle.dumps(mine[0])) as copy:
                copy.send(1)
            right = mine[1].recv() == 1 and not exchange._kept()
            os.read(reader, 1)  # until the parent is done
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    os.close(reader)
    pickle.loads(body).close()
    assert first.poll(10)  # though the fork is still there
    with pytest.raises(EOFError):
        first.recv()
    os.close(writer)
    assert os.waitpid(pid, 0)[1] == 0
    first.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_gets_nothing():
    first, second = elsewhere.Pipe()
    body = pickle.dumps(second)
    process = elsewhere.Process(target=ends.load_as, args=(65534, body))
    process.start()
    assert process.result(30) == "FileNotFoundError"
    process.join()
    process.close()
    pickle.loads(body).close()  # it is there, for this one
    first.close()
    second.close()


def test_what_is_asked_for_is_looked_at():
    first, second = elsewhere.Pipe()
    maker, offer = second.__reduce__()
    with pytest.raises(ProtocolError, match="something else than the end of a pipe"):
        maker(*offer[:-1], offer[-1] + 1)
    with pytest.raises(FileNotFoundError):
        maker(*offer[:2], bytes(16), *offer[3:])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as rude:  # says nothing, or too little: others are served
        rude.connect(offer[1])
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as short:
            short.connect(offer[1])
            short.send(b"?")
            assert short.recv(4) == b""
        assert ends_of_another_process(pickle.dumps(second)) == 0
    os.close(second.fileno())  # behind our back
    with pytest.raises(FileNotFoundError):
        maker(*offer)
    number = second.fileno()
    assert os.open(os.devnull, os.O_RDWR) == number
    with pytest.raises(FileNotFoundError):
        maker(*offer)
    exchange._parcels[offer[2]].pending.clear()
    second.close()
    os.close(number)  # it is not the pipe's, and was left alone
    first.close()


def test_signals_are_not_the_threads():
    first, second = elsewhere.Pipe()
    tasks = set(os.listdir("/proc/self/task"))
    pickle.loads(pickle.dumps(second)).close()
    (task,) = set(os.listdir("/proc/self/task")) - tasks
    assert ends_of_another_process(pickle.dumps(second)) == 0  # so it runs, and has begun
    with open(f"/proc/self/task/{task}/status") as file:
        blocked = next(int(line.split()[1], 16) for line in file if line.startswith("SigBlk"))
    assert blocked >> (signal.SIGINT - 1) & 1
    assert blocked >> (signal.SIGTERM - 1) & 1
    first.close()
    second.close()
