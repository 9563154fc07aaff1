"""What a hacked host could answer: pickles put together by hand, each of which does something to who loads it.

`fire` is what they would run; it only notes that it was run. Everything here is named by pickles, so it is importable.
"""

from __future__ import annotations

import copyreg
import enum
import io
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.far.hostile_arms import Armed, Loaded  # noqa: F401 - an own module has the names of others, too

FIRED: list[Any] = []


def fire(*args: Any, **kwargs: Any) -> str:
    FIRED.append(args)
    return "fired"


class Job(Armed):
    """As ``class Job(subprocess.Popen)`` is: the caller's own, and its constructor does something."""


class Cleaner:
    """Its end does something, with what it was told."""

    path = ""

    def __del__(self) -> None:
        fire(self.path)


class Settings:
    secure = True


class Meta(type):
    def __getnewargs__(cls) -> Any:
        return ()


class Maker:
    """Its objects are whatever its `__new__` says."""

    def __new__(cls) -> Any:
        return fire

    def __reduce__(self) -> Any:
        return Maker, ()


class Newer:
    def __new__(cls, *args: Any) -> Any:
        if args:
            fire(*args)
        return super().__new__(cls)


class Register:
    """A class that is a container itself."""

    add = append = update = classmethod(lambda cls, item: fire(item))


class Colour(enum.Enum):
    RED = 1
    BLUE = 2

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return None


class Plain:
    def __init__(self, *args: Any) -> None:
        fire(*args)


class Hidden(Exception):
    def __init__(self, *args: Any) -> None:
        fire(*args)


Nickname = Hidden
del Hidden


class Size(bytes):
    def __reduce__(self) -> Any:
        return Size, (bytes(self),)


class Trouble(Exception):
    pass


class Worse(Exception):
    pass


# ---- an assembler ----------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, what: str) -> bytes:
    return text(module) + text(what) + b"\x93"


def old_name(module: str, what: str) -> bytes:
    return b"c" + module.encode() + b"\n" + what.encode() + b"\n"


def mine(what: str) -> bytes:
    return name(__name__, what)


def tuple_of(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def call(function: bytes, *args: bytes) -> bytes:
    return function + tuple_of(*args) + b"R"


def new(cls: bytes, *args: bytes) -> bytes:
    return cls + tuple_of(*args) + b"\x81"


def state(made: bytes, given: bytes) -> bytes:
    return made + given + b"b"


def of(value: Any) -> bytes:
    """A plain value, without what begins and ends a pickle, and without a memo."""
    if isinstance(value, tuple):
        return tuple_of(*map(of, value))
    if isinstance(value, list):
        return b"](" + b"".join(map(of, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(of(key) + of(value[key]) for key in value) + b"u"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    data = pickle.dumps(value, 4)[2:-1]
    return data[9:] if data[:1] == b"\x95" else data


def answer(value: Any, protocol: int = 5) -> bytes:
    """What an honest host answers; here distributed may have taught `copyreg` to pickle errors in a way of its own."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol)
    pickler.dispatch_table = {
        kind: way
        for kind, way in copyreg.dispatch_table.items()
        if not (isinstance(kind, type) and issubclass(kind, BaseException))
    }
    pickler.dump(value)
    return file.getvalue()


def whole(body: bytes) -> bytes:
    return b"\x80\x05" + body + b"."


CODE = text("__import__('tests.far.hostile').far.hostile.fire('code')")
FIRE = mine("fire")


@dataclass(frozen=True)
class Attack:
    """A pickle, and how one sees that Python's own `pickle.loads` would have fallen for it."""

    what: str
    data: bytes
    hits: Callable[[Any], Any] | None = None


def attack(what: str, body: bytes, hits: Callable[[Any], Any] | None = None) -> Attack:
    return Attack(what, whole(body), hits)


def _numpy_dtype(kind: str, *state_parts: bytes) -> bytes:
    made = call(name("numpy", "dtype"), text(kind), b"\x89", b"\x88")
    return state(made, tuple_of(*state_parts)) if state_parts else made


OBJECT = _numpy_dtype("O8", of(3), text("|"), b"NNN", of(-1), of(-1), of(63))
FORGED = _numpy_dtype(
    "V8",
    of(3),
    text("|"),
    b"N",
    tuple_of(text("f")),
    b"}" + text("f") + tuple_of(OBJECT, of(0)) + b"s",
    of(8),
    of(1),
    of(0),
)
"""A structure of 8 bytes whose only field is an object, and which says that it holds none."""
CORE = np.zeros(1).__reduce__()[0].__module__.rpartition(".")[0]  # numpy._core, or numpy.core before numpy 2
BUFFER = name(f"{CORE}.numeric", "_frombuffer")
RECONSTRUCT = name(f"{CORE}.multiarray", "_reconstruct")
NDARRAY = name("numpy", "ndarray")
MANY = 10**5

RUNS = [
    attack("exec, by its name", call(name("builtins", "exec"), CODE)),
    attack("exec, by GLOBAL", call(old_name("builtins", "exec"), CODE)),
    attack("exec, by INST", b"(" + CODE + b"ibuiltins\nexec\n"),
    attack("exec, by OBJ", b"(" + name("builtins", "exec") + CODE + b"o"),
    attack("eval", call(name("builtins", "eval"), CODE)),
    attack("a function of the caller's", call(FIRE)),
    attack("a function, as a value", FIRE, lambda loaded: loaded is fire),
    attack("a class of another module, by its name here", call(mine("Armed"))),
    attack("a class whose constructor does something", call(mine("Job"))),
    attack("... made by INST", b"(" + of(1) + b"i" + __name__.encode() + b"\nJob\n"),
    attack("... that defines its pickling, too", call(mine("Loaded"))),
    attack("... under another name of the caller's", call(mine("Nickname"))),
    attack(
        "... as what a defaultdict makes", call(name("collections", "defaultdict"), mine("Job")), lambda made: made[1]
    ),
    attack("what a class has given", call(call(mine("Maker")))),
    attack("a constructor, with arguments", new(mine("Newer"), of(1))),
    attack("a class, as a set", mine("Register") + b"(" + of(1) + b"\x90"),
    attack("a class, as a list", mine("Register") + of(1) + b"a"),
    attack(
        "a class of classes, by NEWOBJ", new(mine("Meta"), text("X"), of(()), of({})), lambda made: made.__name__ == "X"
    ),
    attack("a class that says nothing of pickling, called", call(mine("Plain"), of(1))),
    attack("__del__, with what the host chose", state(new(mine("Cleaner")), of({"path": "/"})) + b"0N"),
    attack("a method, by a dotted name", call(mine("Armed.run"))),
    attack("a module, by a dotted name", name("collections", "_sys"), lambda loaded: loaded.__name__ == "sys"),
    attack("what a module imported", name("collections", "_sys.modules"), lambda loaded: "sys" in loaded),
    attack("a function of the library, by a dotted name", name("os", "path.join"), callable),
    attack("partial", call(call(name("functools", "partial"), FIRE))),
    attack("methodcaller", call(call(name("operator", "methodcaller"), text("append"), of(1)), mine("FIRED"))),
    attack("getattr of a class", call(call(name("builtins", "getattr"), mine("Job"), text("run")))),
    attack("getattr, as a value", name("builtins", "getattr"), callable),
    attack("map, by way of list", call(name("builtins", "list"), call(name("builtins", "map"), FIRE, of([1])))),
    attack(
        "what a defaultdict makes", call(name("collections", "defaultdict"), FIRE), lambda loaded: loaded[1] == "fired"
    ),
    attack("runstring of numpy", call(name("numpy.testing._private.utils", "runstring"), CODE, b"}")),
    attack("an import", name("tests.far.hostile_import", "Thing"), lambda loaded: bool(loaded.LOADED)),
    attack(
        "type, which makes classes",
        call(name("builtins", "type"), text("X"), of(()), of({})),
        lambda made: made.__name__ == "X",
    ),
    attack("a class of classes", call(mine("Meta"), text("X"), of(()), of({})), lambda made: made.__name__ == "X"),
    attack(
        "an enum, which makes enums",
        call(name("enum", "IntEnum"), text("X"), text("A B")),
        lambda made: len(made) == 2,
    ),
    attack("codecs", call(name("_codecs", "encode"), text("x"), text("rot13")), lambda loaded: loaded == "k"),
    attack("a pattern", call(name("re", "_compile"), text("x"), of(0)), lambda loaded: loaded.match("x")),
]
"""They run something, or hand out what runs something."""

CHANGES = [
    attack(
        "an attribute of a class",
        state(mine("Settings"), tuple_of(b"N", of({"secure": False}))),
        lambda cls: not cls.secure,
    ),
    attack(
        "a member of an enum", state(call(mine("Colour"), of(1)), of({"_value_": 7})), lambda member: member.value == 7
    ),
    attack(
        "the class of an error",
        state(call(mine("Trouble")), b"}" + text("__class__") + mine("Worse") + b"s"),
        lambda error: isinstance(error, Worse),
    ),
    attack(
        "a method of an error",
        state(call(name("builtins", "ValueError")), of({"with_traceback": 1})),
        lambda error: error.with_traceback == 1,
    ),
    attack(
        "the cause of an error",
        state(
            call(name("builtins", "ValueError")), b"}" + text("__cause__") + call(name("builtins", "ValueError")) + b"s"
        ),
        lambda error: error.__cause__ is not None,
    ),
    attack(
        "the notes of an error",
        state(call(name("builtins", "ValueError")), of({"__notes__": 1})),
        lambda error: error.__notes__ == 1,
    ),
    attack(
        "the class of an object",
        state(new(mine("Settings")), tuple_of(b"N", b"}" + text("__class__") + mine("Other") + b"s")),
        lambda made: type(made) is Other,
    ),
    attack(
        "flags, which stay in their class",
        call(name("re", "RegexFlag"), of(1 << 40)),
        lambda flag: int(flag) == 1 << 40,
    ),
]
"""They change what is the caller's."""


class Other:
    pass


GROWS = [
    attack("bytearray", call(name("builtins", "bytearray"), of(MANY)), lambda made: len(made) == MANY),
    attack("bytes", call(name("builtins", "bytes"), of(MANY)), lambda made: len(made) == MANY),
    attack("a subclass of bytes", call(mine("Size"), of(MANY)), lambda made: len(made) == MANY),
    *(
        attack(
            f"{cls.rpartition(' ')[2]} of a range",
            call(name(*cls.split()), call(name("builtins", "range"), of(0), of(MANY), of(1))),
            lambda made: len(made) == MANY,
        )
        for cls in (
            "builtins list",
            "builtins tuple",
            "builtins set",
            "builtins frozenset",
            "collections deque",
            "collections Counter",
        )
    ),
    attack(
        "the arguments of an error",
        state(
            call(name("builtins", "ValueError")),
            b"}" + text("args") + call(name("builtins", "range"), of(0), of(MANY), of(1)) + b"s",
        ),
        lambda error: len(error.args) == MANY,
    ),
    attack("an array", new(NDARRAY, of((MANY,))), lambda made: made.size == MANY),
    attack(
        "an array, reconstructed", call(RECONSTRUCT, NDARRAY, of((MANY,)), of(b"b")), lambda made: made.size == MANY
    ),
    attack(
        "a fraction",
        call(name("fractions", "Fraction"), text("1e100000")),
        lambda made: made.numerator.bit_length() > 300_000,
    ),
    attack(
        "an array module's array",
        call(name("array", "array"), text("b"), call(name("builtins", "range"), of(0), of(100), of(1))),
        lambda made: len(made) == 100,
    ),
]
"""They take more memory than they are long."""

FORGES = [
    attack(
        "objects in bytes",
        call(BUFFER, of(b"\1" * 8), FORGED, of((1,)), text("C")),
        lambda made: made.dtype["f"].hasobject,
    ),
    attack(
        "objects in bytes, in a state",
        state(
            call(RECONSTRUCT, NDARRAY, of((0,)), of(b"b")), tuple_of(of(1), of((1,)), FORGED, b"\x89", of(b"\1" * 8))
        ),
        lambda made: made.dtype["f"].hasobject,
    ),
    attack(
        "a scalar of bytes",
        call(name(f"{CORE}.multiarray", "scalar"), FORGED, of(b"\0" * 8)),
        lambda made: made.dtype["f"].hasobject,
    ),
]
"""They make pointers of bytes."""

ALL = [*RUNS, *CHANGES, *GROWS, *FORGES]
