"""Peers that read slowly, of a service on a loop."""

from __future__ import annotations

import asyncio

from elsewhere import Service
from elsewhere.rpc.serving.loop.protocol import Peer
from tests.contract.work import until
from tests.rpc.raw import Raw

LARGE = 20_000_000  # far more than the system's buffers take


def test_who_reads_is_not_dropped_though_more_waits_for_it_than_before(monkeypatch):
    """What waits grows by the answer of a call that was under way."""
    begun, go = [], []
    watched, watch = [], Peer._watch

    def counted(self):
        watched.append(self)
        watch(self)

    monkeypatch.setattr(Peer, "_watch", counted)
    service = Service(send_timeout=2.0)

    @service.method(where="loop")
    async def late() -> bytes:
        begun.append(1)
        while not go:  # noqa: ASYNC110 - it is another thread that says so
            await asyncio.sleep(0.01)
        return bytes(LARGE)

    @service.method(where="loop")
    def large() -> bytes:
        return bytes(LARGE)

    with service.start("tcp://127.0.0.1:0") as server, Raw(server.addresses[0]) as peer:
        asked = [peer.request("late"), peer.request("large")]
        until(lambda: begun and watched, "the peer to be waited for")
        go.append(1)
        until(lambda: watched[0]._transport.get_write_buffer_size() > LARGE, "more to wait")
        left = 6_000_000
        while left:
            data = peer.sock.recv(min(left, 1 << 16))
            peer._unpacker.feed(data)
            left -= len(data)
        until(lambda: len(watched) > 1, "the next look")
        assert [peer.answer(msgid) for msgid in asked] == [(None, bytes(LARGE))] * 2
