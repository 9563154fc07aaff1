"""Where several processes serve, the page of each shows what all of them have done."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import Any

from elsewhere import connect
from elsewhere.rpc.page import Page
from tests.contract.work import until
from tests.rpc.page.served import shown
from tests.rpc.web.plain import Plain


def counted(peer: Plain) -> Any:
    """Calls and errors of `double`, as the worker shows them that this connection is to."""
    found = peer.ask("GET", Page.FIGURES)
    return next(row[1:3] for row in json.loads(found.body)["methods"] if row[0] == "double")


def test_figures_are_those_of_all_workers():
    with shown().start("http://127.0.0.1:0", workers=2) as server, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Plain(server.addresses[0])) for _ in range(4)]
        assert [counted(peer) for peer in peers] == 4 * [[0, 0]]
        for number, peer in enumerate(peers):
            peer.jsonrpc({"jsonrpc": "2.0", "id": 1, "method": "double", "params": [number]})
        assert [counted(peer) for peer in peers] == 4 * [[4, 0]]


def test_figures_go_on_where_a_worker_has_died():
    with shown().start("http://127.0.0.1:0", workers=2) as server, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Plain(server.addresses[0])) for _ in range(2)]
        for peer in peers:
            peer.jsonrpc({"jsonrpc": "2.0", "id": 1, "method": "double", "params": [1]})
        before = server.pids
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(server.pids) == 2 and server.pids != before, "another worker")
        with Plain(server.addresses[0]) as fresh:
            assert counted(fresh)[0] in {0, 1}  # whatever is lost with a worker, there is an answer


def test_one_process_among_other_addresses_shows_what_came_to_any_of_them():
    with shown().start("tcp://127.0.0.1:0", "http://127.0.0.1:0") as server:
        with connect(server.addresses[0]) as client:
            assert client.double(2) == 4
        with Plain(server.addresses[1]) as peer:
            assert counted(peer) == [1, 0]


def test_a_worker_that_stands_still_holds_nobody_up():
    service = shown()
    service.register(os.getpid, "pid")
    with service.start("http://127.0.0.1:0", workers=2) as server, contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(Plain(server.addresses[0])) for _ in range(2))
        for peer in (one, other):
            peer.jsonrpc({"jsonrpc": "2.0", "id": 1, "method": "double", "params": [1]})
        assert counted(one) == [2, 0]
        still = other.jsonrpc({"jsonrpc": "2.0", "id": 1, "method": "pid"}).json["result"]
        os.kill(still, signal.SIGSTOP)
        try:
            one.jsonrpc({"jsonrpc": "2.0", "id": 1, "method": "double", "params": [1]})
            assert counted(one) == [3, 0]  # with what was last known of the other
        finally:
            os.kill(still, signal.SIGCONT)
