"""Where sudo's password comes from, to whom it may be sent, and that it shows nowhere."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import pty
import select
import subprocess
import sys
import termios
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import Unauthorized
from elsewhere.fleet import Fleet, Host
from elsewhere.fleet.naming.password import VARIABLE, Password, password_of
from elsewhere.fleet.naming.secret import Secret
from tests.fleet.sshd import Sshd
from tests.fleet.sudo.conftest import RIGHT, On
from tests.fleet.test_link import options

pytestmark = pytest.mark.bound(60)
PATIENCE = 30.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{RIGHT}\nwhatever\n")
    path.chmod(0o600)
    return path


# ---- where it comes from ---------------------------------------------------------------------------------------------


def test_from_the_environment(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, RIGHT)
    assert on("asks").sudo("id -un", timeout=30).stdout == "root\n"
    assert RIGHT not in on("free").sudo("env", timeout=30).stdout


def test_from_a_file(on: On, file: Path) -> None:
    host = on("asks")
    assert host.sudo("id -un", sudo_password_file=str(file), timeout=30).stdout == "root\n"
    file.chmod(0o640)
    with pytest.raises(ValueError, match=r"others may read or write it \(mode 640\): chmod 600 .*/password") as caught:
        host.sudo("id -un", sudo_password_file=file)
    assert RIGHT not in str(caught.value)


@pytest.mark.parametrize("value", ["", "a\rb"])
def test_what_the_environment_may_not_hold(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ValueError, match=f"the variable {VARIABLE}: a password is a text of one line"):
        password_of()


def test_a_function_is_asked_where_sudo_asks(on: On) -> None:
    asked: list[str] = []

    def give() -> str:
        asked.append("asked")
        return RIGHT

    async def give_later() -> str:
        return give()

    assert on("free").sudo("id -un", password=give, timeout=30).stdout == "root\n"
    assert asked == []
    for each in (give, give_later):
        assert on("asks").sudo("id -un", password=each, timeout=30).stdout == "root\n"
    assert asked == ["asked"] * 2
    with pytest.raises(Unauthorized, match="none is known"):
        on("asks").sudo("id -un", password=lambda: None, timeout=30)
    with pytest.raises(ZeroDivisionError):
        on("asks").sudo("id -un", password=lambda: 1 / 0, timeout=30)


def test_the_time_limit_does_not_count_while_a_password_is_looked_for(on: On) -> None:
    limits: list[str] = []

    async def give() -> str:
        limits.extend(repr(each) for each in gc.get_objects() if isinstance(each, asyncio.Timeout))
        return RIGHT

    assert on("asks").sudo("id -un", password=give, timeout=30).stdout == "root\n"
    assert {limit for limit in limits if "active" in limit} == {"<Timeout [active] when=None>"}


# ---- to whom it may be sent ------------------------------------------------------------------------------------------


async def permits(password: Password, verdicts: dict[str, str]) -> dict[str, str]:
    """Many hosts at once; what each has been told, in this order."""
    told: dict[str, str] = {}

    async def one(name: str) -> None:
        try:
            permit = await password.permit(name, f"ssh://{name}")
        except Unauthorized:
            told[name] = "not sent"
            return
        await asyncio.sleep(0)  # others run meanwhile
        told[name] = verdicts[name]
        getattr(permit, verdicts[name])()

    await asyncio.gather(*map(one, verdicts))
    return told


def test_a_wrong_one_is_tried_once() -> None:
    password = password_of("wrong")
    hosts = {f"web{number}": "wrong" for number in range(50)}
    told = asyncio.run(permits(password, hosts))
    assert list(told.values()).count("wrong") == 1
    assert list(told.values()).count("not sent") == 49


def test_a_right_one_is_for_all() -> None:
    hosts = {f"web{number}": "right" for number in range(50)}
    assert set(asyncio.run(permits(password_of("right"), hosts)).values()) == {"right"}


def test_who_does_not_find_out_hands_the_trial_on() -> None:
    verdicts = {"broken": "end", "web1": "wrong", "web2": "wrong"}
    assert asyncio.run(permits(password_of("x"), verdicts)) == {"broken": "end", "web1": "wrong", "web2": "not sent"}


def test_once_wrong_it_is_sent_only_where_it_was_right() -> None:
    async def story() -> dict[str, str]:
        password = password_of("x")
        await permits(password, {"web1": "right"})
        await permits(password, {"web2": "wrong"})
        return await permits(password, {"web1": "right", "web2": "right", "web3": "right"})

    assert asyncio.run(story()) == {"web2": "not sent", "web3": "not sent", "web1": "right"}


def test_what_was_wrong_stays_known_until_it_is_another(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    def sources() -> list[Password]:
        return [password_of(), password_of(None, file)]

    monkeypatch.setenv(VARIABLE, "mistyped")
    for password in sources():
        asyncio.run(permits(password, {"web1": "wrong"}))
    for password in sources():  # another verb, another engine's loop
        assert asyncio.run(permits(password, {"web2": "right"})) == {"web2": "not sent"}
    monkeypatch.setenv(VARIABLE, "typed")
    file.write_text("typed\n")
    for password in sources():
        assert asyncio.run(permits(password, {"web2": "right"})) == {"web2": "right"}


def test_who_has_mistyped_is_asked_again_by_the_next_verb() -> None:
    password = password_of()
    password.secret = Secret("mistyped")
    assert password_of() is password
    asyncio.run(permits(password, {"web1": "wrong"}))
    assert password_of() is not password
    assert password_of().secret is None


# ---- that it shows nowhere -------------------------------------------------------------------------------------------


def test_a_secret_shows_nowhere() -> None:
    secret = Secret("hush")
    assert f"{secret} {secret!r} {secret:>10} {[secret]}" == "*** *** *** [***]"
    assert secret == Secret(secret)
    assert secret != Secret("other")
    assert secret.line() == b"hush\n"
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="a password is not pickled"):
            copied(secret)
    assert not hasattr(secret, "__dict__")


def hush(*_: object) -> str:
    """A password that no line of this file spells out."""
    return bytes(range(97, 115)).decode()


@pytest.mark.parametrize(
    "fails",
    [
        lambda host: host.sudo("exit 7", password=hush(), timeout=30),
        lambda host: host.sudo_async("exit 7", password=hush(), timeout=30).result(),
        lambda host: host.sudo("true", password=hush(), timeout=0),
        lambda host: host.sudo("true", password=hush() + "\n"),
        lambda host: host.sudo("true", password=hush(), sudo_password_file="x"),
        lambda host: host.sudo("true", password=hush(), user=""),
        lambda host: host.sudo("true", password=hush, user="ew-nobody-here", timeout=30),
        lambda host: host.put(b"", "/", sudo=True, password=hush(), timeout=30),
        lambda host: host.put_async(b"", "/x", sudo=7, password=hush()),
        lambda host: host.get("/nowhere/at/all", sudo=True, password=hush(), timeout=30),
        lambda host: host.get_async("/x", "/nowhere/at/all/", sudo=7, password=hush()),
        lambda host: host.reboot(wait=0, password=hush()),
        lambda host: host.reboot_async(wait=0, password=hush()),
        lambda host: Fleet(host).sudo("exit 7", password=hush(), timeout=30),
        lambda host: Fleet(host).put(b"", "/", sudo=True, password=hush(), timeout=30),
        lambda host: Fleet(host).get("/nowhere/at/all", sudo=True, password=hush(), timeout=30),
    ],
)
def test_tracebacks_with_values(on: On, fails: Callable[[Host], Any]) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        fails(on("free"))
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert hush() not in "".join(shown)


def test_a_wrong_one_shows_in_no_traceback(on: On) -> None:
    says = r"sudo does not take the password of password= for ew.*-asks; it was sent once"
    with pytest.raises(Unauthorized, match=says) as caught:
        on("asks").sudo("true", password=hush(), timeout=30)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert hush() not in "".join(shown)


# ---- asking ----------------------------------------------------------------------------------------------------------

ASKING = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from elsewhere.fleet import Fleet, Host
user, port, key, known, *names = sys.argv[1:]
where = dict(user=user, port=int(port), keys=(key,), known_hosts=(known,), config=(), agent=False)
hosts = [Host(name, **where) for name in names]
try:
    futures = [host.sudo_async("id -un", timeout=40) for host in hosts]
    print([future.result(50).stdout for future in futures])
    print(hosts[0].sudo("id -un").stdout)
except BaseException as error:
    print(type(error).__name__, error)
"""


class Typist:
    """A terminal, with a program on it."""

    def __init__(self, server: Sshd, user: str) -> None:
        how = options(server)
        where = [user, how["port"], how["keys"][0], how["known_hosts"][0], *server.hosts[:5]]
        self.leader, self.terminal = pty.openpty()
        self.shown = b""
        self.program = subprocess.Popen(
            [sys.executable, "-c", ASKING, *map(str, where)],
            stdin=self.terminal, stdout=self.terminal, stderr=self.terminal, start_new_session=True,
        )  # fmt: skip

    def sees(self, text: bytes) -> None:
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            ready, _, _ = select.select([self.leader], [], [], max(0, end - time.monotonic()))
            assert ready, self.shown
            self.shown += os.read(self.leader, 4096)

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def types(self, text: bytes) -> None:
        os.write(self.leader, text)


@pytest.fixture
def typist(server: Sshd, logins: dict[str, str]) -> Iterator[Typist]:
    found = Typist(server, logins["asks"])
    try:
        yield found
    finally:
        found.program.kill()
        found.program.wait()
        os.close(found.leader)
        os.close(found.terminal)


def test_the_user_is_asked_once_for_all_hosts(typist: Typist) -> None:
    typist.sees(b"Password for sudo on 127.0.1.")
    typist.sees(b"and all others that ask: ")
    assert not typist.echoes
    typist.types(f"{RIGHT}\n".encode())
    typist.sees(b"['root\\n', 'root\\n', 'root\\n', 'root\\n', 'root\\n']")
    typist.sees(b"\r\nroot\r\n")
    assert typist.program.wait(PATIENCE) == 0
    assert typist.echoes
    assert typist.shown.count(b"Password for sudo") == 1
    assert RIGHT.encode() not in typist.shown


@pytest.mark.parametrize(
    ("typed", "says"), [(b"\x03", b"KeyboardInterrupt"), (b"\n", b"none is known"), (b"\x04", b"none is known")]
)
def test_who_does_not_want_to_tell(typist: Typist, typed: bytes, says: bytes) -> None:
    typist.sees(b"and all others that ask: ")
    typist.types(typed)
    typist.sees(says)
    typist.program.wait(PATIENCE)
    assert typist.echoes


def test_without_a_terminal_nobody_is_asked(on: On, logins: dict[str, str], server: Sshd) -> None:
    how = options(server)
    code = ASKING.replace("fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n", "")
    where = [logins["asks"], how["port"], how["keys"][0], how["known_hosts"][0], server.hosts[0]]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, where)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Unauthorized 127.0.1.1: sudo asks for a password, and none is known: password=")
    assert "Traceback" not in done.stderr
