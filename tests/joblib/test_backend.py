"""What is ours in the joblib backend; what joblib promises of every backend, `test_yardstick` asks."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pickle import PicklingError

import joblib
import pytest
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

import elsewhere.joblib
from elsewhere import PoolClosed, WorkerLost, WorkerStartError
from elsewhere.joblib import kept
from tests.contract.work import PATIENCE, hold, until
from tests.joblib import work
from tests.require import require

WAYS = pytest.mark.parametrize("way", ["list", "generator", "generator_unordered"])


def run(fn, values, **options):
    return Parallel(**{"n_jobs": 2, "backend": "elsewhere", **options})(delayed(fn)(value) for value in values)


# ---- results ---------------------------------------------------------------------------------------------------------


@WAYS
def test_results_come_as_joblib_gives_them(way):
    for batch_size, pre_dispatch in itertools.product(["auto", 1, 7], ["all", "2 * n_jobs", 3]):
        found = list(run(work.square, range(50), return_as=way, batch_size=batch_size, pre_dispatch=pre_dispatch))
        assert (sorted(found) if way == "generator_unordered" else found) == [x * x for x in range(50)]


def test_the_number_of_workers_is_what_joblib_means_by_n_jobs(monkeypatch):
    cores = joblib.cpu_count()
    with parallel_config("elsewhere"):
        count = joblib.effective_n_jobs
        assert [count(3), count(-1), count(-2), count(-99), count(None)] == [3, cores, max(cores - 1, 1), 1, 1]
    with parallel_config("elsewhere", n_jobs=3):
        assert joblib.effective_n_jobs(None) == 3
    with pytest.raises(ValueError, match="n_jobs == 0"):
        run(work.square, [1], n_jobs=0)


def test_one_job_runs_here():
    assert run(work.pid, [1, 2], n_jobs=1) == [os.getpid()] * 2


def test_it_can_be_the_default(monkeypatch):
    monkeypatch.setattr(joblib.parallel, "DEFAULT_BACKEND", joblib.parallel.DEFAULT_BACKEND)
    elsewhere.joblib.register(default=True)
    parallel = Parallel(n_jobs=2)
    assert type(parallel._backend) is elsewhere.joblib.ElsewhereBackend
    assert os.getpid() not in parallel(delayed(work.pid)() for _ in range(4))


def test_what_joblib_says_of_memory_maps_is_taken_and_arrays_are_writable():
    numpy = require(module="numpy", install="pip install numpy")
    arrays = [numpy.zeros(1000) for _ in range(4)]
    options = {"max_nbytes": 1, "mmap_mode": "r", "temp_folder": "/nowhere", "verbose": 0}
    with parallel_config("elsewhere", n_jobs=2, **options):
        changed = Parallel()(delayed(numpy.ndarray.fill)(array, 1) for array in arrays)
    assert changed == [None] * 4
    assert not any(array.any() for array in arrays)


def test_workers_above_their_memory_are_replaced():
    with parallel_config("elsewhere", n_jobs=2, max_memory=1):  # each is above it after its first batch
        pids = Parallel(batch_size=1)(delayed(work.pid)() for _ in range(5))
    assert len(set(pids)) > 2


def test_an_unknown_option_is_refused_at_once():
    with pytest.raises(TypeError, match="no option 'retries'; it has context, grace"):
        parallel_config("elsewhere", retries=3)
    with pytest.raises(TypeError, match="no option 'preloaded'"):
        run(work.square, [1], preloaded=())


# ---- failures --------------------------------------------------------------------------------------------------------


@WAYS
def test_the_functions_own_exception_arrives_with_the_remote_traceback(way):
    with pytest.raises(work.Custom) as caught:
        list(run(work.fail, range(5), return_as=way))
    assert "in fail" in str(caught.value.__cause__)
    assert run(work.square, [3]) == [9]


@WAYS
def test_a_killed_worker_is_our_error_and_joblibs(way):
    with pytest.raises(WorkerLost, match=r"SIGKILL.*while it ran tests\.joblib\.work\.die") as caught:
        list(run(work.die, range(4), return_as=way))
    assert isinstance(caught.value, TerminatedWorkerError)
    assert caught.value.signal == "SIGKILL"
    assert caught.value.pid != os.getpid()
    assert run(work.square, [3, 4]) == [9, 16]


def test_a_retry_survives_a_killed_worker(gate):
    with parallel_config("elsewhere", n_jobs=2, retry=1):
        found = Parallel(batch_size=1)(delayed(_die_once)(gate, x) for x in range(4))
    assert found == [0, 1, 4, 9]
    assert gate.times("came", 2) == 2


def _die_once(gate, x):
    gate.note("came", x)
    if x == 2 and gate.times("came", x) == 1:
        work.die()
    return x * x


@WAYS
def test_what_cannot_be_pickled_is_told_and_nobody_waits(way):
    for place in 0, 20:  # joblib sends the first few from the caller's thread, the others from a callback
        values = [sys._getframe() if x == place else x for x in range(30)]
        with pytest.raises(PicklingError, match="could not pickle the task to send") as caught:
            list(run(work.square, values, return_as=way, batch_size=1))
        assert "is a frame" in caught.value.__notes__[0]
        assert isinstance(caught.value.__cause__, TypeError)


def test_an_interrupt_in_a_worker_arrives():
    with pytest.raises(KeyboardInterrupt):
        run(work.interrupted, range(3))
    assert run(work.square, [3]) == [9]


def test_ctrl_c_ends_the_calls_and_keeps_the_workers(gate):
    pids = set(run(work.pid, range(20), batch_size=1))

    def interrupt():
        gate.wait_for("came", "0")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        Parallel(n_jobs=2, backend="elsewhere")(delayed(hold)(gate, str(x)) for x in range(4))
    thread.join()
    gate.wait_for("CallCancelled", "0")
    assert pids & set(run(work.pid, range(20), batch_size=1))


def test_a_timeout_stops_the_call(gate):
    with parallel_config("elsewhere", n_jobs=2, grace=PATIENCE), pytest.raises(multiprocessing.TimeoutError):
        Parallel(timeout=0.05)(delayed(hold)(gate, x) for x in range(2))
    until(lambda: gate.names("left") == gate.names("came"), "the calls to stop")
    assert not gate.is_open()


def test_one_that_gives_up_does_not_disturb_another_on_the_same_workers(gate):
    one = Parallel(n_jobs=2, backend="elsewhere", return_as="generator")(delayed(hold)(gate, x) for x in ["one"])
    gate.wait_for("came", "one")
    with pytest.raises(work.Custom):
        run(work.fail, range(3))
    assert len(kept._pools) == 1
    gate.open()
    assert list(one) == ["one"]


def test_an_abandoned_generator_stops_its_calls(gate):
    with parallel_config("elsewhere", n_jobs=2, grace=PATIENCE):  # one that is killed leaves no note
        one = Parallel(return_as="generator")(delayed(hold)(gate, x) for x in range(2))
    gate.wait_for("came", 0)
    with pytest.warns(UserWarning, match="cancelled"):
        del one
    until(lambda: gate.names("left") == gate.names("came"), "the calls to stop")
    assert not gate.is_open()


def test_an_initializer_that_fails_is_told_and_the_next_pool_is_a_new_one():
    with pytest.raises(WorkerStartError) as caught:
        run(work.square, range(3), initializer=work.fail, initargs=(1,))
    assert isinstance(caught.value.__cause__, work.Custom)
    until(lambda: not kept._pools, "the broken pool to be forgotten")
    with pytest.raises(WorkerStartError):
        run(work.square, range(3), initializer=work.fail, initargs=(1,))
    with pytest.raises(TypeError, match="initializer must be a callable"):
        run(work.square, range(3), initializer=1)


def test_a_function_that_raises_our_errors_does_not_end_the_pool_of_others(gate):
    one = Parallel(n_jobs=2, backend="elsewhere", return_as="generator", pre_dispatch=1, batch_size=1)(
        delayed(hold)(gate, x) for x in ["one", "two"]
    )
    gate.wait_for("came", "one")
    pool = kept._pools[0].pool
    with pytest.raises(WorkerStartError):
        run(work.fail_to_start, range(3))
    until(lambda: not kept._pools, "the pool to be forgotten")
    gate.open()
    assert list(one) == ["one", "two"]
    with pytest.raises(PoolClosed):
        pool.submit(work.square, 1)


# ---- kept pools ------------------------------------------------------------------------------------------------------


def test_workers_are_kept_between_calls_and_ended_by_shutdown(gate):
    pids = set(run(work.pid, range(20), batch_size=1))
    for _ in range(3):
        assert set(run(work.pid, range(20), batch_size=1)) <= pids | set(kept._pools[0].pool._driver.workers())
    assert len(kept._pools) == 1
    elsewhere.joblib.shutdown()
    assert kept._pools == []
    assert not pids & set(run(work.pid, range(20), batch_size=1))


def test_shutdown_fails_what_runs(gate):
    one = Parallel(n_jobs=2, backend="elsewhere", return_as="generator")(delayed(hold)(gate, x) for x in range(2))
    gate.wait_for("came", 0)
    elsewhere.joblib.shutdown()
    with pytest.raises(WorkerLost):
        list(one)


@pytest.mark.slow
def test_other_options_are_another_pool_and_few_idle_ones_are_kept(gate):
    run(work.square, range(3))
    run(work.square, range(3), n_jobs=3)
    assert [kept.key.n_jobs for kept in kept._pools] == [2, 3]
    run(work.square, range(3), initializer=work.note, initargs=(gate, "a"))
    assert [kept.key.n_jobs for kept in kept._pools] == [3, 2]
    assert gate.has("initialized", "a")
    last = kept._pools[-1]
    run(work.square, range(3), initializer=work.note, initargs=(gate, "a"))
    assert kept._pools[-1] is last
    run(work.square, range(3), initializer=work.note, initargs=(gate, "b"))
    assert len(kept._pools) == kept.MOST_IDLE


def test_idle_workers_end_after_their_time():
    run(work.square, range(3), idle_worker_timeout=0.01)
    until(lambda: not kept._pools, "the idle pool to end")
    run(work.square, range(3), idle_worker_timeout=300)
    assert len(kept._pools) == 1


def test_a_pool_in_use_is_not_idle(gate):
    options = {"n_jobs": 2, "backend": "elsewhere", "idle_worker_timeout": 0.01}
    one = Parallel(return_as="generator", **options)(delayed(hold)(gate, x) for x in ["one"])
    gate.wait_for("came", "one")
    run(work.square, range(3), idle_worker_timeout=0.01)  # sets the timer, if that counted
    assert len(kept._pools) == 1
    gate.open()
    assert list(one) == ["one"]
    until(lambda: not kept._pools, "the idle pool to end")


def test_a_with_block_gives_its_pool_back():
    with Parallel(n_jobs=2, backend="elsewhere") as parallel:
        for _ in range(2):
            assert parallel(delayed(work.square)(x) for x in range(5)) == [0, 1, 4, 9, 16]
        with pytest.raises(work.Custom):
            parallel(delayed(work.fail)(x) for x in range(5))
        assert parallel(delayed(work.square)(x) for x in range(5)) == [0, 1, 4, 9, 16]
        assert kept._pools[0].users == 1
    assert kept._pools[0].users == 0


def test_what_was_cut_but_not_sent_when_a_call_failed_is_not_sent_in_the_next():
    with Parallel(n_jobs=2, backend="elsewhere") as parallel:
        with pytest.raises(work.Custom):
            parallel(delayed(work.fail)(x) for x in range(5))
        parallel._ready_batches.put("left over")
        parallel._backend.abort_everything(ensure_ready=True)
        assert parallel(delayed(work.square)(x) for x in range(5)) == [0, 1, 4, 9, 16]


# ---- threads of libraries, nesting -----------------------------------------------------------------------------------


def test_the_threads_of_libraries_are_held_to_their_share(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    share = str(max(joblib.cpu_count() // 2, 1))
    assert set(run(work.variable, ["OMP_NUM_THREADS"] * 3)) == {share}
    with parallel_config("elsewhere", n_jobs=2, inner_max_num_threads=7):
        assert set(Parallel()(delayed(work.variable)("OMP_NUM_THREADS") for _ in range(3))) == {"7"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert set(run(work.variable, ["OMP_NUM_THREADS"] * 3)) == {"5"}


def test_the_limit_is_set_before_a_library_reads_it(monkeypatch):
    require(module="numpy", install="pip install numpy")
    require(module="threadpoolctl", install="pip install threadpoolctl")
    for name in joblib.parallel.ParallelBackendBase.MAX_NUM_THREADS_VARS:
        monkeypatch.delenv(name, raising=False)
    for threads in {1, joblib.cpu_count()}:  # more than there are cores, a library may refuse
        with parallel_config("elsewhere", n_jobs=2, inner_max_num_threads=threads):
            assert set(Parallel()(delayed(work.threads_of_numpy)() for _ in range(3))) <= {(), (threads,)}


def test_inside_a_call_the_default_is_threads_and_our_backend_works_too():
    assert run(work.nested, [0, 1, 3]) == [
        ("ThreadingBackend", []),
        ("ThreadingBackend", [0]),
        ("ThreadingBackend", [0, 1, 4]),
    ]


def test_many_threads_share_the_kept_pool():
    failures = []

    def work_hard():
        try:
            for _ in range(5):
                assert run(work.square, range(20)) == [x * x for x in range(20)]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work_hard) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(kept._pools) == 1
    assert kept._pools[0].users == 0


# ---- programs --------------------------------------------------------------------------------------------------------

SCRIPT = """
import elsewhere.joblib
from joblib import Parallel, delayed, parallel_config

factor = 3

def score(x):
    return factor * x

elsewhere.joblib.register()
with parallel_config("elsewhere", n_jobs=2):
    print(Parallel()(delayed(score)(x) for x in range(4)))
    factor = 4
    print(Parallel()(delayed(lambda x: score(x))(x) for x in range(4)))
"""


def script(program, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )


def test_a_plain_script_needs_no_main_guard_and_ends_without_a_word():
    done = script(SCRIPT, "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 3, 6, 9]\n[0, 4, 8, 12]\n", "")


def test_without_joblib_one_sentence_says_what_to_install():
    done = script("import sys; sys.modules['joblib'] = None\nimport elsewhere.joblib\nelsewhere.joblib.register()")
    assert done.returncode == 1
    assert "python -m pip install 'elsewhere[joblib]'" in done.stderr.splitlines()[-1]


def test_a_forked_copy_makes_its_own_pool():
    done = script(
        SCRIPT
        + """
import os, sys
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    with parallel_config("elsewhere", n_jobs=2):
        print(Parallel()(delayed(score)(x) for x in range(2)), flush=True)
    elsewhere.joblib.shutdown()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[0, 4]"
