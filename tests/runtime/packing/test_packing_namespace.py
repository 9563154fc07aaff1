"""One namespace per worker: what the worker's own code did stays, what changed in the caller arrives."""


def test_a_name_that_the_workers_code_bound_is_kept(script):
    script(
        """
X = 0
def initializer():
    global X
    X = 5
def read(): return X
with Worker() as w:
    w.call(initializer)
    assert w.call(read) == 5
    X = 100
    assert w.call(read) == 5
    assert w.call(lambda: X) == 5
assert X == 100
"""
    )


def test_a_name_that_the_workers_code_bound_before_any_shipment_is_kept(script):
    script(
        """
def initializer(): globals()["X"] = 5
def read(): return X
with Worker() as w:
    w.call(initializer)
    X = 100
    assert w.call(read) == 5
"""
    )


def test_what_the_workers_code_did_to_an_object_is_kept_while_the_caller_changes_nothing(script):
    script(
        """
import functools
MODELS = {}
def initializer(): MODELS["m"] = "loaded"
def read(): return dict(MODELS)
calls = []
@functools.lru_cache
def slow(x):
    calls.append(x)
    return x * 2
def counted(x): return slow(x), len(calls), slow.cache_info().hits
with Worker() as w:
    w.call(initializer)
    assert w.call(read) == {"m": "loaded"}
    assert w.call(lambda: MODELS["m"]) == "loaded"
    assert w.call(counted, 1) == (2, 1, 0) and w.call(counted, 1) == (2, 1, 1)
    assert w.call(lambda: counted(1)) == (2, 1, 2)
    assert MODELS == {} and calls == [] and slow.cache_info().misses == 0
    MODELS["other"] = 1
    assert w.call(read) == {"other": 1}
"""
    )


def test_a_global_that_changed_between_two_maps_arrives(script):
    script(
        """
N, ITEMS = 1, [1]
def read(): return N, ITEMS
def helper(): return "old"
def use(): return helper()
with Worker() as w:
    assert w.call(read) == (1, [1]) and w.call(use) == "old"
    N = 2
    ITEMS.append(2)
    def helper(): return "new"
    assert w.call(read) == (2, [1, 2]) and w.call(use) == "new"
    w.shipped.clear()
    assert w.call(read) == (2, [1, 2]) and w.call(use) == "new"
    assert w.shipped == []
"""
    )


def test_equal_identity_with_other_bytes_is_a_change(script):
    script(
        """
class Config: pass
config = Config()
config.n = 1
TABLE = {"c": config}
def held(default=config): return default.n
def read(): return config.n, TABLE["c"].n, held(), TABLE["c"] is config
with Worker() as w:
    assert w.call(read) == (1, 1, 1, True)
    config.n = 2
    assert w.call(read) == (2, 2, 2, True)
    assert w.call(lambda: config.n) == 2
"""
    )


def test_an_argument_is_a_copy_also_if_it_is_a_global(script):
    script(
        """
class State: n = 0
state = State()
def bump(given):
    given.n += 1
    return given.n
with Worker() as w:
    assert w.map(bump, [(state,), (state,)]) == [1, 1]
"""
    )


def test_the_caller_calls_its_own_function_whatever_the_worker_bound(script):
    script(
        """
def score(): return "caller's"
def initializer():
    global score
    score = lambda: "worker's"
def indirect(): return score()
with Worker() as w:
    w.call(initializer)
    assert w.call(score) == "caller's" and w.call(indirect) == "worker's"
    def score(): return "caller's second"
    assert w.call(score) == "caller's second" and w.call(indirect) == "worker's"
"""
    )


CLASS = """
class Registry:
    seen = []
    limit = 1
    label = "a"
    def add(self, x):
        self.seen.append(x)
        return list(self.seen), self.limit, self.label
def set_limit(): Registry.limit = 50
def give(): return Registry()
"""


def test_class_state_stays_where_it_is_and_the_callers_changes_arrive(script):
    script(
        CLASS
        + """
with Worker() as w:
    w.call(set_limit)
    assert w.call(Registry().add, 1) == ([1], 50, "a")
    assert w.call(Registry().add, 2) == ([1, 2], 50, "a")
    back = w.call(give)
    assert type(back) is Registry and Registry.seen == [] and Registry.limit == 1
    Registry.label = "b"
    Registry.limit = 7
    Registry.extra = 3
    assert w.call(Registry().add, 3) == ([1, 2, 3], 50, "b")
    assert w.call(lambda: Registry.extra) == 3
    Registry.seen.append("caller")
    del Registry.extra
    assert w.call(Registry().add, 4) == (["caller", 4], 50, "b")
    assert not w.call(lambda: hasattr(Registry, "extra"))
    Registry.add = lambda self, x: "patched"
    assert w.call(Registry().add, 4) == "patched"
assert Registry.seen == ["caller"] and Registry.limit == 7
"""
    )


def test_a_local_class_comes_back_as_itself(script):
    script(
        """
def main(w):
    class Local:
        state = []
        total = 0
        def __init__(self, n): self.n = n
        def more(self):
            self.state.append(self.n)
            Local.total += 1
            return Local(self.n + 1)
        def count(self): return len(self.state), Local.total
    first = w.call(Local.more, Local(1))
    assert type(first) is Local and first.n == 2 and Local.state == [] and Local.total == 0
    assert w.call(Local.count, first) == (1, 1)
    assert w.call(lambda: type(Local(1).more()).__qualname__) == "main.<locals>.Local"
    assert w.call(Local.count, first) == (2, 2)
    assert w.shipped.count([name for name in w.shipped if name.startswith("class:")][0]) == 1
    returned = w.call(lambda: [Local, lambda: Local])
    assert returned[0] is Local and returned[1]() is Local
    assert Local.state == [] and Local.total == 0
with Worker() as w:
    main(w)
"""
    )


def test_a_class_defined_again_is_another_class(script):
    script(
        """
class A: version = 1
old = A()
def version(x): return x.version, A.version, isinstance(x, A)
with Worker() as w:
    assert w.call(version, old) == (1, 1, True)
    class A: version = 2
    assert w.call(version, A()) == (2, 2, True)
    assert w.call(version, old) == (1, 2, False)
    assert type(w.call(lambda x: x, old)) is type(old)
"""
    )


def test_a_class_made_in_the_worker_arrives_and_is_then_the_callers(script):
    script(
        """
def make(n, cache={}):
    if "c" not in cache:
        class Made: value = 1
        cache["c"] = Made
    cache["c"].value = n
    return cache["c"]()
with Worker() as w:
    first = w.call(make, 1)
    second = w.call(make, 2)
    assert type(first) is type(second) and first.value == 1
"""
    )


def test_functions_and_data_that_refer_to_each_other(script):
    script(
        """
class Node:
    def __init__(self): self.links = []
node = Node()
def visit(start=node): return start is node, node.links[0] is visit, TABLE["visit"] is visit
node.links.append(visit)
TABLE = {}
def keep(x, table=TABLE): return table["keep"] is keep and table is TABLE
TABLE.update(visit=visit, keep=keep)
with Worker() as w:
    assert w.call(visit) == (True, True, True)
    assert w.call(keep, 1)
for fn in (lambda: keep(1), lambda: TABLE["keep"](1), lambda: all(visit()), lambda: all(node.links[0]())):
    with Worker() as w:
        assert w.call(fn) is True, fn
        TABLE["more"] = node.more = fn
        assert w.call(lambda: "more" in TABLE and hasattr(node, "more")), fn
        del TABLE["more"], node.more
"""
    )


def test_a_definition_that_fails_to_load_is_tried_again_and_hides_nothing(script):
    script(
        """
import os
def load(path):
    if not os.path.exists(path): raise LookupError(path)
    return Thing(path)
class Thing:
    def __init__(self, path): self.path = path
    def __reduce__(self): return load, (self.path,)
THING = Thing("flag")
def use(): return THING.path
def other(): return "well"
with Worker() as w:
    for _ in range(2):
        try:
            w.call(use)
        except LookupError:
            pass
        else:
            raise SystemExit("loaded")
        assert w.call(other) == "well"
    open("flag", "w").close()
    assert w.call(use) == "flag"
    os.remove("flag")
"""
    )


def test_a_definition_is_packed_and_shipped_once(script):
    script(
        """
import dataclasses
@dataclasses.dataclass
class P:
    x: int
def f(p): return p.x
with Worker() as w:
    assert w.map(f, [(P(i),) for i in range(500)]) == list(range(500))
    assert sorted(w.shipped) == ["P", "f"], w.shipped
    assert w.call(f, P(9)) == 9 and len(w.shipped) == 2
"""
    )


def test_cloudpickle_is_not_imported_before_it_is_needed(script):
    script(
        """
import sys, math
from elsewhere.runtime.packing import Packer
packer = Packer()
packer.function(math.sqrt), packer.item(([1, "a"], {}), str)
assert not {"cloudpickle", "hashlib", "multiprocessing", "asyncio"} & sys.modules.keys()
"""
    )


def test_a_global_that_changes_back_arrives(script):
    script(
        """
N = 1
def read(): return N
with Worker() as w:
    for N in (1, 2, 1, 2):
        assert w.call(read) == N
"""
    )


def test_a_definition_after_one_that_failed_to_load_arrives(script):
    script(
        """
class Refuses:
    def __reduce__(self): return int, ("no number",)
def use(): return 1
with Worker() as w:
    assert w.call(use) == 1
    def use(x=Refuses()): return 2
    try:
        w.call(use)
    except ValueError:
        pass
    else:
        raise SystemExit("loaded")
    def use(): return 3
    assert w.call(use) == 3 and w.call(lambda: use()) == 3
"""
    )


def test_a_base_that_knows_its_subclasses(script):
    script(
        """
class Base:
    made = []
    def __init_subclass__(cls): Base.made.append(cls)
class Sub(Base):
    label = 1
    def run(self): return [c.__name__ for c in Base.made], Base.made[0] is Sub, self.label
class Holder:
    default = Sub()
Sub.run_default = Sub().run
def through(): return Holder.default.run()
def ends(): return Sub.run_default()
for fn in (through, ends, Sub().run, Holder.default.run, lambda: (Base.made and Sub().run()), lambda: Sub().run()):
    with Worker() as w:
        assert w.call(fn) == (["Sub"], True, 1), fn
        Sub.label = 2
        assert w.call(fn) == (["Sub"], True, 2), fn
        Sub.label = 1
assert len(Base.made) == 1
"""
    )


def test_relative_imports_of_a_main_in_a_package(script, tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "other.py").write_text("VALUE = 7\n")
    (package / "__main__.py").write_text(
        "from harness import Worker\n"
        "def work():\n"
        "    from .other import VALUE\n"
        "    return VALUE\n"
        "with Worker() as w:\n"
        "    assert w.call(work) == 7\n"
    )
    script("import subprocess, sys; subprocess.run([sys.executable, '-m', 'package'], check=True)")
