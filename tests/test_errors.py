"""The tree of errors: what each one is, that it travels, and the sentences it says."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from elsewhere import errors
from elsewhere.errors import CallTimeout, ElsewhereError, PoolClosed, RemoteError, WorkerLost

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


def test_every_error_is_exported_and_in_the_tree_of_the_docstring():
    assert sorted(cls.__name__ for cls in CLASSES) == sorted(errors.__all__)
    tree = re.findall(r"^[\s│├└─]*([A-Z]\w+)", (errors.__doc__ or "").partition("::")[2], re.MULTILINE)
    assert set(errors.__all__) <= set(tree)


def test_the_tree_of_the_docstring_is_the_tree():
    parents: dict[int, str] = {}
    for line in (errors.__doc__ or "").partition("::")[2].splitlines():
        if (found := re.match(r"([\s│├└─]*)([A-Z]\w+)  +\w|([\s│├└─]*)([A-Z]\w+)$", line)) is None:
            continue
        indent, name = (found[1], found[2]) if found[2] else (found[3], found[4])
        depth = len(indent) // 4
        parents[depth] = name
        if depth > 1 and name in errors.__all__:
            assert issubclass(getattr(errors, name), getattr(errors, parents[depth - 1])), name
    assert len(parents) >= 2


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_says_what_it_means_and_travels(cls):
    assert issubclass(cls, ElsewhereError)
    assert inspect.getdoc(cls)
    error = pickle.loads(pickle.dumps(cls("a sentence")))
    assert type(error) is cls
    assert str(error) == "a sentence"


def test_those_that_are_also_the_standard_library_s():
    assert issubclass(PoolClosed, ValueError)
    assert issubclass(CallTimeout, TimeoutError)


def test_a_lost_worker_keeps_what_it_knows_when_it_travels():
    lost = WorkerLost(exitcode=-9, pid=77, call="score, input 3")
    for copied in (copy.copy(lost), pickle.loads(pickle.dumps(lost))):
        assert (copied.exitcode, copied.pid, copied.call, copied.signal) == (-9, 77, "score, input 3", "SIGKILL")
        assert str(copied) == str(lost)


def test_a_remote_error_keeps_what_it_knows_when_it_travels():
    error = pickle.loads(pickle.dumps(RemoteError("m", type_name="a.B", text="t", traceback="tb")))
    assert (str(error), error.type_name, error.text, error.traceback) == ("m", "a.B", "t", "tb")


@pytest.mark.parametrize(
    ("exitcode", "pid", "call", "sentence"),
    [
        (-9, 7, "f, input 3", "worker 7 was killed by SIGKILL (often: out of memory) while it ran f, input 3"),
        (-11, 7, "", "worker 7 was killed by SIGSEGV while it ran a call"),
        (3, None, "", "a worker exited with code 3 while it ran a call"),
        (0, 7, "", "worker 7 exited with code 0 while it ran a call"),
        (None, 7, "", "worker 7 died while it ran a call"),
        (-250, 7, "", "worker 7 was killed by signal 250 while it ran a call"),
    ],
)
def test_what_a_lost_worker_says(exitcode, pid, call, sentence):
    assert str(WorkerLost(exitcode=exitcode, pid=pid, call=call)) == sentence


def test_a_lost_worker_s_own_message_comes_first():
    assert str(WorkerLost("the thread ended", exitcode=1)) == "the thread ended"


@pytest.mark.parametrize(
    ("exitcode", "name"), [(None, None), (0, None), (2, None), (-15, "SIGTERM"), (-99, "signal 99")]
)
def test_signal_name(exitcode, name):
    assert errors.signal_name(exitcode) == name
