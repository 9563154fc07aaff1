"""Receipts in the moments that are not meant for them: forks, signals, descriptors that others close, full pipes."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import pytest

import elsewhere
from elsewhere.runtime import issued
from elsewhere.runtime.passing import descriptors, mailbox, receipts
from tests.process.sync import travellers
from tests.shared.work import Program, until


@pytest.fixture(autouse=True)
def all_is_settled():
    assert receipts._pipe is None
    yield
    until(lambda: receipts.settle() or receipts._pipe is None)


def forked(function):
    """What it says in a forked copy, within a bound; its error as an error here."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            answer = pickle.dumps((function(), None))
        except BaseException as error:
            answer = pickle.dumps((None, repr(error)))
        os.write(writer, answer)
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        body = file.read()
    assert os.waitpid(child, 0)[1] == 0
    value, failure = pickle.loads(body)
    assert failure is None
    return value


def travel():
    """One there and back; the number of its ticket."""
    body = pickle.dumps(elsewhere.Queue())
    serial = next(iter(receipts._waiting))
    assert travellers.use(pickle.loads(body)) == "Queue"
    until(lambda: receipts.settle() or receipts._pipe is None)
    return serial


def test_more_receipts_come_than_fit_a_pipe(tmp_path):
    items, count = elsewhere.Queue(), 20_000
    (tmp_path / "handles").write_bytes(pickle.dumps([pickle.dumps(items) for _ in range(count)]))
    source = """
for body in load(sys.argv[1]):
    pickle.loads(body)
say()
hear()
"""
    with Program(source, tmp_path / "handles") as program:
        program.hear()
        until(lambda: receipts.settle() or not receipts._waiting)


def test_receipts_of_another_process_with_our_number_are_none_of_ours():
    body = pickle.dumps(elsewhere.Queue())
    (serial,) = receipts._waiting
    pid, space = mailbox.place()
    for other in (1, serial - 1, serial + 1):
        receipts.give(mailbox.Ticket(pid, space, other, 0, 0))
    receipts.give(mailbox.Ticket(pid, space + 1, serial, 0, 0))  # in another container
    assert travellers.use(pickle.loads(body)) == "Queue"
    source = "from tests.runtime.passing import test_receipts; say(test_receipts.travel()); hear()"
    with Program(source) as first, Program(source) as second:
        numbers = [first.hear(), second.hear(), serial, forked(travel)]
    assert min(abs(a - b) for a in numbers for b in numbers if a is not b) > 1000


def test_a_descriptor_that_was_sent_before_a_fork_is_sent_by_the_copy():
    items = elsewhere.Queue()
    own = items._log.block.descriptor
    pickle.loads(pickle.dumps(items))
    assert own.opened

    def send():
        assert own.opened == 0  # the copy's serials may be smaller
        pickle.dumps(items)
        receipts.wait(0.001)
        return [descriptor is own for descriptor in receipts._waiting.values()]

    assert forked(send) == [True]


def test_who_throws_a_pickle_away_takes_its_tickets_back():
    items = elsewhere.Queue()
    mark = issued.mark()
    body = pickle.dumps([items, elsewhere.Lock(), elsewhere.Pipe(duplex=False)])
    assert len(receipts._waiting) == 4
    issued.take_back(mark)
    until(lambda: receipts._pipe is None)
    with pytest.raises(FileNotFoundError):
        pickle.loads(body)


def test_a_fork_while_another_thread_is_in_here():
    held, over = threading.Event(), threading.Event()

    def hold():
        with receipts._looking.lock:
            held.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    assert forked(travel)
    over.set()
    thread.join()


def test_a_fork_in_the_middle_of_a_look(monkeypatch):
    look, answers = receipts._look, []

    def fork_and_look():
        monkeypatch.setattr(receipts, "_look", look)
        answers.append(forked_on())
        look()

    def forked_on():
        """The copy goes on from here; it tells by its exit code that it came through."""
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1]
        signal.alarm(20)
        return None

    monkeypatch.setattr(receipts, "_look", fork_and_look)
    try:
        body = pickle.dumps(elsewhere.Queue())
        if answers == [None]:
            travel()
    except BaseException:
        if answers == [None]:
            os._exit(1)
        raise
    if answers == [None]:
        os._exit(0)
    assert answers == [0]
    assert travellers.use(pickle.loads(body)) == "Queue"


def test_an_exception_of_a_signal_handler_leaves_nothing_locked(monkeypatch):
    """Signals at every instruction: nobody waits for ever afterwards, and everything is let go of."""

    class Now(Exception):
        pass

    armed, swallowed, hits = [], [], 0

    def handler(signum, frame):
        armed.clear()
        raise Now

    lock = elsewhere.Lock()  # not each time a new one: a descriptor that os.open() is about to return cannot be saved
    first = pickle.dumps(lock)
    # What is raised in a weak reference's callback has nobody to go to.
    monkeypatch.setattr(sys, "unraisablehook", lambda what: swallowed.append(repr(what.exc_value)))
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for turn in range(1500):
            try:
                armed.append(turn)
                # Again, much later: a timer as short as this is dropped now and then.
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + turn % 50 * 0.000002, 5)
                while armed:
                    pickle.loads(pickle.dumps(lock))
            except Now:
                hits += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hits + len(swallowed) == 1500
    assert set(swallowed) <= {repr(Now())}
    thread = threading.Thread(target=travel_beside)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    pickle.loads(first)
    del lock
    receipts.forget()


def travel_beside():
    travellers.use(pickle.loads(pickle.dumps(elsewhere.Queue())))


def test_a_handler_that_raises_when_the_lock_was_just_taken(monkeypatch):
    class Interrupted:
        """The lock; a signal comes between its being taken and the next instruction."""

        def __init__(self):
            self.lock = threading.RLock()

        def acquire(self, blocking=True):
            self.lock.acquire(blocking)
            raise KeyboardInterrupt

        def release(self):
            self.lock.release()

        def _is_owned(self):
            return self.lock._is_owned()

    interrupted = Interrupted()
    monkeypatch.setattr(receipts._looking, "lock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        receipts.settle()
    assert not interrupted._is_owned()


def test_somebody_closes_all_descriptors_as_daemons_do(tmp_path):
    source = """
from elsewhere.runtime.passing import receipts
from tests.process.sync import travellers
from tests.shared.work import until
old, other = elsewhere.Queue(), elsewhere.Queue()
bodies = pickle.dumps(old), pickle.dumps(other)
os.closerange(3, 100)
others = [os.open(sys.argv[2], os.O_RDWR) for _ in range(20)]  # files of somebody else's, under our numbers
receipts.settle()
del old, other
said = [travellers.use(pickle.loads(pickle.dumps(elsewhere.Queue()))) for _ in range(3)]
for body in bodies:
    try:
        pickle.loads(body)
    except FileNotFoundError:
        said.append("gone")
until(lambda: receipts.settle() or receipts._pipe is None)
said.append([os.lseek(fd, 0, os.SEEK_CUR) for fd in others] == [0] * 20)  # nobody has read or closed them
store(elsewhere.Queue(), sys.argv[1])
say(said)
hear()
until(lambda: receipts.settle() or receipts._pipe is None)
say()
hear()
"""
    (tmp_path / "theirs").write_bytes(b"x" * 1000)
    with Program(source, tmp_path / "handle", tmp_path / "theirs") as program:
        assert program.hear() == ["Queue"] * 3 + ["gone"] * 2 + [True]
        assert travellers.use(pickle.loads((tmp_path / "handle").read_bytes())) == "Queue"
        program.say()
        assert program.hear() is None
    assert (tmp_path / "theirs").read_bytes() == b"x" * 1000


def test_rubbish_in_the_pipe_does_not_matter(tmp_path):
    items = elsewhere.Queue()
    (tmp_path / "handle").write_bytes(pickle.dumps(items))
    for rubbish in (b"abc", b"x" * 4096, b"y", b"z" * 12):
        os.write(receipts._pipe.writer, rubbish)
        receipts.settle()
    assert len(receipts._waiting) == 1
    with Program("load(sys.argv[1]); say(); hear()", tmp_path / "handle") as program:
        program.hear()
        receipts.settle()
        assert receipts._pipe is None


def test_who_ends_with_something_on_its_way_ends_at_once_and_quietly():
    program = """
import pickle, elsewhere
queues = [elsewhere.Queue() for _ in range(3)]
kept = [pickle.dumps(queue) for queue in queues]
del queues[0]  # there is a thread from here on
"""
    begun = time.monotonic()
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert time.monotonic() - begun < receipts.PATIENCE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a space of process numbers")
def test_a_sender_in_another_container_is_told_from_one_that_is_gone():
    source = (
        "import pickle, sys, elsewhere; q = elsewhere.Queue(); b = pickle.dumps(q).hex(); print(b, flush=True); input()"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", source]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        body = process.stdout.readline()
        if not body:
            pytest.skip(f"no such space can be made here: {process.stderr.read().decode()}")
        with pytest.raises(FileNotFoundError, match="runs in another container, whose processes cannot be seen"):
            pickle.loads(bytes.fromhex(body.decode()))
        process.communicate(b"\n")


def test_a_descriptor_is_closed_once_and_only_if_it_is_that_file():
    reader, writer = os.pipe()
    own = descriptors.Descriptor(reader)
    os.dup2(writer, reader)  # a pipe's two ends have one inode: it is that file still
    os.close(writer)
    del own
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    reader, writer = os.pipe()
    own = descriptors.Descriptor(reader)
    os.close(reader)
    assert os.open("/dev/null", os.O_RDONLY) == reader
    del own
    os.fstat(reader)
    for fd in (reader, writer):
        os.close(fd)


def test_what_becomes_an_orphan_late_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(receipts, "GRACE", 0.05)
    thrown_away, items = elsewhere.Queue(), elsewhere.Queue()
    first, second, _ = pickle.dumps(thrown_away), pickle.dumps(thrown_away), pickle.dumps(items)
    pickle.loads(second)
    del items
    until(lambda: any(frame.f_code.co_name == "poll" for frame in sys._current_frames().values()))
    del thrown_away  # the thread has looked at it, and sleeps already
    until(lambda: len(receipts._waiting) == 1)
    until(lambda: is_gone(first))  # the thread may still have the last reference for a moment
    receipts.forget()


def is_gone(body):
    try:
        pickle.loads(body)
    except FileNotFoundError:
        return True
    return False
