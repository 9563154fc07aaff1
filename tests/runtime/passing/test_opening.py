"""Handles in the hands of forgers: nothing is opened that is not meant, and nothing is kept of it."""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
import socket

import pytest

import elsewhere
from elsewhere.errors import ProtocolError
from elsewhere.process.sync import block, pipes
from elsewhere.runtime.passing import mailbox, opening, receipts
from elsewhere.shared import block as shared_block
from tests.process.sync import travellers
from tests.shared.work import Program, until

ALL_SEALS = shared_block.SEALS


def sender(pid=None):
    return mailbox.Ticket(pid or os.getpid(), mailbox.place()[1], 1, 0, 0)


def opened_files():
    return sorted(os.listdir("/proc/self/fd"))


@pytest.fixture
def fifo(tmp_path):
    """A FIFO with a name, opened for reading: to open it once more would wait, or be seen by a writer."""
    os.mkfifo(tmp_path / "fifo")
    fd = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    yield fd
    os.close(fd)


@pytest.fixture
def impostor():
    """Makes memory that somebody else has called as ours is; its handle's arguments."""
    made = []

    def make(size=4096, seals=ALL_SEALS, name=block.NAME):
        token = f"Queue-{os.urandom(16).hex()}"
        fd = os.memfd_create(name + token, os.MFD_ALLOW_SEALING)
        made.append(fd)
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return token, fd, os.fstat(fd).st_ino

    yield make
    for fd in made:
        os.close(fd)


def test_nothing_is_opened_before_it_is_known(fifo, monkeypatch, tmp_path):
    monkeypatch.setattr(opening, "_opened", lambda *arguments: pytest.fail("it was opened"))
    ours, theirs = socket.socketpair()
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    terminal, other = os.openpty()
    try:
        for fd in (fifo, file, ours.fileno(), terminal, other):
            inode = os.fstat(fd).st_ino
            with pytest.raises(FileNotFoundError, match="no longer has this queue"):
                block.attach("0" * 32, fd, inode, *sender())
            with pytest.raises(FileNotFoundError, match="has closed its end of the pipe"):
                pipes._open(True, fd, inode, *sender())
    finally:
        for fd in (file, terminal, other):
            os.close(fd)
        ours.close()
        theirs.close()


@pytest.mark.parametrize(
    ("made", "match"),
    [
        ({"seals": 0}, "not sealed"),
        ({"seals": fcntl.F_SEAL_SHRINK}, "not sealed"),
        ({"seals": fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL}, "not sealed"),
        ({"size": 100}, "not what its handle says"),
        ({"size": 0}, "not what its handle says"),
    ],
)
def test_an_impostor_is_refused(impostor, made, match):
    token, fd, inode = impostor(**made)
    before = opened_files()
    with pytest.raises(ProtocolError, match=match):
        block.attach(token, fd, inode, *sender())
    assert opened_files() == before
    assert token not in block._known
    assert token not in block._open_files


def test_a_handle_that_lies_is_refused(impostor):
    token, fd, inode = impostor()
    before = opened_files()
    with pytest.raises(ProtocolError, match="forged"):
        block.attach(token, fd, inode + 1, *sender())
    for wrong in ("x" * 32, token[:-1], token.replace("-", "/"), "../" + token, None, 7):
        with pytest.raises(ProtocolError, match="no handle of elsewhere's"):
            block.attach(wrong, fd, inode, *sender())
    for numbers in ((fd, -1), ("1", inode), (f"{fd}/../1", inode), (True, inode)):
        with pytest.raises(ProtocolError, match="no handle of elsewhere's"):
            block.attach(token, *numbers, *sender())
    for ticket in (sender()[:4], (*sender(), 1), ("self", *sender()[1:]), (-1, *sender()[1:])):
        with pytest.raises(ProtocolError, match="no handle of elsewhere's"):
            block.attach(token, fd, inode, *ticket)
        with pytest.raises(ProtocolError, match="no handle of elsewhere's"):
            pipes._open(True, fd, inode, *ticket)
    assert opened_files() == before


def test_a_number_that_is_used_again_just_now_is_noticed(impostor, monkeypatch, fifo):
    token, fd, inode = impostor()
    really = opening._opened

    def too_late(path, flags):
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, fd)
        os.close(null)
        return really(path, flags)

    monkeypatch.setattr(opening, "_opened", too_late)
    before = len(opened_files())
    with pytest.raises(FileNotFoundError, match="no longer has this queue"):
        block.attach(token, fd, inode, *sender())
    assert len(opened_files()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("kind", ["Queue", "Lock", "pipe"])
def test_another_users_is_refused(kind):
    source = """
from tests.process.sync import travellers
os.setgid(65534)
os.setuid(65534)
thing = elsewhere.Pipe(False)[0] if sys.argv[1] == "pipe" else travellers.make(sys.argv[1])
say(pickle.dumps(thing).hex())
hear()
"""
    before = opened_files()
    with Program(source, kind) as program:
        body = bytes.fromhex(program.hear())
        with pytest.raises(ProtocolError, match="belongs to user 65534: it was not opened"):
            pickle.loads(body)
    assert opened_files() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("kind", ["Queue", "Lock", "pipe"])
def test_another_user_cannot_have_ours(kind):
    thing = elsewhere.Pipe(duplex=False)[0] if kind == "pipe" else travellers.make(kind)
    source = """
from tests.process.sync import travellers
os.setgid(65534)
os.setuid(65534)
try:
    pickle.loads(bytes.fromhex(sys.argv[1]))
except PermissionError as error:
    say(str(error))
hear()
"""
    with Program(source, pickle.dumps(thing).hex()) as program:
        assert "only processes of the same user can have it" in program.hear()
    del thing
    receipts.forget()
    until(lambda: receipts.settle() or receipts._pipe is None)


def test_it_cannot_be_made_shorter_and_does_not_leak_into_programs():
    queue, barrier = elsewhere.Queue(), elsewhere.Barrier(1)
    for fd in (queue._log.block.fd, barrier._wrapper.block.fd):
        with pytest.raises(PermissionError):
            os.ftruncate(fd, 0)
        assert not os.get_inheritable(fd)


def test_without_descriptors_a_sentence_says_what_to_do(tmp_path):
    lock, (reader, writer) = elsewhere.Lock(), elsewhere.Pipe(duplex=False)
    (tmp_path / "handles").write_bytes(pickle.dumps([pickle.dumps(thing) for thing in (lock, reader)]))
    source = """
import resource
from elsewhere.runtime.passing import receipts
bodies = load(sys.argv[1])
elsewhere.Lock(), elsewhere.Pipe()
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
kept, said = [], []
try:
    while True: kept.append(elsewhere.Lock())
except OSError as error:
    said.append([error.errno, "no descriptor is left for a queue, lock or semaphore" in str(error)])
for body, what in zip(bodies, ("a queue, lock or semaphore", "an end of a pipe"), strict=True):
    try:
        pickle.loads(body)
    except OSError as error:
        said.append([error.errno, f"no descriptor is left for {what}" in str(error)])
try:
    pickle.dumps(kept[0])
except OSError as error:
    said.append([error.errno, "no descriptor is left to send something" in str(error)])
del kept[:2]
loaded = [pickle.loads(body) for body in bodies]
said.append([thing is not None for thing in loaded])
said.append(len(receipts._late))  # the last receipt, for which there was no descriptor left
kept.clear()
say([*said, len(receipts._late)])
hear()
"""
    with Program(source, tmp_path / "handles") as program:
        assert program.hear() == [[24, True]] * 4 + [[True, True], 1, 0]
    for end in (reader, writer):
        end.close()
    del lock
    until(lambda: receipts.settle() or receipts._pipe is None)


def test_an_open_in_vain_can_be_interrupted_or_never_waits(fifo):
    """A pipe whose other end closes just now."""
    reader, writer = elsewhere.Pipe(duplex=False)
    body = pickle.dumps(reader)
    writer.close()
    signal.alarm(20)
    try:
        arrived = pickle.loads(body)
        with pytest.raises(EOFError):
            arrived.recv()
    finally:
        signal.alarm(0)
    arrived.close()
    reader.close()
