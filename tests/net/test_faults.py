"""A conversation that goes wrong after each of its bytes, in each way: nobody hangs, and the server serves on."""

from __future__ import annotations

import os
import statistics
import time

import pytest

from elsewhere import net
from elsewhere.errors import ConnectError, ConnectionLost, SocketTimeout
from tests.net.relay import FAULTS, TO_CLIENT, TO_SERVER, Relay

WAIT = 0.1  # seconds that either side waits for the other
WORDS = [b"hello", b"", b"there"]
ASKED = sum(len(word) + 2 for word in WORDS)  # bytes, in either direction


def converse(connection):
    answers = []
    for word in WORDS:
        connection.sendall(len(word).to_bytes(2, "big") + word)
        size = int.from_bytes(connection.recv_exactly(2), "big")
        answers.append(connection.recv_exactly(size))
    return answers


def attempt(relay, scheme, options):
    """How the client fared: "well", or its error; and seconds from the harm until it knew."""
    try:
        with net.connect(f"{scheme}://{relay.address}", timeout=WAIT, **options) as connection:
            answers = converse(connection)
    except (ConnectError, ConnectionLost, SocketTimeout) as error:
        return error, time.monotonic() - relay.done
    return answers, 0.0


def settled(server):
    end = time.monotonic() + 10
    while server.statistics().open and time.monotonic() < end:
        os.sched_yield()
    return server.statistics()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_each_byte_of_a_conversation(serve, fault, direction):
    server = serve("framed", idle_timeout=WAIT)
    port = server.addresses[0].port
    lateness = []
    for offset in range(ASKED + 1):
        with Relay(port, fault, direction, offset) as relay:
            found, late = attempt(relay, "tcp", {})
            if offset == ASKED:
                whole = [word.upper() for word in WORDS]
                assert found == whole or (direction == TO_SERVER and fault != "garbage")
            elif fault in {"cut", "reset"}:
                known = (ConnectionLost, ConnectError) if not offset else ConnectionLost
                assert isinstance(found, known), (offset, found)
                lateness.append(late)
            elif fault in {"half-open", "stalled"}:
                assert isinstance(found, ConnectionLost | SocketTimeout), (offset, found)
            else:
                assert found != [word.upper() for word in WORDS], offset
        assert settled(server).open == 0, offset
        with net.connect(server.addresses[0]) as connection:
            assert converse(connection) == [b"HELLO", b"", b"THERE"]
    assert server.statistics().failed == 0
    if lateness:
        assert statistics.median(lateness) < 0.05
        assert max(lateness) < 2


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_tls_in_its_handshake_and_after(serve, certificates, fault, direction):
    server = serve("framed", "tls://127.0.0.1:0", idle_timeout=WAIT, handshake_timeout=WAIT)
    port, options = server.addresses[0].port, {"tls": net.TLS(ca=certificates.authority)}
    with Relay(port, fault, direction, 1 << 30) as relay:  # nothing happens
        assert attempt(relay, "tls", options) == ([b"HELLO", b"", b"THERE"], 0.0)
        size = relay.passed[direction]
    assert size > 500
    step = size // 25
    for offset in range(0, size, step):
        with Relay(port, fault, direction, offset) as relay:
            found, late = attempt(relay, "tls", options)
            if relay.done and fault in {"cut", "reset"}:
                assert late < 2
            # What is cut off behind the last answer, a goodbye, is no loss; nor is a ticket for the next session, which
            # the server sends and this client has no use for. But no answer is ever a wrong one.
            assert isinstance(found, Exception) or found == [b"HELLO", b"", b"THERE"], (offset, found)
        assert settled(server).open == 0, offset
    with net.connect(server.addresses[0], **options) as connection:
        assert converse(connection) == [b"HELLO", b"", b"THERE"]
    assert server.statistics().failed == 0


def test_many_clients_of_which_each_third_is_cut_off(serve):
    server = serve("framed", idle_timeout=5)
    port = server.addresses[0].port
    for number in range(30):
        if number % 3:
            with net.connect(server.addresses[0]) as connection:
                assert converse(connection) == [b"HELLO", b"", b"THERE"]
        else:
            with Relay(port, "reset", TO_CLIENT, number % ASKED) as relay:
                attempt(relay, "tcp", {})
    assert settled(server).open == 0
    assert server.statistics().failed == 0
