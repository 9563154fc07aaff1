"""The dialogue with sudo on a host: what is sent, what is read, and what that means.

::

    sent as the command    exec sh -c '...'       nothing secret: names of a user and a group, and a nonce
    it says, on stderr     N begin PID            and tries ``sudo -n``, which asks nobody
       sudo let it         N hello PID            a shell under sudo is there: `guard`, and the command, are sent
       sudo did not        N again                with a password: ``N ask`` is sent, and ``sudo -S`` run, else: end
    sudo says              N ask                  its prompt, and the only thing that is answered by the password
       the same again                             the password was wrong. There is no third time
       or                  N hello PID            as above

So a password is sent only to a sudo that asks for one, never twice, and no input of the command's gets to sudo nor the
password to the command, whatever sudo remembers or forgets meanwhile: its shell is heard before anything else is sent.

What runs under sudo is another user's, which nobody else may kill. So a *guard* there watches the end of its own stdin,
and then ends the whole process group: TERM, and KILL two seconds later. The command's input therefore comes in pieces,
each announced by its length, and the next is sent when the command has taken the last (``M more``). So the guard's
stdin is empty whenever the command does not read, and its end is seen.

Rule: sudo's messages only explain what happened, as far as they are known; none is needed for anything to be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from elsewhere.sansio.hosts.prelude import MODES

__all__ = ["Dialogue", "Refusal", "Step", "account", "end", "first", "guard", "opening", "piece"]

_ACCOUNT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+-]*|#[0-9]+")
_NONCE = re.compile(r"[0-9a-f]{8,64}")
MOST = 64 << 10  # bytes of what is said before the command begins
_OFF = " ".join(f"-{mode}" for mode in MODES.split())
ELSEWHERE = "/usr/local/bin:/opt/local/bin:/usr/pkg/bin:/run/wrappers/bin"  # where else sudo is

_OPENING = (
    "exec sh -c '{terminal}n={nonce}; "
    "command -v sudo >/dev/null 2>&1 || PATH=$PATH:{elsewhere}; "
    "echo $n begin $$ >&2; command -v sudo >/dev/null 2>&1 || {{ echo $n none >&2; exit 127; }}; "
    'set -- {who}-- /bin/sh -c "{mark}echo \\$1 hello \\$\\$ >&2; IFS= read -r c && eval \\"\\$c\\"" '
    'sh $n ${{LC_ALL+"$LC_ALL"}}; export LC_ALL; LC_ALL=C; '
    'sudo -n "$@"; s=$?; [ $s = 1 ] || exit $s; '
    'echo $n again >&2; IFS= read -r x; [ "$x" = "$n ask" ] || exit 1; '
    # The third character of IFS is a newline, which cannot be written here.
    'exec sudo -S -p "$n ask${{IFS#??}}" "$@"\''
)

# LC_ALL was sudo's alone: the command has its own again, if sudo has let it through. A shell that sudo gave a group of
# its own has its number; any other is in the group of the shell that was started first.
_BOTH = (
    '[ -z "${{LC_ALL+x}}" ] || {{ unset LC_ALL; [ $# = 1 ] || export LC_ALL="$2"; }}; '
    "g=$$; kill -s 0 -- -$g 2>/dev/null || g={outer}; trap : HUP INT TERM QUIT; "
)
# The left half reads what is sent and is the watch; the right half waits for the command. A line is written by what is
# built into the shell, as it would show among the arguments of a program, which printf is to ksh's relatives. dd takes
# a whole piece before it writes any of it, so the watch is never held up by a command that does not read. Whoever is
# left of the group when the link ends hears of it before its input ends, so that it does not take half an input for
# the whole.
_GUARD = _BOTH + (
    'exec 3<&0 4>&2 2>/dev/null; {{ trap "" HUP INT TERM QUIT PIPE; '
    "{{ read -r p x </proc/self/stat; }} || p=$(sh -c 'echo $PPID'); echo $p; "
    "while read -r k <&3; do case $k in "
    'l*) IFS= read -r c <&3; case $KSH_VERSION$POSH_VERSION in "") printf "%s\\n" "$c" ;; '
    '*) print -r -- "$c" ;; esac ;; '
    "[1-9]*) head -c ${{k%.}} <&3 | "
    "{{ {{ dd ibs=65536 obs=${{k%.}} && w=more || w=deaf; echo {more} $w >&4; }} <&5 & }} 5<&0 ;; "
    "e) exit ;; .) ;; *) break ;; esac; case $k in *.) exec >/dev/null ;; esac; done; "
    'trap "" USR1; kill -s TERM -- -$g; exec <&- >&- 3<&- 4>&-; {{ sleep 2; kill -s KILL -- -$g; }} & }} | '
    "{{ trap : HUP INT TERM QUIT; read -r r; "
    # The command takes its standard error itself: else the shell that waits would write there how it was killed.
    "/bin/sh -c 'exec 2>&4 3<&- 4>&-; __n=${{IFS#??}}; IFS= read -r __c && eval \"$__c\"'; "
    "s=$?; {done}; exit $s; }}\n"
)
# With a terminal for the command its end is a hangup, which each process there is told; some ignore it.
_GUARD_TERMINAL = _BOTH + (
    '{{ trap "" INT QUIT TERM; '
    "trap 'trap \"\" HUP; kill -s KILL $!; kill -s TERM -- -$g; sleep 2; kill -s KILL -- -$g; exit' HUP; "
    "trap 'kill -s KILL $!; exit' USR1; while :; do sleep 86400 & wait $!; done; }} >/dev/null 2>&1 & w=$!; "
    "/bin/sh -c '__n=${{IFS#??}}; IFS= read -r __c && {{ stty {modes}; echo {more} more; eval \"$__c\"; }}'; "
    # The guard has gone when the terminal does, which is a hangup, too.
    "s=$?; kill -s USR1 $w; {{ wait $w; }} 2>/dev/null; stty {off}; echo {more} done $s; "
    'while IFS= read -r k && [ "$k" != "{more} end" ]; do :; done; exit $s\n'
)


def account(name: str, what: str) -> str:
    """The name of a user or a group, or its number after a #.

    Args:
        name: it.
        what: ``"user"`` or ``"group"``, for the message.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(name, str):
        raise TypeError(f"{what} is a name, not a value of type {type(name).__name__}")
    if not _ACCOUNT.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a {what}: letters, digits and _ . @ + - are, or # and a number")
    return name


def opening(
    nonce: str, *, user: str | None = None, group: str | None = None, pty: bool = False, raw: bool = False
) -> str:
    """What is sent as the command.

    Args:
        nonce: hexadecimal digits, which nobody else can know in advance.
        user: who runs it; None for sudo's default, which is root.
        group: its group; None for the user's.
        pty: it has a terminal, which the command is to use.
        raw: it has a terminal because sudo wants one, and the command does not.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is hexadecimal digits")
    who = f'-u "{account(user, "user")}" ' if user is not None else ""
    who += f'-g "{account(group, "group")}" ' if group is not None else ""
    return _OPENING.format(
        terminal="stty raw -echo; " if raw else f"stty {_OFF} min 1 time 0; " if pty else "",
        nonce=nonce,
        elsewhere=ELSEWHERE,
        who=who,
        mark="" if pty or raw else "echo \\$1; ",
    )


def guard(nonce: str, outer: int, *, pty: bool = False, raw: bool = False) -> bytes:
    """The line that the shell under sudo reads first.

    Args:
        nonce: another one, which stands in no command line.
        outer: the process that said ``begin``.
        pty, raw: as for `opening`.
    """
    # A sudo that holds a terminal for the command, and input that nobody reads, never ends, and burns a core. So the
    # guard tells the status, and reads the rest of the input until it hears that this is all.
    done = f"echo {nonce} done $s >&4" if raw else "kill -s USR1 $r"
    text = _GUARD_TERMINAL if pty else _GUARD
    return text.format(outer=outer, more=nonce, modes=MODES, off=_OFF, done=done).encode()


def end(nonce: str, *, pty: bool) -> bytes:
    """What is sent to a guard with a terminal when it has told the status: that was all."""
    return f"\n{nonce} end\n".encode() if pty else b"e\n"


def first(line: bytes, *, last: bool) -> bytes:
    """The line, as `prelude.line` makes it, of a command: it is read first, as are few bytes rather than many."""
    return b"l%s\n%s" % (b"." if last else b"", line)


def piece(data: bytes, *, last: bool) -> bytes:
    """A piece of what the command reads, behind its line or with that at its beginning."""
    return b"%s%s\n%s" % (b"%d" % len(data) if data else b"", b"." if last else b"", data)


class Step(Enum):
    """What is to be done next."""

    ASK = "have a password, send `Dialogue.ask`; or give up"
    PASSWORD = "send the password and a newline"
    BEGIN = "send the guard and what the command reads"
    MORE = "send the next piece"
    DEAF = "the command reads no more"
    OVER = "the command has ended: send a newline"
    DONE = "the command has ended with `Dialogue.status`: send no more input, but `end`"
    REFUSED = "it was refused: end"


class Refusal(Enum):
    """Why sudo did not run it."""

    NONE = "there is no sudo"
    WRONG = "the password is wrong"
    MORE = "something else is asked for, too: who was wrong is told so before"
    MISSING = "a password is asked for"
    TERMINAL = "a terminal is asked for"
    FORBIDDEN = "the user may not"
    UNKNOWN = "there is no such user or group"
    OTHER = "sudo says something else"


_SAYS: tuple[tuple[Refusal, tuple[str, ...]], ...] = (
    (Refusal.TERMINAL, ("must have a tty",)),
    (Refusal.UNKNOWN, ("unknown user", "unknown group", "unknown uid", "unknown gid", "' not found")),
    (
        Refusal.FORBIDDEN,
        ("not in the sudoers", "not allowed to", "may not run sudo", "i'm afraid i can't", "no valid sudoers"),
    ),
    (Refusal.WRONG, ("incorrect password", "incorrect authentication", "try again", "authentication failed")),
    (Refusal.MISSING, ("password is required", "no password was provided", "authentication is required")),
)


class _Stage(Enum):
    OPENING = 0  # nothing was said
    TRYING = 1  # sudo -n
    WAITING = 2  # for us: is there a password?
    ASKING = 3  # sudo -S
    CHECKING = 4  # it has the password
    RUNNING = 5
    OVER = 6


class Dialogue:
    """Understands what comes, and says what is to be done.

    Args:
        nonce: the one `opening` was given.
        more: the one `guard` was given.
        marked: its standard output begins with a mark: it has no terminal.

    Attributes:
        outer: the process that was started; 0 until it is known.
        refusal: why it was refused; None as long as it was not.
        sent: was a password sent?
        status: the exit status, where the guard has told it.
    """

    def __init__(self, nonce: str, more: str, *, marked: bool = True) -> None:
        self._nonce = nonce.encode()
        self._pattern = re.compile(
            f"(?:{more} (?:(more)|(deaf)|done ([0-9]{{1,3}}))|{nonce} (again))\r?\n".encode(), re.ASCII
        )
        self._partly = re.compile(f"{more} done [0-9]{{0,3}}\r?\\Z".encode())
        self._words = [f"{more} more\r\n", f"{more} deaf\r\n", f"{more} done ", f"{nonce} again\r\n"]
        self._stage = _Stage.OPENING
        self._held = b""
        self._mark: bytes | None = nonce.encode() + b"\n" if marked else None
        self._unmarked = b""
        self._said = b""
        self.outer = 0
        self.refusal: Refusal | None = None
        self.sent = False
        self.status: int | None = None

    @property
    def begun(self) -> bool:
        """Has sudo let it?"""
        return self._stage in {_Stage.RUNNING, _Stage.OVER}

    @property
    def said(self) -> str:
        """What sudo has said since it was last tried, or asked, without our own words."""
        said = self._said + (b"" if self.begun else self._held)
        return (said.strip() or self._unmarked.strip()).decode(errors="backslashreplace")

    @property
    def question(self) -> str:
        """What sudo asks that is not the password, as far as it seems: no line has ended it; "" if there is none."""
        if self.begun or self._stage is _Stage.OPENING:
            return ""
        return self._held.rpartition(b"\n")[2].decode(errors="backslashreplace").strip()

    def ask(self) -> bytes:
        """There is a password: sudo may ask for it."""
        self._stage, self._said = _Stage.ASKING, b""
        return self._nonce + b" ask\n"

    def heard(self, data: bytes) -> tuple[bytes, list[Step]]:
        """Something came on its standard error.

        Returns:
            what of it is the command's own, and what is to be done, in this order.
        """
        self._held += data
        found, steps = b"", []
        while True:
            text, step, whole = self._running() if self.begun else self._dialogue()
            found += text
            if step is not None:
                steps.append(step)
            if not whole:
                return found, steps

    def out(self, data: bytes) -> bytes:
        """Something came on its standard output: what of it is the command's own."""
        if self._mark is None:
            return data
        self._unmarked += data
        before, mark, behind = self._unmarked.partition(self._mark)
        if not mark:
            self._unmarked = before[-MOST:]
            return b""
        self._mark, self._unmarked = None, b""
        return behind

    def ended(self) -> bytes:
        """It has ended: what was held back and is the command's own."""
        if self.begun:
            found, self._held = self._held, b""
            return found
        if self.refusal is None:
            self.refusal = self._meaning() or Refusal.OTHER
        return b""

    def _running(self) -> tuple[bytes, Step | None, bool]:
        """The command's own up to the next word; the word; was there one?"""
        found = self._pattern.search(self._held)
        if found is None:
            keep = _tail(self._held, self._words)
            if (partly := self._partly.search(self._held)) is not None:
                keep = len(self._held) - partly.start()
            own, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
            return own, None, False
        own, self._held = self._held[: found.start()], self._held[found.end() :]
        more, deaf, done, _again = found.groups()
        if done is not None:
            self.status = int(done)
            return own, Step.DONE, True
        if more or deaf:
            return own, Step.MORE if more else Step.DEAF, True
        self._stage = _Stage.OVER
        return own, Step.OVER, True

    def _dialogue(self) -> tuple[bytes, Step | None, bool]:
        """As `_running`, for what comes before."""
        begin = self._held.find(self._nonce)
        end = self._held.find(b"\n", begin) if begin >= 0 else -1
        if end < 0:
            if len(self._held) > MOST:
                found, self._held = self._held[:-MOST], self._held[-MOST:]
                return self._spoken(found), None, False
            return b"", None, False
        before, words = self._held[:begin], self._held[begin + len(self._nonce) : end].split()
        self._held = self._held[end + 1 :]
        found = self._spoken(before)
        return found, self._word(words[0] if words else b"", words[1:]), True

    def _spoken(self, text: bytes) -> bytes:
        """What was there before anything began is the command's own, as a profile's words are; the rest is sudo's."""
        if self._stage is _Stage.OPENING:
            return text
        self._said = (self._said + text)[-MOST:]
        return b""

    def _word(self, word: bytes, rest: Iterable[bytes]) -> Step | None:
        stage = self._stage
        if word == b"begin" and stage is _Stage.OPENING:
            self._stage = _Stage.TRYING
            self.outer = int(next((number for number in rest if number.isdigit()), b"0"))
        elif word == b"hello" and stage in {_Stage.TRYING, _Stage.ASKING, _Stage.CHECKING}:
            self._stage, self._said = _Stage.RUNNING, b""
            return Step.BEGIN
        elif word == b"none" and stage is _Stage.TRYING:
            return self._refused(Refusal.NONE)
        elif word == b"again" and stage is _Stage.TRYING:
            meaning = self._meaning()
            if meaning in {Refusal.TERMINAL, Refusal.UNKNOWN, Refusal.FORBIDDEN}:
                return self._refused(meaning)
            self._stage = _Stage.WAITING
            return Step.ASK
        elif word == b"ask" and stage is _Stage.ASKING:
            self._stage, self.sent, self._said = _Stage.CHECKING, True, b""
            return Step.PASSWORD
        elif word == b"ask" and stage is _Stage.CHECKING:
            return self._refused(Refusal.WRONG if self._said.strip() else Refusal.MORE)
        return None

    def _refused(self, why: Refusal) -> Step | None:
        if self.refusal is not None:
            return None
        self.refusal = why
        return Step.REFUSED

    def _meaning(self) -> Refusal | None:
        said = self.said.lower()
        return next((why for why, texts in _SAYS if any(text in said for text in texts)), None)


def _tail(data: bytes, words: Iterable[str]) -> int:
    """How many bytes at the end may be the beginning of one of the words."""
    beginnings = {word[:length].encode() for word in words for length in range(1, len(word))}
    return max((len(each) for each in beginnings if data.endswith(each)), default=0)
