"""What the far shell is given for a command, and how its first words are understood.

::

    sent as the command      a few words of ours, and the command
    it says, on stderr       NONCE PID
    it reads                 one line: the environment       once the watcher was told of PID
    and then                 runs the command in PID's place, with what is left of its stdin

With a terminal it says the same word again when it has read the line: from then on the terminal is one as any other,
and what is typed is the command's. An empty line needs no other terminal than that, and so no program that changes it:
what is shown of the line, before the second word, is thrown away.

So nothing is run before somebody watches it, and neither the environment's values nor the input ever stand in a command
line, where each user of the host could read them. sshd gives each command a session of its own, so PID is a process
group's, too.

There are two ways to say it. `direct` is for a login shell of Bourne's kind, which runs the words itself: no other
process, no quoting. `prelude` and `line` are for all others (csh, fish), and for what is too long for a command line:
the shell starts a plain `sh`, which reads what to do. A login shell that is not of that kind runs nothing of `direct`,
and never says the word; nor does one that has no process group of its own.

Rule: whatever a value holds, the shell sees it as that value: quotes, newlines, ``$(...)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["Opening", "direct", "is_plain", "line", "name_of", "prelude", "quoted", "values"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NONCE = re.compile(r"[0-9a-f]{8,64}")
_USER = re.compile(r"~[A-Za-z_][A-Za-z0-9_.-]*(?=/|$)")
_SAFE = re.compile(r"[A-Za-z0-9@%+:,./_-]+")
_PLAIN = frozenset({"sh", "dash", "bash", "ash", "ksh", "ksh93", "mksh", "zsh", "yash"})
MOST = 64 << 10  # bytes on stderr before the first word: what a profile may have written
LONGEST = 64 << 10  # bytes of a command line: Linux takes 128 KiB
# What a terminal does with what is typed, off while the line is read: it holds any bytes, and more than 4,095 of them.
MODES = "echo icanon isig iexten icrnl ixon"


def is_plain(shell: str) -> bool:
    """Is this login shell, by the path of its program, of Bourne's kind?"""
    return shell.rpartition("/")[2] in _PLAIN


def direct(
    command: str | Sequence[str],
    nonce: str,
    *,
    cwd: str | None = None,
    prefixes: Sequence[str] = (),
    quiet_input: bool = False,
    pty: bool = False,
    dark: bool = True,
) -> bytes | None:
    """What is sent as the command to a login shell of Bourne's kind; None where that would be too long.

    Args:
        command: for the far shell; or a program and its arguments, which are quoted.
        nonce: hexadecimal digits, which nobody else can know.
        cwd: the folder to run it in; ``~`` is the user's home there, ``~name`` another's.
        prefixes: commands that must succeed before it.
        quiet_input: nothing is its input.
        pty: it has a terminal.
        dark: that was opened with `MODES` off, as it must be where the line is not empty.

    Raises:
        ValueError, TypeError: as `line` does.
    """
    nonce = _checked(nonce)
    stream, end = ("", f"{f'stty {MODES}; ' * dark}echo {nonce} $$; ") if pty else (" >&2", "")
    lines = [
        # csh, which knows that variable, would run all lines after one that it cannot read, and one that says `exit`.
        'test x$shell = x || exec sh -c "exit 1"',
        'kill -0 -$$ || exec sh -c "exit 1"',  # it leads no group of processes, which dropbear makes none of
        f"case x in x) echo {nonce} $${stream}",  # a line that neither csh nor fish can read
        '__n="',
        f'"; IFS= read -r __c && {{ {end}eval "$__c"; }} ;; esac || exit 1',
        "unset __c __n",
    ]
    if quiet_input:
        lines.append("exec </dev/null")
    if cwd is not None:
        lines.append(f"cd {_folder(cwd, literal=True)} || exit")
    lines += [f"{{ {_text(prefix)}\n}} || exit" for prefix in prefixes]  # a newline, as it may end in a comment
    text = _text(command) if isinstance(command, str) else f"exec {_words(command, literal=True)}"
    found = "\n".join([*lines, text]).encode(errors="surrogateescape")
    return found if len(found) <= LONGEST else None


def values(env: Mapping[str, str] | None = None) -> bytes:
    """The line that is read there: the environment.

    Raises:
        ValueError: a name is none, or a value holds a NUL.
    """
    parts = [f"{name_of(name)}={quoted(value)}" for name, value in (env or {}).items()]
    return (f"export {' '.join(parts)}" if parts else "").encode(errors="surrogateescape") + b"\n"


def prelude(nonce: str, *, pty: bool = False, alone: bool = False) -> str:
    """What is sent as the command to a shell of any kind: no newline, and no quote that one of them minds.

    Args:
        nonce: hexadecimal digits, which nobody else can know.
        pty: it has a terminal, which was opened with `MODES` off.
        alone: it has no session of its own, as under dropbear: the program ``setsid`` makes it one.
    """
    nonce = _checked(nonce)
    stream, end = ("", f"stty {MODES}; echo {nonce} $$; ") if pty else (" >&2", "")
    # The third character of IFS is a newline, which cannot be written here.
    begin = "exec setsid sh" if alone and not pty else "exec sh"
    return f"{begin} -c '__n=${{IFS#??}}; echo {nonce} $${stream}; IFS= read -r __c && {{ {end}eval \"$__c\"; }}'"


def line(
    command: str | Sequence[str],
    *,
    cwd: str | None = None,
    prefixes: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    quiet_input: bool = False,
    plain: bool = False,
) -> bytes:
    """The line that `prelude` reads.

    Args:
        command: for the far shell; or a program and its arguments, which are quoted.
        cwd: the folder to run it in; ``~`` is the user's home there, ``~name`` another's.
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
        parts.append(_for_login_shell(command, prefixes, plain=plain))
    else:
        parts += [f"eval {quoted(prefix)}" for prefix in prefixes]
        parts.append(f"exec {_words(command)}")
    text = " && ".join(parts)
    if quiet_input:
        text = f"exec </dev/null; {text}"
    return f"unset __c; {text}".encode(errors="surrogateescape") + b"\n"


def _for_login_shell(command: str, prefixes: Sequence[str], *, plain: bool) -> str:
    """The text is for the shell of who logs in: that is this one, where it is plain sh."""
    text = _text(command)
    bournes = quoted("".join(f"{{ {_text(prefix)}\n}} || exit\n" for prefix in prefixes) + text)
    if plain:
        return f"eval {bournes}"
    others = f'*csh|*/fish) exec "$SHELL" -c {quoted(" && ".join([*prefixes, text]))} ;; ' if prefixes else ""
    return f'case ${{SHELL:-/bin/sh}} in */sh|*/dash) eval {bournes} ;; {others}*) exec "$SHELL" -c {bournes} ;; esac'


def _checked(nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is hexadecimal digits")
    return nonce


def name_of(name: str) -> str:
    """The name of a variable.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an environment variable: letters, digits and _ are")
    return name


def _text(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a command of the shell is a str, not {text!r:.80}")
    if "\0" in text:
        raise ValueError(f"{text!r:.80} holds a NUL, which no command line and no variable can")
    return text


def _words(command: Sequence[str], *, literal: bool = False) -> str:
    if not isinstance(command, Sequence) or not command or not all(isinstance(word, str) for word in command):
        raise TypeError(f"a command is a str, or a list of a program and its arguments, not {command!r:.80}")
    return " ".join(_quote(_text(word)) if literal else quoted(word) for word in command)


def _quote(text: str) -> str:
    """As `shlex.quote`; but ``=`` is quoted, too: zsh would look for a program behind one that begins a word."""
    return text if _SAFE.fullmatch(text) else "'" + text.replace("'", "'\"'\"'") + "'"


def quoted(text: str) -> str:
    """The text as one word of sh, in one line: `$__n` is the newline."""
    if not isinstance(text, str):
        raise TypeError(f"a word of a command is a str, not {text!r:.80}")
    _text(text)
    if "\n" not in text:
        return _quote(text)
    return '"$__n"'.join(_quote(part) if part else "" for part in text.split("\n")) or "''"


def _folder(cwd: str, *, literal: bool = False) -> str:
    """A folder, as a word behind `cd`."""
    if not isinstance(cwd, str):
        raise TypeError(f"cwd is a str, not a value of type {type(cwd).__name__}")
    if not cwd:
        raise ValueError("cwd is a folder, not an empty text")
    word = (lambda text: _quote(_text(text))) if literal else quoted
    if cwd == "~" or cwd.startswith("~/"):
        return f'"$HOME"{word(cwd[1:]) if len(cwd) > 1 else ""}'
    if user := _USER.match(cwd):  # that is only expanded where neither it nor the slash behind it is quoted
        rest = cwd[user.end() + 1 :]
        return f"{user[0]}/{word(rest) if rest else ''}"
    return word(cwd if cwd.startswith("/") else f"./{cwd}")  # no option, and not found by CDPATH


class Opening:
    """Understands what comes from a prelude until it has told its process.

    Args:
        nonce: the one it was given.
        alone: what comes before the word is nobody's.

    Attributes:
        nonce: this one.
        pid: of the process; None until it was told.
    """

    def __init__(self, nonce: str, *, alone: bool = False) -> None:
        self.nonce = nonce
        self._alone = alone
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
        found, self._held = self._held[: 0 if self._alone else begin] + self._held[end + 1 :], b""
        return found

    def rest(self) -> bytes:
        """It has ended: what was held back."""
        found, self._held = self._held, b""
        return found
