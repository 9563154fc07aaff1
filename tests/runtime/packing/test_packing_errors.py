"""What cannot be packed raises its own exception in the caller, naming the culprit and the cure."""

import multiprocessing.connection
import pickle
import queue
import sqlite3
import threading
import warnings
from pathlib import Path

import pytest

from elsewhere.runtime.packing import LargeFunctionWarning, Packer


class Holder:
    def __init__(self, part):
        self.part = part


def note_of(value, kind="args"):
    with pytest.raises(Exception) as caught:
        Packer().item(value, lambda: "item 17 of map(score, ...)", kind)
    assert caught.type.__module__ in ("builtins", "_pickle", "sqlite3")
    (note,) = caught.value.__notes__
    assert note.startswith("item 17 of map(score, ...) cannot be pickled: ")
    return note.split(": ", 1)[1]


def test_known_kinds_have_known_cures():
    assert "argument 1 is a queue.Queue; use an elsewhere.Queue, or return results" in note_of((queue.Queue(),))
    assert "argument 2 is a _thread.lock; make it in the pool's `initializer`" in note_of((1, threading.Lock()))
    assert "is a generator; pass a list, or iterate it with imap" in note_of((x for x in ()), "value")
    assert "argument 1['k'].part is a" in note_of(({"k": Holder(threading.RLock())},))
    assert "argument n= is a _thread.lock" in note_of(((1,), {"n": threading.Lock()}), "call")


def test_files_and_connections(tmp_path):
    path = Path(tmp_path / "file")
    path.write_text("text")
    with path.open() as file:
        assert "is a _io.TextIOWrapper; pass its path" in note_of((file,))
    with path.open("rb") as binary:
        assert "is a _io.BufferedReader; pass its path" in note_of((binary,))
    database = sqlite3.connect(":memory:")
    assert "is a sqlite3.Connection; make it in the pool's `initializer`" in note_of((database,))
    database.close()


def test_a_function_that_captured_a_culprit():
    lock = threading.Lock()

    def work():
        return lock

    assert "the variable 'lock' that" in note_of((work,))
    with pytest.raises(TypeError) as caught:
        Packer().function(work)
    assert "work cannot be pickled: the variable 'lock'" in caught.value.__notes__[0]


def test_an_unknown_kind_still_has_a_note_and_its_own_exception():
    class Refuses:
        def __reduce__(self):
            raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError) as caught:
        Packer().item((Refuses(),), lambda: "item 0", "args")
    assert "argument 1 is a" in caught.value.__notes__[0]


def test_a_global_of_main_is_named(script):
    script(
        """
import threading
lock = threading.Lock()
def helper(): return lock
def work(x): return helper()
with Worker() as w:
    for fn, args in [(work, (1,)), (lambda: work(1), ())]:
        try:
            w.call(fn, *args)
        except TypeError as e:
            assert "the global 'lock' of __main__ is a _thread.lock; make it in" in e.__notes__[0], e.__notes__
        else:
            raise SystemExit("nothing raised")
    assert w.call(lambda: 3) == 3
"""
    )


def test_a_large_global_is_warned_of_once_where_the_caller_is(script):
    script(
        """
import warnings
BIG, SMALL = bytearray(2_000_000), 1
def work(): return len(BIG) + SMALL
captured = bytearray(3_000_000)
def closure():
    held = captured
    return lambda: len(held)
from elsewhere.runtime.packing import Packer
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    Packer().function(work)
    Packer().function(work)
    Packer().function(closure())
first, second = caught
assert first.filename == __file__ and "work takes 2.0 MB" in str(first.message), first
assert "global 'BIG' (2.0 MB)" in str(first.message) and "SMALL" not in str(first.message)
assert "the variable 'held'" in str(second.message), second.message
"""
    )


def test_no_warning_below_a_megabyte():
    with warnings.catch_warnings():
        warnings.simplefilter("error", LargeFunctionWarning)
        held = bytes(900_000)
        Packer().function(lambda: held)


def test_reducers_that_multiprocessing_or_the_user_registered_are_honoured():
    ours, theirs = multiprocessing.connection.Pipe()
    with ours, theirs:
        multiprocessing.reduction.ForkingPickler.register(Holder, lambda holder: (str, ("reduced",)))
        try:
            pair = Packer().item([Holder(lambda: 1)], str).body
        finally:
            del multiprocessing.reduction.ForkingPickler._extra_reducers[Holder]
        assert pickle.loads(pair) == ["reduced"]
