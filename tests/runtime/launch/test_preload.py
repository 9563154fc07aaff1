"""What a fork server imports before it forks."""

import os

import pytest

from tests.runtime.launch.helpers import lab

pytestmark = pytest.mark.usefixtures("no_servers")

MODULES = {
    "good": "import os; pid = os.getpid(); print('once')",
    "threaded": "import threading; [threading.Thread(target=threading.Event().wait).start() for _ in range(3)]",
    "single": "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "leaving": "import sys; sys.exit('no')",
    "crashing": "import os; os.kill(os.getpid(), 11)",
}


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    for name, text in MODULES.items():
        (tmp_path / f"preloaded_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


def loaded(it):
    it.wait("Started")
    return it.ask(1, "sorted(name for name in sys.modules if name.startswith('preloaded_'))")


def test_a_module_is_imported_once_by_the_server(capfd):
    with lab(preload=("preloaded_good", "os.path")) as it:
        it.start(1, 2)
        assert loaded(it) == ["preloaded_good"]
        assert it.ask(1, "sys.modules['preloaded_good'].pid") == it.ask(2, "sys.modules['preloaded_good'].pid")
        assert it.ask(1, "os.getppid()") == it.ask(2, "sys.modules['preloaded_good'].pid")
        assert it.launcher.warnings == []
    assert capfd.readouterr().out == ""


def test_threads_leave_a_module_out():
    with lab(preload=("preloaded_threaded", "preloaded_good", "preloaded_single")) as it:
        it.start(1)
        assert loaded(it) == ["preloaded_good"]
        assert it.ask(1, "len(os.listdir('/proc/self/task'))") == 1
        assert it.ask(1, "os.getppid()") == it.server
        start = "a process that has threads must not be forked"
        assert it.launcher.warnings == [
            f"preload module preloaded_threaded started 3 threads and was left out: {start}",
            f"preload module preloaded_single started a thread and was left out: {start}",
        ]


def test_a_module_that_fails_is_a_warning():
    with lab(preload=("preloaded_missing", "preloaded_leaving", "preloaded_good")) as it:
        it.start(1)
        assert loaded(it) == ["preloaded_good"]
        first, second = it.launcher.warnings
        assert "preloaded_missing could not be imported: ModuleNotFoundError" in first
        assert "preloaded_leaving could not be imported: SystemExit: no" in second


def test_a_module_that_kills_the_server_is_named():
    with lab(preload=("preloaded_crashing",)) as it:
        it.start(1)
        assert it.wait("ServerLost")[0].keys == (1,)
        assert it.launcher.warnings == ["the fork server was killed by SIGSEGV (preload=('preloaded_crashing',))"]


def test_numpy_can_be_preloaded(monkeypatch):
    pytest.importorskip("numpy")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with lab(preload=("numpy",)) as it:
        it.start(1)
        assert it.ask(1, "'numpy' in sys.modules")
        assert it.ask(1, "float((sys.modules['numpy'].ones((300, 300)) @ sys.modules['numpy'].ones((300, 300))).sum())")
        assert it.launcher.warnings == []
        assert it.ask(1, "os.environ.get('OPENBLAS_NUM_THREADS')") is None
    assert "OPENBLAS_NUM_THREADS" not in os.environ
