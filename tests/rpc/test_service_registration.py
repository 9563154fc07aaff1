"""What can be registered, and what is refused where it is written."""

from __future__ import annotations

import functools
import os
import types
from typing import Optional

import pytest

from elsewhere import ArgumentError, Pool, Service
from elsewhere.rpc import Service as SameService


class Base:
    def inherited(self):
        return "inherited"


class Tool:
    """Can be called, and is no method."""

    def __call__(self):
        raise AssertionError


class Api(Base):
    """One of each kind."""

    attribute = 3
    tool = Tool()

    def __init__(self):
        self.callback = print

    def plain(self, n: int) -> int:
        """Does it."""
        return n

    def _private(self):
        raise AssertionError

    def __call__(self):
        raise AssertionError

    @staticmethod
    def static(n):
        return n

    @classmethod
    def of_class(cls):
        return cls.__name__

    @functools.lru_cache  # noqa: B019 - it is what is tested
    def cached(self):
        return 1

    @property
    def danger(self):
        raise AssertionError("a property was asked for")

    @functools.cached_property
    def lazy(self):
        raise AssertionError("a cached property was asked for")

    async def waits(self):
        return 1

    class Inner:
        pass


def names(service):
    return [method["name"] for method in service.methods()]


def test_the_public_methods_of_an_object():
    service = Service(Api())
    assert names(service) == ["cached", "inherited", "of_class", "plain", "static", "waits"]
    assert service.name == "Api"
    assert SameService is Service


class Shop(dict):
    def price(self, name: str) -> int:
        return self[name]


def test_what_an_object_has_beside_the_methods_of_a_dict():
    assert "price" in names(Service(Shop()))


def test_a_module_and_a_function():
    module = types.ModuleType("tools")
    exec("import os\ndef public(): ...\ndef _private(): ...\nclass Thing: ...", module.__dict__)
    assert names(Service(module)) == ["public"]
    module.__all__ = ["path_of"]
    module.path_of = len
    assert names(Service(module)) == ["path_of"]
    assert names(Service(len)) == ["len"]


def test_decorators_leave_the_function_as_it_is():
    service = Service()

    @service.method
    def one(n):
        return n

    @service.method(name="a.b.two", where="loop", timeout=3, idempotent=True)
    def two(n: int = 3, *, unit: str = "m") -> float:
        """Twice."""
        return 2.0 * n

    assert one(1) == 1
    assert service.methods() == [
        {"name": "one", "signature": "(n)", "doc": "", "idempotent": False},
        {
            "name": "a.b.two", "signature": "(n: int = 3, *, unit: str = 'm') -> float", "doc": "Twice.",
            "idempotent": True,
        },
    ]  # fmt: skip
    assert "one, a.b.two" in repr(service)


def test_several_objects_under_prefixes():
    service = Service()
    service.add(Base(), "base.")
    service.add(Base(), "other.")
    assert names(service) == ["base.inherited", "other.inherited"]


def nothing():
    pass


def generator():
    yield 1


async def async_generator():
    yield 1


class Strange:
    pass


class Bag(dict):
    """Adds nothing to what a dict has."""


def strange(x: Strange):
    pass


def stranger(x: list[Strange]):
    pass


def mistaken(x: [int]):  # type: ignore[valid-type]
    pass


def misspelt(x: os.PathLikes):  # type: ignore[name-defined]
    pass


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda s: s.register(3), TypeError, "cannot be called"),
        (lambda s: s.register(lambda: 1), ValueError, "has no name of its own"),
        (lambda s: s.register(functools.partial(nothing)), ValueError, "has no name of its own"),
        (lambda s: s.register(nothing, "rpc.mine"), ValueError, "'rpc.'"),
        (lambda s: s.register(nothing, ""), ValueError, "''"),
        (lambda s: s.register(nothing, 3), TypeError, "is a str"),
        (lambda s: s.register(nothing, where="here"), ValueError, '"threads", "loop", "processes"'),
        (lambda s: s.register(nothing, where=3), ValueError, '"threads", "loop", "processes"'),
        (lambda s: s.register(nothing, timeout=0), ValueError, "above 0"),
        (lambda s: s.register(nothing, timeout="3"), ValueError, "above 0"),
        (lambda s: s.register(nothing, idempotent=1), TypeError, "True or False"),
        (lambda s: s.register(generator), TypeError, "return a list"),
        (lambda s: s.register(async_generator), TypeError, "return a list"),
        (lambda s: s.register(strange), TypeError, "parameter 'x' of 'strange': Strange"),
        (lambda s: s.register(mistaken), TypeError, "parameter 'x' of 'mistaken': [<class 'int'>] is no type"),
        (lambda s: s.register(misspelt), TypeError, "an annotation of 'misspelt' cannot be read: module 'os' has no"),
        (lambda s: s.register(stranger), TypeError, "parameter 'x' of 'stranger': Strange"),
        (lambda s: s.method(nothing, name="x"), TypeError, "keywords alone"),
        (lambda s: s.method(color="x"), TypeError, "color"),
        (lambda s: s.add(Api), TypeError, "needs an object: Api()"),
        (lambda s: s.add(Strange()), ValueError, "no public methods"),
        (lambda s: s.add(5), TypeError, "5 has no methods of its own"),
        (lambda s: s.add("module:api"), TypeError, "'module:api' has no methods"),
        (lambda s: Service([print]), TypeError, "[<built-in function print>] has no methods"),
        (lambda s: Service(Bag()), TypeError, "{} has no methods of its own"),
        (lambda s: s.start(), ValueError, "needs an address"),
        (lambda s: s.start("localhost:3"), ValueError, "tcp://localhost:3"),
        (lambda s: s.start("udp://localhost:3"), ValueError, "udp"),
        (lambda s: s.start("tcp://0.0.0.0:0"), ValueError, "insecure=True"),
        (lambda s: s.start("tls://127.0.0.1:0"), ValueError, "certificate"),
        (lambda s: s.start("tcp://127.0.0.1:0", tls=3), TypeError, "TLS"),
        (lambda s: s.serve("tcp://127.0.0.1:0", drain=-1), ValueError, "drain"),
        (lambda s: Service(token=3), TypeError, "token is a str or bytes"),  # type: ignore[arg-type]
        (lambda s: Service(token=""), ValueError, "token is empty"),
        (lambda s: Service(pool=3), TypeError, "Pool"),
        (lambda s: Service(name=3), TypeError, "name"),  # type: ignore[arg-type]
        (lambda s: Service(max_calls=0), ValueError, "max_calls"),
        (lambda s: Service(max_size=1.5), TypeError, "max_size"),  # type: ignore[arg-type]
        (lambda s: Service(idle_timeout=0), ValueError, "idle_timeout"),
        (lambda s: Service(send_timeout="x"), TypeError, "send_timeout"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_is_said_at_once(wrong, error, says):
    with pytest.raises(error) as found:
        wrong(Service())
    assert says in str(found.value)


def test_a_name_is_given_once():
    service = Service(Base())
    with pytest.raises(ValueError, match="there is a method 'inherited' already"):
        service.register(nothing, "inherited")
    assert names(service) == ["inherited"]


def test_the_token_never_shows():
    service = Service(Base(), token="open sesame")
    assert "sesame" not in repr(service)


def test_a_pool_may_be_the_place():
    with Pool(1, where="threads") as pool:
        service = Service()
        service.register(nothing, where=pool)
        assert names(service) == ["nothing"]


def test_an_annotation_that_only_type_checkers_know_is_no_check(caplog):
    def unknown(x: Missing, n: int) -> Nowhere:  # type: ignore[name-defined]  # noqa: F821 - that is the point
        pass

    service = Service()
    service.register(unknown)
    assert service.methods()[0]["signature"] == "(x: Missing, n: int) -> Nowhere"
    assert [record.getMessage() for record in caplog.records] == [
        "'unknown' is served without a check of its argument 'x': name 'Missing' is not defined"
    ]
    with pytest.raises(ArgumentError, match="n: expected int, got str"):
        service._registry.methods["unknown"].schema.bind(["anything", "x"])


def quoted(x: Optional["int"], y: list["int"], *rest: "str", z: "float" = 1.0) -> dict["str", "int"]:  # noqa: UP037, UP045
    return {}


class Scale:
    n: str

    def __call__(self, n: int) -> int:
        return n


@pytest.mark.parametrize(
    ("fn", "signature"),
    [
        (quoted, "(x: Optional[int], y: list[int], *rest: str, z: float = 1.0) -> dict[str, int]"),
        (functools.partial(quoted, None), "(y: list[int], *rest: str, z: float = 1.0) -> dict[str, int]"),
        (Scale(), "(n: int) -> int"),
        (len, "(obj, /)"),
    ],
)
def test_a_signature_is_without_quotes(fn, signature):
    service = Service()
    service.register(fn, "it")
    assert service.methods()[0]["signature"] == signature


def test_an_object_that_can_be_called_takes_what_its_call_does():
    service = Service()
    service.register(Scale(), "scale")
    bind = service._registry.methods["scale"].schema.bind
    assert bind([3]) == ([3], {})
    with pytest.raises(ArgumentError, match="n: expected int, got str"):
        bind(["3"])
