"""``elsewhere run`` as its users run it: a real process, a real sshd, real signals, real pipes."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
from pathlib import Path

from tests.cli.helpers import command, environment, until
from tests.cli.hosts.helpers import Here, Home, Terminal, rows_of


class TestOneHost:
    def test_output_is_passed_on_as_it_is(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web1", "--", "printf 'a\\033[1m'; echo b >&2")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a\x1b[1m", "b\n")

    def test_the_code_is_the_commands_own(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web1", "--", "echo why >&2; exit 7")
        assert (ended.returncode, ended.stdout, ended.stderr) == (7, "", "why\n")
        assert home.shell("run", "-H", "web1", "--", "kill -KILL $$").returncode == 128 + 9

    def test_not_reached_is_255(self, here: Here) -> None:
        ended = here("run", "-H", "none5", "--", "true")
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (255, "", 1)
        assert "refuses connections" in ended.stderr

    def test_too_late_is_124(self, here: Here) -> None:
        ended = here("run", "-H", "web1", "--timeout", "0.5", "--", "sleep 1000")
        assert (ended.returncode, ended.stderr.count("\n")) == (124, 1)
        assert "timeout of 0.5 s" in ended.stderr

    def test_several_words_are_arguments(self, here: Here) -> None:
        ended = here("run", "-H", "web1", "printf", "%s|", "a b", "$(id)", "; exit 3")
        assert (ended.returncode, ended.stdout) == (0, "a b|$(id)|; exit 3|")


class TestSeveral:
    def test_lines_have_their_hosts_name(self, here: Here) -> None:
        ended = here("run", "-H", "web[1-3]", "-q", "--", "echo hi; echo oh >&2")
        assert ended.returncode == 0
        assert sorted(ended.stdout.splitlines()) == ["[web1] hi", "[web2] hi", "[web3] hi"]
        assert sorted(ended.stderr.splitlines()) == ["[web1]! oh", "[web2]! oh", "[web3]! oh"]

    def test_some_failed(self, here: Here) -> None:
        ended = here("run", "-H", "web1,web2,none5", "--json", "--", "echo hi")
        found = rows_of(ended.stdout)
        assert ended.returncode == 1
        assert {host: row["ok"] for host, row in found.items()} == {"web1": True, "web2": True, "none5": False}
        assert found["none5"]["error"]["type"] == "ConnectError"
        assert "run failed on 1 of 3 hosts" in ended.stderr


class TestOptions:
    def test_what_is_passed_on(self, home: Home) -> None:
        far = "pwd; echo $PLAIN $SECRET; cat; cat /proc/$PPID/cmdline | tr '\\0' ' ' | grep -c hush"
        done = home.shell(
            "run", "-H", "web1", "--cwd", "/usr/lib", "--env", "PLAIN=a b", "--env", "SECRET", "--stdin", "--", far,
            stdin="\0ín".encode(), SECRET="hush",
        )  # fmt: skip
        assert done.stdout == "/usr/lib\na b hush\n\0ín0\n"

    def test_input_is_passed_on_as_it_comes(self, home: Home) -> None:
        far = "while read -r x; do echo got $x; done; echo end"
        with home.started("run", "-H", "web1", "--stdin", "--", far, stdin=subprocess.PIPE) as started:
            process = started.process
            for word in (b"one", b"two"):
                process.stdin.write(word + b"\n")
                process.stdin.flush()
                assert process.stdout.readline() == b"got " + word + b"\n"
            assert started.end() == 0
            assert (started.out, started.said) == (b"end\n", b"")

    def test_a_command_may_end_before_its_input(self, home: Home) -> None:
        with home.started("run", "-H", "web1", "--stdin", "--", "exit 4", stdin=subprocess.PIPE) as started:
            assert started.process.wait(60) == 4

    def test_a_large_input(self, home: Home) -> None:
        done = home.shell("run", "-H", "web1", "--stdin", "--", "cksum", stdin=bytes(range(256)) * 100_000)
        here = subprocess.run(["cksum"], input=bytes(range(256)) * 100_000, capture_output=True, check=True)
        assert done.stdout == here.stdout.decode()

    def test_nothing_is_read_without_stdin(self, home: Home) -> None:
        assert home.shell("run", "-H", "web1", "--", "cat", stdin=b"mine").stdout == ""

    def test_a_terminal(self, here: Here) -> None:
        done = here("run", "-H", "web1", "--pty", "--", "tty; echo err >&2")
        assert done.stdout.startswith("/dev/")
        assert "err" in done.stdout

    def test_grouped(self, here: Here) -> None:
        far = "case $SSH_CONNECTION in *.3\\ *) echo other; exit 4 ;; esac; echo same"
        done = here("run", "-q", "-H", "web[1-4]", "--grouped", "--", far)
        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            "== web[1-2,4] (3 hosts): ok", "same", "== web3: exit status 4", "other",
        ]  # fmt: skip

    def test_a_large_output_into_a_pipe(self, home: Home) -> None:
        done = home.shell("run", "-H", "web1", "--", "head -c 20000000 /dev/zero | tr '\\0' x")
        assert done.stdout == "x" * 20_000_000

    def test_what_is_detached_lives_on(self, here: Here) -> None:
        done = here("run", "-H", "web1", "--detach", "--", "exec sleep 1000")
        pid = int(done.stdout)
        try:
            assert (done.returncode, done.stderr) == (0, "")
            until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\0001000\0")
        finally:
            os.kill(pid, signal.SIGKILL)
        done = here("run", "-q", "-H", "web[1-2]", "--detach", "--", "true")
        assert [line.split()[0] for line in sorted(done.stdout.splitlines())] == ["[web1]", "[web2]"]

    def test_new_keys(self, here: Here) -> None:
        refused = here("run", "-H", "strange1", "--", "true")
        assert (refused.returncode, refused.stderr.count("\n")) == (255, 1)
        assert "is not known: SHA256:" in refused.stderr
        assert here("run", "-H", "strange1", "--accept-new", "--", "true").returncode == 0
        assert here("run", "-H", "strange1", "--", "true").returncode == 0

    def test_files_say_who_logs_in(self, home: Home, here: Here) -> None:
        (home.work / "inv").write_text(
            f"[web]\nw[1:2] ansible_port={home.server.port}\n[web:vars]\nansible_host=web1\n"
        )
        key = str(home.server.key)
        done = here("run", "-q", "-i", "inv", "-i", key, "-g", "web", "-x", "w2", "--json", "--", "echo hi")
        assert {host: row["stdout"] for host, row in rows_of(done.stdout).items()} == {"w1": "hi\n"}

    def test_what_a_terminal_would_obey_is_shown(self, home: Home) -> None:
        shown = on_terminal(home, "run", "-H", "web1", "--", "printf 'a\\033]0;x\\007b\\n'")
        assert b"a\\x1b]0;x\\x07b\r\n" in shown
        assert b"\x1b]" not in shown


def on_terminal(home: Home, *args: str) -> bytes:
    """What somebody sees whose stdout is a terminal."""
    leader, terminal = pty.openpty()
    with contextlib.closing(os.fdopen(leader, "rb", 0)) as screen:
        process = subprocess.Popen(
            command(*args), stdout=terminal, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            cwd=home.work, env=environment(TERM="xterm", **home.variables),
        )  # fmt: skip
        os.close(terminal)
        found = b""
        with contextlib.suppress(OSError):  # EIO is its end
            while data := screen.read(65536):
                found += data
        _, said = process.communicate(timeout=50)
        assert (process.returncode, said) == (0, b"")
    return found


class TestInteractive:
    def test_a_shell_for_who_sits_here(self, home: Home) -> None:
        with Terminal(home, "run", "-H", "web1", "--pty") as terminal:
            os.write(terminal.fd, b"echo $((40 + 2))-$SSH_TTY\n")
            terminal.until(b"42-/dev/")
            os.write(terminal.fd, b"exit 5\n")
            assert terminal.end() == 5

    def test_ctrl_c_is_the_commands(self, home: Home) -> None:
        far = "trap 'echo heard; exit 6' INT; echo ready; while :; do sleep 0.1; done"
        with Terminal(home, "run", "-H", "web1", "--pty", "--", far) as terminal:
            terminal.until(b"ready")
            os.write(terminal.fd, b"\x03")
            assert terminal.end() == 6
            assert b"heard" in terminal.seen

    def test_not_reached(self, home: Home) -> None:
        with Terminal(home, "run", "-H", "none5", "--pty") as terminal:
            assert terminal.end() == 255
            assert terminal.seen.count(b"\n") == 1
            assert b"refuses connections" in terminal.seen

    def test_without_a_terminal_it_needs_a_command(self, home: Home) -> None:
        done = home.shell("run", "-H", "web1", "--pty")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
