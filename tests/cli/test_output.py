from __future__ import annotations

import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys

import pytest

from elsewhere.cli.batch import output
from elsewhere.cli.batch.output import Appender, Stream, claim, open_plain, replace, truncate
from elsewhere.cli.ending import Problem, ReaderGone, WrongUsage
from tests.cli.helpers import environment, until


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "out")


def content(path):
    with open(path, "rb") as file:
        return file.read()


def test_lines_are_in_the_file_at_once(path):
    appender = Appender(claim(path), path)
    try:
        appender.write(b"one\n")
        assert content(path) == b"one\n"
    finally:
        appender.close()
    appender.close()  # a second time is nothing


def test_rows_are_synced_every_second_and_at_the_end(path, monkeypatch):
    synced = []
    monkeypatch.setattr(output, "SYNC_EVERY", 0.01)
    monkeypatch.setattr(output.os, "fsync", synced.append)
    fd = claim(path)
    appender = Appender(fd, path)
    before = synced.count(fd)
    appender.write(b"one\n")
    until(lambda: synced.count(fd) == before + 1)
    appender.close()
    assert synced.count(fd) == before + 2


def test_a_failed_sync_ends_the_run(path, monkeypatch):
    def fail(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    fd = claim(path)
    monkeypatch.setattr(output, "SYNC_EVERY", 0.01)
    monkeypatch.setattr(output.os, "fsync", fail)
    appender = Appender(fd, path)
    appender.write(b"one\n")
    until(lambda: not appender._thread.is_alive())
    with pytest.raises(Problem, match="Input/output error"):
        appender.write(b"two\n")
    with pytest.raises(Problem, match="Input/output error"):
        appender.close()


def test_a_line_that_does_not_fit_leaves_nothing_of_itself(path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    appender = Appender(claim(path), path)
    try:
        appender.write(b"12345\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        with pytest.raises(Problem, match="as large as the system allows"):
            appender.write(b"67890\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        appender.close()
    assert content(path) == b"12345\n"


def test_a_full_disk_is_one_sentence():
    stream = open_plain("/dev/full")
    try:
        with pytest.raises(Problem, match=r"/dev/full cannot be written: No space left on device\. Free some space"):
            stream.write(b"x\n")
    finally:
        os.close(stream._fd)


def test_a_reader_who_left():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with pytest.raises(ReaderGone):
            Stream(writer, "stdout").write(b"x\n")
    finally:
        os.close(writer)


def test_what_is_plain(path):
    assert open_plain(path) is None
    os.close(claim(path))
    assert open_plain(path) is None
    with pytest.raises(WrongUsage, match="Is a directory"):
        open_plain(os.path.dirname(path))


def test_a_folder_that_is_not_there(path):
    with pytest.raises(WrongUsage, match="No such file or directory"):
        claim(path + "/out")


def test_two_commands_do_not_write_one_file(path):
    fd = claim(path)
    try:
        with pytest.raises(WrongUsage, match="Another command is writing"):
            claim(path)
    finally:
        os.close(fd)
    os.close(claim(path))


def test_nor_one_that_was_replaced_meanwhile(path):
    old = claim(path)
    new = replace(path, lambda file: file.write(b"new\n"))
    os.close(old)
    try:
        with pytest.raises(WrongUsage, match="Another command is writing"):
            claim(path)
        os.write(new, b"more\n")  # it appends
        assert content(path) == b"new\nmore\n"
    finally:
        os.close(new)


def test_replace_keeps_the_mode(path):
    os.close(claim(path))
    os.chmod(path, 0o640)
    os.close(replace(path, lambda file: None))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640


def test_a_copy_that_fails_leaves_the_old_file_and_nothing_else(path, tmp_path):
    def fill(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "out").write_bytes(b"old\n")
    with pytest.raises(Problem, match="No space left"):
        replace(path, fill)
    assert os.listdir(tmp_path) == ["out"]
    assert content(path) == b"old\n"


def test_truncate(path, tmp_path):
    (tmp_path / "out").write_bytes(b"one\ntw")
    fd = claim(path)
    truncate(fd, 4, path)
    os.write(fd, b"two\n")
    os.close(fd)
    assert content(path) == b"one\ntwo\n"


KILLED_AT = """
import os, signal, sys
from elsewhere.cli.batch import output
step, path = int(sys.argv[1]), sys.argv[2]
calls = 0
def dying(real):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls > step:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call
for name in ("open", "fsync", "replace", "fchmod", "write"):
    setattr(output.os, name, dying(getattr(os, name)))
output.replace(path, lambda file: file.write(b"new\\n"))
print(calls)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_of_replacing_leaves_the_old_file_or_the_new_one(path, tmp_path):
    seen = set()
    for step in range(20):
        (tmp_path / "out").write_bytes(b"old\n")
        ended = subprocess.run(
            [sys.executable, "-c", KILLED_AT, str(step), path], capture_output=True, check=False, env=environment()
        )
        seen.add(content(path))
        assert content(path) in {b"old\n", b"new\n"}
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert json.loads(ended.stdout) == step > 4
    assert seen == {b"old\n", b"new\n"}
