"""The dialogue with sudo: its shells are real here, and programs play sudo; the real one is in tests/fleet/sudo."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.prelude import line
from elsewhere.sansio.hosts.sudo import Dialogue, Refusal, Step, account, first, guard, opening, piece

N, M = "0123456789abcdef", "fedcba9876543210"
MARKED = st.sampled_from(
    [N, M, f"{N} ask\n", f"{N} hello 1\n", f"{N} again\n", f"{M} more\n", f"{M} done ", N[:5], " ", "\n", "x"]
)
TEXTS = st.lists(st.one_of(MARKED, st.text(max_size=5)), max_size=12).map("".join)
CUTS = st.lists(st.integers(0, 400), max_size=8)
BEGUN = f"{N} begin 7\n{N} hello 8\n".encode()


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def told(dialogue: Dialogue, data: bytes, cuts: list[int]) -> tuple[bytes, list[Step]]:
    """All that comes of data, whose pieces part anywhere; who is asked for a password has one."""
    found, steps = b"", []
    again = f"{N} again\n".encode()
    place = data.find(again) + len(again)
    if place >= len(again):
        cuts = [*cuts, place]  # nothing more comes before it was answered
    for part in cut(data, cuts):
        text, more = dialogue.heard(part)
        found += text
        steps += more
        for step in more:
            if step is Step.ASK:
                assert dialogue.ask() == f"{N} ask\n".encode()
    return found, steps


STORIES: dict[str, tuple[str, list[Step], Refusal | None, str]] = {
    # what comes; what is to be done; how it ends, if it was refused; what is the command's own
    "at once": (f"{N} begin 7\n{N} hello 8\nout", [Step.BEGIN], None, "out"),
    "a profile": (f"hi\n{N} begin 7\nlecture\n{N} hello 8\nout", [Step.BEGIN], None, "hi\nout"),
    "right": (
        f"{N} begin 7\nsudo: a password is required\n{N} again\nlecture\n{N} ask\n{N} hello 8\n",
        [Step.ASK, Step.PASSWORD, Step.BEGIN],
        None,
        "",
    ),
    "not asked after all": (f"{N} begin 7\n{N} again\n{N} hello 8\n", [Step.ASK, Step.BEGIN], None, ""),
    "wrong": (
        f"{N} begin 7\n{N} again\n{N} ask\nSorry, try again.\n{N} ask\n{N} ask\n",
        [Step.ASK, Step.PASSWORD, Step.REFUSED],
        Refusal.WRONG,
        "",
    ),
    "more than a password": (
        f"{N} begin 7\n{N} again\n{N} ask\n{N} ask\n",
        [Step.ASK, Step.PASSWORD, Step.REFUSED],
        Refusal.MORE,
        "",
    ),
    "wrong, and one try": (
        f"{N} begin 7\n{N} again\n{N} ask\nsudo: 1 incorrect password attempt\n",
        [Step.ASK, Step.PASSWORD],
        Refusal.WRONG,
        "",
    ),
    "not in sudoers": (
        f"{N} begin 7\n{N} again\n{N} ask\nx is not in the sudoers file.\n",
        [Step.ASK, Step.PASSWORD],
        Refusal.FORBIDDEN,
        "",
    ),
    "requiretty": (
        f"{N} begin 7\nsudo: sorry, you must have a tty to run sudo\n{N} again\n",
        [Step.REFUSED],
        Refusal.TERMINAL,
        "",
    ),
    "who": (f"{N} begin 7\nsudo: unknown user x\n{N} again\n", [Step.REFUSED], Refusal.UNKNOWN, ""),
    "none": (f"{N} begin 7\n{N} none\n", [Step.REFUSED], Refusal.NONE, ""),
    "status 1": (f"{N} begin 7\n{N} hello 8\nerr\n{N} again\n", [Step.BEGIN, Step.OVER], None, "err\n"),
    "a terminal": (f"{N} begin 7\r\n{N} hello 8\r\nerr\r\n{N} again\r\n", [Step.BEGIN, Step.OVER], None, "err\r\n"),
    "input": (f"{N} begin 7\n{N} hello 8\na{M} more\nb{M} deaf\n", [Step.BEGIN, Step.MORE, Step.DEAF], None, "ab"),
    "its status": (f"{N} begin 7\n{N} hello 8\na{M} done 3\r\nb", [Step.BEGIN, Step.DONE], None, "ab"),
    "no status": (f"{N} begin 7\n{N} hello 8\na{M} done x", [Step.BEGIN], None, f"a{M} done x"),
    "its own words": (f"{N} begin 7\n{N} hello 8\n{N} ask\n{N} hello 9\n{M}", [Step.BEGIN], None, None),  # type: ignore[dict-item] # below
    "nothing": ("no such shell", [], Refusal.OTHER, "no such shell"),
}


@pytest.mark.parametrize("story", STORIES)
@given(cuts=CUTS)
def test_stories(story: str, cuts: list[int]) -> None:
    says, steps, refusal, own = STORIES[story]
    dialogue = Dialogue(N, M)
    found, done = told(dialogue, says.encode(), cuts)
    found += dialogue.ended()
    assert done == steps
    assert dialogue.refusal is refusal
    assert found.decode() == (says.partition("8\n")[2] if own is None else own) or story == "nothing"
    assert dialogue.sent == (Step.PASSWORD in steps)
    assert dialogue.status == (3 if Step.DONE in steps else None)


@given(TEXTS, CUTS)
def test_a_password_is_sent_once_and_only_where_it_was_asked_for(text: str, cuts: list[int]) -> None:
    dialogue = Dialogue(N, M)
    _, steps = told(dialogue, f"{N} begin 7\n{text}".encode(errors="replace"), cuts)
    assert steps.count(Step.PASSWORD) <= 1
    assert steps.count(Step.BEGIN) <= 1
    if Step.PASSWORD in steps:
        assert Step.ASK in steps[: steps.index(Step.PASSWORD)]
        assert Step.BEGIN not in steps[: steps.index(Step.PASSWORD)]
        assert f"{N} ask" in text


@given(TEXTS, CUTS)
def test_what_the_command_writes_arrives(text: str, cuts: list[int]) -> None:
    """Whatever it writes that is none of the three words, and whatever of it comes at once."""
    own = text
    for word in (f"{N} again\n", f"{M} more\n"):
        own = own.replace(word, "")
    if N + " again\n" in own or M + " more\n" in own:
        return  # what was left has made a new one
    dialogue = Dialogue(N, M)
    found, steps = told(dialogue, BEGUN + own.encode(errors="replace"), [at + len(BEGUN) for at in cuts])
    assert found + dialogue.ended() == own.encode(errors="replace")
    assert steps == [Step.BEGIN]


@given(st.binary(max_size=50), st.binary(max_size=50), CUTS)
def test_what_comes_before_the_mark_is_not_the_commands_output(before: bytes, own: bytes, cuts: list[int]) -> None:
    dialogue = Dialogue(N, M)
    data = before + N.encode() + b"\n" + own
    assert b"".join(dialogue.out(part) for part in cut(data, cuts)) == own


def test_nothing_is_held_back_that_is_no_beginning_of_a_word() -> None:
    dialogue = Dialogue(N, M)
    assert dialogue.heard(BEGUN + b"Password: ") == (b"Password: ", [Step.BEGIN])
    assert dialogue.heard(b"x" + M[:3].encode()) == (b"x", [])
    assert dialogue.heard(b"y") == (M[:3].encode() + b"y", [])


def test_a_question_that_is_not_ours() -> None:
    dialogue = Dialogue(N, M)
    said = [b"Password for somewhere: ", f"{N} begin 7\n".encode(), b"lecture\n", b"Verification ", b"code: "]
    questions = []
    for part in said:
        dialogue.heard(part)
        questions.append(dialogue.question)
    assert questions == ["", "", "", "Verification", "Verification code:"]
    dialogue.heard(f"\n{N} hello 8\nName: ".encode())
    assert dialogue.question == ""


# ---- what is sent, in real shells ------------------------------------------------------------------------------------

LOGIN_SHELLS = [path for name in ("dash", "bash", "zsh", "fish", "tcsh") if (path := shutil.which(name))]
PLAYS = {
    # it lets everybody
    "free": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    # it asks for "right"
    "asks": (
        'p=; while [ "$1" != -- ]; do case $1 in -n) echo "sudo: a password is required" >&2; exit 1 ;; '
        "-p) p=$2; shift ;; esac; shift; done; shift; "
        'printf %s "[sudo] $p" >&2; IFS= read -r x; [ "$x" = right ] || { echo "Sorry, try again." >&2; '
        'printf %s "$p" >&2; read -r x || exit 1; }; exec "$@"'
    ),
}


def played(
    tmp_path: Path, play: str, command: bytes, *, shell: str = "/bin/sh", data: bytes = b""
) -> tuple[bytes, ...]:
    """What a command writes whose sudo is a program that plays one: its output, its errors, what was said to it."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    sudo = tmp_path / "bin" / "sudo"
    sudo.write_text(f"#!/bin/sh\n{PLAYS[play]}\n")
    sudo.chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        [shell, "-c", opening(N, user="root", group="#0")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, process_group=0, bufsize=0,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    assert process.stderr
    dialogue, errors, sent = Dialogue(N, M), b"", []
    whole = first(command, last=False) + piece(data, last=True)
    with process:
        while part := process.stderr.read(7):
            found, steps = dialogue.heard(part)
            errors += found
            for step in steps:
                sent.append(step)
                process.stdin.write(
                    dialogue.ask() if step is Step.ASK
                    else b"right\n" if step is Step.PASSWORD
                    else guard(M, dialogue.outer) + whole if step is Step.BEGIN
                    else b"\n" if step is Step.OVER
                    else b""
                )  # fmt: skip
        output = dialogue.out(process.stdout.read())
    return output, errors + dialogue.ended(), repr(sent).encode()


@pytest.mark.parametrize("play", PLAYS)
@pytest.mark.parametrize("shell", LOGIN_SHELLS)
def test_what_is_sent_is_right_for_each_login_shell(tmp_path: Path, play: str, shell: str) -> None:
    text = line('cat; echo err >&2; printf %s "$VALUE $LC_ALL"; exit 1', env={"VALUE": "; ' newline\n$()"}, plain=True)
    output, errors, sent = played(tmp_path, play, text, shell=shell, data=b"\0\nin")
    assert output == b"\0\nin; ' newline\n$() C.UTF-8"
    assert errors == b"err\n"
    assert (b"OVER" in sent) == (play == "free")
    assert (b"PASSWORD" in sent) == (play == "asks")


def test_a_host_without_sudo(tmp_path: Path) -> None:
    for name in ("sh", "id"):
        (tmp_path / name).symlink_to(f"/bin/{name}")
    done = subprocess.run(
        ["/bin/sh", "-c", opening(N)], capture_output=True, env={"PATH": str(tmp_path)}, check=False, timeout=20
    )
    dialogue = Dialogue(N, M)
    assert dialogue.heard(done.stderr) == (b"", [Step.REFUSED])
    assert dialogue.refusal is Refusal.NONE


# ---- what is no argument ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "-u", "a b", "a;id", "$(id)", "#", "#x", "a\n", 'a"', "ä"])
def test_what_is_no_name_of_a_user(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a user"):
        opening(N, user=account(name, "user"))


def test_what_is_no_nonce() -> None:
    with pytest.raises(ValueError, match="a nonce is"):
        opening("$(id)")
    with pytest.raises(TypeError, match="group is a name, not a value of type int"):
        opening(N, group=1)  # type: ignore[arg-type] # what is tested
