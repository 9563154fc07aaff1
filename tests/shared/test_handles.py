"""Handles in the hands of strangers: unrelated programs, dead creators, forgers."""

from __future__ import annotations

import fcntl
import os
import pickle
import random
import signal
import socket

import pytest

from elsewhere import Array, Pool, ProtocolError, Value, WorkerLost, shared
from elsewhere.runtime.passing import receipts
from elsewhere.runtime.passing.mailbox import Ticket, place
from elsewhere.shared import block, pieces, values
from tests.require import require
from tests.shared import work
from tests.shared.work import Program

np = require(module="numpy", install="pip install numpy")


def handle(array):
    """The arguments of `attach`, to be changed."""
    names = ("token", "fd", "size", "inode", "pid", "space", "serial", "pipe", "pipe_inode")
    found = dict(zip(names, array.__reduce_ex__(5)[1][0].__reduce__()[1], strict=True))
    receipts.give(Ticket(*list(found.values())[-5:]))
    return found


def test_two_programs_share_an_array_through_a_file(tmp_path):
    path = tmp_path / "handle"
    source = """
array = load(sys.argv[1])
array *= 2
say([float(array.sum()), array.flags.writeable])
hear()
say(float(array[0]))
store(array[1:], sys.argv[1])
say()
hear()
"""
    creator = Program("array = shared.copy_of([1.0, 2.0]); store(array, sys.argv[1]); say(); hear()", path)
    with creator:
        creator.hear()
        with Program(source, path) as other:
            assert other.hear() == [6.0, True]
            mine = work.load(path)
            mine[0] = 10
            other.say()
            assert other.hear() == 10
            creator.kill()  # the others have it
            assert other.hear() is None
            token = work.token_of(mine)
            del mine
            assert work.users(token) == [other.pid]
            again = work.load(path)  # a handle of the other's own
            assert again.tolist() == [4]
            receipts.forget()
        assert work.users(token) == [os.getpid()]
    del again
    receipts.forget()
    work.until(lambda: work.users(token) == [])


@pytest.mark.parametrize("end", ["kill", "exit", "let go"])
def test_a_creator_that_is_gone_is_a_clear_error(tmp_path, end):
    path = tmp_path / "handle"
    source = """
from elsewhere.runtime.passing import receipts
array = shared.zeros(4); store(array, sys.argv[1]); say()
what = hear()
if what == "let go":
    del array
    receipts.forget()
    say()
    hear()
"""
    with Program(source, path) as creator:
        creator.hear()
        if end == "kill":
            creator.kill()
        else:
            creator.say(end)
            creator.hear() if end == "let go" else creator.process.wait()
        with pytest.raises(FileNotFoundError, match=rf"process {creator.pid}, which pickled it.*Keep the array"):
            work.load(path)
        with (
            Pool(1) as pool,
            pytest.raises(FileNotFoundError, match="shared memory is gone"),
        ):
            pool.apply(work.load, (path,))


def test_a_creator_killed_at_any_moment_leaves_nothing(tmp_path):
    path = tmp_path / "handle"
    source = """
from elsewhere import Value
made = []
value = Value("q")
store(value, sys.argv[1])
say()
while True:
    made.append(shared.full(5000, len(made))[1:])
    pickle.dumps(made[-1])
    with value.get_lock():
        value.value += 1
    del made[:-5]
"""
    for seed in range(4):
        with Program(source, path) as creator:
            creator.hear()
            value = work.load(path)
            target = random.Random(seed).randrange(1, 60)
            work.until(lambda value=value, target=target: value.get_obj().value >= target)
            creator.kill()
        assert work.owned_by_nobody(value)  # wherever it was killed
        assert value.value >= target
        assert work.users(value._obj._wrapper.block.token) == [os.getpid()]


def test_a_worker_that_is_killed_keeps_nothing():
    array = shared.zeros(1000)
    token = work.token_of(array)
    with Pool(1) as pool:
        pid = pool.apply(work.facts, (array,))["pid"]
        future = pool.submit(hold_and_pause, array)
        work.until(lambda: array[0] == 1)
        assert set(work.users(token)) == {os.getpid(), pid}
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            future.result()
        assert work.users(token) == [os.getpid()]
        assert pool.apply(work.total, (array,)) == 1.0
    receipts.forget()


def hold_and_pause(array):
    array[0] = 1
    signal.pause()


def test_too_many_descriptors_is_a_clear_error(tmp_path):
    array = shared.zeros(4)
    work.store(array, tmp_path / "handle")
    source = """
import resource
body = open(sys.argv[1], "rb").read()
from elsewhere.runtime.passing import receipts
from elsewhere.shared import arrays, values
shared.zeros(1)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
kept, said = [], []
try:
    while True: kept.append(shared.zeros(1))
except OSError as error:
    said.append([error.errno, "each shared array takes one" in str(error)])
try:
    pickle.loads(body)
except OSError as error:
    said.append([error.errno, "each shared array takes one" in str(error)])
del kept[:2]
said.append(pickle.loads(body).tolist())
say(said)
hear()
"""
    with Program(source, tmp_path / "handle") as program:
        assert program.hear() == [[24, True], [24, True], [0.0] * 4]
    receipts.settle()


def refused(arguments, error=ProtocolError, match="forged"):
    with pytest.raises(error, match=match):
        block.attach(*arguments.values())


def test_a_handle_of_something_else_is_refused(tmp_path):
    array = shared.zeros(4)
    given = handle(array)
    known = given["fd"]
    refused({**given, "token": "x" * 32})
    refused({**given, "token": given["token"][:-1]})
    refused({**given, "pid": -1})
    refused({**given, "fd": "0/../../../etc/passwd"})
    refused({**given, "size": given["size"] * 2})
    del array
    refused(given, FileNotFoundError, "gone")
    assert not os.path.exists(f"/proc/self/fd/{known}") or given["token"] not in os.readlink(f"/proc/self/fd/{known}")
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    fifo = os.mkfifo(tmp_path / "fifo")
    fifo = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    sock, other = socket.socketpair()
    for fd in (file, fifo, sock.fileno(), other.fileno()):  # nothing that is not called so is opened at all
        refused({**given, "pid": os.getpid(), "fd": fd}, FileNotFoundError, "gone")
    os.close(file)
    os.close(fifo)
    sock.close()
    other.close()


def as_nobody(function):
    """Run it in a forked copy that has become another user; what it gives comes back as a pickle."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            function(write)
        except BaseException as error:
            os.write(write, pickle.dumps(error))
        finally:
            os._exit(0)
    os.close(write)
    return child, read


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_memory_is_refused(tmp_path):
    path = tmp_path / "handle"
    with Program("array = shared.zeros(4); store(array, sys.argv[1]); say(); hear()", path) as creator:
        creator.hear()
        body = path.read_bytes()
        child, read = as_nobody(lambda write: pickle.loads(body))
        error = pickle.loads(os.read(read, 65536))
        assert type(error) is PermissionError
        assert "only processes of the same user" in str(error)
        os.waitpid(child, 0)
        os.close(read)

    def make_and_wait(write):
        array = shared.zeros(4)
        os.write(write, pickle.dumps(array))
        signal.pause()

    child, read = as_nobody(make_and_wait)  # root may open everything
    with pytest.raises(ProtocolError, match="belongs to user 65534"):
        pickle.loads(os.read(read, 65536))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)


def impostor(token, size=4096, seals=block.SEALS):
    """Memory that somebody else has called as ours is."""
    fd = os.memfd_create(block.NAME + token, os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


@pytest.mark.parametrize(
    ("made", "said", "match"),
    [
        ({"seals": 0}, {}, "not sealed"),
        ({"seals": fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW}, {}, "not sealed"),
        ({"seals": fcntl.F_SEAL_SEAL | fcntl.F_SEAL_GROW}, {}, "not sealed"),
        ({"size": 1 << 16}, {}, "not what its handle says"),
        ({"size": 100}, {"size": 100}, "not what its handle says"),
        ({}, {"inode": 1}, "not what its handle says"),
    ],
)
def test_an_impostor_is_refused(made, said, match):
    token = os.urandom(16).hex()
    fd = impostor(token, **made)
    given = {"token": token, "fd": fd, "size": 4096, "inode": os.fstat(fd).st_ino}
    given |= {"pid": os.getpid(), "space": place()[1], "serial": 0, "pipe": 0, "pipe_inode": 0}
    before = len(os.listdir("/proc/self/fd"))
    try:
        refused({**given, **said}, match=match)
        assert len(os.listdir("/proc/self/fd")) == before
        assert token not in block._known
    finally:
        os.close(fd)


def test_a_receipt_is_written_into_nothing_but_our_pipe(tmp_path):
    array = shared.zeros(4)
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    given = {**handle(array), "serial": 7}
    for fd, inode in ((file, os.fstat(file).st_ino), (writer, 1), (writer, os.fstat(writer).st_ino)):
        work.store(Forged({**given, "pipe": fd, "pipe_inode": inode}), tmp_path / "handle")
        with Program("array = load(sys.argv[1]); say(array.size)", tmp_path / "handle") as other:
            assert other.hear() == 4096
    assert os.read(reader, 100) == (7).to_bytes(8, "little")  # the last, who gave the right inode: it is the user's own
    assert os.fstat(file).st_size == 0
    for fd in (file, reader, writer):
        os.close(fd)


class Forged:
    def __init__(self, arguments):
        self.arguments = arguments

    def __reduce__(self):
        return block.attach, tuple(self.arguments.values())


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (4096 - 8, (2,), (8,)),
        (-8, (1,), (8,)),
        (0, (2,), (-8,)),
        (0, (1 << 40,), (8,)),
        (8, (3, 2), (-8, 8)),
        (1 << 50, (1,), (8,)),
    ],
)
def test_a_view_beyond_its_memory_is_refused(offset, shape, strides):
    array = shared.zeros(4)
    make, (owner, *_) = array.__reduce_ex__(5)
    with pytest.raises((ValueError, TypeError)):
        make(owner, offset, shape, strides, np.dtype("f8"), True)
    with pytest.raises(TypeError, match="Python objects"):
        make(owner, 0, (1,), (8,), np.dtype("O"), True)


@pytest.mark.parametrize(("offset", "size"), [(65536, 4), (-16, 4), (0, 1 << 20), (3, 4), (0, -4)])
def test_a_piece_beyond_its_memory_is_refused(offset, size):
    value = Value("i", 3)
    with pytest.raises(ProtocolError, match="forged or damaged"):
        pieces.Piece(value._obj._wrapper.block, offset, size)


def test_a_piece_of_another_size_is_refused():
    array = Array("i", 3)
    piece = array._obj._wrapper
    with pytest.raises(ProtocolError, match="does not fit"):
        values._rebuild(array._obj._type_, 4, piece)
    with pytest.raises(TypeError, match="no type of shared data"):
        values._rebuild(int, None, piece)
