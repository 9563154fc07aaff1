"""Every byte of a conversation, cut there, reset there, garbled there or stalled there."""

from __future__ import annotations

import msgpack
import pytest

from elsewhere import CallTimeout, ConnectError, ConnectionLost, RemoteError, connect
from tests.contract.work import until
from tests.rpc.peers import HELLO, Peer, polite

LAST = msgpack.packb([1, 3, None, "second" * 20])
ANSWERS = msgpack.packb([1, 1, None, HELLO]) + msgpack.packb([1, 2, None, "first"]) + LAST
GREETING = {"version": 1, "features": ["call", "cancel", "methods"], "timeout": 20.0}
REQUESTS = [
    msgpack.packb(message) for message in ([0, 1, "rpc.hello", [GREETING]], [0, 2, "one", []], [0, 3, "two", []])
]


def end(conversation, how):
    if how == "cut":
        return
    if how == "reset":
        conversation.reset()
    elif how == "garbage":
        conversation.send(b"\xc1" * 300)  # more than what is missing of any text
        conversation.until_gone()
    else:
        conversation.until_gone()


def converse(client):
    """Two pipelined calls of what may not be repeated, and what became of each.

    What certainly never started is repeated on another connection, whose peer is polite and knows no such methods.
    """
    futures = [client.submit("one"), client.submit("two")]
    outcomes = []
    for future in futures:
        error = future.exception(20)
        assert error is None or isinstance(error, (ConnectionLost, ConnectError, CallTimeout, RemoteError)), error
        outcomes.append(future.result() if error is None else type(error))
    return outcomes


@pytest.mark.parametrize("how", ["cut", "reset", "garbage", "stalled"])
def test_at_every_byte_of_the_answers(how):
    plan: dict[int, int] = {}

    def mood(conversation):
        at = plan.pop(conversation.number, None)
        if at is None:
            polite(conversation)
            return
        for _ in range(3):
            conversation.next()
        conversation.send(ANSWERS[:at])
        end(conversation, how)

    known = len(ANSWERS) - len(LAST)
    with Peer(mood) as peer:
        for at in range(len(ANSWERS)):
            plan[peer.connections] = at  # of the next one: all before it are answered by now
            with connect(peer.address, timeout=0.02 if how == "stalled" else 20) as client:
                first, second = converse(client)
            if first == "first":
                assert at >= known
            elif how in {"cut", "garbage"}:  # a reset may overtake what was sent, and 20 ms may be over before it came
                assert at < known
            assert second != "second" * 20
            with connect(peer.address) as client:
                assert client.double(at) == 2 * at
            until(lambda: not plan, "the conversation")


@pytest.mark.parametrize("how", ["cut", "reset", "stalled"])
@pytest.mark.parametrize("blocking", [True, False])
def test_at_every_byte_of_the_requests(how, blocking):
    plan: dict[int, int] = {}

    def mood(conversation):
        left = plan.pop(conversation.number, None)
        if left is None:
            polite(conversation)
            return
        while left and (data := conversation.sock.recv(left)):  # or the client has given up before
            left -= len(data)
        end(conversation, how)

    with Peer(mood) as peer:
        first = 1 if how == "reset" else 0  # at 0, it may be connecting that fails
        for at in range(first, len(b"".join(REQUESTS[: 2 if blocking else 3]))):
            plan[peer.connections] = at
            with connect(peer.address, timeout=0.02 if how == "stalled" else 20) as client:
                if blocking:
                    with pytest.raises((ConnectionLost, ConnectError, CallTimeout, RemoteError)):
                        client.one()
                else:
                    assert all(isinstance(outcome, type) for outcome in converse(client))
            with connect(peer.address) as client:
                assert client.double(at) == 2 * at
            until(lambda: not plan, "the conversation")
        executed = [call[0] for call in peer.executed]
        assert executed.count("double") == at + 1 - first
