from __future__ import annotations

import subprocess
from typing import Any

import pytest

from elsewhere.fleet import CommandError, Fleet, FleetError, Host, Result
from tests.fleet.sshd import Sshd


def options(server: Sshd) -> dict[str, Any]:
    return {"port": server.port, "keys": (str(server.key),), "known_hosts": (str(server.known_hosts),), "config": ()}


def test_a_command_and_its_result(server: Sshd) -> None:
    with Host(server.hosts[0], **options(server)) as host:
        result = host.run("echo out; echo err >&2")
        assert (result.returncode, result.stdout, result.stderr, result.ok) == (0, "out\n", "err\n", True)
        assert host.run_async(["printf", "%s", "a b;c"]).result(20).stdout == "a b;c"
        with pytest.raises(CommandError, match="exit status 3: why") as caught:
            host.run("echo why >&2; exit 3")
        assert isinstance(caught.value, subprocess.CalledProcessError)
        assert caught.value.returncode == 3


def test_a_fleet_lets_all_finish(server: Sshd) -> None:
    with Fleet(*server.hosts[:3], **options(server)) as fleet:
        assert [result.stdout for result in fleet.run("echo hi").values()] == ["hi\n"] * 3
        with pytest.raises(FleetError) as caught:
            fleet.run("exit 4")
        assert caught.value.results[f"{server.hosts[1]}"].returncode == 4  # type: ignore[index]


def test_a_message_does_not_repeat_a_long_command() -> None:
    assert len(str(CommandError(Result(["echo", "x" * 10_000], 1, "y" * 10_000)))) < 500
    assert (
        str(CommandError(Result(["ls", "a b"], 2, host=Host("web1")))) == "web1: \"ls 'a b'\" ended with exit status 2"
    )
