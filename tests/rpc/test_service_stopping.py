"""What runs for a call that nobody waits for any more: it is stopped, where that is possible."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import msgpack
import pytest

from elsewhere import Service
from elsewhere.rpc.serving.call import Call
from elsewhere.rpc.serving.engine import Engine
from elsewhere.rpc.serving.loop.team import Team
from elsewhere.rpc.serving.session import Session
from tests.contract.work import PATIENCE, Gate, until
from tests.rpc import serving
from tests.rpc.peers import Peer
from tests.rpc.raw import Raw


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


class Nowhere:
    """A connection that loses what is sent."""

    label = "tcp://nowhere:1"

    def post(self, data):
        pass

    def eased(self):
        pass


class Busy(Call):
    """One whose way to be stopped is found in just the moment in which it is answered."""

    stopped = 0

    def close(self):
        if not self.over:
            self.stopped_by(self.note)
        return super().close()

    def note(self):
        self.stopped += 1


def test_one_that_is_begun_while_it_is_cancelled_is_stopped_once():
    service = Service(abs)
    session = Session(Engine(service), Nowhere())
    call = Busy(session, service._registry.methods["abs"], 1, 0.0, None)
    session.abandon(call, CancelledError())
    session.abandon(call, CancelledError())
    assert call.stopped == 1


def test_one_that_was_cancelled_before_is_stopped_when_it_is_known_how():
    service = Service(abs)
    session = Session(Engine(service), Nowhere())
    call = Call(session, service._registry.methods["abs"], 1, 0.0, None)
    session.abandon(call, CancelledError())
    stopped = []
    call.stopped_by(lambda: stopped.append(1))
    assert stopped == [1]


def test_one_that_has_ended_is_not_stopped():
    service = Service(abs)
    session = Session(Engine(service), Nowhere())
    call = Call(session, service._registry.methods["abs"], 1, 0.0, None)
    stopped = []
    call.stopped_by(lambda: stopped.append(1))
    session.finish(call, 3, None)
    session.abandon(call, CancelledError())
    assert stopped == []


# ---- threads beside a loop -------------------------------------------------------------------------------------------


@pytest.fixture
def beside():
    """A service on a loop, with methods in threads that were registered since."""
    service = Service(max_threads=1)
    service.register(serving.sleepy)
    with service.start("tcp://127.0.0.1:0") as server, Raw(server.addresses[0]) as peer:
        service.register(serving.wait_at, where="threads")
        peer.hello()
        yield peer


def test_one_that_waits_for_a_thread_never_runs_when_it_is_cancelled(beside, gate):
    first, second = (beside.request("wait_at", str(gate.folder), name) for name in ("first", "second"))
    gate.wait_for("came", "first")
    beside.send([2, "rpc.cancel", [second]])
    assert beside.answer(second)[0]["kind"] == "cancelled"
    gate.open()
    assert beside.answer(first) == (None, "first")
    assert beside.call("wait_at", str(gate.folder), "third") == (None, "third")  # by the only thread
    assert not gate.has("came", "second")


PROGRAM = """
import sys, threading
from elsewhere import Service, connect

service = Service()

@service.method
def never():
    print("begun", flush=True)
    threading.Event().wait()

client = connect(sys.argv[1], service=service)
sys.stdin.readline()
if sys.argv[2] == "close":
    client.close()
"""


@pytest.mark.parametrize("how", ["close", "leave"])
def test_a_method_that_never_ends_does_not_hold_up_the_end_of_the_program(how):
    def mood(conversation):
        conversation.error(conversation.next(), "what?")
        conversation.send(msgpack.packb([0, 1, "never", []]))
        conversation.until_gone()

    with Peer(mood) as peer:
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, peer.address, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert program.stdout.readline() == b"begun\n"
            program.communicate(b"end\n", timeout=PATIENCE)
            assert program.returncode == 0
        finally:
            program.kill()
            program.communicate()


def test_a_thread_that_waits_for_its_caller_does_not_count():
    team, gate, begun, found = Team(1, "tested"), threading.Event(), threading.Event(), []
    team.submit(lambda: gate.wait(PATIENCE))
    team.submit(lambda: (found.append(team.mine()), begun.set()))
    assert len(team._threads) == 1
    team.lend(1)
    assert begun.wait(PATIENCE)
    assert found == [True]
    assert not team.mine()
    team.lend(-1)
    gate.set()
    until(lambda: len(team._threads) <= 1)
    team.end()
    until(lambda: not team._threads)


# ---- a loop that is held up ------------------------------------------------------------------------------------------


def test_a_method_that_holds_up_the_loop_does_not_hold_up_the_end(gate):
    service = Service()
    service.register(serving.wait_at, where="loop")
    service.register(serving.double, where="threads")
    server = service.start("tcp://127.0.0.1:0")
    with Raw(server.addresses[0]) as peer:
        peer.request("wait_at", str(gate.folder), "it")
        gate.wait_for("came", "it")
        server.close(0.0)
        assert peer.ended()
        assert not gate.has("left", "it")
    gate.open()
    gate.wait_for("left", "it")
