"""What runs for a call that nobody waits for any more: it is stopped, where that is possible."""

from __future__ import annotations

from concurrent.futures import CancelledError

from elsewhere import Service
from elsewhere.rpc.serving.call import Call
from elsewhere.rpc.serving.engine import Engine
from elsewhere.rpc.serving.session import Session


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
