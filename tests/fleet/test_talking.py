"""Commands that ask, that are left to themselves, that come many at once; what stands around them; views of a host."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.call import Retry
from elsewhere.errors import CallTimeout, ConnectionLost
from elsewhere.fleet import CommandError, Fleet, Host
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.commands.run import run
from elsewhere.fleet.engine import engine
from tests.fleet.sshd import Sshd, account, sshd
from tests.fleet.test_link import becomes, gone, options
from tests.require import require


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A host with an account that has plain sh: what root's shell reads first may take long."""
    with sshd(tmp_path_factory.mktemp("talking"), ["127.11.2.1"]) as server:
        if os.geteuid() != 0:
            yield server
            return
        with account("ewtalking", server):
            yield server._replace(user="ewtalking")


@pytest.fixture
def host(home: Sshd) -> Iterator[Host]:
    with Host(f"{home.user}@{home.hosts[0]}", **options(home)) as found:
        yield found


# ---- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pty", [False, True])
def test_what_is_asked_is_answered_once_for_each_question(host: Host, pty: bool) -> None:
    ask = "printf 'Name: '; read -r a; printf 'Sure [y/n]? '; read -r b; printf 'Name: ' >&2; read -r c"
    asks = f"{ask}; echo; echo $a-$b-$c"
    result = host.run(asks, pty=pty, answers={"Name:": "my Name:", r"\[y/n\]\?": "y"}, timeout=20)
    assert result.stdout.splitlines()[-1] == "my Name:-y-my Name:"


def test_a_secret_that_is_not_echoed(host: Host) -> None:
    asks = "stty -echo; printf 'Password: '; read -r a; stty echo; echo; echo ${#a}; printf 'Again: '; read -r b"
    result = host.run(asks, pty=True, answers=[("Password:", "hush"), ("Again:", "no")], timeout=20)
    assert "hush" not in result.stdout
    assert "\n4\r\n" in result.stdout


def test_a_question_without_an_answer_is_told(host: Host) -> None:
    with pytest.raises(CallTimeout, match=r"the last that it wrote was 'Really\?', for which there is no answer"):
        host.run("printf 'Really? '; read -r a", answers={"Name:": "x"}, timeout=2.5)


# ---- detached --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sleep 1000", ["sleep", "1000"]])
def test_a_detached_command_lives_on(host: Host, command: Any) -> None:
    found = host.run(command, detach=True)
    assert (found.args, str(found.host), found.ok) == (command, host.name, True)
    host.close()
    try:
        assert not gone(found.pid)
    finally:
        host.run(f"kill -KILL -{found.group}")
    becomes(lambda: gone(found.pid))


def test_detached_commands_take_no_room(host: Host) -> None:
    found = [host.run(["sleep", "1000"], detach=True) for _ in range(12)]
    for each in found:
        os.killpg(each.group, signal.SIGKILL)


# ---- many, and large -------------------------------------------------------------------------------------------------


def test_many_at_once_on_one_connection(host: Host) -> None:
    futures = [host.run_async(f"echo {number}") for number in range(60)]
    assert [future.result(60).stdout for future in futures] == [f"{number}\n" for number in range(60)]


def test_a_sink_that_is_slow_holds_up_who_writes(host: Host, tmp_path: Path) -> None:
    """... and nothing is lost: 30 MB, while the far side waits for whoever reads."""
    seen: list[int] = []
    held: list[int] = []

    async def slow(_name: str, data: bytes) -> None:
        seen.append(len(data))
        if len(seen) < 20:
            before = len(seen)
            await asyncio.sleep(0.01)
            held.append(len(seen) - before)

    command = prepare("head -c 30000000 /dev/zero", encoding=None)
    result = engine().call(lambda: run(host, command, slow, keep=False))
    assert (sum(seen), result.stdout) == (30_000_000, b"")
    assert held == [0] * 19


def test_output_is_shown_while_it_comes(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    result = host.options(timeout=20).run("echo one; echo two >&2", output="live")
    shown = capfd.readouterr()
    assert (result.stdout, result.stderr) == ("one\n", "two\n")
    assert shown.out == f"[{host}] one\n"
    assert shown.err == f"[{host}]! two\n"
    with pytest.raises(CommandError, match="exit status 3"):
        host.run("exit 3", output="live")
    with pytest.raises(ValueError, match="output"):
        host.run("true", output="loud")  # type: ignore[arg-type]  # that is what is tested


def test_input_that_comes_bit_by_bit(host: Host) -> None:
    asked: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(400):
            asked.append(number)
            yield b"x" * 50_000

    result = engine().call(lambda: run(host, prepare("wc -c"), source=pieces()))
    assert result.stdout.strip() == "20000000"
    asked.clear()
    # One that does not read ends, although nobody takes its input, of which little has been asked for.
    assert engine().call(lambda: run(host, prepare("sleep 0.3; echo done"), source=pieces())).stdout == "done\n"
    assert len(asked) < 200


def test_an_error_of_the_source_ends_the_command(host: Host, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        engine().call(lambda: run(host, prepare("cat; sleep 1000"), source=broken()))


# ---- around ----------------------------------------------------------------------------------------------------------


def test_what_stands_around_a_command(host: Host) -> None:
    with host.cd("/usr"), host.prefix("X=1; export X"), host.env(Y="a;b"):
        with host.cd("lib"):
            assert host.run("pwd; echo $X $Y").stdout == "/usr/lib\n1 a;b\n"
            assert host.run("pwd", cwd="/").stdout == "/\n"
            assert host.run_async(["printenv", "X", "Y"], env={"Y": "2"}).result(20).stdout == "1\n2\n"
        assert host.run("pwd").stdout == "/usr\n"
        with host.cd("~"):
            assert host.run("pwd").stdout.strip() == host.run("echo ~").stdout.strip()
        with host.cd(f"~{host.spec.user}/.ssh"):
            assert host.run("pwd").stdout.endswith("/.ssh\n")
    assert host.run("echo $X $Y").stdout == "\n"
    with host.prefix("echo no >&2; false"), pytest.raises(CommandError, match="exit status 1: no"):
        host.run("echo; echo ran")


def test_it_belongs_to_who_said_it(host: Host, home: Sshd) -> None:
    seen: list[str] = []
    with Host(f"{home.user}@{home.hosts[0]}", **options(home)) as other, host.cd("/usr"):
        thread = threading.Thread(target=lambda: seen.append(host.run("pwd").stdout))
        thread.start()
        thread.join(30)
        assert seen[0] != "/usr\n"
        assert other.run("pwd").stdout != "/usr\n"
        assert host.options(timeout=9).run("pwd").stdout == "/usr\n"


def test_it_may_stand_around_a_fleet(server: Sshd) -> None:
    with Fleet(*server.hosts[:2], **options(server)) as fleet:
        with fleet.cd("/usr"), fleet[0].env(X="1"), fleet.prefix("test -z $Y"):
            found = fleet.run("pwd; echo $X", cwd="lib")
        assert [result.stdout for result in found.values()] == ["/usr/lib\n1\n", "/usr/lib\n\n"]
        assert fleet.run("pwd", detach=True)[fleet[1]].ok


def test_it_stands_around_sudo_too(server: Sshd) -> None:
    require(program="sudo", install="apt-get install sudo")
    with Host(server.hosts[0], **options(server)) as host:
        with host.cd("/usr"), host.env(X="a;b"), host.prefix("Y=1"):
            assert host.sudo("pwd; echo $X $Y", cwd="lib", user="nobody").stdout == "/usr/lib\na;b 1\n"
        with pytest.raises(CallTimeout):
            host.options(timeout=0.5).sudo("sleep 1000", user="nobody")
        found = host.sudo(["sleep", "1000"], user="nobody", detach=True)
    try:
        assert not gone(found.pid)
    finally:
        os.kill(found.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (lambda host: host.cd(""), ValueError),
        (lambda host: host.cd("a\0"), ValueError),
        (lambda host: host.cd(7), TypeError),
        (lambda host: host.prefix(7), TypeError),
        (lambda host: host.env(X=1), TypeError),
        (lambda host: host.run("x", answers="yes"), TypeError),
        (lambda host: host.run("x", answers={"(": "yes"}), ValueError),
        (lambda host: host.run("x", answers={"": "yes"}), ValueError),
        (lambda host: host.run("x", answers={"a": 1}), TypeError),
        (lambda host: host.run("x", answers={"a": "b"}, input="c"), ValueError),
        (lambda host: host.run("x", detach=True, pty=True), ValueError),
        (lambda host: host.options(timeout=-1), ValueError),
        (lambda host: host.options(retry="x"), TypeError),
    ],
)
def test_what_is_wrong_is_said_at_once(what: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        what(Host("nobody.invalid", config=()))


# ---- views -----------------------------------------------------------------------------------------------------------


def test_a_view_has_options_of_its_own(host: Host) -> None:
    view = host.options(timeout=0.3)
    with pytest.raises(CallTimeout):
        view.run("sleep 1000")
    assert view.run("echo in", timeout=20).stdout == "in\n"
    assert view == host
    assert view.link is host.link


def test_a_view_tries_again(host: Host) -> None:
    folder = host.run("mktemp -d").stdout.strip()
    command = f"echo >> {folder}/tries; [ $(wc -l < {folder}/tries) = 3 ]"
    with pytest.raises(CommandError):
        host.options(retry=Retry(5, on=(ConnectionLost,))).run(command)
    assert host.options(retry=2).run(command).ok


# ---- a connection that breaks ----------------------------------------------------------------------------------------


def break_it(host: Host) -> None:
    async def cut() -> None:
        connection = await host.link.connection()
        connection._transport.abort()  # type: ignore[union-attr]  # as when its cable is cut

    engine().call(cut)


def test_a_broken_connection_is_made_anew_by_the_next_command(host: Host) -> None:
    assert host.run("echo one").stdout == "one\n"
    break_it(host)
    assert host.run("echo two").stdout == "two\n"


def test_a_connection_whose_end_nobody_has_seen_is_made_anew(server: Sshd) -> None:
    with Host(server.hosts[0], **options(server)) as host:
        pid = int(host.run("echo $PPID").stdout)

        async def cut_and_run() -> str:
            os.kill(pid, signal.SIGKILL)  # the loop hears of that only after the command was sent
            return str((await run(host, prepare("echo two"))).stdout)

        assert engine().call(cut_and_run) == "two\n"


def test_what_may_have_run_is_not_run_again(host: Host) -> None:
    folder = host.run("mktemp -d").stdout.strip()
    future = host.run_async(f"echo >> {folder}/ran; sleep 1000")
    becomes(lambda: host.run(f"cat {folder}/ran 2>/dev/null", check=False).stdout == "\n")
    break_it(host)
    with pytest.raises(ConnectionLost, match="may have run"):
        future.result(20)
    assert host.run(f"cat {folder}/ran").stdout == "\n"


def test_a_watcher_that_is_killed_is_started_anew(host: Host, tmp_path: Path) -> None:
    future = host.run_async(["sleep", "1000"])
    assert host.run("true").ok
    becomes(lambda: host.link.watcher is not None and host.link.watcher.running)
    first = host.link.watcher
    assert first is not None
    group = next(iter(first.running))
    host.run("pkill -KILL -u $(id -u) -f elsewhere-watche[r]")
    becomes(lambda: first.gone)
    assert host.run("true").ok
    second = host.link.watcher
    assert second is not None
    assert second is not first
    assert group in second.running
    host.close()
    becomes(lambda: gone(group))
    with pytest.raises((ConnectionLost, CommandError)):  # whichever comes first: its end, or that of the connection
        future.result(20)
