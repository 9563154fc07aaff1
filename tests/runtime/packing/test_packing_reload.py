"""A module that the caller reloaded is reloaded in the worker, once; its old functions still go by value."""

import importlib
import sys


def test_a_reloaded_module(script, tmp_path):
    (tmp_path / "changing.py").write_text("def version(): return 1\nloads = []\n")
    script(
        """
import importlib, pathlib, changing
def through_main(): return changing.version()
with Worker() as w:
    assert w.call(changing.version) == 1
    old = changing.version
    pathlib.Path(changing.__file__).write_text("def version(): return 22\\nloads = globals().get('loads', []) + [1]\\n")
    importlib.reload(changing)
    assert w.call(changing.version) == 22
    assert w.call(changing.version) == 22 and w.call(through_main) == 22
    assert w.call(lambda: len(changing.loads)) == 1
    assert w.call(old) == 1 == old()
    assert w.shipped.count("module:changing") == 1
"""
    )


def test_a_fresh_worker_gets_the_new_module(script, tmp_path):
    (tmp_path / "changing.py").write_text("def version(): return 1\n")
    script(
        """
import importlib, pathlib, changing
with Worker() as w:
    assert w.call(changing.version) == 1
pathlib.Path(changing.__file__).write_text("def version(): return 22\\n")
importlib.reload(changing)
with Worker() as w:
    assert w.call(changing.version) == 22
"""
    )


def test_a_worker_does_not_go_back_to_an_earlier_generation(tmp_path, monkeypatch):
    from elsewhere.runtime.packing.reloads import reload_to

    (tmp_path / "counting_reloads.py").write_text("count = globals().get('count', 0) + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    counting_reloads = importlib.import_module("counting_reloads")

    for generation in (b"1", b"3", b"2", b"3"):
        reload_to("module:counting_reloads", generation)
    assert counting_reloads.count == 3
    del sys.modules["counting_reloads"]
