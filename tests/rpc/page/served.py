"""A service with a parameter of every kind that the page has a field for, and texts that try to break out of it."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from elsewhere import Service

SCRIPT = "<script>document.title = 'broken'</script>"
IMAGE = "<img src=x onerror=\"document.title = 'broken'\">"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Place:
    street: str
    number: int = 1


@dataclasses.dataclass
class Person:
    name: str
    age: int
    home: Place | None = None


class Options(TypedDict):
    depth: int
    quick: NotRequired[bool]


class Point(NamedTuple):
    x: float
    y: float = 0.0


ORIGIN = Point(0.0)


@dataclasses.dataclass
class Tree:
    name: str
    branches: list[Tree] = dataclasses.field(default_factory=list)


def double(n: int) -> int:
    """Twice the number.

    Args:
        n: any whole number, however large.
    """
    return 2 * n


def greet(name: str, *, greeting: str = "Hello", loud: bool = False) -> str:
    """A greeting, for whoever it is."""
    text = f"{greeting}, {name}"
    return text.upper() if loud else text


def fail(text: str) -> None:
    """Raise a ValueError with this text."""
    raise ValueError(text)


def echo(value: Any) -> Any:
    """Whatever it is given."""
    return value


async def wait(seconds: float) -> str:
    """Wait."""
    await asyncio.sleep(seconds)
    return "done"


def numbers(i: int, f: float, b: bool, d: decimal.Decimal = decimal.Decimal("1.5")) -> str:
    return repr((i, f, b, d))


def texts(s: str, data: bytes = b"", when: dt.datetime | None = None) -> str:
    return repr((s, data, when))


def dates(day: dt.date, at: dt.time, span: dt.timedelta, key: uuid.UUID | None = None) -> str:
    return repr((day, at, span, key))


def choices(colour: Colour, size: Literal["small", "large", 3] = "small", some: Colour | None = None) -> str:
    return repr((colour, size, some))


def records(person: Person, options: Options, point: Point = ORIGIN) -> str:
    return repr((person, options, point))


def lists(xs: list[int], table: dict[str, float], pair: tuple[int, str] = (1, "a"), either: int | str = 0) -> str:
    return repr((xs, table, pair, either))


def places(a: int, b: int = 2, /, *rest: int, named: int = 5) -> str:
    return repr((a, b, rest, named))


def mixed(*rest: int, key: int, **others: int) -> str:
    return repr((rest, key, others))


def names(a: int, **others: int) -> str:
    return repr((a, others))


def maybe(n: int | None, text: str | None = "set") -> str:
    return repr((n, text))


def tree(root: Tree) -> str:
    return root.name


def hostile(value: str = SCRIPT) -> str:
    return IMAGE + value


hostile.__doc__ = f"{SCRIPT}\n\n{IMAGE}\n</textarea></details>{SCRIPT}"

ALL: list[Any] = [
    double, greet, fail, echo, wait, numbers, texts, dates, choices, records, lists, places, mixed, names, maybe, tree,
]  # fmt: skip


def shown(**options: Any) -> Service:
    """The service."""
    service = Service(name=options.pop("name", "shown"), **options)
    for fn in ALL:
        service.register(fn, idempotent=fn is double, timeout=60 if fn is wait else None)
    service.register(hostile, f"bad.{IMAGE}")
    return service
