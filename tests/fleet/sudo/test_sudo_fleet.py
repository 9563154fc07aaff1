"""Sudo on many hosts at once: one password, tried on one host first, and sent to no other once it was wrong."""

from __future__ import annotations

import asyncio
import os
import pty
import threading
import traceback

import pytest

from elsewhere.errors import Unauthorized
from elsewhere.fleet import Fleet, FleetError
from elsewhere.fleet.kinds import kind_of
from elsewhere.fleet.naming.terminal import ask
from elsewhere.progress.terminal import Terminal
from tests.fleet.sshd import Sshd
from tests.fleet.sudo.conftest import RIGHT
from tests.fleet.test_link import options

pytestmark = pytest.mark.bound(60)


def test_the_password_is_asked_for_once(
    server: Sshd, logins: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[None] = []

    def password() -> str:
        asked.append(None)
        return RIGHT

    with Fleet("127.0.1.[1-4]", user=logins["asks"], **options(server)) as fleet:
        results = fleet.sudo("id -un; echo err >&2", password=password, timeout=30, output="live")
        assert [result.stdout for result in results.values()] == ["root\n"] * 4
        assert len(asked) == 1
        out, err = capsys.readouterr()
        assert sorted(out.splitlines()) == [f"[127.0.1.{n}] root" for n in range(1, 5)]
        assert "[127.0.1.3]! err" in err
        view = fleet.options(timeout=30, jobs=1)
        results = view.sudo_async(["id", "-un"], password=RIGHT, user=logins["free"]).result(60)
        assert {result.stdout for result in results.values()} == {f"{logins['free']}\n"}


def test_a_wrong_one_is_sent_once(server: Sshd, logins: dict[str, str]) -> None:
    with Fleet("127.0.1.[1-4]", user=logins["asks"], **options(server)) as fleet:
        with pytest.raises(FleetError) as caught:
            fleet.sudo("true", password=RIGHT[::-1], timeout=30)
        error = caught.value
        assert [kind_of(outcome) for outcome in error.results.values()] == ["sudo refused"] * 4
        assert all(isinstance(outcome, Unauthorized) for outcome in error.exceptions)
        assert sum("it was sent once" in str(outcome) for outcome in error.exceptions) == 1
        assert str(error).splitlines()[1] == "  4 sudo refused: 127.0.1.[1-4]"
        shown = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        assert RIGHT[::-1] not in "".join(shown)
        with pytest.raises(ValueError, match="timeout"):
            fleet.sudo("true", password=RIGHT, timeout=0)


def test_no_bar_is_drawn_over_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, terminal = pty.openpty()
    name, opened = os.ttyname(terminal), os.open
    monkeypatch.setattr(os, "open", lambda path, *more: opened(name if path == "/dev/tty" else path, *more))
    seen: list[int] = []

    def answer() -> None:
        shown = b""
        while b"Password: " not in shown:
            shown += os.read(leader, 4096)
        seen.append(Terminal.asking)
        os.write(leader, b"hush\n")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        assert asyncio.run(ask("Password: ")) is not None
        thread.join(60)
    finally:
        os.close(leader)
        os.close(terminal)
    assert (seen, Terminal.asking) == ([1], 0)
