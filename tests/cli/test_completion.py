"""What Tab completes: asked as each shell asks, and in the shells themselves."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from elsewhere.cli.completion.shells import SHELLS
from elsewhere.cli.group import VERBS, run
from tests.cli.helpers import environment
from tests.require import require

MODULE = """
open("it-was-run", "w").close()
import nothing_of_this_name

def score(path): ...
async def scan(path): ...
class Scores: ...
service = Service()
_private = limit, other = 1, 2
"""
CONFIG = """
Host web1 web2 *.example.com
  User deploy
Host "db1" !db2
Include more/*.conf
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("def f(:")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "part.py").write_text("def inner(): ...\n")
    (tmp_path / ".ssh" / "more").mkdir(parents=True)
    (tmp_path / ".ssh" / "config").write_text(CONFIG)
    (tmp_path / ".ssh" / "more" / "a.conf").write_text("Host=cache1\n")
    return tmp_path


def tab(line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """As bash asks: what it would put behind its last break."""
    monkeypatch.setenv("_ELSEWHERE_COMPLETE", "bash")
    monkeypatch.setenv("ELSEWHERE_LINE", line)
    monkeypatch.setenv("ELSEWHERE_BREAKS", " \t\n\"'@><=;|&(:")
    assert run([]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out.split("\n")[:-1] if out.strip() else []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("elsewhere ", [f"plain,{verb}" for verb in VERBS]),
        ("elsewhere do", ["plain,doctor"]),
        ("elsewhere zzz", []),
        ("elsewhere zzz --", ["plain,--version", "plain,--help"]),
        ("elsewhere map --max", ["plain,--max-failures"]),
        ("elsewhere map --help", ["plain,--help-all", "plain,--help"]),
        ("elsewhere serve x:y --where ", ["plain,threads", "plain,loop", "plain,processes"]),
        ("elsewhere map x:y --where d", ["plain,dask", "open,dask://", "open,dask+tls://"]),
        ("elsewhere map x:y --where=da", ["plain,dask", "open,dask://", "open,dask+tls://"]),
        ("elsewhere map x:y --where dask:", ["open,//"]),
        ("elsewhere map x:y -o ", ["file,"]),
        ("elsewhere map x:y --from so", ["file,so"]),
        ("elsewhere map x:y in", ["file,in"]),
        ("elsewhere map w", ["open,work.py:"]),
        ("elsewhere map pa", ["open,pack/"]),
        ("elsewhere map pack/p", ["open,pack/part.py:"]),
        ("elsewhere map work.py:", ["plain,score", "plain,scan", "plain,Scores"]),
        ("elsewhere map work.py:sc", ["plain,score", "plain,scan"]),
        ("elsewhere map work:sco", ["plain,score"]),
        ("elsewhere map pack.part:", ["plain,inner"]),
        ("elsewhere map pack/part.py:", ["plain,inner"]),
        ("elsewhere map broken.py:", []),
        ("elsewhere map gone.py:", []),
        ("elsewhere map math:factor", ["plain,factorial"]),
        ("elsewhere map os.path:spl", ["plain,split", "plain,splitdrive", "plain,splitext"]),
        ("elsewhere serve work.py:s", ["plain,score", "plain,scan", "plain,service"]),
        ("elsewhere serve work.py:service -b ht", ["open,http://localhost:", "open,https://"]),
        ("elsewhere call tc", ["open,tcp://localhost:"]),
        ("elsewhere run -H ", ["plain,cache1", "plain,db1", "plain,web1", "plain,web2"]),
        ("elsewhere run -H web1,w", ["plain,web1,web2"]),
        ("elsewhere run -H web2,me@w", ["plain,web1"]),
        ("elsewhere map work.py:score -x c", ["plain,cache1"]),
        ("elsewhere put -J d", ["plain,db1"]),
        ("elsewhere put -H web1 di", ["file,di"]),
        ("elsewhere run -H web1 -- --", []),
        ("elsewhere doctor f", ["plain,fleet"]),
        ("elsewhere completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
        ("elsewhere map 'work.py:sc", ["plain,score", "plain,scan"]),
    ],
)
def test_what_could_follow(line, found, folder, monkeypatch, capfd):
    shown = tab(line, monkeypatch, capfd)
    if found and "splitdrive" in found[1:2]:  # newer Pythons have more
        assert set(found) <= set(shown)
    else:
        assert sorted(shown) == sorted(found)
    assert not (folder / "it-was-run").exists()


def test_a_name_that_bash_would_part_is_escaped(folder, monkeypatch, capfd):
    (folder / "my work.py").touch()
    assert tab("elsewhere map my", monkeypatch, capfd) == ["open,my\\ work.py:"]


def test_a_shell_that_is_none_of_ours_gets_nothing(monkeypatch, capfd):
    monkeypatch.setenv("_ELSEWHERE_COMPLETE", "tcsh")
    assert run([]) == 0
    assert capfd.readouterr().out.strip() == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_printed_alone(shell, capfd):
    assert run(["completion", shell]) == 0
    out, err = capfd.readouterr()
    assert (err, out.endswith("\n")) == ("", True)
    require(program=shell, install=f"apt-get install {shell}")
    subprocess.run([shell, "-n"], input=out, text=True, check=True, capture_output=True)  # it is read without complaint


# ---- the shells themselves -------------------------------------------------------------------------------------------


@pytest.fixture
def program(folder) -> dict[str, str]:
    """Variables with which ``elsewhere`` is a program."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "elsewhere"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m elsewhere "$@"\n')
    script.chmod(0o755)
    path = f"{folder}/bin{os.pathsep}{os.environ['PATH']}"
    return environment(
        PATH=path, HOME=str(folder), TERM="dumb", PS1="ready> ", ZDOTDIR=str(folder), INPUTRC="/dev/null"
    )


class Sitting:
    """Somebody at a shell of a terminal."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.seen = ""
        self.fd, terminal = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=env, start_new_session=True
        )
        os.close(terminal)

    def until(self, text: str, bound: float = 60) -> None:
        """Read on until this is seen, behind what was seen already."""
        end = time.monotonic() + bound
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} never came: {self.seen!r}"
            self.seen += os.read(self.fd, 4096).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def types(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def __enter__(self) -> Self:
        return self

    def leaves(self) -> None:
        """Orderly, so that nothing is left of what the shell has started."""
        self.types("exit\n")
        with contextlib.suppress(OSError):  # EIO is the end
            while os.read(self.fd, 4096):
                pass
        assert self.process.wait(30) == 0

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        os.close(self.fd)


BEGIN = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(elsewhere completion bash)"; echo set\\ up\n'),
    "zsh": (["zsh", "-f", "-i"], 'eval "$(elsewhere completion zsh)"; PS1="ready> "; echo set\\ up\n'),
}


@pytest.mark.parametrize("shell", BEGIN)
def test_in_a_real_shell(shell, program):
    require(program=shell, install=f"apt-get install {shell}")
    command, setup = BEGIN[shell]
    with Sitting(command, program) as sitting:
        sitting.types(setup)
        sitting.until("set up")
        for typed, becomes in (
            ("elsewhere comp\t", "elsewhere completion "),
            ("elsewhere map --max\t", "--max-failures "),
            ("elsewhere map wor\t", "work.py:"),
            ("elsewhere map work.py:sco\t", "work.py:score "),
            ("elsewhere map -H ca\t", "cache1 "),
            ("true | elsewhere doc\t", "doctor "),
            ("elsewhere map work.py:score --from bro\t", "broken.py "),
        ):
            sitting.types(f"echo '{typed[:9]}' >/dev/null\n")  # a line of its own
            sitting.until("ready> ")
            sitting.types(typed)
            sitting.until(becomes)
            sitting.types("\x15\n")
            sitting.until("ready> ")
        sitting.leaves()
    assert not Path("it-was-run").exists()


def test_in_fish(program):
    fish = require(program="fish", install="apt-get install fish")
    line = "elsewhere completion fish | source; for each in $argv; echo '>' $each; complete -C $each; end"
    asked = ["elsewhere comp", "elsewhere map work.py:sco", "elsewhere run -H web", "elsewhere map x:y --from bro"]
    ended = subprocess.run(
        [fish, "--no-config", "-c", line, *asked], env=program, capture_output=True, text=True, check=True, timeout=60
    )
    said = [each.partition("\n") for each in ended.stdout.split("> ")[1:]]
    assert [asked for asked, _, _ in said] == asked
    found = [[row.partition("\t")[0] for row in rows.splitlines()] for _, _, rows in said]
    assert found == [["completion"], ["work.py:score"], ["web1", "web2"], ["broken.py"]]
