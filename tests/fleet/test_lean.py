"""Packets that are gathered, and those that are left out."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from elsewhere.fleet import Host
from elsewhere.fleet.engine import engine
from elsewhere.fleet.lean import FULL, Gathered, _look_seldom
from tests.fleet.sshd import Sshd, sshd
from tests.fleet.test_link import becomes, options


class Wire:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def close(self) -> None:
        self.seen.append("close")

    def abort(self) -> None:
        self.seen.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.seen


@pytest.mark.parametrize("end", ["close", "abort"])
def test_what_is_written_in_one_turn_goes_at_once(end: str) -> None:
    async def work() -> list[Any]:
        wire = Wire()
        gathered = Gathered(wire)
        for data in (b"a", b"b"):
            gathered.write(data)
        assert wire.seen == []
        await asyncio.sleep(0)
        gathered.write(b"x" * FULL)
        gathered.write(b"c")
        assert not gathered.is_closing()
        getattr(gathered, end)()
        await asyncio.sleep(0)
        return wire.seen

    assert asyncio.run(work()) == [b"ab", b"x" * FULL, b"c", end]


@pytest.mark.parametrize(("cipher", "ignored"), [("aes128-cbc", True), ("aes128-gcm@openssh.com", False)])
def test_empty_packets_are_for_cbc_alone(tmp_path: Path, cipher: str, ignored: bool) -> None:
    with sshd(tmp_path, ["127.11.3.1"], config=f"Ciphers {cipher}") as server:
        (tmp_path / "client").write_text(f"Ciphers {cipher}\n")
        more = {"config": (str(tmp_path / "client"),)}
        with Host(server.hosts[0], **options(server, **more)) as host:
            assert host.run("cat", input=b"x" * 300_000, encoding=None).stdout == b"x" * 300_000

            async def sent() -> list[int]:
                connection: Any = await host.link.connection()
                before = connection._send_seq
                connection.send_packet(2, b"\0\0\0\0")
                return [before, connection._send_seq]

            before, after = engine().call(sent)
            assert (after > before) == ignored


def test_what_is_held_goes_when_its_writer_says_so() -> None:
    async def work() -> list[Any]:
        wire = Wire()
        gathered = Gathered(wire)
        gathered.held = True
        gathered.write(b"a")
        await asyncio.sleep(0)
        assert wire.seen == []
        gathered.held = False
        gathered.flush()
        return wire.seen

    assert asyncio.run(work()) == [b"a"]


class Clock:
    """A loop whose time goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Any]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, work: Any) -> Any:
        self.timers.append((self.now + delay, work))
        return self.timers[-1]

    def goes(self, until: float) -> None:
        while self.timers and min(self.timers)[0] <= until:
            timer = min(self.timers)
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = until


class Connection:
    """What asyncssh's has of a keepalive."""

    _keepalive_interval = 10.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keepalive_timer: Any = None
        self.asked: list[float] = []

    def _reset_keepalive_timer(self) -> None:
        self._keepalive_timer = self._clock.call_later(self._keepalive_interval, self._keepalive_timer_callback)

    def _keepalive_timer_callback(self) -> None:
        self.asked.append(self._clock.now)
        self._reset_keepalive_timer()


def test_a_host_is_asked_when_it_has_been_silent_for_so_long_and_not_before() -> None:
    clock: Any = Clock()
    connection: Any = Connection(clock)
    _look_seldom(connection, clock)
    for now in range(101, 134):
        connection._reset_keepalive_timer()  # something comes each second
        clock.goes(float(now))
    assert connection.asked == []
    assert len(clock.timers) == 1
    clock.goes(141.9)
    assert connection.asked == []
    clock.goes(142.0)  # ten after the last word, which came at 132
    assert connection.asked == [142.0]


def test_a_host_that_stands_still_is_seen(server: Sshd) -> None:
    with Host(server.hosts[0], **options(server, keepalive=0.2)) as host:
        pid = host.call(os.getpid)  # its parent is the sshd of this connection
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGSTOP)
        try:
            becomes(lambda: not host.link.up)
        finally:
            os.kill(parent, signal.SIGCONT)
