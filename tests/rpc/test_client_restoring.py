"""A client that offers a service connects again by itself, so that the far side can go on calling it."""

from __future__ import annotations

import gc
import itertools
import threading
import time

import msgpack
import pytest

from elsewhere import Service, connect
from elsewhere.rpc.calling import opening
from tests.contract.work import PATIENCE, until
from tests.rpc.peers import Peer


def offered():
    service = Service()

    @service.method
    def shout(text: str) -> str:
        return text.upper()

    return service


def calls(conversation):
    """A peer that calls at once, and hangs up when it has the answer."""
    conversation.send(msgpack.packb([0, 7, "shout", [f"number {conversation.number}"]]))
    for message in conversation.messages():
        if message[0] == 1:
            conversation.peer.heard.append(message[3])
            return


def test_the_far_side_can_call_again_though_nobody_has_called_it():
    with Peer(calls) as peer, connect(peer.address, service=offered()):
        until(lambda: len(peer.heard) >= 3)
        assert peer.heard[:3] == ["NUMBER 0", "NUMBER 1", "NUMBER 2"]


def test_when_it_is_there_again(tmp_path):
    path = f"{tmp_path}/s"
    with Peer(calls, path=path) as peer:
        client = connect(peer.address, service=offered())
        until(lambda: peer.heard)
    (tmp_path / "s").unlink()
    with client, Peer(calls, path=path) as peer:
        until(lambda: peer.heard)
        assert "NUMBER 0" in peer.heard


@pytest.mark.parametrize("how", ["close", "forget"])
def test_not_once_it_is_closed_or_forgotten(how):
    gate = threading.Event()

    def one_by_one(conversation):
        gate.wait(PATIENCE)
        gate.clear()

    with Peer(one_by_one) as peer:
        client = connect(peer.address, service=offered())
        gate.set()
        until(lambda: peer.connections >= 2)
        if how == "close":
            client.close()
        del client
        gc.collect()
        gate.set()
        until(lambda: not any("errands" in thread.name for thread in threading.enumerate()), "the thread to end")
        assert peer.connections <= 3  # one may have been on its way
        gate.set()


def test_one_that_is_turned_away_again_and_again_rests_in_between(monkeypatch):
    monkeypatch.setattr(opening, "FIRST_PAUSE", 0.2)
    times = []

    def turned_away(conversation):
        times.append(time.monotonic())

    with Peer(turned_away) as peer, connect(peer.address, service=offered()):
        until(lambda: len(times) >= 4)
    rests = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert rests[0] > 0.09
    assert rests[1] > 0.19
    assert rests[2] > 0.39


def test_one_whose_token_is_refused_does_not_try_again(tmp_path, caplog):
    address = f"unix://{tmp_path}/s"

    def serving(token, **limits):
        service = Service(token=token, **limits)
        service.register(abs)
        return service.start(address)

    def refused():
        return sum("has sent a wrong token" in record.getMessage() for record in caplog.records)

    with serving("old"):
        client = connect(address, token="old", service=offered())
        assert client.abs(-1) == 1
    with client, serving("new", handshake_timeout=0.2) as server:
        until(refused)
        until(lambda: not server._serving.connections, "it to be cut off")
        until(lambda: client._link.conn.ended, "the client to see that")
        until(lambda: client._link._errands._thread is None, "the thread to end")
        assert refused() == 1


def test_a_client_without_a_service_stays_as_it_is():
    gate = threading.Event()

    def hangs_up(conversation):
        conversation.next()
        gate.set()

    with Peer(hangs_up) as peer, connect(peer.address) as client:
        client.submit("double", 1)
        assert gate.wait(PATIENCE)
        until(lambda: "not connected" in repr(client))
        assert peer.connections == 1
