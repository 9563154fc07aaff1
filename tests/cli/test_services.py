"""``elsewhere serve`` and ``elsewhere call``, as their users run them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.helpers import Started, command, environment, shell, until

SECRET = "correct-horse"
MODULE = '''
import os, time
import msgpack
from elsewhere import Service

class Calculator:
    """Has public methods."""
    def double(self, n: int) -> int:
        """Twice n.

        And more.
        """
        return 2 * n
    def same(self, value, more=None):
        return [value, more] if more is not None else value
    def blob(self, size: int):
        return bytes(size)
    def mixed(self):
        return {"a": [b"\\xff", 1.5, None], 7: "é"}
    def when(self):
        return [msgpack.Timestamp(86400, 500_000_000)]
    def fail(self, text):
        raise ValueError(text)
    def slow(self, seconds: float):
        time.sleep(seconds)
        return "slept"
    def held(self):
        open("came", "w").close()
        end = time.monotonic() + 30
        while not os.path.exists("open") and time.monotonic() < end:
            time.sleep(0.01)
        return "held"
    def pid(self):
        return os.getpid()
    def _private(self):
        return 1

ready = Calculator()
service = Service(ready, name="ready")
nothing = object()

def alone(n: int):
    return n
'''

FRAGILE = """
class Fragile:
    def __setstate__(self, state):
        raise ValueError("cannot be made here")
    def well(self):
        return "well"

fragile = Fragile()
fragile.state = 1
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "calc.py").write_text(MODULE)
    return tmp_path


@contextlib.contextmanager
def served(folder: Path, *args: str, target: str = "calc.py:service"):
    """The command, once it serves: its address and its process."""
    address = f"unix://{folder}/s"
    with Started("serve", target, "--bind", address, *args, cwd=folder) as started:
        line = started.process.stderr.readline().decode()
        assert line == f"serving at {address}\n", line + started.process.stderr.read().decode()
        yield address, started


def called(folder, address, *args, **more):
    return shell("call", address, *args, cwd=folder, **more)


class TestServe:
    @pytest.mark.parametrize("target", ["calc.py:service", "calc:ready", "calc.py:Calculator"])
    def test_what_can_be_served(self, folder, target):
        with served(folder, target=target) as (address, started):
            assert called(folder, address, "double", "7").stdout == "14\n"
            assert called(folder, address, "_private").returncode == 1
            started.process.send_signal(signal.SIGTERM)
            assert started.end() == 143

    def test_a_function(self, folder):
        with served(folder, target="calc.py:alone") as (address, _):
            assert called(folder, address, "alone", "7").stdout == "7\n"

    def test_workers(self, folder):
        with served(folder, "--workers", "2", target="calc.py:ready") as (address, started):
            pid = int(called(folder, address, "pid").stdout)
            assert pid != started.process.pid
            os.kill(pid, signal.SIGKILL)
            assert until(lambda: called(folder, address, "pid").stdout) != f"{pid}\n"
            started.process.send_signal(signal.SIGINT)
            assert started.end() == 130

    def test_calls_that_run_end_before_it_does(self, folder):
        with served(folder) as (address, started):
            running = subprocess.Popen(
                command("call", address, "held"), cwd=folder, env=environment(), stdout=subprocess.PIPE
            )
            try:
                until((folder / "came").exists)
                started.process.send_signal(signal.SIGTERM)
                until(lambda: called(folder, address, "pid").returncode == 1)  # nobody is let in any more
                (folder / "open").touch()
                out, _ = running.communicate(timeout=20)
                assert out == b'"held"\n'
                assert started.end() == 143
            finally:
                running.kill()
                running.wait()

    @pytest.mark.parametrize(
        ("args", "text"),
        [
            (["calc.py:service"], "Missing option '-b'"),
            (["calc.py:zzz", "-b", "tcp://localhost:0"], "has no 'zzz'"),
            (["calc.py:nothing", "-b", "tcp://localhost:0"], "cannot be served"),
            (["calc.py:ready", "-b", "localhost:0"], "did you mean tcp://localhost:0"),
            (["calc.py:ready", "-b", "tcp://0.0.0.0:0"], "insecure=True"),
            (["calc.py:ready", "-b", "tls://localhost:0"], "certificate"),
            (["calc.py:ready", "-b", "tls://localhost:0", "--key", "x.pem"], "--cert"),
            (["calc.py:service", "-b", "tcp://localhost:0", "--where", "loop"], "is a Service"),
            (["calc.py:ready", "-b", "tcp://localhost:0", "--token-file", "none"], "cannot be read"),
        ],
    )
    def test_wrong_usage(self, folder, args, text):
        ended = shell("serve", *args, cwd=folder)
        assert ended.returncode == 2, ended.stderr
        assert text in ended.stderr
        assert len(ended.stderr.splitlines()) == 1

    def test_workers_that_cannot_start(self, folder):
        (folder / "calc.py").write_text(MODULE + FRAGILE)
        address = f"unix://{folder}/s"
        ended = subprocess.run(  # the workers say how they ended, as processes do
            command("serve", "calc.py:fragile", "--bind", address, "--workers", "2"),
            cwd=folder, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 1
        *_, last = ended.stderr.splitlines()
        assert last == "elsewhere: a worker of the service cannot start: ValueError: cannot be made here."

    def test_an_address_that_is_taken(self, folder):
        with served(folder) as (address, _):
            ended = shell("serve", "calc.py:ready", "--bind", address, cwd=folder)
            assert (ended.returncode, ended.stderr.count("another program listens there")) == (1, 1)


class TestCall:
    @pytest.fixture
    def address(self, folder):
        with served(folder) as (address, _):
            yield address

    def test_arguments_are_json_or_text(self, folder, address):
        for given, found in {
            "7": 7,
            "1.5": 1.5,
            "true": True,
            "null": None,
            '"7"': "7",
            "[1, 2]": [1, 2],
            '{"a": 1}': {"a": 1},
            "text": "text",
            "NaN": "NaN",
            "[1,": "[1,",
            "": "",
        }.items():
            assert json.loads(called(folder, address, "same", given).stdout) == found
        assert called(folder, address, "same", "--string", "7").stdout == '"7"\n'
        assert called(folder, address, "same", "--text", "é").stdout == "é\n"
        assert called(folder, address, "same", "--", "-7").stdout == "-7\n"
        assert called(folder, address, "same", "1", "-k", "more=[2]").stdout == "[1, [2]]\n"

    def test_results(self, folder, address):
        assert json.loads(called(folder, address, "mixed").stdout) == {"a": ["/w==", 1.5, None], "7": "é"}
        assert json.loads(called(folder, address, "when").stdout) == ["1970-01-02T00:00:00.500000+00:00"]
        run = subprocess.run(
            command("call", address, "blob", "100000"), cwd=folder, env=environment(), capture_output=True, check=True
        )
        assert run.stdout == bytes(100_000)
        assert called(folder, address, "blob", "1000", "--output", "out").stdout == ""
        assert (folder / "out").read_bytes() == bytes(1000)
        assert called(folder, address, "double", "7", "--output", "out").returncode == 0
        assert (folder / "out").read_text() == "14\n"
        ended = called(folder, address, "double", "7", "--output", "none/out")
        assert (ended.returncode, "The call has run" in ended.stderr) == (1, True)

    def test_failures_are_a_sentence(self, folder, address):
        for args, code, text in (
            (["fail", "bad"], 1, "ValueError: bad"),
            (["zzz"], 1, "--list"),
            (["double", "x"], 1, "int"),
            (["slow", "5", "--timeout", "0.1"], 1, "0.1 s"),
            ([], 2, "Give a METHOD"),
            (["double", "--list"], 2, "Give a METHOD"),
            (["double", "-k", "x"], 2, "NAME=ARG"),
            (["same", "18446744073709551616"], 2, "nteger"),
        ):
            ended = called(folder, address, *args)
            assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
            assert text in ended.stderr
            assert len(ended.stderr.splitlines()) == 1
        for wrong, code in (("localhost:1", 2), ("tcp://127.0.0.1:1", 1), (f"unix://{folder}/none", 1)):
            ended = called(folder, wrong, "double", "1")
            assert (ended.returncode, len(ended.stderr.splitlines())) == (code, 1), ended.stderr

    def test_list(self, folder, address):
        lines = called(folder, address, "--list", "--text").stdout.splitlines()
        assert "double(n: int) -> int  Twice n." in lines
        assert {json.loads(line)["name"] for line in called(folder, address, "--list").stdout.splitlines()} == {
            "double", "same", "blob", "mixed", "when", "fail", "slow", "held", "pid",
        }  # fmt: skip

    @pytest.mark.slow
    def test_bench(self, folder, address):
        lines = called(folder, address, "double", "7", "--bench").stdout.splitlines()
        assert [line.split("  ")[0] for line in lines] == ["one after the other", "pipelined"]

    def test_ctrl_c(self, folder, address):
        with Started("call", address, "slow", "20", cwd=folder) as started:
            until(lambda: Path(f"/proc/{started.process.pid}/wchan").exists() and connected(started.process.pid))
            started.process.send_signal(signal.SIGINT)
            assert started.end() == 130


def connected(pid):
    """Has the process a socket?"""
    with contextlib.suppress(OSError):
        return any(os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:") for fd in os.listdir(f"/proc/{pid}/fd"))
    return False


class TestSecrets:
    def test_one_that_would_not_be_asked_for_is_said(self, folder):
        ended = shell("serve", "calc.py:service", "-b", f"unix://{folder}/s", cwd=folder, ELSEWHERE_TOKEN=SECRET)
        assert (ended.returncode, "asks for no token" in ended.stderr) == (2, True)
        assert SECRET not in ended.stderr

    def test_by_file_and_by_environment(self, folder):
        (folder / "secret").write_text(f"{SECRET}\n")
        (folder / "wrong").write_text("battery-staple\n")
        with served(folder, "--token-file", "secret", target="calc.py:ready") as (address, _):
            assert called(folder, address, "double", "7", "--token-file", "secret").stdout == "14\n"
            assert called(folder, address, "double", "7", ELSEWHERE_TOKEN=SECRET).stdout == "14\n"
            for ended in (
                called(folder, address, "double", "7"),
                called(folder, address, "double", "7", "--token-file", "wrong"),
            ):
                assert ended.returncode == 1
                assert "token" in ended.stderr
                assert "staple" not in ended.stderr
