"""Blocks of shared memory between two ends in one process, and how much memory there is on made-up machines."""

from __future__ import annotations

import gc
import os
import pickle
import socket

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from elsewhere.runtime.memory import headroom, lease
from elsewhere.runtime.memory import store as storing
from elsewhere.runtime.memory.buffers import LARGE, Collector, whole
from elsewhere.runtime.memory.exchange import Exchange
from elsewhere.runtime.memory.headroom import Headroom
from elsewhere.runtime.memory.parcel import READONLY, pack
from elsewhere.runtime.memory.store import SMALLEST, Store, size_class

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs memfd")

MIB = 1 << 20


class Ends:
    """A sender and its receiver."""

    def __init__(self, **options):
        here, there = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self.owner = Exchange(here, Store(**options))
        self.receiver = Exchange(there, Store(one_receiver=True))

    def send(self, value, flags=0):
        """The value at the other end."""
        return self.receiver.open(self.message(value, flags), copies=True).load()

    def message(self, value, flags=0):
        buffers = Collector()
        body = pickle.dumps(whole(value), 5, buffer_callback=buffers.take)
        return self.owner.lend(pack(self.owner.store, body, buffers, flags))

    def settle(self):
        """News both ways."""
        self.owner.hear(self.receiver.news())
        self.owner.store.collect()
        self.receiver.hear(self.owner.news())

    def close(self):
        self.owner.close()
        self.receiver.close()
        self.owner.store.close()
        self.receiver.store.close()


@pytest.fixture
def ends():
    ends = Ends()
    yield ends
    ends.close()


def view(size, fill=1):
    return memoryview(bytearray([fill]) * size)


# ---- one block ---------------------------------------------------------------------------------------------------


def test_what_is_sent_arrives_writable_and_the_block_is_used_again(ends):
    first = ends.send(view(MIB, 7))
    assert first == view(MIB, 7)
    first[0] = 1
    ends.settle()
    assert ends.owner.store.warm() == []
    del first
    ends.settle()
    assert len(ends.owner.store.warm()) == 1
    second = ends.send(view(MIB, 8))
    assert second == view(MIB, 8)
    assert ends.owner.store.blocks == 1


def test_a_slice_keeps_the_block(ends):
    part = ends.send(view(MIB, 7))[100:200].cast("B")
    for _ in range(3):
        gc.collect()
        ends.settle()
        ends.send(view(MIB, 8))
    assert part == view(100, 7)


def test_read_only(ends):
    assert ends.send(view(MIB), READONLY).readonly
    assert not ends.send(view(MIB)).readonly


def test_a_message_that_is_never_loaded_gives_its_blocks_back(ends):
    arrived = ends.receiver.open(ends.message(view(MIB)))
    ends.settle()
    assert ends.owner.store.warm() == []
    del arrived
    ends.settle()
    assert len(ends.owner.store.warm()) == 1


def test_the_other_ends_death_gives_everything_back(ends):
    kept = [ends.send(view(MIB, number)) for number in range(3)]
    ends.owner.close()
    assert len(ends.owner.store.warm()) == 3
    assert [part[0] for part in kept] == [0, 1, 2]


def test_one_block_that_is_sent_twice_is_held_twice(ends):
    buffers = Collector()
    body = pickle.dumps(whole(view(MIB, 5)), 5, buffer_callback=buffers.take)
    parcel = pack(ends.owner.store, body, buffers, READONLY)
    first, second = (ends.receiver.open(ends.owner.lend(parcel)).load() for _ in range(2))
    del parcel
    for gone in ("first", "second"):
        ends.settle()
        assert ends.owner.store.warm() == []
        if gone == "first":
            del first
        else:
            assert second == view(MIB, 5)
            del second
    ends.settle()
    assert len(ends.owner.store.warm()) == 1


def test_without_room_for_a_descriptor_the_data_goes_in_the_message(ends):
    ends.owner.side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    values = [view(LARGE, number) for number in range(50)]
    messages = [ends.message(value) for value in values]
    assert any(len(message) > LARGE for message in messages), "the socket was never full"
    assert any(len(message) < LARGE for message in messages)
    assert [ends.receiver.open(message).load() for message in messages] == values


def test_a_block_that_was_not_sent_fails_in_the_call(ends):
    message = ends.message(view(MIB))
    ends.receiver.side.recv(16)
    arrived = ends.receiver.open(message)
    with pytest.raises(Exception, match="named before it was sent"):
        arrived.load()


def test_past_the_limit_of_blocks_the_data_goes_in_the_message(ends, monkeypatch):
    monkeypatch.setattr(storing, "LIMIT", 5)
    kept = [ends.send(view(MIB, number)) for number in range(10)]
    assert ends.owner.store.blocks == 5
    assert [part[-1] for part in kept] == list(range(10))


def test_past_the_limit_of_leases_the_data_is_copied_out(ends, monkeypatch):
    monkeypatch.setattr(lease, "MOST_BLOCKS", lease._blocks + 3)
    kept = [ends.send(view(MIB, number)) for number in range(6)]
    ends.settle()
    assert len(ends.owner.store.warm()) == 3
    assert [part[-1] for part in kept] == list(range(6))


def test_a_lease_outlives_a_fork_but_its_block_is_not_used_again(ends):
    part = ends.send(view(MIB, 7))
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    del part
    ends.settle()
    assert ends.owner.store.warm() == []
    assert ends.owner.store.blocks == 0
    assert ends.send(view(MIB, 8)) == view(MIB, 8)


# ---- the store ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, SMALLEST, SMALLEST + 1, 100_000, MIB, MIB + 1, 8_000_000, 10**9 + 7])
def test_size_classes(size):
    found = size_class(size)
    assert size <= found <= max(SMALLEST, size * 9 // 8 + 1)
    assert found % 4096 == 0
    assert size_class(found) == found


def test_too_many_warm_bytes_go_back_to_the_system(ends, monkeypatch):
    monkeypatch.setattr(storing, "WARM", 3 * MIB)
    kept = [ends.send(view(MIB)) for _ in range(10)]
    assert ends.owner.store.blocks == 10
    del kept
    ends.settle()
    assert ends.owner.store.blocks == 3
    ends.settle()
    assert len(ends.receiver.leases.known) == 3


def test_before_memory_is_short_warm_blocks_are_given_up(ends, monkeypatch):
    ends.send(view(MIB))
    ends.settle()
    asked = []

    def require(size):
        asked.append(size)
        if len(asked) == 1:
            raise MemoryError
        assert ends.owner.store.warm() == []

    monkeypatch.setattr(headroom, "require", require)
    assert ends.send(view(4 * MIB)) == view(4 * MIB)
    assert asked == [4 * MIB] * 2


def test_it_looks_for_returns_before_it_takes_new_memory(ends):
    ends.owner.store.look_for_returns = lambda: ends.owner.hear(ends.receiver.news())
    for _ in range(10):
        ends.send(view(MIB))
    assert ends.owner.store.blocks == 1


def test_a_hold_that_outlives_its_store_takes_its_block_along(ends):
    hold = ends.owner.store.take(MIB)
    fd = hold.block.fd
    ends.owner.store.close()
    os.fstat(fd)
    del hold
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


# ---- a machine ---------------------------------------------------------------------------------------------------


class Traffic(RuleBasedStateMachine):
    """Values are sent, kept, written to and dropped in any order: each stays what its holder made of it."""

    @initialize(one=st.booleans())
    def begin(self, one):
        self.ends = Ends(one_receiver=one)
        self.messages: list[tuple[bytes, bytes]] = []
        self.kept: list[tuple[memoryview, bytes]] = []
        self.number = 0

    @rule(size=st.sampled_from([LARGE, 70_000, 100_000, MIB]), count=st.integers(1, 3))
    def send(self, size, count):
        for _ in range(count):
            self.number += 1
            data = self.number.to_bytes(4, "little") * (size // 4)
            self.messages.append((self.ends.message(memoryview(bytearray(data))), data))

    @precondition(lambda self: self.messages)
    @rule()
    def receive(self):
        message, data = self.messages.pop(0)
        self.kept.append((self.ends.receiver.open(message).load(), data))

    @precondition(lambda self: self.messages)
    @rule()
    def skip(self):
        self.ends.receiver.open(self.messages.pop(0)[0])

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def drop(self, data):
        self.kept.pop(data.draw(st.integers(0, len(self.kept) - 1)))

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def write(self, data):
        at = data.draw(st.integers(0, len(self.kept) - 1))
        value, _ = self.kept[at]
        self.number += 1
        value[:] = new = self.number.to_bytes(4, "little") * (len(value) // 4)
        self.kept[at] = value, new

    @rule()
    def news_from_the_receiver(self):
        self.ends.owner.hear(self.ends.receiver.news())

    @rule()
    def news_from_the_owner(self):
        self.ends.receiver.hear(self.ends.owner.news())

    @rule()
    def memory_is_short(self):
        self.ends.owner.store._trim(0)

    @invariant()
    def everybody_sees_what_is_theirs(self):
        if hasattr(self, "ends"):
            assert all(value == data for value, data in self.kept)

    def teardown(self):
        if not hasattr(self, "ends"):
            return
        while self.messages:
            self.skip()
        self.kept.clear()
        self.ends.settle()
        store = self.ends.owner.store
        assert len(store.warm()) == store.blocks, "all is given back"
        self.ends.close()


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=40)


# ---- head-room ---------------------------------------------------------------------------------------------------

MEMINFO = "MemTotal:       8000000 kB\nMemFree:  100 kB\nMemAvailable:    5000000 kB\n"
V2 = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "34 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
GIB = 1 << 30

MACHINES = [
    pytest.param("0::/\n", V2, {}, 5_000_000 << 10, id="no limit"),
    pytest.param("0::/a\n", V2, {"a/memory.max": "max", "a/memory.current": "5"}, 5_000_000 << 10, id="v2, max"),
    pytest.param(
        "0::/a/b\n",
        V2,
        {"a/memory.max": str(GIB), "a/memory.current": str(GIB // 2), "a/memory.stat": "anon 5\ninactive_file 4096\n"},
        GIB // 2 + 4096,
        id="v2, a parent's",
    ),
    pytest.param("0::/a\n", V2, {"a/memory.max": "10", "a/memory.current": "50"}, 0, id="v2, over it"),
    pytest.param("0::/a\n", V2, {"a/memory.max": "?", "a/memory.current": "50"}, 5_000_000 << 10, id="unreadable"),
    pytest.param(
        "4:memory:/g\n",
        V1,
        {
            "memory/g/memory.limit_in_bytes": str(GIB),
            "memory/g/memory.usage_in_bytes": str(GIB // 4),
            "memory/g/memory.stat": "inactive_file 1\ntotal_inactive_file 8192\n",
        },
        GIB // 4 * 3 + 8192,
        id="v1",
    ),
    pytest.param(
        "4:memory:/\n",
        V1,
        {"memory/memory.limit_in_bytes": str(2**63 - 4096), "memory/memory.usage_in_bytes": "7"},
        5_000_000 << 10,
        id="v1, no limit",
    ),
]


@pytest.mark.parametrize(("cgroup", "mounts", "files", "expected"), MACHINES)
def test_available_memory(tmp_path, cgroup, mounts, files, expected):
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    files |= {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup, "proc/self/mountinfo": mounts}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = Headroom(tmp_path)
    assert found.available() == expected
    found.require(expected // 2)
    with pytest.raises(MemoryError, match=f"{expected:,} bytes are available"):
        found.require(expected + 1)


def test_where_nothing_says_how_much_there_is_everything_is_tried(tmp_path):
    found = Headroom(tmp_path)
    assert found.available() is None
    assert found.total() is None
    found.require(1 << 50)


def test_this_machine():
    headroom.require(1)
    assert headroom.total() > 1 << 26
    with pytest.raises(MemoryError):
        headroom.require(1 << 50)
