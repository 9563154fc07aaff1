"""What the far shell is given. Real shells tell whether a value is still that value."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elsewhere.sansio.hosts.prelude import Opening, direct, is_plain, line, name_of, prelude, values

NONCE = "0123456789abcdef"
SHELLS = [path for name in ("dash", "bash", "zsh", "busybox") if (path := shutil.which(name))]
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def run(text: bytes, *, shell: str = "/bin/sh", login: str = "/bin/sh", stdin: bytes = b"") -> bytes:
    """What a command writes that is started as sshd starts it."""
    env = {"PATH": os.environ["PATH"], "SHELL": shell, "HOME": "/tmp"}
    args = [login, "sh", "-c"] if login.endswith("busybox") else [login, "-c"]
    done = subprocess.run([*args, prelude(NONCE)], input=text + stdin, capture_output=True, env=env, check=False)
    opening = Opening(NONCE)
    behind = opening.feed(done.stderr)
    assert opening.pid
    assert behind == b"", behind
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@given(value=VALUES)
@settings(max_examples=15, deadline=None)
def test_a_value_arrives_as_it_is(shell, value):
    found = run(line(["printenv", "VALUE"], env={"VALUE": value}), login=shell)
    assert found == value.encode() + b"\n"
    found = run(line(["printf", "%s", value]), login=shell)
    assert found == value.encode()


@pytest.mark.parametrize("value", ["; ' newline\n$()", "\n", "\n\n", "'\n'", "$(id)`id`\\", "a\nb\n", "!x", '"'])
def test_values_that_are_often_wrong(value):
    assert run(line('printf %s "$VALUE"', env={"VALUE": value})) == value.encode()
    assert run(line(f"printf %s {shlex.quote(value)}")) == value.encode()


@pytest.mark.parametrize("shell", ["/bin/sh", shutil.which("bash") or "/bin/sh"])
def test_commands_of_several_lines(shell):
    assert run(line("echo one\nfor x in 2 3\ndo echo $x\ndone"), shell=shell) == b"one\n2\n3\n"


def test_where_it_runs_and_what_goes_before(tmp_path):
    folder = tmp_path / "a b'$(c)"
    folder.mkdir()
    assert run(line("pwd", cwd=str(folder))) == f"{folder}\n".encode()
    assert run(line(["pwd"], cwd="~")) == b"/tmp\n"
    assert run(line("echo $X", prefixes=["X=1", "export X"])) == b"1\n"
    assert run(line(["printenv", "X"], prefixes=["export X=2"])) == b"2\n"


def test_input_is_what_is_left():
    assert run(line("cat"), stdin=b"one\ntwo") == b"one\ntwo"
    assert run(line("cat", quiet_input=True), stdin=b"one\ntwo") == b""


def test_a_folder_that_is_not_there_runs_nothing():
    done = subprocess.run(
        ["sh", "-c", prelude(NONCE)], input=line("echo ran", cwd="/nowhere"), capture_output=True, check=False
    )
    assert done.returncode != 0
    assert b"ran" not in done.stdout


@pytest.mark.parametrize("name", ["", "1X", "A-B", "A B", "A=B", "Ä", "A\n", "A;id", None])
def test_what_is_no_name_of_a_variable(name):
    with pytest.raises(ValueError, match="is no name of an environment variable"):
        name_of(name)


@pytest.mark.parametrize(
    ("command", "error"),
    [([], TypeError), ([1], TypeError), (None, TypeError), ("a\0b", ValueError), (["\0"], ValueError)],
)
def test_what_is_no_command(command, error):
    with pytest.raises(error):
        line(command)


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 2**22), st.lists(st.integers(0, 200), max_size=5))
def test_the_word_is_found_wherever_the_pieces_part(before, behind, pid, cuts):
    whole = before + f"{NONCE} {pid}\n".encode() + behind
    opening = Opening(NONCE)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    found = b"".join(opening.feed(whole[a:b]) for a, b in itertools.pairwise(edges))
    assert (opening.pid, found + opening.rest()) == (pid, before + behind)


def test_what_comes_before_the_word_may_be_nobodys():
    data = f"\r\n{NONCE} 7\r\n\r\nits own".encode()
    for cut in range(len(data)):
        opening = Opening(NONCE, alone=True)
        assert opening.feed(data[:cut]) + opening.feed(data[cut:]) == b"\r\nits own"
        assert opening.pid == 7


def test_what_never_says_its_word_loses_nothing():
    opening = Opening(NONCE)
    data = os.urandom(1000).hex().encode() * 100
    found = b"".join(opening.feed(data[at : at + 1000]) for at in range(0, len(data), 1000))
    assert opening.pid is None
    assert found + opening.rest() == data


# ---- what a login shell of Bourne's kind runs itself -----------------------------------------------------------------


def said(command, *, env=None, login="/bin/sh", stdin=b"", **how):
    """What it writes, and its status."""
    words = direct(command, NONCE, **how)
    assert words is not None
    args = [login, "sh", "-c"] if login.endswith("busybox") else [login, "-c"]
    home = {"PATH": os.environ["PATH"], "HOME": "/tmp"}
    done = subprocess.run(
        [*args, words], input=values(env) + stdin, capture_output=True, env=home, check=False, start_new_session=True
    )
    opening = Opening(NONCE)
    behind = opening.feed(done.stderr)
    assert opening.pid
    return done.stdout, behind, done.returncode


@pytest.mark.parametrize("shell", SHELLS)
@given(value=VALUES)
@example("=0")
@settings(max_examples=15, deadline=None)
def test_a_value_arrives_as_it_is_directly(shell, value):
    assert said(["printenv", "VALUE"], env={"VALUE": value}, login=shell) == (value.encode() + b"\n", b"", 0)
    assert said(["printf", "%s", value], login=shell)[0] == value.encode()
    text = value.replace("'", "'\"'\"'")
    assert said(f"printf %s '{text}'", login=shell)[0] == value.encode()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_goes_before_directly(shell, tmp_path):
    folder = tmp_path / "-a b'$(c)"
    folder.mkdir()
    assert said("pwd", cwd=str(folder), login=shell)[0] == f"{folder}\n".encode()
    assert said("pwd; echo $X", cwd="~", prefixes=["X=1 # one", "echo two"], login=shell)[0] == b"two\n/tmp\n1\n"
    assert said("echo ran", prefixes=["(exit 7)"], login=shell) == (b"", b"", 7)
    assert said("echo ran", cwd="/nowhere", login=shell)[0] == b""
    assert said("cat", stdin=b"one\ntwo", login=shell)[0] == b"one\ntwo"
    assert said("cat", stdin=b"one\ntwo", quiet_input=True, login=shell)[0] == b""
    assert said("echo one\nexit 3\n", login=shell) == (b"one\n", b"", 3)
    if not shell.endswith("zsh"):  # which reads all before it runs anything
        assert said("echo one; )", login=shell)[2] != 0
    assert said('echo "$__c$__n"', env={"X": "1"}, login=shell)[0] == b"\n"


@pytest.mark.parametrize("shell", [path for name in ("tcsh", "csh", "fish") if (path := shutil.which(name))])
def test_another_kind_of_shell_runs_nothing_of_it(shell, tmp_path):
    words = direct(f"touch {tmp_path}/ran", NONCE, prefixes=[f"touch {tmp_path}/ran"])
    done = subprocess.run([shell, "-c", words], input=values({"X": "1\n2"}), capture_output=True, check=False)
    assert NONCE.encode() not in done.stdout + done.stderr.replace(b"echo " + NONCE.encode(), b"")
    assert not (tmp_path / "ran").exists()


def test_who_is_killed_before_the_line_runs_nothing():
    words = direct("echo ran", NONCE)
    for own in (True, False):
        done = subprocess.run(
            ["sh", "-c", words],
            input=b"\n" if not own else b"",
            capture_output=True,
            check=False,
            start_new_session=own,
        )
        assert (done.stdout, done.returncode) == (b"", 1)
        assert (NONCE.encode() in done.stderr) == own  # without a group of its own, nobody could end it


def test_a_session_is_made_where_there_is_none():
    words = line("ps -o pgid= -p $$; echo $$")
    for alone in (False, True):
        begin = prelude(NONCE, alone=alone)
        done = subprocess.run(["sh", "-c", begin], input=words, capture_output=True, check=True)
        group, pid = done.stdout.split()
        assert (group == pid) == alone


def test_what_is_too_long_is_not_said_directly():
    assert direct("x" * 70_000, NONCE) is None
    assert direct("x" * 60_000, NONCE) is not None


@pytest.mark.parametrize(
    ("path", "plain"), [("/bin/sh", True), ("/usr/bin/zsh", True), ("/bin/tcsh", False), ("", False)]
)
def test_which_shells_are_plain(path, plain):
    assert is_plain(path) == plain
