"""Killed managers, killed creators, forks, references: nothing hangs and nothing is left."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading

import pytest

from elsewhere import ElsewhereError, Pool
from elsewhere.shared.managers import Manager, ManagerLost, SyncManager
from elsewhere.shared.managers.link import Link

from .work import child, count, die, ended, script


def kill(manager):
    os.kill(manager._process.pid, signal.SIGKILL)


OPERATIONS = {
    "Lock.acquire": lambda manager: manager.Lock().acquire,
    "Queue.get": lambda manager: manager.Queue().get,
    "Queue.join": lambda manager: unfinished(manager).join,
    "Event.wait": lambda manager: manager.Event().wait,
    "Semaphore.acquire": lambda manager: manager.Semaphore(0).acquire,
    "Barrier.wait": lambda manager: manager.Barrier(2).wait,
    "Condition.wait": lambda manager: acquired(manager.Condition()).wait,
    "dict": lambda manager: endless(manager.dict()),
    "list": lambda manager: endless(manager.list([1])),
}


def unfinished(manager):
    queue = manager.JoinableQueue()
    queue.put(1)
    return queue


def acquired(condition):
    condition.acquire()
    return condition


def endless(values):
    def work():
        while True:
            len(values)

    return work


def test_ctrl_c_is_the_callers(manager):
    d = manager.dict(a=1)
    os.kill(manager._process.pid, signal.SIGINT)
    assert d["a"] == 1


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_killed_manager_is_an_error_in_the_middle_of(manager, operation):
    lock = manager.Lock()
    lock.acquire()
    work = OPERATIONS[operation](manager)
    begun, found = threading.Event(), []

    def run():
        begun.set()
        try:
            if operation == "Lock.acquire":
                lock.acquire()
            elif operation == "Condition.wait":
                acquired(manager.Condition()).wait()
            else:
                work()
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(2 if operation != "Barrier.wait" else 1)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    kill(manager)
    for thread in threads:
        thread.join(30)
    assert [type(error) for error in found] == [ManagerLost] * len(threads)


def test_who_cannot_send_waits_for_no_turn_to_read():
    ours, managers = socket.socketpair()
    link = Link("somewhere", b"key", "pickle")
    link._sock, link._reading = ours, True  # another thread reads, and has its answer already
    managers.close()
    with pytest.raises(ManagerLost):
        link.call(None, "dummy")
    link._hand_on()
    assert ours.fileno() == -1


def test_every_proxy_of_a_killed_manager_says_so(manager):
    d, q = manager.dict(a=1), manager.Queue()
    kill(manager)
    manager._process.join(30)
    assert manager._process.exitcode == -9
    for use in (lambda: d["a"], q.get, manager.list, lambda: pickle.dumps(d), manager._number_of_objects):
        with pytest.raises(ManagerLost, match="start another Manager"):
            use()
    assert "failed" in str(d)
    assert issubclass(ManagerLost, (ElsewhereError, EOFError, ConnectionError))
    for base in (ElsewhereError, EOFError, ConnectionError):
        assert issubclass(ManagerLost, base)


def test_a_manager_that_was_shut_down_says_so(manager):
    d = manager.dict()
    manager.shutdown()
    assert manager._process.exitcode == 0
    with pytest.raises(ManagerLost, match="was shut down"):
        len(d)


def test_a_manager_that_does_not_answer_is_ended_all_the_same():
    manager = SyncManager(shutdown_timeout=0.1)
    manager.start()
    os.kill(manager._process.pid, signal.SIGSTOP)
    manager.shutdown()
    assert manager._process.exitcode == -9


def test_a_manager_that_nobody_has_any_more_ends():
    manager = Manager()
    process = manager._process
    del manager
    assert not process.is_alive()


CREATOR = """
import os, signal, sys
from elsewhere.shared.managers import Manager
manager = Manager(context={context!r})
lock = manager.Lock()
lock.acquire()
print(manager._process.pid, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("context", ["forkserver", "spawn"])
def test_a_killed_creator_leaves_no_manager(context):
    command = [sys.executable, "-c", CREATOR.format(context=context)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as creator:
        assert creator.stdout is not None
        manager = os.pidfd_open(int(creator.stdout.readline()))
        creator.kill()
    try:
        assert select.select([manager], [], [], 30)[0]
    finally:
        os.close(manager)


def test_killed_clients_leave_no_references(manager):
    d = manager.dict()

    def client():
        kept = [manager.list() for _ in range(3)]
        d["n"] = len(kept)
        die()

    with child(client) as pid:
        assert ended(pid) == -9
    assert d["n"] == 3
    assert manager._number_of_objects() == 1


@pytest.mark.parametrize("operation", ["increment", "append", "put"])
def test_clients_killed_in_the_middle_of(manager, operation):
    target = {"increment": manager.dict, "append": manager.list, "put": manager.Queue}[operation]()
    begun = manager.Event()

    def client():
        while True:
            if operation == "increment":
                target.increment("n")
            elif operation == "append":
                target.append("x" * 100_000)
            else:
                target.put("x" * 100_000)
            begun.set()

    with child(client):
        assert begun.wait(30)
    if operation == "increment":
        assert target.increment("n", 0) >= 1
    elif operation == "append":
        assert {len(item) for item in target[:]} == {100_000}
    else:
        assert len(target.get()) == 100_000


def test_a_fork_has_a_connection_of_its_own(manager):
    d = manager.dict(n=0)
    links = {d._link._sock.fileno()}

    def in_child():
        count(d, 100)
        d["socket"] = os.readlink(f"/proc/self/fd/{d._link._sock.fileno()}")

    mine = os.readlink(f"/proc/self/fd/{links.pop()}")
    with child(in_child) as pid:
        count(d, 100)
        assert ended(pid) == 0
    assert d["n"] == 200
    assert d["socket"] != mine


def test_a_fork_keeps_what_its_parent_drops(manager):
    kept = [manager.list([1])]
    ready, dropped = manager.Event(), manager.Event()

    def in_child():
        kept[0].append(2)
        ready.set()
        dropped.wait()
        os._exit(len(kept[0]))

    with child(in_child) as pid:
        assert ready.wait(30)
        kept.clear()
        dropped.set()
        assert ended(pid) == 2


def test_a_process_that_multiprocessing_forks(manager):
    d = manager.dict()
    process = multiprocessing.get_context("fork").Process(target=count, args=(d, 5))
    process.start()
    process.join(30)
    assert (process.exitcode, d["n"]) == (0, 5)
    process.close()


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_process_that_multiprocessing_starts(manager, method):
    d = manager.dict()
    process = multiprocessing.get_context(method).Process(target=count, args=(d, 5))
    process.start()
    process.join(30)
    assert (process.exitcode, d["n"]) == (0, 5)
    process.close()


FORKING = """
import os, sys
import elsewhere
manager = elsewhere.Manager()
d = manager.dict(n=0)
pid = os.fork()
d.increment("n")
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    assert d.increment("n") == 3
    print("parent", flush=True)
else:
    print("child", flush=True)  # and it ends as any program does, finalizers and all
"""


def test_a_fork_that_ends_as_a_program_does(tmp_path):
    done = script(tmp_path, FORKING)
    assert (done.stderr, done.stdout.splitlines(), done.returncode) == ("", ["child", "parent"], 0)


def managed(n):
    with Manager() as manager:
        return manager.list([n])[:]


def test_a_manager_made_by_a_worker():
    with Pool(1) as pool:
        assert pool.apply(managed, (3,)) == [3]


def test_a_fork_while_another_thread_waits(manager):
    q, d = manager.Queue(), manager.dict()
    thread = threading.Thread(target=q.get)
    thread.start()
    with child(count, d, 5) as pid:
        assert ended(pid) == 0
    q.put(1)
    thread.join(30)
    assert d["n"] == 5


def test_one_connection_for_a_process_and_none_for_a_thread(manager):
    proxies = [manager.dict() for _ in range(20)]
    sockets = len([fd for fd in os.listdir("/proc/self/fd") if _is_socket(fd)])
    threads = [threading.Thread(target=count, args=(proxy, 5)) for proxy in proxies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({id(proxy._link) for proxy in proxies}) == 1
    assert len([fd for fd in os.listdir("/proc/self/fd") if _is_socket(fd)]) == sockets


def _is_socket(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except FileNotFoundError:
        return False


def test_an_interrupted_wait_takes_nothing(manager):
    q = manager.Queue()

    def interrupt(signum, frame):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(InterruptedError):  # it may come a moment before the wait
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            q.get()
    finally:
        signal.signal(signal.SIGALRM, before)
    q.put("item")
    assert q.get(timeout=30) == "item"


def test_workers_get_proxies_and_give_them_back(manager):
    d = manager.dict()
    with Pool(2) as pool:
        back = pool.apply(count, (d, 3))
        made = pool.apply(count, (back, 3))
    assert made["n"] == 6
    del back, made
    assert manager._number_of_objects() == 1


PROGRAM = """
from elsewhere import Pool
from elsewhere.shared.managers import BaseManager, Manager

print("main runs")

class Point:
    def __init__(self, x):
        self.x = x

    def get(self):
        return self.x

class Points(BaseManager):
    pass

Points.register("Point", lambda x: Point(x))
manager = Manager(context={context!r})
d = manager.dict(p=Point(1))
print(type(d["p"]) is Point, d["p"].x, d.update_with("p", lambda p: Point(p.x + 1)).x)
with Pool(1) as pool:
    print(pool.apply(lambda d: d["p"].x, (d,)))
points = Points(ctx={context!r})
points.start()
print(points.Point(7).get())
points.shutdown()
"""


@pytest.mark.parametrize("context", ["forkserver", "spawn"])
def test_a_script_without_a_main_guard(tmp_path, context):
    done = script(tmp_path, PROGRAM.format(context=context))
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["main runs", "True 1 2", "2", "7"]
    assert done.returncode == 0
