"""The caller's own classes come back as themselves, and what their pickling runs is what they say themselves."""

import dataclasses
import enum
import typing

import numpy as np
import pytest

from elsewhere.errors import RemoteError
from elsewhere.runtime.far.opening import Opening
from tests.far import hostile
from tests.far.hostile import answer, call, name, new, of, state, whole

opening = Opening(lambda token: None, {__name__, "tests.far.hostile"}.__contains__, trust=False)
closed = Opening(lambda token: None, lambda module: False, trust=False)


@dataclasses.dataclass
class Point:
    x: int
    y: list


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int


class Slots:
    __slots__ = ("__dict__", "a")

    def __init__(self) -> None:
        self.a = 1
        self.b = 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slots) and (self.a, self.b) == (other.a, other.b)

    __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ has it


class Pair(typing.NamedTuple):
    left: int
    right: typing.Any


class Colour(enum.Enum):
    RED = "red"


class Flags(enum.Flag):
    A = 1
    B = 2


class Words(list):
    extra: typing.Any = None


class Table(dict):
    pass


class Names(set):
    pass


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Raw(bytes):
    pass


class Field(np.ndarray):
    pass


class Reduced:
    def __init__(self, a: int) -> None:
        self.a = a

    def __reduce__(self):
        return Reduced, (self.a,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reduced) and self.a == other.a

    __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ has it


class Stated:
    def __init__(self) -> None:
        self.a = 1

    def __getstate__(self):
        return [self.a]

    def __setstate__(self, given):
        (self.a,) = given

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stated) and self.a == other.a

    __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ has it


class WithArguments:
    made: typing.Any

    def __new__(cls, *args, key=None):
        self = super().__new__(cls)
        self.made = (args, key)
        return self

    def __getnewargs_ex__(self):
        return self.made[0], {"key": self.made[1]}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WithArguments) and self.made == other.made

    __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ has it


class Outer:
    @dataclasses.dataclass
    class Inner:
        x: int


class Trouble(Exception):
    def __init__(self, code: int, *, extra: str = "none") -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra


class Leaves:
    def __setstate__(self, given):
        raise SystemExit(given)


class Left:
    def __new__(cls):
        raise SystemExit(4)

    def __reduce__(self):
        return Left, ()


def words() -> Words:
    made = Words([1, 2])
    made.extra = 3
    return made


VALUES = [
    *[
        Point(1, [2]),
        Frozen(1),
        Slots(),
        Pair(1, [2]),
        Colour.RED,
        Flags.A | Flags.B,
        words(),
        Table(a=1),
        Names([1, 2]),
    ],
    *[Text("x"), Number(5), Raw(b"x"), Reduced(3), Stated(), WithArguments(1, 2, key=3), Outer.Inner(1)],
    *[Point, Outer.Inner, Colour, {Pair(1, 2): Colour.RED}],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_they_come_back(value):
    data = answer(value, 5)
    back = opening.value(data)
    assert back == value
    assert type(back) is type(value)
    if isinstance(value, Words):
        assert back.extra == 3
    with pytest.raises(RemoteError, match="neither plain nor yours"):
        closed.value(data)


def test_arrays_of_their_own_class_come_back():
    array = np.arange(6).reshape(2, 3).view(Field)
    back = opening.value(answer(array, 5))
    assert type(back) is Field
    assert back.tolist() == array.tolist()
    for make in (new, call):
        with pytest.raises(RemoteError, match="numpy's own way only"):
            opening.value(whole(make(name(__name__, "Field"), of((10,)))))


@pytest.mark.parametrize(("cls", "args"), [("Text", (b"x", "utf8")), ("Number", ("9",)), ("Raw", ("x", "utf8"))])
def test_a_text_is_made_of_text(cls, args):
    """`str` takes bytes and the name of a codec, too, which would be looked for and imported."""
    with pytest.raises(RemoteError, match="it is not made of a"):
        opening.value(whole(new(name(__name__, cls), *map(of, args))))


def test_a_deep_tuple_is_refused_whatever_makes_it():
    deep = b"N" + b"\x85" * 2000
    pairs = name(__name__, "Pair") + b"\x940" + b"h\x00K\x01" * 2000 + b"N" + b"\x86\x81" * 2000
    for make in (pairs, new(name(__name__, "Pair"), of(1), deep), call(name(__name__, "Names"), b"](" + deep + b"e")):
        with pytest.raises(RemoteError, match="nested so deep"):
            opening.value(whole(make))


def test_errors_of_their_own_come_back():
    error = Trouble(5, extra="x")
    back = opening.value(answer(error, 5))
    assert type(back) is Trouble
    assert (back.args, back.code, back.extra) == ((5,), 5, "x")


def test_a_shipped_class_is_the_callers_own_by_its_token():
    class Local:
        pass

    made = Opening({"7": Local}.get, lambda module: False, trust=False).value(
        whole(state(new(call(name("elsewhere_far", "shipped"), of("7"))), of({"x": 1})))
    )
    assert type(made) is Local
    assert made.x == 1
    trusting = Opening({"7": Local}.get, lambda module: False, trust=True)
    assert type(trusting.value(whole(new(call(name("elsewhere_far", "shipped"), of("7")))))) is Local


def test_a_class_that_defines_how_it_ends_is_not_made_and_the_error_says_so():
    with pytest.raises(RemoteError, match="defines __del__"):
        opening.value(answer(hostile.Cleaner(), 5))
    hostile.FIRED.clear()


def test_what_a_class_raises_while_it_is_made_is_the_calls_error():
    """Even SystemExit: its `__setstate__` is the caller's own, and what it is given is the host's."""
    with pytest.raises(RemoteError, match="making it raises SystemExit: 3"):
        opening.value(whole(state(new(name(__name__, "Leaves")), of(3))))
    for make in (new, call):
        with pytest.raises(RemoteError, match="making it raises SystemExit: 4"):
            opening.value(whole(make(name(__name__, "Left"))))


def test_a_module_that_is_not_loaded_is_not_loaded_for_a_host():
    whichever = Opening(lambda token: None, lambda module: True, trust=False)
    with pytest.raises(RemoteError, match=r"tests\.far\.nowhere is not imported here"):
        whichever.value(whole(name("tests.far.nowhere", "Thing")))


def test_an_attribute_is_given_to_an_object_and_not_to_its_class():
    made = opening.value(whole(state(new(name(__name__, "Point")), of({"x": 5}))))
    assert made.x == 5
    assert "x" not in vars(Point)
    for key in ("__class__", "__dict__", "__setstate__"):
        with pytest.raises(RemoteError):
            opening.value(whole(state(new(name(__name__, "Slots")), b"N" + of({key: 1}) + b"\x86")))
