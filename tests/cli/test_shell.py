"""The command as its users run it: a real process, real workers, real signals, real pipes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pty
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.helpers import Started, command, environment, lines, rows, shell, until
from tests.cli.sample import __file__ as SAMPLE


def printed(text):
    return [json.loads(line) for line in text.splitlines()]


def children(pid):
    """Every process that descends from `pid`."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            status = (entry / "stat").read_text()
            found[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    family = {pid}
    for _ in range(5):
        family |= {child for child, parent in found.items() if parent in family}
    return family - {pid}


def alive(pids):
    left = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                left.add(pid)
    return left


class TestRows:
    def test_of_arguments(self, tmp_path):
        ended = shell("map", "math:sqrt", "1", "4", "9", cwd=tmp_path)
        assert ended.returncode == 0
        found = printed(ended.stdout)
        assert [(row["index"], row["input"], row["value"], row["attempt"]) for row in found] == [
            (0, "1", 1.0, 1),
            (1, "4", 2.0, 1),
            (2, "9", 3.0, 1),
        ]
        assert "math.sqrt takes no text" in ended.stderr

    def test_of_stdin_and_of_files(self, tmp_path):
        (tmp_path / "my.py").write_text("def f(n: int):\n    return n + 1\n")
        ended = shell("map", "my.py:f", "-q", cwd=tmp_path, stdin=b"1\n2\n")
        assert ([row["value"] for row in printed(ended.stdout)], ended.stderr) == ([2, 3], "")
        (tmp_path / "list").write_bytes(b"3\x004\x00")
        ended = shell("map", "my:f", "--from", "list", "-0", "--text", "-q", cwd=tmp_path)
        assert (ended.stdout, ended.stderr, ended.returncode) == ("4\n5\n", "", 0)

    def test_of_json(self, tmp_path):
        ended = shell("map", "builtins:len", "--json-input", "--text", cwd=tmp_path, stdin=b'[1, 2]\n{"a": 1}\n')
        assert ended.stdout == "2\n1\n"

    def test_stdout_holds_nothing_else(self, tmp_path):
        ended = shell("map", f"{SAMPLE}:printing", "a", "b", cwd=tmp_path)
        assert [row["value"] for row in printed(ended.stdout)] == ["a", "b"]
        assert "printed a\n" in ended.stderr
        assert "programs print b\n" in ended.stderr

    def test_failures_are_exit_1_and_a_summary(self, tmp_path):
        ended = shell("map", f"{SAMPLE}:fussy", "a", "bad", "c", "-q", cwd=tmp_path)
        assert ended.returncode == 1
        assert [("value" in row, "error" in row) for row in printed(ended.stdout)] == [(1, 0), (0, 1), (1, 0)]
        assert ended.stderr.splitlines()[0] == "elsewhere: 1 of 3 calls failed:"

    def test_a_killed_worker_loses_one_call(self, tmp_path):
        texts = [*"abcdefgh", "die", *"ijkl"]
        ended = shell("map", f"{SAMPLE}:die", *texts, cwd=tmp_path)
        assert ended.returncode == 1
        found = printed(ended.stdout)
        assert [row["input"] for row in found] == texts
        assert [row["index"] for row in found if "error" in row] == [8]
        assert found[8]["error"]["type"] == "elsewhere.WorkerLost"
        assert "was killed by SIGKILL" in found[8]["error"]["message"]

    def test_timeout_and_retries(self, tmp_path):
        ended = shell("map", f"{SAMPLE}:waits", "a", "wait", "--timeout", "0.3", "--retries", "1", cwd=tmp_path)
        assert ended.returncode == 1
        last = printed(ended.stdout)[1]
        assert (last["error"]["type"], last["attempt"]) == ("elsewhere.CallTimeout", 2)

    def test_a_type_that_json_cannot_hold(self, tmp_path):
        ended = shell("map", f"{SAMPLE}:raw", "a", "b", "-q", cwd=tmp_path)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "returned a value of type bytes" in ended.stderr
        assert ended.stderr.count("\n") == 1

    def test_rows_come_while_inputs_are_still_coming(self, tmp_path):
        with Started("map", f"{SAMPLE}:double", cwd=tmp_path, stdin=subprocess.PIPE) as started:
            started.process.stdin.write(b"4\n")
            started.process.stdin.flush()
            assert json.loads(started.process.stdout.readline())["value"] == 8
            assert started.end() == 0

    def test_a_bar_on_a_terminal(self, tmp_path):
        leader, terminal = pty.openpty()
        with contextlib.closing(os.fdopen(leader, "rb", 0)) as screen:
            shown: list[bytes] = []

            def watch() -> None:  # all the time: it holds a few kB only, and a slow run draws often
                with contextlib.suppress(OSError):  # the end
                    while data := screen.read(65536):
                        shown.append(data)

            watcher = threading.Thread(target=watch)
            watcher.start()
            ended = subprocess.run(
                command("map", f"{SAMPLE}:double", "1", "2"),
                stdout=subprocess.PIPE,
                stderr=terminal,
                cwd=tmp_path,
                env=environment(TERM="xterm"),
                check=True,
                stdin=subprocess.DEVNULL,
                timeout=60,
            )
            os.close(terminal)
            watcher.join(30)
            assert len(printed(ended.stdout)) == 2
            assert b"2/2" in b"".join(shown)


class TestNoTraceback:
    def test_full_disk(self, tmp_path):
        ended = shell("map", "math:sqrt", "4", "-q", "-o", "/dev/full", cwd=tmp_path)
        assert ended.returncode == 1
        assert ended.stderr.startswith("elsewhere: /dev/full cannot be written: No space left on device.")
        assert ended.stderr.count("\n") == 1

    def test_full_disk_behind_stdout(self, tmp_path):
        with open("/dev/full", "wb") as full:
            ended = subprocess.run(
                command("map", "-q", f"{SAMPLE}:double", "4"),
                stdout=full,
                stderr=subprocess.PIPE,
                cwd=tmp_path,
                env=environment(),
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=60,
            )
        assert ended.returncode == 1
        assert ended.stderr.startswith(b"elsewhere: stdout cannot be written: No space left on device.")
        assert ended.stderr.count(b"\n") == 1

    def test_a_reader_who_leaves(self, tmp_path):
        line = " ".join(command("map", "-q", f"{SAMPLE}:double")) + "; echo $? >code"
        ended = subprocess.run(
            f"seq 100000 | ({line}) | head -n 2",
            shell=True,
            capture_output=True,
            cwd=tmp_path,
            env=environment(),
            check=True,
            timeout=60,
        )
        assert len(printed(ended.stdout.decode())) == 2
        assert ended.stderr == b""
        assert (tmp_path / "code").read_text() == "141\n"

    def test_a_module_that_is_not_there(self, tmp_path):
        ended = shell("map", "nope:f", "1", cwd=tmp_path)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
class TestSignals:
    def test_finished_rows_are_kept_and_workers_are_gone(self, tmp_path, name):
        out = tmp_path / "out.jsonl"
        texts = [*"abcdef", "wait", "wait"]
        with Started("map", f"{SAMPLE}:waits", *texts, "-j", "2", "-o", str(out), cwd=tmp_path) as started:
            until(lambda: lines(out) >= 6)
            family = children(started.process.pid)
            os.kill(started.process.pid, getattr(signal, name))
            assert started.end() == 128 + getattr(signal, name)
            until(lambda: not alive(family))
        said = started.said.decode()
        assert f"elsewhere: stopped by {name} after 6 of 8 rows. To go on: python -m elsewhere map --resume " in said
        assert len(rows(out)) == 6
        again = shell("map", f"{SAMPLE}:waits", *texts, "-o", str(out), "--resume", cwd=tmp_path, NOBODY_WAITS="1")
        assert again.returncode == 0
        assert sorted(row["index"] for row in rows(out)) == list(range(8))

    def test_while_nothing_comes_from_stdin(self, tmp_path, name):
        with Started("map", f"{SAMPLE}:double", cwd=tmp_path, stdin=subprocess.PIPE) as started:
            started.process.stdin.write(b"4\n")
            started.process.stdin.flush()
            started.process.stdout.readline()
            os.kill(started.process.pid, getattr(signal, name))
            assert started.process.wait(30) == 128 + getattr(signal, name)
            assert started.end() == 128 + getattr(signal, name)
        assert b"with -o FILE" in started.said or b"by -o FILE" in started.said


@pytest.mark.slow
class TestKills:
    def test_of_itself_lose_nothing_that_was_written(self, tmp_path):
        out = tmp_path / "out.jsonl"
        texts = b"".join(b"%d\n" % number for number in range(4000))
        (tmp_path / "list").write_bytes(texts)
        arguments = ("map", f"{SAMPLE}:spin", "--from", "list", "-o", str(out), "--resume", "-q")
        for enough in (1, 1000, 2000):
            with Started(*arguments, cwd=tmp_path) as started:
                until(lambda: lines(out) >= enough)  # noqa: B023 - called at once
                family = children(started.process.pid)
                started.process.kill()
                started.process.wait()
                until(lambda: not alive(family))  # noqa: B023 - called at once
        before = out.read_bytes().rpartition(b"\n")[0].splitlines()
        assert shell(*arguments, cwd=tmp_path).returncode == 0
        found = rows(out)
        assert [row["index"] for row in sorted(found, key=lambda row: row["index"])] == list(range(4000))
        assert set(before) <= set(out.read_bytes().splitlines())
        assert all(row["value"] == sum(range(int(row["input"]) % 1000 + 20000)) for row in found)

    def test_of_workers_cost_one_call_each(self, tmp_path):
        out = tmp_path / "out.jsonl"
        texts = [str(number) for number in range(1000)]
        texts[100] = texts[500] = "die"
        (tmp_path / "list").write_text("\n".join(texts))
        arguments = ("map", f"{SAMPLE}:die", "--from", "list", "-o", str(out), "-q")
        assert shell(*arguments, cwd=tmp_path).returncode == 1
        found = rows(out)
        assert sorted(row["index"] for row in found) == list(range(1000))
        assert sorted(row["index"] for row in found if "error" in row) == [100, 500]

    def test_small_calls_are_many(self, tmp_path):
        (tmp_path / "list").write_text("".join(f"{number}\n" for number in range(20_000)))
        ended = shell("map", "math:sqrt", "--from", "list", "-o", "out", "-q", cwd=tmp_path)
        assert ended.returncode == 0
        values = {row["index"]: row["value"] for row in rows(tmp_path / "out")}
        assert values == {number: math.sqrt(number) for number in range(20_000)}
