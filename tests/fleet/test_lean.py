"""Packets that are gathered, and those that are left out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from elsewhere.fleet import Host
from elsewhere.fleet.engine import engine
from elsewhere.fleet.lean import FULL, Gathered
from tests.fleet.sshd import sshd
from tests.fleet.test_link import options


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
