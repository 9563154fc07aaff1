"""What the pool's own workers get by value, far workers get, too: the same scripts, with far workers."""

import functools

import pytest

from tests.runtime.packing import harness
from tests.runtime.packing.test_packing_errors import *  # noqa: F403 - the same tests
from tests.runtime.packing.test_packing_kinds import *  # noqa: F403 - the same tests
from tests.runtime.packing.test_packing_namespace import *  # noqa: F403 - the same tests

# What comes back is plain pickle, with the caller's own classes: a function or class that the worker made stays there.
del test_functions_come_back  # noqa: F821 - imported above
del test_a_local_class_comes_back_as_itself  # noqa: F821 - imported above
del test_a_class_made_in_the_worker_arrives_and_is_then_the_callers  # noqa: F821 - imported above
del test_what_is_made_of_main_classes_or_tells_types_comes_back_too  # noqa: F821 - imported above


@pytest.fixture
def script(tmp_path):
    return functools.partial(harness.run, folder=tmp_path, harness="tests.far.harness")


def test_a_thread_that_only_packs_arguments_sees_classes_that_were_defined_anew(script):
    """The pool reads what an endless iterator gives in a thread of its own."""
    script(
        """
from concurrent.futures import ThreadPoolExecutor
class Thing: name = "old"
def name_of(thing): return thing.name
with Worker() as w, ThreadPoolExecutor(1) as other:
    def call():
        function = w.packer.function(name_of)
        item = other.submit(w.packer.item, (Thing(),), str, "args").result()
        w.run(w.carry(function), w.carry(item), shape=1)
        return w.value()
    assert call() == "old"
    class Thing: name = "new"
    assert call() == "new"
"""
    )


def test_a_global_may_be_a_shared_object(script):
    script(
        """
HANDLE = None
def read(): return HANDLE[0]
with Worker() as w:
    HANDLE = w.packer.share([5])
    assert w.call(read) == 5
    assert w.call(lambda: HANDLE) == [5]
"""
    )


def test_the_variants_for_other_pythons_share_what_they_can(script):
    script(
        """
import array
from elsewhere.runtime.far.packing import Packer
LARGE = array.array("d", range(100))
class Thing: pass
def read(): return LARGE
packer = Packer(sources=True)
body = packer.item([Thing(), bytes(1000)], str)
assert body.source is body.data and len(body.constants) == 1
(thing,) = body.constants
assert thing.body.source not in (None, thing.body.data)
body = packer.function(read)
assert body.source is body.data
code = next(c for c in body.constants if b"read" in c.body.data[:40])
assert code.body.source not in (None, code.body.data)
large = next(c for c in body.constants if b"LARGE" in c.body.data[:40])
assert large.body.source is large.body.data
"""
    )
