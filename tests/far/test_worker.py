"""What a far worker does with calls, in every Python that is here: real processes over pipes, which speak frames."""

from __future__ import annotations

import json
import os
import pickle
import sys

import pytest

from elsewhere.runtime.far import worker
from tests.far.driving import Far, bare, named, reduced, source

MODULES = {
    "mine": ("from .tools import twice\nimport mine.tools\n", "/home/me/mine/__init__.py", True),
    "mine.tools": (
        "def twice(x):\n    return x + x\n\n\ndef fails():\n    raise KeyError('far')\n",
        "/home/me/t.py",
        False,
    ),
    "newer": ("type = 1\ndef (x): pass\n", "newer.py", False),
    "uses": (
        "from elsewhere import Pool, CallTimeout\nfrom elsewhere.fleet import Fleet\nimport elsewhere\n",
        "u.py",
        False,
    ),
}


@pytest.fixture(scope="module", params=bare(), ids=lambda path: path)
def far(request):
    """One for all tests of this file, which leave nothing unread."""
    with Far(
        request.param, modules=MODULES.get, caller=(99, 0), cores=3, stdlib=sorted(sys.stdlib_module_names)
    ) as far:
        yield far


@pytest.fixture(autouse=True)
def nothing_printed(far):
    far.asides.clear()
    far.asked.clear()


# ---- values ----------------------------------------------------------------------------------------------------------


def test_it_greets(far):
    hello = json.loads(far.hello)
    assert hello["pid"] == far.process.pid
    assert hello["version"][0] == 3
    assert hello["cores"] >= 1
    assert hello["implementation"] == "cpython"
    assert hello["platform"] == sys.platform
    assert isinstance(hello["executable"], str)


def test_arguments_and_answers(far):
    pair = source("def f(a, b=2):\n    return a, b")
    far.run(pair, 1)
    far.run(pair, (1, 3), shape=worker.STAR)
    far.run(pair, ((1,), {"b": 4}), shape=worker.BOTH)
    far.run(pair, 5, 6, batched=True)
    far.run(pair, (7, 8), (9, 10), shape=worker.STAR, batched=True)
    far.run(pair)  # nothing to do
    assert [far.value() for _ in range(7)] == [(1, 2), (1, 3), (1, 4), (5, 2), (6, 2), (7, 8), (9, 10)]


def test_an_answer_says_how_long_its_call_took(far):
    far.run(named("time", "sleep"), 0.01)
    assert 10_000 <= far.next_frame(worker.VALUE)[2] < 10_000_000


def test_calls_share_nothing_by_being_sent_together(far):
    append = source("def f(x):\n    x.append(len(x))\n    return x")
    item = pickle.dumps([], 4)
    far.run(append, item, item)
    assert [far.value(), far.value()] == [[0], [0]]


def test_a_coroutine_is_awaited_on_one_loop(far):
    text = "import asyncio\n\n\nasync def f(x):\n    await asyncio.sleep(0)\n    return x, id(asyncio.get_event_loop())"
    (one, loop), (two, again) = far.call(source(text), 1), far.call(source(text), 2)
    assert (one, two, loop) == (1, 2, again)


def test_a_coroutine_may_fail(far):
    far.run(source("async def f(x):\n    raise KeyError(x)"), 1)
    assert far.error()[1] == "builtins.KeyError"


def test_named_tuples_with_another_name_come_back(far):
    far.run(named("shutil", "disk_usage"), "/")
    body = far.next_frame(worker.VALUE)[3]
    assert b"_ntuple_diskusage" in body
    assert pickle.loads(body).total > 0


def test_large_arguments_and_results(far):
    data = bytes(range(256)) * 4096 * 5
    assert far.call(named("operator", "add"), data, b"!") == data + b"!"


def test_its_surroundings(far):
    what = "import os, sys, __main__\n\n\ndef f(name):\n    return eval(name)"
    assert far.call(source(what), "sys.modules['__main__'].__dict__.get('Worker'), __main__.__name__") == (
        None,
        "__main__",
    )
    assert far.call(source(what), "'' in sys.path or '.' in sys.path") is False
    assert far.call(source(what), "os.environ['ELSEWHERE_CPUS'], os.environ['OMP_NUM_THREADS']") == ("3", "3")
    far.run(source(what), "sys.stdin.read() or input()")
    assert far.error()[1] == "builtins.EOFError"
    far.run(source(what), "breakpoint()")
    assert "no terminal" in far.error()[2]


# ---- errors ----------------------------------------------------------------------------------------------------------

DEEP = """\
def inner(x):
    raise ValueError("no " + x)


def f(x):
    try:
        inner(x)
    except ValueError as error:
        raise KeyError(x) from error
"""


def test_an_error_and_its_traceback(far):
    far.run(source(DEEP, filename="/home/me/deep.py"), "good")
    error, kind, text, trace, call, seconds = far.error()
    assert type(error) is KeyError
    assert error.args == ("good",)
    assert (kind, text) == ("builtins.KeyError", "'good'")
    files = [line.split('"')[1] for line in trace.splitlines() if line.startswith("  File ")]
    assert files == ["/home/me/deep.py"] * 3  # ours are not shown
    assert trace.endswith("KeyError: 'good'\n")
    assert "ValueError: no good" in trace
    assert call == "f('good')"
    assert 0 <= seconds < 10


def test_the_call_in_an_error_is_short(far):
    far.run(named("math", "sqrt"), (("x" * 1000,), {}), shape=worker.BOTH)
    _, _, _, _, call, _ = far.error()
    assert call.startswith("math.sqrt('xxx")
    assert len(call) < 100


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("bytearray(1 << 62)", "MemoryError"),
        ("g = lambda: g()\n    g()", "RecursionError"),
    ],
)
def test_whatever_is_raised_is_the_calls_own_error(far, code, kind):
    far.run(source(f"def f(x):\n    {code}"), 1)
    assert far.error()[1] == f"builtins.{kind}"
    assert far.call(abs, -1) == 1


def test_an_error_that_cannot_be_pickled_or_said(far):
    text = (
        "class Odd(Exception):\n"
        "    def __str__(self):\n"
        "        raise ValueError\n\n\n"
        "def f(x):\n"
        "    raise Odd(lambda: 0)"
    )
    far.run(source(text), 1)
    error, kind, text, trace, _, _ = far.error()
    assert error is None
    assert kind == "__main__.Odd"
    assert text == "<Odd whose str() raises ValueError>"
    assert "Odd" in trace


def test_errors_go_plainly_where_somebody_pickles_them_otherwise(far):
    text = """\
import copyreg, sys

def f(x):
    sys.modules["tblib"] = sys
    copyreg.pickle(KeyError, lambda error: (print, ("no",)))
    raise KeyError(x)
"""
    far.run(source(text), 1)
    error, *_ = far.error()
    assert (type(error), error.args) == (KeyError, (1,))
    far.call(
        source("import copyreg, sys\n\n\ndef f():\n    del sys.modules['tblib'], copyreg.dispatch_table[KeyError]")
    )


def test_a_result_that_cannot_be_pickled(far):
    far.run(source("def f(x):\n    import threading\n    return threading.Lock()"), 7)
    body, kind, (why, what), trace, call, _ = far.error()
    assert (body, kind, trace, call) == (None, "MaybeEncodingError", "", "f(7)")
    assert "pickle" in why
    assert "lock" in what


def test_byte_code_does_not_go_back_to_another_python(far):
    far.run(source("def f(x):\n    return lambda: x"), 7)
    assert far.error()[1] == "MaybeEncodingError"


def test_an_item_that_cannot_be_loaded_is_its_calls_error(far):
    far.run(abs, -1, named("no_such_module", "x"), -3)
    assert far.value() == 1
    assert far.error()[1] == "builtins.ModuleNotFoundError"
    assert far.value() == 3


def test_a_function_that_cannot_be_loaded_is_each_calls_error(far):
    far.run(named("math", "no_such_function"), 1, 2)
    _, kind, text, _, call, _ = far.error()
    assert (kind, call) == ("builtins.AttributeError", "the function()")
    assert "no_such_function" in text
    assert far.error()[1] == "builtins.AttributeError"


def test_what_the_caller_refuses_to_send(far):
    far.run(reduced("elsewhere_far", "refuse", "a lambda has no name"), 1)
    error, *_ = far.error()
    assert (type(error), str(error)) == (TypeError, "a lambda has no name")


def test_functions_are_forgotten(far):
    number = far.function(pickle.dumps(len, 4))
    assert far.call(len, "abc") == 3
    far.send(worker.FORGET, number=number)
    far.run(len, "abc")
    assert far.error()[1] == "builtins.KeyError"
    far.send(worker.FUNCTION, pickle.dumps(len, 4), number=number)
    assert far.call(len, "abc") == 3


# ---- classes and shared objects --------------------------------------------------------------------------------------


def test_a_shipped_class_goes_back_as_its_token(far):
    make = reduced("builtins", "eval", "lambda: type('Point', (tuple,), {'__module__': '__main__'})")
    cls = b"\x80\x02celsewhere_far\nkeep_class\n" + b"X\x04\x00\x00\x00a:17" + make[2:-1] + b")\x87R."
    assert far.call(named("operator", "is_"), *[_twice(far, cls)] * 2) is True
    far.run(source("def f(cls):\n    return [cls, cls((1, 2))]"), cls)
    body = far.next_frame(worker.VALUE)[3]
    assert b"elsewhere_far" in body
    assert body.count(b"a:17") == 1
    assert b"Point" not in body


def _twice(far, body):
    """Both are pickled anew, and must be the same class there."""
    far.run(source("import elsewhere_far\n\n\ndef f(cls):\n    return cls is elsewhere_far.shipped('a:17')"), body)
    return far.value()


def test_shared_objects(far):
    far.send(worker.SHARE, pickle.dumps([1, 2], 4), number=5)
    far.run(source("def f(x):\n    x.append(3)\n    return x"), reduced("elsewhere_far", "shared", 5))
    assert far.value() == [1, 2, 3]
    far.run(named("builtins", "list"), reduced("elsewhere_far", "shared", 5))
    assert far.value() == [1, 2, 3]  # it was made once
    far.send(worker.UNSHARE, number=5)
    far.run(named("builtins", "list"), reduced("elsewhere_far", "shared", 5))
    assert "not here" in far.error()[2]


def test_shared_objects_that_another_process_here_holds(far, tmp_path):
    with open(tmp_path / "held", "wb+") as file:
        file.write(pickle.dumps([1, 2], 4))
        file.flush()
        far.send(worker.SHARE, f"/proc/{os.getpid()}/fd/{file.fileno()}".encode(), number=6)
        far.run(named("builtins", "list"), reduced("elsewhere_far", "shared", 6))
        assert far.value() == [1, 2]
    far.send(worker.SHARE, b"/proc/self/fd/9999", number=7)
    far.run(named("builtins", "list"), reduced("elsewhere_far", "shared", 7))
    assert "a shared object cannot be had: " in far.error()[2]
    assert far.call(abs, -1) == 1


# ---- modules ---------------------------------------------------------------------------------------------------------


def test_modules_come_from_the_caller(far):
    assert far.call(named("mine", "twice"), 21) == 42
    assert far.asked == ["mine", "mine.tools"]
    assert far.call(named("mine.tools", "twice"), "a") == "aa"
    assert far.asked == ["mine", "mine.tools"]
    far.run(named("mine.tools", "fails"), ((), {}), shape=worker.BOTH)
    assert "raise KeyError('far')" in far.error()[3]  # the source is shown in the traceback


def test_what_the_caller_has_not_is_the_hosts_own(far):
    tries = source("import importlib\n\n\ndef f(name):\n    return importlib.import_module(name).__name__")
    assert far.call(tries, "sqlite3") == "sqlite3"
    assert far.asked == []
    for _ in range(2):
        far.run(tries, "no_such_module_1")
        assert far.error()[1] == "builtins.ModuleNotFoundError"
    assert far.asked == ["no_such_module_1"]


def test_a_body_may_name_what_was_refused_before(far):
    far.run(named("late", "f"), 1)
    assert far.error()[1] == "builtins.ModuleNotFoundError"
    far.modules = {"late": ("def f(x):\n    return x\n", "late.py", False)}.get
    try:
        far.run(named("late", "f"), 1)
        assert far.value() == 1
    finally:
        far.modules = MODULES.get


def test_a_module_for_a_newer_python(far):
    far.run(named("newer", "x"), 1)
    error, kind, text, *_ = far.error()
    version = ".".join(map(str, json.loads(far.hello)["version"]))
    assert kind == "builtins.SyntaxError"
    assert text.startswith(f"newer is written for a newer Python than {version} on this host: ")
    assert isinstance(error, SyntaxError)
    assert error.filename == "newer.py"


def test_a_module_that_names_us_can_be_imported_where_we_are_not(far):
    uses = source("import uses\n\n\ndef f(name):\n    return eval(name)")
    assert far.call(uses, "issubclass(uses.CallTimeout, TimeoutError)") is True
    assert far.call(uses, "uses.Pool.__name__, uses.Fleet.__module__") == ("Pool", "elsewhere.fleet")
    assert far.call(uses, "hasattr(uses.elsewhere, '__path__'), hasattr(uses.elsewhere, '__nothing__')") == (
        True,
        False,
    )
    far.run(uses, "uses.Pool(4)")
    _, kind, text, *_ = far.error()
    assert kind == "builtins.RuntimeError"
    assert text.startswith("elsewhere.Pool is not here: ")


def test_cloudpickle_is_here_when_it_is_needed(far):
    loaded = source("import sys\n\n\ndef f(name):\n    return name in sys.modules")
    assert far.call(loaded, "cloudpickle") is False
    far.run(
        source("def f(x):\n    import cloudpickle, pickle\n    return pickle.loads(cloudpickle.dumps(lambda: x))()"), 3
    )
    assert far.value() == 3
    assert not [name for name in far.asked if "pickle" in name]


def test_a_thread_may_import_from_the_caller(far):
    text = """\
import threading

def f(name):
    found = []
    thread = threading.Thread(target=lambda: found.append(__import__(name).value))
    thread.start()
    thread.join()
    return found
"""
    far.modules = {"in_thread": ("value = 5\n", "in_thread.py", False)}.get
    try:
        assert far.call(source(text), "in_thread") == [5]
    finally:
        far.modules = MODULES.get
