"""A host that starts anew: one of the tests' own program, whose commands run here, so that they can play it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import CallTimeout, ConnectError, NotTouched
from elsewhere.fleet import CommandError, Fleet, FleetError, Host
from elsewhere.fleet.verbs import rebooting
from tests.fleet.inprocess import Yard, inprocess, plain
from tests.fleet.test_link import becomes, options

PATIENCE = 60.0


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with inprocess(tmp_path_factory.mktemp("yard"), plain(2, first=1000) | plain(1, "dead", first=1100)) as found:
        yield found


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the host says of its boot."""
    path = tmp_path / "boot"
    path.write_text("first")
    monkeypatch.setattr(rebooting, "BOOT", f"cat {path}")
    monkeypatch.setattr(rebooting, "PAUSE", 0.05)
    return path


@pytest.fixture
def host(yard: Yard) -> Iterator[Host]:
    with Host(yard.hosts[0], **options(yard)) as found:
        yield found


@pytest.mark.parametrize("says", ["second", ""])
def test_it_is_waited_for(yard: Yard, host: Host, boot: Path, tmp_path: Path, says: str) -> None:
    """Also where it cannot say which boot it is."""
    boot.write_text("first" if says else "")

    def play() -> None:
        becomes((tmp_path / "told").exists)
        yard.tell("down", yard.hosts[0])
        boot.write_text(says)
        (tmp_path / "down").write_text("")
        becomes((tmp_path / "up").exists)
        yard.tell("up", yard.hosts[0])

    thread = threading.Thread(target=play)
    thread.start()
    future = host.reboot_async(PATIENCE, f"touch {tmp_path}/told; sleep 1000", False)
    becomes((tmp_path / "down").exists)
    becomes(lambda: not host.is_connected)
    assert not future.done()
    (tmp_path / "up").write_text("")
    assert 0 < future.result(PATIENCE) < PATIENCE
    thread.join(PATIENCE)
    assert host.run("echo in").stdout == "in\n"


def test_it_is_back_before_anybody_has_seen_it_go(host: Host, boot: Path) -> None:
    assert host.reboot(PATIENCE, f"echo second > {boot}", False) < PATIENCE


def test_it_does_not_go_down(host: Host, boot: Path) -> None:
    with pytest.raises(CallTimeout, match=r"is not back from its reboot within 3 s: it has not gone down"):
        host.reboot(3, "true", False)


def test_it_does_not_come_back(yard: Yard, host: Host, boot: Path, tmp_path: Path) -> None:
    future = host.reboot_async(3, f"touch {tmp_path}/told; sleep 1000", False)
    becomes((tmp_path / "told").exists)
    yard.tell("down", yard.hosts[0])
    try:
        with pytest.raises(CallTimeout, match=r"is not back from its reboot within 3 s: .* refuses connections"):
            future.result(PATIENCE)
    finally:
        yard.tell("up", yard.hosts[0])


def test_what_is_wrong_is_told(yard: Yard, host: Host, boot: Path) -> None:
    with pytest.raises(CommandError, match="exit status 7"):
        host.reboot(PATIENCE, "exit 7", False)
    with Host(yard.hosts[2], **options(yard)) as dead, pytest.raises(ConnectError, match="refuses connections"):
        dead.reboot(PATIENCE, "true", False)


@pytest.mark.parametrize(("wait", "error"), [(0, ValueError), (float("inf"), ValueError), ("2", TypeError)])
def test_what_is_no_time_is_said_at_once(wait: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="wait is"):
        Host("nobody.invalid", config=()).reboot(wait)


def test_one_host_after_another(yard: Yard, boot: Path) -> None:
    command = f"cat /proc/sys/kernel/random/uuid > {boot}"
    with Fleet(*yard.hosts[:2], jobs=1, max_failures=1, **options(yard)) as fleet:
        assert all(0 < seconds < PATIENCE for seconds in fleet.reboot(PATIENCE, command, False).values())
        assert len(fleet.reboot_async(PATIENCE, command, False).result(PATIENCE)) == 2
        with pytest.raises(FleetError, match="reboot failed on 1 of 2 hosts") as caught:
            fleet.reboot(PATIENCE, "exit 7", False)
        assert [type(outcome) for outcome in caught.value.results.values()] == [CommandError, NotTouched]
    with pytest.raises(ValueError, match="wait is"):
        Fleet("nobody.invalid", config=()).reboot(0)
