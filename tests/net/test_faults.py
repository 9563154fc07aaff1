"""A conversation that goes wrong after each of its bytes, in each way: nobody hangs, and the server serves on."""

from __future__ import annotations

import contextlib
import statistics
import time

import pytest

from elsewhere import net
from elsewhere.errors import ConnectError, ConnectionLost, SocketTimeout
from tests.net.helpers import until
from tests.net.relay import FAULTS, TO_CLIENT, TO_SERVER, Relay

WAIT = 0.1  # seconds that either side waits for the other, where only that ends it
LONG = 20.0  # ... where something else does
TRIES = 50  # of a conversation that is well, until all of it has passed before somebody's time was over
WORDS = [b"hello", b"", b"there"]
ANSWERS = [b"HELLO", b"", b"THERE"]
ASKED = sum(len(word) + 2 for word in WORDS)  # bytes, in either direction


def converse(connection):
    answers = []
    for word in WORDS:
        connection.sendall(len(word).to_bytes(2, "big") + word)
        size = int.from_bytes(connection.recv_exactly(2), "big")
        answers.append(connection.recv_exactly(size))
    return answers


def attempt(relay, scheme, options, wait=WAIT):
    """How the client fared: its answers, or its error; and seconds from the harm until it knew."""
    try:
        with net.connect(f"{scheme}://{relay.address}", timeout=wait, **options) as connection:
            answers = converse(connection)
    except (ConnectError, ConnectionLost, SocketTimeout) as error:
        return error, time.monotonic() - relay.done
    return answers, 0.0


def serves(server, **options):
    """It goes on: on a busy machine, not always within `WAIT`."""
    for _ in range(TRIES):
        with (
            contextlib.suppress(ConnectError, ConnectionLost),
            net.connect(server.addresses[0], **options) as connection,
        ):
            return converse(connection) == ANSWERS
    return False


def settled(server):
    until(lambda: not server.statistics().open)
    return server.statistics()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_each_byte_of_a_conversation(serve, fault, direction):
    wait = LONG if fault in {"cut", "reset"} else WAIT
    server = serve("framed", idle_timeout=wait)
    port = server.addresses[0].port
    lateness = []
    for offset in range(ASKED):
        with Relay(port, fault, direction, offset) as relay:
            found, late = attempt(relay, "tcp", {}, wait)
            if fault in {"cut", "reset"}:
                known = (ConnectionLost, ConnectError) if not offset else ConnectionLost
                assert isinstance(found, known), (offset, found)
                lateness.append(late)
            elif fault in {"half-open", "stalled"}:
                assert isinstance(found, ConnectionLost | SocketTimeout), (offset, found)
            else:
                assert found != ANSWERS, offset
        assert settled(server).open == 0, offset
        assert serves(server)
    fine = whole(port, fault, direction)
    if direction == TO_CLIENT or fault == "garbage":  # the harm comes behind the last answer, or the last question
        assert fine or any(whole(port, fault, direction) for _ in range(TRIES))
    assert settled(server).failed == 0
    if lateness:  # nobody has waited for a time to be over
        assert max(lateness) < LONG / 2
        assert statistics.median(lateness) < 1


def whole(port, fault, direction):
    with Relay(port, fault, direction, ASKED) as relay:
        return attempt(relay, "tcp", {})[0] == ANSWERS


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_tls_in_its_handshake_and_after(serve, certificates, fault, direction):
    server = serve("framed", "tls://127.0.0.1:0", idle_timeout=WAIT, handshake_timeout=WAIT)
    port, options = server.addresses[0].port, {"tls": net.TLS(ca=certificates.authority)}
    for _ in range(TRIES):
        with Relay(port, fault, direction, 1 << 30) as relay:  # nothing happens
            found, _ = attempt(relay, "tls", options)
            size = relay.passed[direction]
        if found == ANSWERS:
            break
    assert found == ANSWERS
    assert size > 500
    step = size // 25
    for offset in range(0, size, step):
        with Relay(port, fault, direction, offset) as relay:
            found, late = attempt(relay, "tls", options, LONG if fault in {"cut", "reset"} else WAIT)
            if relay.done and fault in {"cut", "reset"}:
                assert late < LONG / 2
            # What is cut off behind the last answer, a goodbye, is no loss; nor is a ticket for the next session, which
            # the server sends and this client has no use for. But no answer is ever a wrong one.
            assert isinstance(found, Exception) or found == ANSWERS, (offset, found)
        assert settled(server).open == 0, offset
    assert serves(server, **options)
    assert settled(server).failed == 0


def test_many_clients_of_which_each_third_is_cut_off(serve):
    server = serve("framed", idle_timeout=LONG)
    port = server.addresses[0].port
    for number in range(30):
        if number % 3:
            with net.connect(server.addresses[0]) as connection:
                assert converse(connection) == ANSWERS
        else:
            with Relay(port, "reset", TO_CLIENT, number % ASKED) as relay:
                attempt(relay, "tcp", {})
    assert settled(server).open == 0
    assert server.statistics().failed == 0
