"""Whatever ends ``elsewhere run`` early: what is said, what is kept, and that nothing is left running on any host."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.helpers import command, environment, lines, until
from tests.cli.hosts.helpers import Here, Home, rows_of


def ended(pid: int) -> bool:
    """Is that process of a host gone? Hosts are this machine."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


def pids(folder: Path, count: int) -> list[int]:
    """What so many hosts have written into `folder`, once all of them have."""

    def found() -> list[int]:
        texts = [path.read_text() for path in folder.glob("pid.*")]
        return [int(text) for text in texts if text.endswith("\n")]

    until(lambda: len(found()) == count)
    return found()


def sleeper(folder: Path) -> str:
    """A command that says its process and its child's, and sleeps."""
    return f"sleep 1000 & echo $! >{folder}/pid.$!; echo $$ >{folder}/pid.$$; wait"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_nothing_running(home: Home, name: str) -> None:
    number = getattr(signal, name)
    with home.started("run", "-q", "-H", "web[1-3]", "--", sleeper(home.work)) as started:
        running = pids(home.work, 6)
        os.kill(started.process.pid, number)
        assert started.end() == 128 + number
        until(lambda: all(map(ended, running)))
    said = started.said.decode()
    assert (
        f"elsewhere: stopped by {name} after 0 of 3 hosts. To go on: python -m elsewhere run -H 'web[1-3]' -q -- "
        in said
    )
    assert said.count("\n") == 1


def test_ctrl_c_with_one_host_is_silent(home: Home) -> None:
    with home.started("run", "-H", "web1", "--", sleeper(home.work)) as started:
        running = pids(home.work, 2)
        os.kill(started.process.pid, signal.SIGINT)
        assert (started.end(), started.said) == (130, b"")
        until(lambda: all(map(ended, running)))


def test_a_kill_leaves_nothing_running(home: Home) -> None:
    with home.started("run", "-H", "web1,web2", "--", sleeper(home.work)) as started:
        running = pids(home.work, 4)
        started.process.kill()
        started.process.wait()
        until(lambda: all(map(ended, running)))


@pytest.mark.parametrize("hosts", ["web1", "web[1-2]"])
def test_a_reader_who_leaves(home: Home, hosts: str) -> None:
    far = f"echo $$ >{home.work}/pid.$$; exec yes"
    line = shlex.join(command("run", "-q", "-H", hosts, "--", far)) + "; echo $? >code"
    done = subprocess.run(
        f"({line}) | head -n 2",
        shell=True,
        capture_output=True,
        cwd=home.work,
        env=environment(**home.variables),
        check=True,
        timeout=60,
    )
    assert done.stdout.count(b"y\n") == 2
    assert done.stderr == b""
    assert (home.work / "code").read_text() == "141\n"
    # Of two hosts the second may not have begun.
    until(lambda: all(map(ended, pids(home.work, len([*home.work.glob("pid.*")])))))
    assert [*home.work.glob("pid.*")]


def test_a_full_disk(home: Home) -> None:
    done = home.shell("run", "-q", "-H", "web[1-2]", "-o", "/dev/full", "--", "true")
    assert done.returncode == 1
    assert "elsewhere: /dev/full cannot be written: No space left on device" in done.stderr


class TestRows:
    def test_a_killed_run_is_gone_on_with(self, home: Home) -> None:
        out = home.work / "rows.jsonl"
        # The third host waits until a file is there.
        far = f"case $SSH_CONNECTION in *.3\\ *) test -e {home.work}/go || sleep 1000 ;; esac; date +%s.%N"
        arguments = ("run", "-q", "-H", "web[1-4]", "-o", "rows.jsonl", "--resume", "--", far)
        with home.started(*arguments) as started:
            until(lambda: lines(out) == 3)
            started.process.kill()
            started.process.wait()
        before = rows_of(out.read_text())
        assert sorted(before) == ["web1", "web2", "web4"]
        (home.work / "go").touch()
        assert home.shell(*arguments).returncode == 0
        after = rows_of(out.read_text())
        assert sorted(after) == ["web1", "web2", "web3", "web4"]
        assert {host: after[host] for host in before} == before

    def test_a_signal_says_how_to_go_on(self, home: Home) -> None:
        out = home.work / "rows.jsonl"
        far = f"case $SSH_CONNECTION in *.3\\ *) test -e {home.work}/go || sleep 1000 ;; esac"
        with home.started("run", "-q", "-H", "web[1-4]", "-o", "rows.jsonl", "--", far) as started:
            until(lambda: lines(out) == 3)
            os.kill(started.process.pid, signal.SIGINT)
            assert started.end() == 130
        said = started.said.decode()
        assert "elsewhere: stopped by SIGINT after 3 of 4 hosts. To go on: " in said
        again = shlex.split(said.partition("To go on: ")[2])
        assert again == ["python", "-m", "elsewhere", "run", "--resume", "-q", "-H", "web[1-4]",
                         "-o", "rows.jsonl", "--", far]  # fmt: skip
        (home.work / "go").touch()
        assert home.shell(*again[3:]).returncode == 0
        assert sorted(rows_of(out.read_text())) == ["web1", "web2", "web3", "web4"]

    def test_what_failed_is_run_again_if_asked(self, home: Home, here: Here) -> None:
        far = f"echo x >>{home.work}/times; test -e {home.work}/go"
        arguments = ("run", "-H", "web[1-2],none5", "-o", "rows.jsonl")
        assert here(*arguments, "--", far).returncode == 1
        (home.work / "go").touch()
        done = here(*arguments, "--resume", "--", far)
        assert done.returncode == 1
        assert "3 of 3 hosts have a row, 0 to go." in done.stderr
        assert "3 rows of an earlier run failed: --retry-failed runs them again." in done.stderr
        assert here(*arguments, "--retry-failed", "-x", "none5", "--", far).returncode == 0
        found = rows_of((home.work / "rows.jsonl").read_text())
        assert {host: row["ok"] for host, row in found.items()} == {"web1": True, "web2": True}
        assert lines(home.work / "times") == 4

    def test_rows_of_hosts_that_are_not_named_stay(self, home: Home, here: Here) -> None:
        for host in ("web1", "web2"):
            assert here("run", "-q", "-H", host, "-o", "rows.jsonl", "--resume", "--", "true").returncode == 0
        assert sorted(rows_of((home.work / "rows.jsonl").read_text())) == ["web1", "web2"]


def test_no_host_is_touched_after_the_limit(home: Home) -> None:
    far = f"echo $SSH_CONNECTION >>{home.work}/touched"
    done = home.shell("run", "-q", "-j", "1", "--max-failures", "1", "-H", "web1,none5,web2,web3", "--", far)
    assert done.returncode == 1
    assert "stopped, as --max-failures asks. To go on: python -m elsewhere run -H 'web[2-3]' -q -j 1 " in done.stderr
    assert lines(home.work / "touched") == 1


@pytest.mark.parametrize(
    ("closed", "hosts", "code", "out", "said"),
    [
        (">&-", "web1", 1, b"", b"elsewhere: stdout cannot be written: Bad file descriptor."),
        (">&-", "web1,web2", 1, b"", b"elsewhere: what hosts say cannot be shown: Bad file descriptor."),
        ("2>&-", "web1", 3, b"out\n", b""),
        ("2>&-", "web1,web2", 1, b"[web1] out\n[web2] out\n", b""),
        ("<&-", "web1", 3, b"out\n", b"err\n"),
    ],
)
def test_closed_streams(home: Home, closed: str, hosts: str, code: int, out: bytes, said: bytes) -> None:
    """No socket is taken for the stream whose number it has."""
    line = shlex.join(command("run", "-q", "-H", hosts, "-j", "1", "--", "echo out; echo err >&2; exit 3"))
    done = subprocess.run(
        f"{line} {closed}", shell=True, capture_output=True, cwd=home.work, env=environment(**home.variables),
        check=False, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr[: len(said)]) == (code, out, said)
    assert b"Traceback" not in done.stderr
