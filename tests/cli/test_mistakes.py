"""What goes wrong around a command, each answered by one sentence and its exit code, and nothing half-written.

What is mistaken in the command itself is in `test_usage`, hosts are in `hosts/test_mistakes.py`.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from elsewhere.cli.function import loading
from elsewhere.cli.group import run
from tests.cli.helpers import Started, command, environment, lines, rows, shell, until
from tests.cli.sample import __file__ as SAMPLE
from tests.cli.surroundings import by_shell, in_namespace, instead, namespace, without
from tests.cli.test_shell import alive, children

SERVICE = "def double(n: int) -> int:\n    return 2 * n\n"


def said(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence on stderr."""
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith("elsewhere: ")
    return ended.stderr


class TestLoading:
    @pytest.mark.parametrize("verb", ["map {} 1", "serve {} -b tcp://127.66.0.1:0"])
    def test_a_syntax_error(self, tmp_path, verb):
        (tmp_path / "bad.py").write_text("x = 1\ndef f(:\n")
        text = said(shell(*verb.format("bad.py:f").split(), cwd=tmp_path), 2)
        assert f"{tmp_path}/bad.py cannot be imported: SyntaxError: " in text
        assert text.endswith(f"(at {tmp_path}/bad.py, line 2).\n")
        assert text.count("line 2") == 1

    def test_a_module_is_no_object(self, tmp_path):
        text = said(shell("serve", "math", "-b", "tcp://127.66.0.1:0", cwd=tmp_path), 2)
        assert "OBJECT is package.module:name or path/to/file.py:name, such as work.py:service" in text

    @pytest.mark.parametrize("verb", ["serve {}:service -b tcp://127.66.0.1:0", "map {}:double 1"])
    @pytest.mark.parametrize("module", ["own.py", "own"])
    def test_one_that_serves_by_itself(self, tmp_path, verb, module):
        (tmp_path / "own.py").write_text(
            f'{SERVICE}from elsewhere import Service\nservice = Service(double)\nservice.serve("tcp://127.66.0.1:0")\n'
        )
        text = said(shell(*verb.format(module).split(), cwd=tmp_path), 2)
        assert " serves by itself while it is loaded" in text
        assert '`if __name__ == "__main__":`' in text

    def test_one_that_does_not_come_to_its_end_is_told_where_it_is(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(loading, "PATIENCE", 0.05)
        (tmp_path / "slow_program.py").write_text(
            "import os, time\ndef f(x): return x\nend = time.monotonic() + 30\n"
            "while not os.path.exists('go') and time.monotonic() < end:\n    time.sleep(0.01)\n"
        )
        told: list[str] = []

        def say(text: str) -> None:
            told.append(text)
            (tmp_path / "go").touch()

        monkeypatch.setattr(loading, "say", say)
        try:
            assert run(["map", "-n", "slow_program.py:f", "1"]) == 0
        finally:
            sys.modules.pop("slow_program", None)
        assert len(told) == 1
        assert "slow_program.py is still being loaded after 0.05 s, at line " in told[0]
        assert '`if __name__ == "__main__":`' in told[0]


class TestServe:
    @pytest.fixture
    def taken(self):
        with socket.create_server(("127.66.0.1", 0)) as server:
            yield server.getsockname()[1]

    @pytest.mark.parametrize("workers", ["1", "2"])
    @pytest.mark.parametrize("scheme", ["tcp", "http"])
    def test_a_port_in_use(self, tmp_path, taken, scheme, workers):
        (tmp_path / "work.py").write_text(SERVICE)
        address = f"{scheme}://127.66.0.1:{taken}"
        text = said(shell("serve", "work.py:double", "-b", address, "-w", workers, cwd=tmp_path), 1)
        assert f"cannot listen at {address}" in text
        assert "another program has the port" in text

    def test_an_address_of_another_machine_and_a_name_that_is_none(self, tmp_path):
        (tmp_path / "work.py").write_text(SERVICE)
        for address, words in (
            ("tcp://192.0.2.1:7000", "this machine has no such address"),
            ("tcp://nowhere.invalid:7000", "'nowhere.invalid' cannot be resolved"),
        ):
            assert words in said(shell("serve", "work.py:double", "-b", address, "--insecure", cwd=tmp_path), 1)

    def test_a_dry_run_listens_nowhere(self, tmp_path, taken):
        (tmp_path / "work.py").write_text(SERVICE)
        ended = shell("serve", "-n", "work.py:double", "-b", f"tcp://127.66.0.1:{taken}", cwd=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.splitlines() == [
            f"object    {tmp_path}/work.py:double",
            f"at        tcp://127.66.0.1:{taken}",
            "methods   double(n: int) -> int",
        ]
        assert "did you mean" in said(shell("serve", "-n", "work.py:double", "-b", "127.0.0.1:1", cwd=tmp_path), 2)

    def test_sighup(self, tmp_path):
        (tmp_path / "work.py").write_text(SERVICE)
        with Started("serve", "work.py:double", "-b", f"unix://{tmp_path}/s", cwd=tmp_path) as started:
            assert started.process.stderr.readline() == f"serving at unix://{tmp_path}/s\n".encode()
            started.process.send_signal(signal.SIGHUP)
            assert started.end() == 129


def test_a_dry_run_of_a_call_asks_nobody(tmp_path):
    ended = shell("call", "-n", "tcp://127.66.0.1:1", "same", "7", "seven", "-k", "more=[1]", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "calls     same(7, 'seven', more=[1])\nat        tcp://127.66.0.1:1\n"


class TestMissingExtras:
    @pytest.mark.parametrize(
        ("line", "module", "extra"),
        [
            ("run -H web1 -- id", "asyncssh", "fleet"),
            ("run -n -H web1 -- id", "asyncssh", "fleet"),
            ("put -H web1 sample /tmp/", "asyncssh", "fleet"),
            ("map math:sqrt 4 -q -H web1", "asyncssh", "fleet"),
            ("map math:sqrt 4 -q --where dask", "distributed", "dask"),
            ("map math:sqrt 4 -q --where dask://127.66.0.1:1", "distributed", "dask"),
            ("serve math:sqrt -b http://127.66.0.1:0", "starlette", "http"),
        ],
    )
    @pytest.mark.parametrize("configured", [False, True])
    def test_is_a_sentence_with_the_command(self, tmp_path, line, module, extra, configured):
        if configured:  # reading it needs asyncssh, too
            if extra != "fleet":
                return
            (tmp_path / ".ssh").mkdir()
            (tmp_path / ".ssh" / "config").write_text("Host web1\n")
        (tmp_path / "sample").touch()
        ended = shell(*line.split(), cwd=tmp_path, HOME=str(tmp_path), **without(tmp_path / "gone", module))
        assert f"python -m pip install 'elsewhere[{extra}]'.\n" in said(ended, 1)

    @pytest.mark.parametrize(
        "file", ["from fabric import task\n@task\ndef t(c):\n    c.run('id')\n", "def t():\n    pass\n"]
    )
    def test_of_fab(self, tmp_path, file):
        (tmp_path / "fabfile.py").write_text(file.replace("pass", "from fabric.api import run; run('id')"))
        ended = shell(
            "fab", "-H", "web1", "t", cwd=tmp_path, HOME=str(tmp_path), **without(tmp_path / "gone", "asyncssh")
        )
        assert ended.returncode == 1
        assert "python -m pip install 'elsewhere[fleet]'" in ended.stderr


class TestStreams:
    """Closed, full, or left by who reads."""

    @pytest.mark.parametrize("from_stdin", [[], ["--from", "-"]])
    def test_a_closed_stdin(self, tmp_path, from_stdin):
        text = said(by_shell('exec "$@" <&-', "map", "math:sqrt", *from_stdin, cwd=tmp_path), 2)
        assert "stdin is closed: give inputs as arguments or by --from FILE" in text

    def test_a_closed_stdin_is_no_matter_where_nothing_comes_from_it(self, tmp_path):
        ended = by_shell('exec "$@" <&-', "map", f"{SAMPLE}:double", "1", "--text", "-q", cwd=tmp_path)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")

    @pytest.mark.parametrize(
        ("line", "where"),
        [
            ("--help", ">/dev/full"),
            ("map --help-all", ">&-"),
            ("doctor numpy", ">/dev/full"),
            ("completion zsh", ">&-"),
            ("map -n math:sqrt 4", ">/dev/full"),
        ],
    )
    def test_stdout_that_cannot_be_written(self, tmp_path, line, where):
        text = said(by_shell(f'exec "$@" {where}', *line.split(), cwd=tmp_path), 1)
        assert "stdout cannot be written: " in text

    def test_unbuffered_too(self, tmp_path):
        ended = by_shell('exec "$@" >/dev/full', "--help", cwd=tmp_path, PYTHONUNBUFFERED="1")
        assert "stdout cannot be written: No space left on device." in said(ended, 1)

    @pytest.mark.parametrize("line", ["--help", "map --help-all", "doctor numpy"])
    def test_a_reader_who_has_left(self, tmp_path, line):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as nobody:
            left = subprocess.run(
                command(*line.split()), stdout=nobody, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(),
                check=False, timeout=60, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        assert (left.returncode, left.stderr) == (141, b"")

    def test_a_full_disk(self, tmp_path):
        """A disk of 64 kB; with more room the run is gone on with."""
        big = tmp_path / "big.py"
        big.write_text("def big(n: int):\n    return 'x' * n\n")
        (tmp_path / "disk").mkdir()
        full = (
            'mount -t tmpfs -o size=64k tmpfs disk; cd disk; "$@"; echo $?; wc -l <rows; '
            'mount -o remount,size=1m .; "$@" --resume; echo $?; wc -l <rows'
        )
        args = ["map", f"{big}:big", *["20000"] * 5, "-q", "-o", "rows"]
        ended = in_namespace(full, *args, cwd=tmp_path)
        assert ended.stderr.startswith(
            "elsewhere: rows cannot be written: No space left on device. Free some space first."
        )
        assert "To go on: " in ended.stderr
        assert ended.stderr.count("\n") == 1
        code, first, again, second = ended.stdout.split()
        assert (code, again, second) == ("1", "0", "5")
        assert int(first) < 5  # whole lines only

    def test_a_disk_that_cannot_be_written(self, tmp_path):
        line = 'mount -t tmpfs -o ro tmpfs .; cd .; exec "$@"'
        ended = in_namespace(
            line.replace("cd .", f"cd {tmp_path}"), "map", f"{SAMPLE}:double", "1", "-o", "rows", cwd=tmp_path
        )
        assert "Rows cannot be written to rows: Read-only file system" in said(ended, 2)


class TestSignals:
    def test_nothing_begun_is_nothing_to_go_on_with(self, tmp_path):
        with Started("map", f"{SAMPLE}:waits", "wait", "-q", cwd=tmp_path) as started:
            until(lambda: children(started.process.pid))
            started.process.send_signal(signal.SIGTERM)
            assert started.end() == 143
        assert started.said == b"elsewhere: stopped by SIGTERM after 0 of 1 row.\n"

    def test_ctrl_c_while_the_command_is_loaded(self, tmp_path):
        came = tmp_path / "came"
        text = f"import time\nopen({str(came)!r}, 'w').close()\ntime.sleep(60)\n"
        with Started(
            "map", "math:sqrt", "4", cwd=tmp_path, variables=instead(tmp_path / "odd", text, "click")
        ) as started:
            until(came.exists)
            started.process.send_signal(signal.SIGINT)
            assert started.end() == 130
        assert started.said == b""

    def test_ctrl_c_twice(self, tmp_path):
        with Started("map", f"{SAMPLE}:waits", "a", "wait", "-q", cwd=tmp_path) as started:
            started.process.stdout.readline()
            family = children(started.process.pid)
            started.process.send_signal(signal.SIGINT)
            with contextlib.suppress(ProcessLookupError):
                started.process.send_signal(signal.SIGINT)
            assert started.end() in {130, -signal.SIGINT}  # a shell shows 130 for both
            until(lambda: not alive(family))
        assert started.said.count(b"\n") <= 1

    def test_the_terminal_is_closed(self, tmp_path):
        out = tmp_path / "out"
        leader, terminal = pty.openpty()
        line = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"
        process = subprocess.Popen(
            [sys.executable, "-c", line, *command("map", f"{SAMPLE}:waits", "a", "wait", "-o", str(out))],
            stdin=terminal, stdout=terminal, stderr=terminal, cwd=tmp_path, env=environment(), start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        try:
            until(lambda: lines(out) == 1)
            assert termios.tcgetattr(leader)  # it is one
            family = children(process.pid)
            os.close(leader)
            assert process.wait(30) == 129
            until(lambda: not alive(family))
            assert len(rows(out)) == 1
        finally:
            process.kill()
            process.wait()


class TestNumberOne:
    """As the first process of a container, to which `docker stop` sends SIGTERM, and SIGKILL ten seconds later."""

    def started(self, tmp_path: Path, *args: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*namespace("--pid"), *command(*args)], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def stopped(self, process: subprocess.Popen[bytes], name: str) -> tuple[int, bytes]:
        family = children(process.pid)
        (first,) = (pid for pid in family if b"elsewhere" in cmdline(pid) and parent(pid) == process.pid)
        os.kill(first, getattr(signal, name))
        try:
            _, err = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()
        until(lambda: not alive(family))
        return process.returncode, err

    @pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
    def test_map(self, tmp_path, name, code):
        out = tmp_path / "out"
        process = self.started(tmp_path, "map", f"{SAMPLE}:waits", "a", "wait", "-q", "-o", str(out))
        until(lambda: lines(out) == 1)
        found, err = self.stopped(process, name)
        assert found == code
        assert f"stopped by {name} after 1 of 2 rows. To go on: ".encode() in err

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_serve(self, tmp_path, workers):
        (tmp_path / "work.py").write_text(SERVICE)
        address = f"unix://{tmp_path}/s"
        process = self.started(tmp_path, "serve", "work.py:double", "-b", address, "-w", workers)
        assert process.stderr is not None
        assert process.stderr.readline() == f"serving at {address}\n".encode()
        assert shell("call", address, "double", "4", cwd=tmp_path).stdout == "8\n"
        assert self.stopped(process, "SIGTERM") == (143, b"")


def cmdline(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
