"""When a worker rings, seen from its end of the channel."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from elsewhere.runtime.page import STARTED, Page, make_memory
from elsewhere.runtime.worker.channel import FEW, NEVER, Channel
from elsewhere.sansio.frames import FROM_WORKER, Parser, Reply
from elsewhere.sansio.spinning import QUICK


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Channel]]:
    near, far = socket.socketpair()
    fd = make_memory(Page.SIZE)
    page = Page(fd)
    os.close(fd)
    with near, far:
        near.settimeout(10)
        yield near, Channel(far, page)
    page.close()


def rung(near: socket.socket) -> list[int]:
    return [fields[0] for fields, _ in Parser(FROM_WORKER).feed(near.recv(65536))]


def test_it_is_rung_when_half_of_many_calls_are_used_up(ends):
    near, channel = ends
    channel.words[STARTED] = 1000
    channel.fed(1000 + 4 * FEW)
    assert channel.low == 1000 + 2 * FEW
    channel.bell(time.monotonic_ns())
    assert rung(near) == [Reply.BELL]
    assert channel.low == NEVER, "once; what comes next says when again"


def test_a_few_calls_are_rung_for_at_their_end(ends):
    _, channel = ends
    channel.fed(FEW)
    assert channel.low == NEVER


def test_what_comes_on_top_counts_with_what_was_held(ends):
    _, channel = ends
    channel.fed(4 * FEW)
    channel.words[STARTED] = FEW
    channel.fed(8 * FEW)
    assert channel.low == 8 * FEW - 7 * FEW // 2


def test_waiting_for_what_comes_soon_ends_with_the_pool(ends):
    near, channel = ends
    for _ in range(QUICK + 1):
        near.send(b"\0" * 16)
        assert channel.receive_soon()
    assert channel._spinning.wanted()
    near.close()
    assert channel.receive_soon() is None
