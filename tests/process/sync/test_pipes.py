"""Pipes, whose ends are arguments of a Pool's calls and of processes."""

from __future__ import annotations

import concurrent.futures
import gc
import multiprocessing.connection
import os
import pickle

import pytest

import elsewhere
from elsewhere.runtime.passing import receipts
from tests.process.sync import work


def test_both_ways_and_one_way():
    first, second = elsewhere.Pipe()
    assert isinstance(first, multiprocessing.connection.Connection)
    for item in ({"a": 1}, b"x" * 50_000, None):
        first.send(item)
        assert second.poll(5)
        assert second.recv() == item
        second.send_bytes(b"back")
        assert first.recv_bytes() == b"back"
    first.close()
    with pytest.raises(EOFError):
        second.recv()
    with pytest.raises(BrokenPipeError):
        second.send(1)
    second.close()
    reader, writer = elsewhere.Pipe(duplex=False)
    writer.send(3)
    assert reader.recv() == 3
    for wrong in (reader.send, lambda item: writer.recv()):
        with pytest.raises(OSError, match=r"connection is (read|write)-only"):
            wrong(1)
    assert multiprocessing.connection.wait([reader], timeout=0) == []
    writer.close()
    assert multiprocessing.connection.wait([reader], timeout=5) == [reader]
    reader.close()
    with pytest.raises(OSError, match="handle is closed"):
        reader.recv()


@pytest.mark.parametrize("method", work.METHODS)
def test_processes_of_each_start_method(method):
    ours, theirs = elsewhere.Pipe()
    process = work.start(method, work.echo, theirs)
    theirs.close()
    for item in (1, "ab", [3], "x" * 300_000):
        ours.send(item)
        assert ours.recv() == item * 2
    ours.close()
    if method == "fork":  # which has inherited our end too, as in multiprocessing
        process.terminate()
        process.join()
        process.close()
    else:
        assert work.end(process) == 0


@pytest.mark.parametrize("method", work.METHODS)
def test_arguments_of_a_pools_calls(method):
    with elsewhere.get_context(method).Pool(1) as pool:
        ours, theirs = elsewhere.Pipe()
        call = pool.submit(work.echo, theirs)
        ours.send("ab")
        assert ours.recv() == "abab"  # it has arrived
        theirs.close()
        ours.close()
        assert call.result(30) is None
        reader, writer = elsewhere.Pipe(duplex=False)
        call = pool.submit(work.say, writer, "hello")
        assert reader.recv() == "hello"
        assert call.result(30) is None
        writer.close()
        with pytest.raises(EOFError):
            reader.recv()
        reader.close()


@pytest.mark.parametrize("method", work.METHODS)
@pytest.mark.parametrize("robust", [False, True])
def test_arguments_of_an_initializer(method, robust):
    ours, theirs = elsewhere.Pipe()
    items, lock = elsewhere.Queue(), elsewhere.Lock(robust=robust)
    with elsewhere.get_context(method).Pool(2, work.keep, (items, lock, theirs)) as pool:
        assert pool.map(work.use_kept, range(50)) == list(range(50))
    assert sorted(items.get(timeout=30) for _ in range(50)) == list(range(50))
    assert sorted(ours.recv() for _ in range(50)) == list(range(50))
    ours.close()
    theirs.close()


def test_arguments_of_an_executors_calls():
    items = elsewhere.Queue()
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        executor.submit(work.put_numbers, items, 5, 1).result(30)
    assert items.get(timeout=30) == 5


def test_an_end_that_is_closed_where_it_came_from():
    first, second = elsewhere.Pipe(duplex=False)
    body = pickle.dumps(second)
    number = second.fileno()
    second.close()
    receipts.forget()  # memory was short
    with pytest.raises(FileNotFoundError, match=r"process \d+ has closed its end of the pipe"):
        pickle.loads(body)
    other = elsewhere.Pipe(duplex=False)
    assert number in {end.fileno() for end in other}
    with pytest.raises(FileNotFoundError, match="has closed its end"):
        pickle.loads(body)
    with pytest.raises(OSError, match="handle is closed"):
        pickle.dumps(second)
    for end in (first, *other):
        end.close()


def test_an_end_that_is_forgotten_is_closed():
    first, second = elsewhere.Pipe()
    del second
    gc.collect()
    with pytest.raises(EOFError):
        first.recv()
    first.close()


def test_without_descriptors_left():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, hard))
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="Too many open files"):
                list(iter(elsewhere.Pipe, None))
            with pytest.raises(OSError, match="Too many open files"):
                list(iter(elsewhere.Queue, None))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= used
