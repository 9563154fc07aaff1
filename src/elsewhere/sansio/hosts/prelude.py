"""What the far shell is given for a command, and how its first words are understood.

::

    sent as the command      exec sh -c 'PRELUDE'            no newline, and no quote that another kind of shell minds
    it says, on stderr       NONCE PID
    it reads                 one line: what to do            once the watcher was told of PID
    and then                 runs that in PID's place, with what is left of its stdin

So nothing is run before somebody watches it, and neither the environment's values nor the input ever stand in a command
line, where each user of the host could read them. sshd gives each command without a terminal a session of its own, so
PID is a process group's, too.

Rule: whatever a value holds, the shell sees it as that value: quotes, newlines, ``$(...)``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

__all__ = ["Opening", "line", "name_of", "prelude", "quoted"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NONCE = re.compile(r"[0-9a-f]{8,64}")
MOST = 64 << 10  # bytes on stderr before the first word: what a profile may have written


def prelude(nonce: str, *, pty: bool = False) -> str:
    """What is sent as the command.

    Args:
        nonce: hexadecimal digits, which nobody else can know.
        pty: it has a terminal, whose echo would show the line that it reads.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is hexadecimal digits")
    begin, end = ("stty -echo; ", "stty echo; ") if pty else ("", "")
    stream = "" if pty else " >&2"
    # The third character of IFS is a newline, which cannot be written here.
    return f"exec sh -c '{begin}n=${{IFS#??}}; echo {nonce} $${stream}; IFS= read -r c && {{ {end}eval \"$c\"; }}'"


def line(
    command: str | Sequence[str],
    *,
    cwd: str | None = None,
    prefixes: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    quiet_input: bool = False,
    plain: bool = False,
) -> bytes:
    """The line that the prelude reads.

    Args:
        command: for the far shell; or a program and its arguments, which are quoted.
        cwd: the folder to run it in; ``~`` is the user's home there.
        prefixes: commands that must succeed before it.
        env: further variables.
        quiet_input: nothing is its input.
        plain: it is for sh, whatever shell the user has there.

    Raises:
        ValueError: a name is none, or something holds a NUL, which no shell can pass on.
        TypeError: the command is neither.
    """
    parts = [f"export {name_of(name)}={quoted(value)}" for name, value in (env or {}).items()]
    if cwd is not None:
        parts.append(f"cd {_folder(cwd)}")
    if isinstance(command, str):
        # `eval` in this very shell where that is plain sh, as most are not what runs scripts but who logs in.
        whole = quoted(" && ".join(prefixes) + " && " + command if prefixes else command)
        login = f'case ${{SHELL:-/bin/sh}} in */sh|*/dash) eval {whole} ;; *) exec "$SHELL" -c {whole} ;; esac'
        parts.append(f"eval {whole}" if plain else login)
    elif isinstance(command, Sequence) and all(isinstance(word, str) for word in command) and command:
        words = " ".join(map(quoted, command))
        if prefixes:
            parts.append(f"eval {quoted(' && '.join(prefixes))}")
        parts.append(f"exec {words}")
    else:
        raise TypeError(f"a command is a str, or a list of a program and its arguments, not {command!r:.80}")
    text = " && ".join(parts)
    if quiet_input:
        text = f"exec </dev/null; {text}"
    return text.encode(errors="surrogateescape") + b"\n"


def name_of(name: str) -> str:
    """The name of a variable.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an environment variable: letters, digits and _ are")
    return name


def quoted(text: str) -> str:
    """The text as one word of sh, in one line: `$n` is the newline."""
    if not isinstance(text, str):
        raise TypeError(f"a word of a command is a str, not {text!r:.80}")
    if "\0" in text:
        raise ValueError(f"{text!r:.80} holds a NUL, which no command line and no variable can")
    if "\n" not in text:
        return shlex.quote(text)
    return '"$n"'.join(shlex.quote(part) if part else "" for part in text.split("\n")) or "''"


def _folder(cwd: str) -> str:
    if not cwd:
        raise ValueError("cwd is a folder, not an empty text")
    if cwd == "~" or cwd.startswith("~/"):
        return f'"$HOME"{quoted(cwd[1:]) if len(cwd) > 1 else ""}'
    return quoted(cwd if not cwd.startswith("-") else f"./{cwd}")


class Opening:
    """Understands what comes from a prelude until it has told its process.

    Args:
        nonce: the one it was given.

    Attributes:
        pid: of the process; None until it was told.
    """

    def __init__(self, nonce: str) -> None:
        self._mark = nonce.encode()
        self._held = b""
        self.pid: int | None = None

    def feed(self, data: bytes) -> bytes:
        """What comes before and behind the word, and is the command's own; b"" while the word may still come."""
        if self.pid is not None:
            return data
        self._held += data
        begin = self._held.find(self._mark)
        end = self._held.find(b"\n", begin) if begin >= 0 else -1
        if end < 0:
            if len(self._held) > MOST:
                found, self._held = self._held[: -len(self._mark)], self._held[-len(self._mark) :]
                return found
            return b""
        words = self._held[begin:end].split()
        if len(words) == 2 and words[1].isdigit():
            self.pid = int(words[1])
        found, self._held = self._held[:begin] + self._held[end + 1 :], b""
        return found

    def rest(self) -> bytes:
        """It has ended: what was held back."""
        found, self._held = self._held, b""
        return found
