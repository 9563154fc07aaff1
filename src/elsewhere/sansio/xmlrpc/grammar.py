"""Which element may come where: a table of states, and for each what enters it and what its end does.

::

    methodCall      methodName params?
    methodResponse  params of one param | fault
    params          param*                    param, fault    value
    value           text | nil | a scalar | array | struct
    array           data of value*            struct          member*, each a name and a value
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from elsewhere.sansio.xmlrpc.scalars import SCALARS

__all__ = ["ANSWER", "CALL", "Does", "State", "Step"]


class Does(Enum):
    """What the end of an element does."""

    NOTHING = 0
    SCALAR = 1  # its text becomes a value
    STRING = 2  # it is a value that names no type: its text is one
    NIL = 3
    ARRAY = 4
    STRUCT = 5
    FAULT = 6
    LACKS = 7  # it may not end yet


class State:
    """Somewhere inside an element.

    Attributes:
        does: what the element's end does here.
        lacks: what is missing, where it may not end.
        enter: the elements that may begin here, by their tag.
    """

    __slots__ = ("does", "enter", "lacks")

    def __init__(self, does: Does = Does.NOTHING, lacks: str = "") -> None:
        self.does = Does.LACKS if lacks else does
        self.lacks = lacks
        self.enter: dict[str, Step] = {}


class Step(NamedTuple):
    """An element begins: the state inside, the one that follows it, and what turns its text into a value."""

    inside: State
    after: State
    convert: Callable[[str], object] = str
    value: bool = False  # one more of those that are counted
    nests: bool = False  # one level deeper


def _values() -> Step:
    """A value, whatever it is, and nothing behind it."""
    text, full, value, nil = State(Does.SCALAR), State(), State(Does.STRING), State(Does.NIL)
    array, data, filled = State(Does.ARRAY), State(), State(Does.ARRAY)
    struct, member, named = State(Does.STRUCT), State(lacks="a name"), State(lacks="a value")
    value.enter = {tag: Step(text, full, convert) for tag, convert in SCALARS.items()} | {
        "nil": Step(nil, full),
        "array": Step(array, full, nests=True),
        "struct": Step(struct, full, nests=True),
    }
    array.enter = {"data": Step(data, filled)}
    data.enter = {"value": Step(value, data, value=True)}
    struct.enter = {"member": Step(member, struct)}
    member.enter = {"name": Step(text, named)}
    named.enter = {"value": Step(value, full, value=True)}
    return Step(value, full, value=True)


def _tables() -> tuple[State, State]:
    value, text, done = _values(), State(Does.SCALAR), State()
    one = State(lacks="a value")  # in a param
    one.enter = {"value": value}

    called, named, params = State(lacks="a methodName"), State(), State()
    called.enter = {"methodName": Step(text, named)}
    named.enter = {"params": Step(params, done)}
    params.enter = {"param": Step(one, params)}

    answered, single, fault = State(lacks="params or a fault"), State(), State(lacks="a value")
    answered.enter = {"params": Step(single, done), "fault": Step(fault, done)}
    single.enter = {"param": Step(one, done)}
    fault.enter = {"value": value._replace(after=State(Does.FAULT))}

    call, answer = State(lacks="an element"), State(lacks="an element")
    call.enter = {"methodCall": Step(called, done)}
    answer.enter = {"methodResponse": Step(answered, done)}
    return call, answer


CALL, ANSWER = _tables()
