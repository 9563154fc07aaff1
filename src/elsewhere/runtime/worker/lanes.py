"""The hot path of a worker: calls of plain arguments that answer with an int, a float or None, many in a row.

Rule: everything a single call costs is in `call_each`, and nothing else is. Wherever anything is out of the ordinary
the loop ends, says why, and leaves that call to `Loop`.

A result is stored into the page's open lane before the next call begins, and STARTED is the lane's count: two plain
stores make a call begun, tracked and durable. Clock and bell are looked at between lanes, which are as long as the
calls are short (`Pace`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.runtime.page import FLOATS, INTS, LANE_CALLS, MAIL, NONES, STARTED

if TYPE_CHECKING:
    from elsewhere.runtime.worker.loop import Loop

__all__ = ["LANES", "Ended", "Pace", "call_each"]

LANES: dict[type, int] = {int: INTS, float: FLOATS, type(None): NONES}
SHORT, LONG = 5, 2.5  # parts of the time between two bells that a lane should take: more than opening it costs
LARGEST = 1 << 63  # what an int in a lane is smaller than
_NOTHING: Any = object()


class Ended(enum.Enum):
    """Why `call_each` stopped."""

    ALL = enum.auto()  # every call is answered
    MAIL = enum.auto()  # the next call is claimed, not begun: the socket comes first
    VALUE = enum.auto()  # a call returned something else, or printed half a line: it is not answered
    ERROR = enum.auto()  # a call raised: it is not answered
    FULL = enum.auto()  # the page has no room


class Pace:
    """What is known of a function: the kind of its last result, and how many calls make a lane."""

    __slots__ = ("calls", "kind")

    def __init__(self) -> None:
        self.kind: type = int
        self.calls = 8

    def learn(self, answered: int, took: int, interval: int) -> None:
        """A lane of `answered` calls took so many nanoseconds, and bells are `interval` nanoseconds apart."""
        if took > interval / LONG:
            self.calls = max(1, answered * interval // SHORT // took)
        elif took < interval / SHORT and answered >= self.calls:
            self.calls = min(2 * self.calls, LANE_CALLS)


def call_each(
    loop: Loop, function: Callable[..., Any], items: Sequence[Any], first: int, kind: type, star: bool
) -> tuple[int, Ended, Any]:
    """Call `function` with each item, the first of which has the ordinal `first`.

    Returns:
        how many calls are answered; why it ended; the value or exception of the call after them.
    """
    channel = loop.channel
    lane = channel.writer.lane(LANES[kind], len(items), first)
    if lane is None:
        return 0, Ended.FULL, None
    words, mail, unfinished = channel.words, channel.mail, loop.unfinished
    at_started, at_mail = STARTED, MAIL  # locals: these lines are what a call costs
    value, failure, ended = _NOTHING, None, Ended.ALL
    try:
        try:
            loop.inside = True
            for at, item in enumerate(items):
                words[at_started] = first + at
                if words[at_mail] is not mail and words[at_mail] != mail:  # mostly 0, which there is one of
                    value, ended = _NOTHING, Ended.MAIL
                    break
                value = function(*item) if star else function(item)
                if type(value) is not kind or unfinished:
                    ended = Ended.VALUE
                    break
                lane[at] = value
            loop.inside = False
        except BaseException as error:  # an interrupt may come right here: it goes to the outer clause
            loop.inside = False
            failure = error
    except BaseException as error:
        loop.inside = False
        failure = error
    # An interrupt may have come anywhere between two stores. STARTED tells in which call: that one has failed.
    answered = len(items) if ended is Ended.ALL and failure is None else words[STARTED] - first
    channel.writer.close_lane(LANES[kind], answered)
    if failure is None:
        return answered, ended, value
    if type(failure) is ValueError and type(value) is int and not -LARGEST <= value < LARGEST:
        return answered, Ended.VALUE, value  # the store raised, not the function: one before it was stored
    return answered, Ended.ERROR, failure
