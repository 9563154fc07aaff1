"""Workers of each start method: what they begin with, and what is told of their end."""

import os
import resource
import select
import signal
import socket
import sys
import threading
import time

import pytest

from elsewhere.errors import WorkerStartError
from elsewhere.runtime.launch import Exited, Launcher, Started, servers, shared
from elsewhere.runtime.launch.launcher import WINDOW
from tests.runtime.launch.helpers import METHODS, Ends, caller, is_running, lab, links

methods = pytest.mark.parametrize("method", METHODS)

ENDINGS = [
    ("os._exit(0)", 0),
    ("os._exit(3)", 3),
    ("sys.exit(4)", 4),
    ("os.kill(os.getpid(), 9)", -9),
    ("[__import__('faulthandler').disable(), os.kill(os.getpid(), 11)]", -11),
    ("signal.raise_signal(signal.SIGINT)", -2),
]


@methods
def test_exit_statuses(method):
    with lab(method) as it:
        keys = range(len(ENDINGS))
        it.start(*keys, 100)
        for key, (ending, _) in zip(keys, ENDINGS, strict=True):
            it.tell(key, ending)
        it.hang_up(100)  # the entry returns
        pids = {event.key: event.pid for event in it.wait("Started", len(ENDINGS) + 1)}
        ends = it.wait("Exited", len(ENDINGS) + 1)
        expected = {key: status for key, (_, status) in zip(keys, ENDINGS, strict=True)} | {100: 0}
        assert {event.key: event.status for event in ends} == expected
        assert {event.key: event.pid for event in ends} == pids


def test_an_entry_that_raises_says_so(capfd):
    with lab() as it:
        it.start(1)
        it.tell(1, "1 / 0")
        assert it.wait("Exited")[0].status == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


@methods
def test_a_worker_holds_nothing_but_its_own(method):
    before = set(links("self").values())
    with lab() as other, lab(method) as it:
        other.start(1)
        other.pid(1)
        it.start(1, 2)
        it.pid(1)
        numbers, targets = it.ask(2, "fds"), links(it.pid(2))
        assert targets[0] == "/dev/null"
        if method == "fork":  # the caller's own descriptors are inherited, nothing of ours
            strange = set(targets.values()) - before - {"/dev/null", targets[1], targets[2], targets[numbers[0]]}
            # Libuv, if a loop of uvloop has been in the caller, makes its pipe for signals anew in each fork.
            assert len(strange) <= ("uvloop" in sys.modules)
            assert all(target.startswith("pipe:") for target in strange)
        else:
            assert sorted(targets) == [0, 1, 2, *numbers]
        assert it.ask(2, "[os.get_inheritable(fd) for fd in fds]") == [False]


@methods
def test_stdout_is_what_it_is_for_the_caller_at_that_moment(method, capfd):
    with lab(method) as it:
        it.start(1)
        it.ask(1, "os.write(1, b'one\\n') + os.write(2, b'two\\n')")
        assert capfd.readouterr() == ("one\n", "two\n")
        read, write = os.pipe()
        kept = os.dup(1)
        os.dup2(write, 1)
        it.start(2)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(write)
        it.ask(2, "os.write(1, b'three\\n')")
        assert os.read(read, 100) == b"three\n"
        os.close(read)
    assert capfd.readouterr() == ("", "")


def test_closed_stdout_is_dev_null():
    script = """
os.dup2(3, 4); os.close(0); os.close(1); os.close(2)
with lab(sys.argv[1]) as it:
    it.start(1)
    os.write(4, json.dumps(it.ask(1, "[os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)]")).encode())
"""
    for method in METHODS:
        read, write = os.pipe()
        with caller("import sys; os.dup2(int(sys.argv[2]), 3)\nprint(0, flush=True)\n" + script, method, write,
                    pass_fds=[write]):  # fmt: skip
            os.close(write)
            assert os.read(read, 1000) == b'["/dev/null", "/dev/null", "/dev/null"]'
        os.close(read)


@methods
def test_signals_are_as_in_a_fresh_interpreter(method):
    script = """
for name in ("SIGTERM", "SIGUSR1", "SIGCHLD"):
    signal.signal(getattr(signal, name), print)
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
with lab(sys.argv[1]) as it:
    it.start(1)
    names = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGCHLD", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGPIPE")
    print(json.dumps([
        it.ask(1, f"[str(signal.getsignal(getattr(signal, n))) for n in {names}]"),
        it.ask(1, "[list(signal.pthread_sigmask(0, [])), signal.set_wakeup_fd(-1)]"),
        it.ask(1, "sorted(vars(sys.modules['__main__']))"), it.ask(1, "sys.argv"),
    ]), flush=True)
"""
    with caller(script, method) as (_, (handlers, state, names, argv)):
        assert "default_int_handler" in handlers.pop(0)
        default, ignored = str(signal.SIG_DFL), str(signal.SIG_IGN)
        assert handlers == [default, default, default, ignored, default, default, ignored]
        assert state == [[], -1]
        if method != "fork":
            assert "sys" not in names
            assert "main" not in names
            assert argv == ["-c"]


@methods
def test_a_signal_sent_at_once_arrives(method):
    with lab(method) as it:
        for key in range(10):
            it.start(key)
            it.launcher.signal(key, signal.SIGTERM)
        assert {event.status for event in it.wait("Exited", 10)} == {-signal.SIGTERM}
        it.launcher.signal(3, signal.SIGKILL)  # gone: nothing happens
        it.launcher.signal(99, signal.SIGKILL)
        it.start(11)
        assert it.ask(11, "1") == 1


def test_fifty_workers():
    with lab() as it:
        it.start(*range(50))
        assert len({event.pid for event in it.wait("Started", 50)}) == 50
        assert [it.ask(key, f"{key} + 1") for key in range(50)] == list(range(1, 51))
        for key in range(50):
            it.hang_up(key)
        assert it.wait("Exited", 50)[-1].status == 0


def test_two_launchers_share_a_server_and_nothing_else(no_servers):
    with lab() as one, lab() as two:
        assert one.server == two.server
        assert [pid for pid, _ in shared()] == [one.server]
        one.start(1, 2)
        two.start(1)
        with Ends(one.pid(1), one.pid(2)) as ones, Ends(two.pid(1)) as twos:
            one.close()
            assert not ones.alive()
            assert [event.status for event in one.launcher.read() if isinstance(event, Exited)] == [-9, -9]
            assert twos.alive()
            assert two.ask(1, "6 * 7") == 42


def test_a_launcher_that_is_forgotten_takes_its_workers_along():
    with lab() as it:
        it.start(1)
        with Ends(it.pid(1)) as worker:
            with pytest.warns(ResourceWarning, match="unclosed <Launcher forkserver 1 workers>"):
                it.launcher.__del__()
            assert worker.within(10)


@methods
def test_what_is_closed_says_so(method):
    with lab(method) as it:
        it.start(1)
        with pytest.raises(ValueError, match="worker 1 exists"):
            it.launcher.start(1, [])
        it.close()
        it.close()
        it.launcher.signal(1, 9)
        assert it.launcher.fileno() == -1
        with pytest.raises(WorkerStartError, match="this launcher is closed"):
            it.launcher.start(2, [])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="not 'thread'"):
        Launcher("thread")
    with pytest.raises(ValueError, match="only a worker started by 'fork' inherits"):
        Launcher("spawn", inherited=1)
    with lab() as it, pytest.raises(ValueError, match="descriptors"):
        it.launcher.start(1, range(300))


def test_without_fork_there_is_one_sentence(monkeypatch):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(WorkerStartError, match='needs Linux or macOS; use where="threads"'):
        Launcher()


def test_fork_inherits_what_cannot_be_pickled():
    lock = threading.Lock()
    with lab("fork", inherited={"lock": lock, "made": id(lock)}) as it:
        it.start(1)
        assert it.ask(1, "[inherited['lock'].acquire(), id(inherited['lock']) == inherited['made']]") == [True, True]
        assert it.ask(1, "__import__('gc').isenabled()")
    assert not lock.locked()


def test_a_path_of_the_caller_reaches_the_worker(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for method in METHODS:
        with lab(method) as it:
            it.start(1)
            assert str(tmp_path) in it.ask(1, "sys.path")


def test_more_starts_than_may_be_on_their_way():
    with lab() as it:
        with lab():
            os.kill(it.server, signal.SIGSTOP)
            began = time.monotonic()
            it.start(*range(100))
            for _ in range(300):
                it.launcher.signal(0, 0)
            it.launcher.signal(99, signal.SIGTERM)  # not sent yet: it must not overtake the start
            assert time.monotonic() - began < 10
            assert len(it.launcher._unanswered) == WINDOW
            os.kill(it.server, signal.SIGCONT)
        assert len(it.wait("Started", 100)) == 100
        assert it.wait("Exited") == [Exited(99, it.pid(99), -signal.SIGTERM)]
        assert it.ask(98, "1") == 1


@pytest.mark.parametrize("method", ["forkserver", "fork"])
def test_a_stopped_server_cannot_hold_up_close(method, no_servers):
    with lab(method) as it:
        it.start(1)
        with Ends(it.pid(1)) as worker:
            os.kill(it.server, signal.SIGSTOP)
            began = time.monotonic()
            it.launcher.close(0.2)
            assert time.monotonic() - began < 10
            assert worker.within(10)


def test_a_stopped_server_cannot_hold_up_the_exit(no_servers):
    with lab() as it:
        it.start(1)
        with Ends(it.pid(1), it.server) as both:
            os.kill(it.server, signal.SIGSTOP)
            servers.shutdown_shared(0.1)
            assert both.within(10)
            assert it.wait("ServerLost")[0].keys == (1,)


@methods
def test_a_server_that_dies_takes_its_workers_along(method, no_servers):
    with lab(method) as it:
        it.start(*range(8))
        it.wait("Started", 8)
        with Ends(it.server, *(it.pid(key) for key in range(8))) as everyone:
            os.kill(it.server, signal.SIGKILL)
            assert it.wait("ServerLost")[0].keys == tuple(range(8))
            assert not everyone.alive(), "it was said before it was true"
        assert it.launcher.warnings == ["the fork server was killed by SIGKILL (often: out of memory)"]
        assert it.launcher.read() == []
        with pytest.raises(WorkerStartError, match="has died"):
            it.launcher.start(9, [])
    with lab(method) as another:
        another.start(1)
        assert another.ask(1, "1") == 1


def test_server_lost_waits_for_a_worker_that_is_still_there(no_servers):
    """The same without the kernel's help: this worker has asked not to be killed with its parent."""
    stay = "__import__('ctypes').CDLL(None).prctl(1, 0, 0, 0, 0)"
    with lab() as it:
        it.start(1, 2)
        assert it.ask(1, stay) == 0
        pid = it.pid(1)
        with Ends(it.server, it.pid(2)) as others:
            os.kill(it.server, signal.SIGKILL)
            assert others.within(10)
        it.events += it.launcher.read()
        assert it.ask(1, "7") == 7
        assert [type(event) for event in it.events] == [Started, Started]
        os.kill(pid, signal.SIGKILL)
        assert it.wait("ServerLost")[0].keys == (1, 2)


def test_a_server_that_died_unseen_is_replaced(no_servers):
    with lab() as it:
        server = it.server
    with Ends(server) as end:
        os.kill(server, signal.SIGKILL)
        assert end.within(10)
    with lab() as it:
        it.start(1)
        assert it.ask(1, "os.getppid()") == it.server != server


def test_a_server_lost_before_it_began(no_servers):
    with lab() as it:
        it.start(1, 2)
        os.kill(it.server, signal.SIGKILL)
        it.launcher.start(3, [])
        assert set(it.wait("ServerLost")[0].keys) == {1, 2, 3}


def test_a_server_without_descriptors_refuses_and_lives(no_servers):
    with lab() as it:
        it.start(1)
        it.pid(1)
        limits = resource.prlimit(it.server, resource.RLIMIT_NOFILE)
        room_for_one = min(set(range(100)) - set(links(it.server))) + 1  # a start brings three
        resource.prlimit(it.server, resource.RLIMIT_NOFILE, (room_for_one, limits[1]))
        it.start(2)
        assert it.wait("Exited") == [Exited(2, 0, None)]
        assert "too many open files" in it.launcher.warnings[0]
        resource.prlimit(it.server, resource.RLIMIT_NOFILE, limits)
        it.start(3)
        assert it.ask(3, "1") == 1


def test_many_threads_start_and_fork(no_servers):
    """Forking waits until no other thread has a socket in its hands that nobody could close in the child."""
    before = [n for n in links("self").values() if n.startswith("anon_inode")]  # other tests' event loops
    with lab() as first:
        server = first.server
        stop = threading.Event()

        def make():
            while not stop.is_set():
                with lab() as it:
                    it.start(1)

        thread = threading.Thread(target=make)
        thread.start()
        ours = set()
        for _ in range(30):
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                os.write(write, repr([n for n in links("self").values() if n.startswith("anon_inode")]).encode())
                os._exit(0)
            os.waitpid(child, 0)
            ours.add(os.read(read, 1000))
            os.close(read)
            os.close(write)
        stop.set()
        thread.join()
        assert ours == {repr(before).encode()}
        assert is_running(server)


def test_a_descriptor_left_inheritable_stays_here(no_servers):
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    with lab() as it:
        it.start(1)
        it.pid(1)
        theirs.close()
        assert select.select([ours], [], [], 10)[0]
    ours.close()
