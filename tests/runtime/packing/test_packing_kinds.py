"""Every kind of thing that a script's `__main__` can define goes to a worker, and where sensible comes back."""

import pytest

CLASSES = """
import abc, collections, dataclasses, enum, functools, typing

class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    def shout(self):
        return self.name + "!"

class Flags(enum.IntFlag):
    A = 1
    B = 2

@dataclasses.dataclass
class Point:
    x: int
    y: int = 3
    tags: list = dataclasses.field(default_factory=list)
    def moved(self, dx):
        return dataclasses.replace(self, x=self.x + dx)

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    value: int

class Pair(typing.NamedTuple):
    left: int
    right: "Pair | None" = None

Old = collections.namedtuple("Old", "a b")

class Broken(Exception):
    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code

class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
    @classmethod
    def make(cls, *args):
        return cls(*args)
    @staticmethod
    def unit():
        return "cm"

class Square(Shape):
    def __init__(self, side):
        super().__init__()
        self.side = side
    @property
    def area2(self):
        return self.area()
    @functools.cached_property
    def cached(self):
        return self.side * 100
    def area(self):
        return self.side ** 2
    def __eq__(self, other):
        return type(other) is type(self) and other.side == self.side
    __hash__ = None

T = typing.TypeVar("T")
P = typing.ParamSpec("P")
UserId = typing.NewType("UserId", int)

class Stack(typing.Generic[T]):
    def __init__(self, items: list[T]):
        self.items = items

class Meta(type):
    def __new__(mcls, name, bases, ns):
        cls = super().__new__(mcls, name, bases, ns)
        cls.made_by = "Meta"
        return cls
    def __len__(cls):
        return 7

class WithMeta(metaclass=Meta):
    pass

class Slots:
    __slots__ = ("a", "__hidden")
    def __init__(self, a):
        self.a = a
        self.__hidden = a + 1
    def hidden(self):
        return self.__hidden

class Outer:
    class Inner:
        def __init__(self, n):
            self.n = n
    def inner(self, n):
        return Outer.Inner(n)

class Even:
    def is_even(self, n):
        return True if n == 0 else Odd().is_odd(n - 1)

class Odd:
    def is_odd(self, n):
        return False if n == 0 else Even().is_even(n - 1)

class _Missing:
    def __reduce__(self):
        return "MISSING"

MISSING = _Missing()
SENTINEL = object()

class Adder:
    def __init__(self, n):
        self.n = n
    def __call__(self, x):
        return self.n + x
    def add(self, x):
        return self.n + x

def same(value):
    return value
def name_of(value):
    return type(value).__qualname__, type(value).__module__

"""


def test_instances_of_main_classes_come_back_as_the_same_class(script):
    script(
        CLASSES
        + """
values = [Color.RED, Flags.A | Flags.B, Point(1), Frozen(5), Pair(1, Pair(2)), Old(1, 2), Square(3), Stack([1]),
          WithMeta(), Slots(4), Outer.Inner(2), Adder(1), Shape, Square, Color, [Point(1), {"k": Color.GREEN}]]
with Worker() as w:
    back = w.map(same, [(v,) for v in values])
    for value, came in zip(values, back):
        assert type(came) is type(value), (value, came)
    assert w.map(name_of, [(v,) for v in values]) == [name_of(v) for v in values]
assert back[0] is Color.RED and back[1] == Flags.A | Flags.B and back[2] == Point(1) and back[3] == Frozen(5)
assert back[4] == Pair(1, Pair(2)) and type(back[4].right) is Pair and back[5] == Old(1, 2) and back[6] == Square(3)
assert back[9].hidden() == 5 and not hasattr(back[9], "__dict__") and back[10].n == 2
assert back[12:] == values[12:]
"""
    )


def test_what_is_made_of_main_classes_or_tells_types_comes_back_too(script):
    script(
        CLASSES
        + """
values = [T, P, UserId, MISSING, Stack[int]]
with Worker() as w:
    assert w.map(same, [(v,) for v in values]) == values
    assert w.map(name_of, [(v,) for v in values]) == [name_of(v) for v in values]
"""
    )


def test_classes_work_in_the_worker(script):
    script(
        CLASSES
        + """
def work(square, slots):
    out = [square.area2, square.cached, Square.make(3).area(), Square.unit(), len(WithMeta), WithMeta.made_by]
    out += [Color("g").shout(), Color["RED"].value, Point(1).moved(4).x, slots.hidden(), hasattr(slots, "__dict__")]
    out += [Outer().inner(8).n, Even().is_even(7), Pair(1).left, isinstance(square, Shape), Frozen(3).value]
    try:
        Shape()
    except TypeError:
        out.append("abstract")
    @dataclasses.dataclass
    class Point3(Point):
        z: int = 0
    out += [Point3(1, 2).z, dataclasses.fields(Point)[0].default is dataclasses.MISSING]
    return out
expected = work(Square(2), Slots(1))
with Worker() as w:
    assert w.call(work, Square(2), Slots(1)) == expected
    for fn, args in [(Square, (3,)), (Adder(4), (5,)), (Adder(4).add, (5,)), (Square.make, (3,)),
                     (Square.area, (Square(3),)), (Shape.unit, ()), (Square(3).area, ())]:
        assert w.call(fn, *args) == fn(*args), fn
"""
    )


def test_exceptions_come_back(script):
    script(
        CLASSES
        + """
def fail(code):
    raise Broken(code, "text")
with Worker() as w:
    try:
        w.call(fail, 3)
    except Broken as e:
        assert e.code == 3 and type(e) is Broken
    else:
        raise SystemExit("nothing raised")
"""
    )


FUNCTIONS = """
import asyncio, concurrent.futures, functools, math

def plain(x): return x + 1
def recursive(n): return 1 if n == 0 else n * recursive(n - 1)
def ping(n): return "ping" if n == 0 else pong(n - 1)
def pong(n): return "pong" if n == 0 else ping(n - 1)

def twice(fn):
    @functools.wraps(fn)
    def wrapper(*args):
        return 2 * fn(*args)
    return wrapper

@twice
def decorated(x): return plain(x)

@functools.lru_cache(maxsize=10)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)

@functools.singledispatch
def kind(x): return "other"
@kind.register
def _(x: int): return "int"

def make(n):
    def inner(x): return x + n + plain(0)
    return inner
bound = make(10)
nameless = lambda x: plain(x) * 3
SENTINEL = object()
def default(x=SENTINEL): return x is SENTINEL
CACHE = {}
def with_cache(x, *, cache=CACHE):
    cache[x] = 1
    return cache is CACHE
def with_attribute(): return with_attribute.label
with_attribute.label = "L"
def keyword(a, /, b=2, *args, c=plain, **kw): return a, b, args, c(1), kw
async def coroutine(x): return plain(x)
def run_coroutine(x): return asyncio.run(coroutine(x))
def generator(n): yield from map(plain, range(n))
def run_generator(n): return list(generator(n))
def uses_module(x): return math.sqrt(x), concurrent.futures.Future.__name__
TABLE = {"plain": plain, "fib": fib, "bound": bound}
def uses_table(x): return [f(x) for f in TABLE.values()], TABLE["plain"] is plain, TABLE["fib"] is fib
class Counter:
    def total(self): return self.count
    count = 5
class Child(Counter):
    def total(self): return super().total() + 1
    @functools.lru_cache
    def cached(self): return __class__.__name__
def closure_over_class():
    cls = Child
    return lambda: cls().total()
def shared_cell():
    n = 0
    def up():
        nonlocal n
        n += 1
    return up, lambda: n
both = shared_cell()
def use_both():
    for _ in range(3): both[0]()
    return both[1]()
"""

CALLS = """
cases = [(plain, (1,)), (recursive, (5,)), (ping, (3,)), (decorated, (4,)), (fib, (20,)), (kind, (1,)), (kind, ("",)),
         (bound, (1,)), (nameless, (2,)), (default, ()), (with_cache, (1,)), (with_attribute, ()), (keyword, (1, 2, 3)),
         (run_coroutine, (1,)), (run_generator, (3,)), (uses_module, (4,)), (uses_table, (3,)), (Child().total, ()),
         (Child().cached, ()), (closure_over_class(), ()), (functools.partial(plain, 7), ()), (lambda: fib(9), ()),
         (functools.partial(lambda a, b: plain(a) + b, b=2), (1,)), (math.sqrt, (4,)),
         ([3, 1].index, (1,)), (str.upper, ("a",))]
with Worker() as w:
    for fn, args in cases:
        assert w.call(fn, *args) == fn(*args), fn
    assert w.call(use_both) == 3
"""


@pytest.mark.parametrize("by", ["file", "stdin", "module"])
def test_functions_of_main_run_in_the_worker(script, by):
    script(FUNCTIONS + CALLS, by=by)


def test_functions_come_back(script):
    script(
        FUNCTIONS
        + """
def give(name): return globals()[name]
def references(): plain, fib, bound, decorated
def make_lambda(n): return lambda x: plain(x) + n
with Worker() as w:
    w.call(references)
    assert w.call(give, "plain") is plain and w.call(give, "fib") is fib
    assert w.call(give, "bound")(1) == bound(1) and w.call(give, "decorated") is decorated
    came = w.call(make_lambda, 5)
    assert came(1) == 7 and came.__globals__ is globals()
    old = plain
    def plain(x): return 100
    assert came(1) == 105
"""
    )


def test_a_repl_is_a_main_like_any_other(script):
    done = script(
        """
class Box:
    def __init__(self, n): self.n = n

def double(box): return Box(box.n * n)

n = 2
w = Worker()
type(w.call(double, Box(4))) is Box
w.call(double, Box(4)).n
n = 3
w.call(lambda box: double(box).n, Box(4))
w.close()
""",
        by="repl",
    )
    assert done.stdout.split() == ["True", "8", "12"]


def test_decorators_of_imported_modules_keep_their_modules_globals(script, tmp_path):
    (tmp_path / "decorating.py").write_text(
        "import functools, threading\n"
        "LOCK = threading.Lock()\n"
        "def locked(fn):\n"
        "    @functools.wraps(fn)\n"
        "    def wrapper(*args):\n"
        "        with LOCK:\n"
        "            return fn(*args)\n"
        "    return wrapper\n"
        "def same(x):\n"
        "    return x\n"
    )
    script(
        """
import decorating
@decorating.locked
def work(x): return x + 1
class Point:
    pass
with Worker() as w:
    assert w.call(work, 1) == 2
    assert w.shipped == ["work"], w.shipped
    assert type(w.call(decorating.same, Point())) is Point
"""
    )


def test_modules_registered_with_cloudpickle_go_by_value(script, tmp_path):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "unreachable.py").write_text("N = 5\ndef work(x): return x + N\n")
    script(
        """
import cloudpickle, sys
sys.path.append("hidden")
import unreachable
cloudpickle.register_pickle_by_value(unreachable)
with Worker() as w:
    assert w.call(unreachable.work, 1) == 6
"""
    )


def test_what_the_bodies_of_classes_read(script):
    script(
        """
import threading
LOCK = threading.Lock()  # cannot be pickled; the class below binds a name like it, and has an attribute like it
BASE, STEP = 10, 5
class Outer: value = 3
def work():
    class Here(Outer):
        LOCK = None
        lock = LOCK or Outer.value
        base = BASE
        class Inner:
            step = STEP
    return Here.lock, Here.base, Here.Inner.step
with Worker() as w:
    assert w.call(work) == (3, 10, 5)
    BASE = 11
    assert w.call(work) == (3, 11, 5)
"""
    )
