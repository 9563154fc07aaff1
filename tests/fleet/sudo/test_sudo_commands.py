"""What a command under sudo is given, what comes back of it, and what others on the host can see of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import CallTimeout
from elsewhere.fleet import CommandError, Host
from elsewhere.fleet.commands.sudo import prepare_sudo, run
from elsewhere.fleet.engine import engine
from tests.fleet.sudo.conftest import RIGHT, On
from tests.fleet.test_commands import HARD
from tests.fleet.test_link import becomes

pytestmark = pytest.mark.bound(60)


def test_the_whole_command_is_under_sudo(on: On, tmp_path: Path) -> None:
    host = on("free")
    host.sudo(f"true; id -un > {tmp_path}/who && id -un >> {tmp_path}/who", timeout=30)
    assert (tmp_path / "who").read_text() == "root\nroot\n"
    assert host.sudo("pwd", cwd=str(tmp_path), timeout=30).stdout == f"{tmp_path}\n"
    assert host.sudo("pwd", cwd="~", timeout=30).stdout == "/root\n"
    with host.cd(str(tmp_path)), host.prefix("X=1; export X"), host.env(Y=HARD):
        assert host.sudo('pwd; printf %s "$X$Y"', timeout=30).stdout == f"{tmp_path}\n1{HARD}"
        assert host.sudo(["printenv", "Y"], timeout=30).stdout == f"{HARD}\n"


def test_what_comes_back(on: On) -> None:
    host = on("free")
    result = host.sudo("echo out; echo err >&2; exit 7", check=False, timeout=30)
    assert (result.returncode, result.stdout, result.stderr, result.ok) == (7, "out\n", "err\n", False)
    assert result.args == "echo out; echo err >&2; exit 7"
    with pytest.raises(CommandError, match="exit status 1: err"):
        host.sudo(["sh", "-c", "echo err >&2; exit 1"], timeout=30)
    killed = host.sudo("kill -KILL $$", check=False, timeout=30)
    assert (killed.returncode, killed.stderr) == (137, "")
    assert host.sudo("printf '\\377'", timeout=30).stdout == "\udcff"
    assert len(host.sudo("head -c 20000000 /dev/zero", encoding=None, timeout=60).stdout) == 20_000_000


def test_sudo_alone_speaks_english(on: On) -> None:
    host = on("free")
    with host.env(LC_ALL="C.UTF-8"):
        assert host.sudo("echo $LC_ALL", timeout=30).stdout == "C.UTF-8\n"
    assert host.sudo("echo ${LC_ALL-unset}", timeout=30).stdout == "unset\n"


@pytest.mark.parametrize(
    ("login", "size"),
    [("free", 0), ("free", 65_536), ("free", 10_000_001), ("plain", 1), ("plain", 10_000_001), ("tty", 3_000_001)],
)
def test_input_arrives_as_it_is(on: On, login: str, size: int) -> None:
    data = (os.urandom(size // 2) + b"\0\r\n\x03\x04\x11\x7f" + os.urandom(size - size // 2))[:size]
    host = on(login)
    assert host.sudo("cat", input=data, encoding=None, timeout=60).stdout == data
    assert host.sudo("head -c 1; exec <&-; echo well", input=data, encoding=None, timeout=60).stdout[-5:] == b"well\n"


def test_a_command_without_input_has_none(on: On) -> None:
    assert on("free").sudo("cat; echo end", timeout=30).stdout == "end\n"
    assert on("tty").sudo("cat; echo end", timeout=30).stdout == "end\n"


@pytest.mark.parametrize(("login", "pty"), [("tty", False), ("free", True), ("plain", True), ("tty", True)])
def test_input_that_nobody_reads(on: On, login: str, pty: bool) -> None:
    """A sudo with a terminal would wait for somebody who reads it."""
    for command, status in (("head -c 1; exit 7", 7), ("exit 1", 1)):
        result = on(login).sudo(command, input=b"x" * 300_000, pty=pty, check=False, timeout=30)
        assert result.returncode == status


def test_streams_in_and_out(on: On) -> None:
    """As copies under sudo use it: nothing is kept, and the slower side decides."""
    host, got, data = on("asks"), [], [os.urandom(100_000) for _ in range(50)]

    async def source() -> AsyncIterator[bytes]:
        for piece in data:
            yield piece

    async def sink(name: str, piece: bytes) -> None:
        assert name == "stdout"
        got.append(piece)

    asked = prepare_sudo("cat", password=RIGHT, encoding=None, timeout=60)
    result = engine().call(lambda: run(host, asked, sink, source=source(), keep=False))
    assert b"".join(got) == b"".join(data)
    assert result.stdout == b""


def test_a_source_and_a_sink_that_fail(on: On) -> None:
    host = on("free")

    async def source() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise ArithmeticError("the source")

    async def sink(name: str, piece: bytes) -> None:
        raise ArithmeticError("the sink")

    asked = prepare_sudo("cat; sleep 1000", timeout=60)
    with pytest.raises(ArithmeticError, match="the source"):
        engine().call(lambda: run(host, asked, source=source()))

    async def late() -> AsyncIterator[bytes]:
        yield b"x"
        raise TimeoutError("the source's own")

    with pytest.raises(TimeoutError, match="the source's own"):
        engine().call(lambda: run(host, asked, source=late()))
    with pytest.raises(ArithmeticError, match="the sink"):
        engine().call(lambda: run(host, prepare_sudo("echo x; sleep 1000", timeout=60), sink))
    assert host.sudo("echo well", timeout=30).stdout == "well\n"


@pytest.mark.parametrize("pty", [False, True])
def test_answers(on: On, pty: bool) -> None:
    ask = "printf 'name? '; read -r x; printf 'age? '; read -r y; echo $x is $y"
    result = on("free").sudo(ask, answers={r"name\?": "Ada", r"age\?": "36"}, pty=pty, timeout=30)
    assert result.stdout.splitlines()[-1].endswith("Ada is 36")


def test_a_question_without_an_answer_is_told(on: On) -> None:
    with pytest.raises(CallTimeout, match="the last that it wrote was 'age"):
        on("free").sudo("printf 'age? '; read -r x", answers={"name": "Ada"}, timeout=2)


def test_nothing_secret_stands_in_a_command_line(on: On, tmp_path: Path) -> None:
    secret = "hush-" + os.urandom(8).hex()
    future = on("asks").sudo_async(
        f"echo > {tmp_path}/there; cat > /dev/null; sleep 1000",
        env={"TOKEN": secret}, input=f"{secret}\n{secret}", password=RIGHT,
    )  # fmt: skip
    becomes((tmp_path / "there").exists)
    lines, environments = [], []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                lines.append((folder / "cmdline").read_bytes())
                if b"sudo" in lines[-1]:
                    environments.append((folder / "environ").read_bytes())
            except OSError:  # it has just ended
                continue
    assert any(b"sudo\0-S\0-p\0" in line for line in lines)  # those that are looked at are there
    for hidden in (secret, RIGHT):
        assert not [line for line in lines if hidden.encode() in line]
        assert not [each for each in environments if hidden.encode() in each]
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert secret not in shown
    assert RIGHT not in shown
    future.cancel()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"user": ""}, ValueError, "is no name of a user"),
        ({"user": "a b"}, ValueError, "is no name of a user"),
        ({"user": "$(id)"}, ValueError, "is no name of a user"),
        ({"group": "-g"}, ValueError, "is no name of a group"),
        ({"group": 7}, TypeError, "group is a name, not a value of type int"),
        ({"password": 7}, TypeError, "password is a str or a function that gives one"),
        ({"password": ""}, ValueError, "a password is a text of one line, and not empty"),
        ({"password": "a\nb"}, ValueError, "a password is a text of one line"),
        ({"password": "x", "sudo_password_file": "y"}, ValueError, "not from both"),
        (
            {"sudo_password_file": "/nowhere/at/all"},
            ValueError,
            "sudo_password_file /nowhere/at/all cannot be read: No",
        ),
        ({"timeout": 0}, ValueError, "more than 0 seconds"),
        ({"nonsense": 1}, TypeError, "nonsense"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_connects(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Host("nobody.invalid", config=()).sudo("true", **arguments)
