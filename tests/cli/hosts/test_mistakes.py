"""What goes wrong between us and a host, each answered by one sentence; and the command as number 1 of a container."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.helpers import command, environment, until
from tests.cli.hosts.helpers import Here, Home
from tests.cli.surroundings import by_shell, namespace
from tests.cli.test_mistakes import cmdline, parent, said
from tests.cli.test_shell import alive, children


@pytest.fixture
def wrong_key(home: Home) -> None:
    """The key that is offered is none that opens the hosts."""
    key = home.path / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    config = home.path / ".ssh" / "config"
    config.write_text(config.read_text().replace(str(home.server.key), str(key)))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("run -H {} -- id", 255),
        ("put -H {} motd /tmp/", 255),
        ("get -H {} /etc/motd x", 255),
        ("map abs 1 -q -H {}", 1),
    ],
)
class TestNotReached:
    def sentence(self, here: Here, line: str, code: int, host: str) -> str:
        Path("motd").touch()
        before = sorted(os.listdir())
        text = said(here(*line.replace("abs", "math:fabs").format(host).split()), code)
        assert sorted(os.listdir()) == before
        return text

    def test_a_name_that_is_none(self, here: Here, line: str, code: int) -> None:
        assert "nowhere.invalid" in self.sentence(here, line, code, "nowhere.invalid")

    def test_nobody_listens(self, here: Here, line: str, code: int) -> None:
        assert "no sshd listens there" in self.sentence(here, line, code, "none5")

    def test_a_key_that_does_not_open_it(self, here: Here, line: str, code: int, wrong_key: None) -> None:
        assert "does not let" in self.sentence(here, line, code, "web1")

    def test_a_host_that_is_not_known(self, here: Here, line: str, code: int) -> None:
        text = self.sentence(here, line, code, "strange1")
        assert "is not known: SHA256:" in text
        assert "--accept-new" in text


class TestStreams:
    def test_a_closed_stdin_that_is_to_be_passed_on(self, home: Home) -> None:
        ended = by_shell('exec "$@" <&-', "run", "-H", "web1", "--stdin", "--", "cat", cwd=home.work, **home.variables)
        assert "stdin, which is to be the command's input (--stdin), is closed" in said(ended, 2)

    @pytest.mark.parametrize("verb", ["run -H web1 -- cat /etc/passwd", "get -H web1 /etc/passwd -"])
    def test_stdout_that_cannot_be_written(self, home: Home, verb: str) -> None:
        ended = by_shell('exec "$@" >/dev/full', *verb.split(), cwd=home.work, **home.variables)
        assert "stdout cannot be written: No space left on device. Free some space first." in said(ended, 1)


@pytest.mark.parametrize("hosts", ["web1", "web1,web2"])
def test_as_number_1_of_a_container(home: Home, hosts: str) -> None:
    """`docker stop` sends SIGTERM to it; what it began on hosts ends, too."""
    mark = home.path / "began"
    far = f"echo $$ >>{mark}; exec sleep 600"
    process = subprocess.Popen(
        [*namespace("--pid"), *command("run", "-H", hosts, "--", far)], cwd=home.work,
        env=environment(**home.variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: mark.exists() and mark.read_bytes().count(b"\n") == hosts.count("web"))
        began = {int(line) for line in mark.read_text().split()}
        family = children(process.pid)
        (first,) = (pid for pid in family if b"elsewhere" in cmdline(pid) and parent(pid) == process.pid)
        os.kill(first, signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143
    assert b"Traceback" not in err
    until(lambda: not alive(family | began))
