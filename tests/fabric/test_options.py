"""Every option of the originals' command lines is one of ours that works, or is refused in one sentence."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere.fabric.v1.main.options import SETTINGS
from elsewhere.fabric.v1.main.options import parse as parse1
from elsewhere.fabric.v3.main.options import core_arguments
from elsewhere.fabric.v3.main.program import _Program
from tests.fabric.beside import Bench, same
from tests.fabric.terminal import Terminal
from tests.require import require

NAMES = re.compile(r"(?<![\w\[-])(--?[a-zA-Z][a-z_-]*)")


def _options(text: str) -> set[str]:
    """The names at the beginnings of the lines of a help."""
    heads = [re.split(r"\s{3,}", line.strip())[0] for line in text.splitlines() if re.match(r"\s{2,6}-", line)]
    return {name for head in heads for name in NAMES.findall(head)}


# What each option of Fabric 1 is given, and what env says then; None where it is an action, that other tests try.
ENV: dict[str, tuple[str, str, object] | None] = {
    "-a": ("", "no_agent", True), "-A": ("", "forward_agent", True),
    "--abort-on-prompts": ("", "abort_on_prompts", True),
    "-c": ("x", "rcfile", "x"), "--colorize-errors": ("", "colorize_errors", True),
    "-D": ("", "disable_known_hosts", True), "-e": ("", "eagerly_disconnect", True), "-f": ("x", "fabfile", "x"),
    "-g": ("x", "gateway", "x"), "--hide": ("x", "hide", "x"), "-H": ("a,b", "hosts", "a,b"),
    "-i": ("x", "key_filename", ["x"]), "-k": ("", "no_keys", True), "--keepalive": ("3", "keepalive", 3),
    "--linewise": ("", "linewise", True), "-n": ("3", "connection_attempts", 3),
    "--no-pty": ("", "always_use_pty", False), "-p": ("x", "password", "x"), "-P": ("", "parallel", True),
    "--port": ("3", "port", "3"), "-r": ("", "reject_unknown_hosts", True),
    "--sudo-password": ("x", "sudo_password", "x"),
    "--system-known-hosts": ("x", "system_known_hosts", "x"), "-R": ("x", "roles", "x"), "-s": ("x", "shell", "x"),
    "--show": ("x", "show", "x"), "--skip-bad-hosts": ("", "skip_bad_hosts", True),
    "--skip-unknown-tasks": ("", "skip_unknown_tasks", True), "--ssh-config-path": ("x", "ssh_config_path", "x"),
    "-t": ("3", "timeout", 3), "-T": ("3", "command_timeout", 3), "-u": ("x", "user", "x"),
    "-w": ("", "warn_only", True),
    "-x": ("x", "exclude_hosts", "x"), "-z": ("3", "pool_size", 3),
    "-h": None, "-d": None, "-F": None, "-I": None, "--initial-sudo-password-prompt": None, "-l": None, "--set": None,
    "--shortlist": None, "-V": None, "--gss-auth": None, "--gss-deleg": None, "--gss-kex": None,
}  # fmt: skip
# The same of Fabric 3: what it is given, and the setting that it makes; None where it is an action.
CONFIG: dict[str, tuple[str, str, object] | None] = {
    "--hide": ("out", "run.hide", "out"), "-e": ("", "run.echo", True), "-p": ("", "run.pty", True),
    "-R": ("", "run.dry", True), "-w": ("", "run.warn", True), "-T": ("3", "timeouts.command", 3),
    "-t": ("3", "connect_kwargs.timeout", 3), "-i": ("x", "connect_kwargs.key_filename", ["x"]),
    "--complete": None, "--list-agent-keys": None, "--no-dedupe": None, "--print-completion-script": None,
    "--prompt-for-login-password": None, "--prompt-for-passphrase": None, "--prompt-for-sudo-password": None,
    "--write-pyc": None, "-c": None, "-d": None, "-D": None, "-f": None, "-F": None, "-h": None, "-H": None, "-l": None,
    "-r": None, "-S": None, "-V": None,
}  # fmt: skip


@pytest.mark.parametrize("dialect", [1, 3])
def test_every_option_is_there(bench1: Bench, bench3: Bench, dialect: int) -> None:
    bench, listed = (bench1, set(ENV)) if dialect == 1 else (bench3, set(CONFIG))
    original, ours = bench.both(*(["--help"] if dialect == 1 else ["-c", "iso", "--help"]))
    theirs = _options("\n".join(original.out))
    assert len(theirs) > 40
    # -f names the task file here, as settings are --config.
    assert theirs - _options("\n".join(ours.out)) == set()
    short = {name for name in theirs if len(name) == 2}
    assert short - listed == set()
    assert {name for name in listed if len(name) > 2} <= theirs


@pytest.mark.parametrize("name", [name for name, value in ENV.items() if value])
def test_an_option_of_fabric_1_is_a_key_of_env(name: str) -> None:
    value = ENV[name]
    assert value is not None
    given, key, wanted = value
    parsed = parse1([name, *([given] if given else []), "task"])
    assert getattr(parsed.options, key) == wanted
    assert parsed.tasks == ["task"]
    assert key in {each[2] for each in SETTINGS}


@pytest.mark.parametrize("name", [name for name, value in CONFIG.items() if value])
def test_an_option_of_fabric_3_is_a_setting(name: str) -> None:
    value = CONFIG[name]
    assert value is not None
    given, key, wanted = value
    program = _Program([name, *([given] if given else [])])
    program._settings()
    found = program.config
    for part in key.split("."):
        found = found[part]
    assert found == wanted


@pytest.mark.parametrize("name", ["--gss-auth", "--gss-deleg", "--gss-kex"])
def test_what_is_not_offered_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse1([name, "task"])
    assert caught.value.code == 2
    assert f"{name}: GSSAPI is not offered here" in capsys.readouterr().err


# ---- completion ------------------------------------------------------------------------------------------------------

TYPED = [
    "", "bef", "before --", "-", "--", "--ec", "--echo", "-T", "kinds -", "kinds --", "kinds --lo", "kinds -i",
    "kinds -x", "kinds --log", "renamed --", "more.", "before renamed joe --", "nothing --", "kinds -i a more.second -",
]  # fmt: skip


def test_completion(bench3: Bench) -> None:
    # One process for each program: each line of what is typed is one more command line of it.
    script = (
        "import io, sys, contextlib\nprogram = sys.argv[1]\n"
        "if program == 'ours':\n"
        "    from elsewhere.fabric import install; install(3)\n"
        "    from elsewhere.fabric.v3.main import main as go\n"
        "    run = lambda words: go(words)\n"
        "else:\n"
        "    from fabric.main import make_program\n"
        "    run = lambda words: make_program().run(['fab', *words], exit=False)\n"
        "for line in sys.stdin.read().split('\\n'):\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        run(['-c', 'tasks', '--complete', '--', 'fab', *line.split()])\n"
        "    print(repr(line), sorted(out.getvalue().split()))\n"
    )
    ours = [*bench3.original[:3], "-c", script]
    require(file=".venv-fabric3/.ours", install=".ci/peers fabric3")
    original = bench3.run(ours, ["original"], stdin="\n".join(TYPED))
    mine = bench3.run(ours, ["ours"], stdin="\n".join(TYPED))
    assert mine.status == 0, mine
    core = {name for each in core_arguments() for name in each.names}
    assert {"accept-new", "dialect", "jobs"} <= core
    for theirs, line in zip(original.out, mine.out, strict=True):
        more = {"'--accept-new'", "'--dialect'", "'--jobs'", "'-P'", "'--fabfile'"}
        left = [word for word in re.findall(r"'[^']*'", line) if word not in more]
        assert left == re.findall(r"'[^']*'", theirs), f"{theirs}\n{line}\n{mine.err}"


# How each begins, without the files of who runs the tests.
SHELLS = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(bench3: Bench, shell: str, tmp_path: Path) -> None:
    program = str(require(program=shell, install=".ci/peers ssh"))
    _program_beside(bench3, tmp_path)
    with Terminal(bench3, [program, *SHELLS[shell]]) as terminal:
        terminal.type(f"PATH={tmp_path}:$PATH; PS1='$ '; eval \"$(elsewhere fab --print-completion-script {shell})\"\n")
        terminal.type("fab() { echo ran \"$@\"; }; echo set'' up\n")
        terminal.expect(r"set up\r\n")
        terminal.type("fab -c tasks kinds --lo\t\n")
        terminal.expect(r"ran -c tasks kinds --log\s*\r\n")
        terminal.type("exit\n")
        assert terminal.end() == 0


def test_fish_completes(bench3: Bench, tmp_path: Path) -> None:
    program = str(require(program="fish", install=".ci/peers ssh"))
    _program_beside(bench3, tmp_path)
    script = bench3.run(bench3.ours, ["--print-completion-script", "fish"])
    words = [program, "-c", "\n".join([*script.out, "complete --do-complete 'fab -c tasks kinds --lo'"])]
    ran = bench3.run(words, [], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert "--log" in ran.out, ran


def _program_beside(bench: Bench, folder: Path) -> None:
    """The name that the scripts call."""
    path = folder / "elsewhere"
    path.write_text(f'#!/bin/sh\nexec {" ".join(bench.ours[:3])} "$@"\n')
    path.chmod(0o755)


def test_a_further_file_of_known_hosts(bench1: Bench) -> None:
    words = ["--system-known-hosts", str(bench1.server.known_hosts), "-H", bench1.hosts[0], "--", "echo reached"]
    ran = bench1.start(bench1.ours, words, "", None, known="").end()
    assert (ran.status, ran.err) == (0, [""])
    assert any(line.endswith("out: reached") for line in ran.out)


def test_completion_for_another_shell_is_refused(bench3: Bench) -> None:
    original, ours = bench3.both("--print-completion-script", "csh")
    same(original, ours)
    assert ours.status == 1


# ---- the agent -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _agent(folder: Path, key: Path) -> Iterator[dict[str, str]]:
    program = require(program="ssh-agent", install=".ci/peers ssh")
    socket = {"SSH_AUTH_SOCK": str(folder / "agent")}
    with subprocess.Popen([program, "-D", "-a", socket["SSH_AUTH_SOCK"]], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        try:
            for kind in ("rsa", "ecdsa"):
                subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", folder / kind], check=True)
            for path in (key, folder / "rsa", folder / "ecdsa"):
                subprocess.run(["ssh-add", "-q", path], env={**os.environ, **socket}, check=True)
            yield socket
        finally:
            process.kill()


def test_the_agents_keys(bench3: Bench, tmp_path: Path) -> None:
    with _agent(tmp_path, bench3.server.key) as socket:
        original, ours = bench3.both("--list-agent-keys", env=socket)
    same(original, ours)
    assert len(ours.out) == 4, ours


def test_no_agent_is_one_sentence(bench3: Bench) -> None:
    ran = bench3.run(bench3.ours, ["--list-agent-keys"])
    assert (ran.status, ran.err) == (1, ["there is no SSH agent: SSH_AUTH_SOCK is not set", ""])


def test_debugging_says_what_is_done(bench3: Bench) -> None:
    ran = bench3.run(bench3.ours, ["-d", "-c", "iso", "-H", bench3.hosts[0], "--", "true"])
    assert any(line.startswith("asyncssh.") and bench3.server.hosts[0] in line for line in ran.err), ran
