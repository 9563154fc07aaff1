"""The one way to open what another process has: by ``/proc/<pid>/fd/<n>``, and never without a look.

Rule: what /proc says of a descriptor is read before it is opened, since to open something else, a FIFO or a device say,
may wait or have effects. Afterwards the same is asked of the descriptor that was got: the other process may have closed
its own meanwhile, and have another file under its number.

Memory is told by its random name; the end of a pipe, which has no name, by its number. Who may look into /proc there is
the kernel's to decide (the same user, and root); whose the file is, is asked here: root would open anybody's.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from typing import NamedTuple

from elsewhere.errors import ProtocolError
from elsewhere.runtime.passing.mailbox import Ticket, place

__all__ = [
    "LEAST",
    "Meant",
    "Words",
    "checked",
    "compare",
    "explained",
    "memory",
    "pipe",
    "reopen",
    "verify",
]

SHRINK, SEAL = getattr(fcntl, "F_SEAL_SHRINK", 0), getattr(fcntl, "F_SEAL_SEAL", 0)
TOKEN = re.compile(r"([A-Za-z]+-)?[0-9a-f]{32}")  # what it is for may be said before it
LEAST = SHRINK | SEAL  # without them somebody could make it shorter under our feet, and have us killed by SIGBUS


class Words(NamedTuple):
    """How its users call it.

    Attributes:
        what: it is, at the beginning of a sentence's second half.
        gone: the sentence's beginning that says that it cannot be had any more; ``{pid}`` is the sender.
        cure: what to do so that it can.
        fewer: what to do if there are no descriptors.
    """

    what: str
    gone: str
    cure: str
    fewer: str


class Meant(NamedTuple):
    """What a handle says of a file.

    Attributes:
        link: what /proc shows of it.
        kind: as in `stat.S_IFMT`.
        inode: its number, or None if the name tells it alone.
        size: bytes; None if it is to be `least` or more.
        least: bytes.
        seals: which it has, among others; of memory only.
    """

    link: str
    kind: int
    inode: int | None = None
    size: int | None = None
    least: int = 0
    seals: int = 0


def memory(
    name: str, inode: int | None = None, *, size: int | None = None, least: int = 0, seals: int = LEAST
) -> Meant:
    """Anonymous memory that was made under this name."""
    return Meant(f"/memfd:{name} (deleted)", stat.S_IFREG, inode, size, least, seals)


def pipe(inode: int) -> Meant:
    """A pipe without a name."""
    return Meant(f"pipe:[{inode}]", stat.S_IFIFO, inode)


def checked(numbers: tuple[int, ...], sender: tuple[int, ...], words: Words, token: str = "0" * 32) -> Ticket:
    """The sender that a handle names, if a handle can look like that.

    Args:
        numbers: what it says of the descriptor.
        sender: the fields of a `Ticket`.
        words: what it is called.
        token: what it says of the name, if that has one.

    Raises:
        ProtocolError: it cannot.
    """
    named = isinstance(token, str) and TOKEN.fullmatch(token) and len(sender) == len(Ticket._fields)
    if not named or not all(type(number) is int and number >= 0 for number in (*numbers, *sender)):
        raise ProtocolError(f"this pickle is no handle of elsewhere's {words.what}: it was forged or damaged")
    return Ticket(*sender)


def reopen(sender: Ticket, number: int, meant: Meant, words: Words, flags: int = os.O_RDWR) -> int:
    """A descriptor of one's own for the sender's; not blocking, if that is a pipe's.

    Args:
        sender: whose.
        number: the sender's descriptor.
        meant: what it is.
        words: what it is called.
        flags: as for `os.open`.

    Raises:
        FileNotFoundError: the sender is gone, or has let go of it.
        OSError: no descriptor is left.
        PermissionError: its descriptors are not ours to see.
        ProtocolError: what is there is not what the handle says.
    """
    path = f"/proc/{sender.pid:d}/fd/{number:d}"
    try:
        if os.readlink(path) == meant.link:
            return verify(_opened(path, flags), meant, words, f"process {sender.pid}")
    except (FileNotFoundError, ProcessLookupError):
        pass
    except PermissionError:
        if sender.space == place()[1]:  # else that is somebody else's process
            raise PermissionError(
                errno.EACCES,
                f"{words.what} of process {sender.pid} cannot be opened: only processes of the same user can have it, "
                "and none whose process may not be dumped",
            ) from None
    except OSError as error:
        raise explained(error, words) from None
    gone, cure = words.gone.format(pid=sender.pid), words.cure
    if sender.space != place()[1]:
        gone += ", or runs in another container, whose processes cannot be seen from here"
    raise FileNotFoundError(errno.ENOENT, f"{gone}. {cure}")


def verify(fd: int, meant: Meant, words: Words, whose: str) -> int:
    """The descriptor, if it is what was meant; closes it otherwise.

    Raises:
        FileNotFoundError: it is another file.
        ProtocolError: it is that file, but not as the handle says.
    """
    try:
        if os.readlink(f"/proc/self/fd/{fd}") != meant.link:
            raise FileNotFoundError(errno.ENOENT, f"{words.what} of {whose} is gone")
        compare(fd, meant, f"{words.what} of {whose}")
    except BaseException:
        os.close(fd)
        raise
    return fd


def compare(fd: int, meant: Meant, what: str) -> None:
    """Do nothing if the file that was opened is as the handle says.

    Raises:
        ProtocolError: it is not; `what` is the sentence's beginning.
    """
    found = os.fstat(fd)
    if found.st_uid != os.geteuid():
        raise ProtocolError(f"{what} belongs to user {found.st_uid}: it was not opened")
    size = max(found.st_size, meant.least) if meant.size is None else meant.size
    inode = found.st_ino if meant.inode is None else meant.inode
    if stat.S_IFMT(found.st_mode) != meant.kind or (meant.kind == stat.S_IFREG and found.st_size != size):
        raise ProtocolError(f"{what} is not what its handle says: the handle was forged")
    if found.st_ino != inode:
        raise ProtocolError(f"{what} is not what its handle says: the handle was forged")
    if meant.seals and fcntl.fcntl(fd, fcntl.F_GET_SEALS) & meant.seals != meant.seals:
        raise ProtocolError(f"{what} is not sealed against resizing: it was not opened")


def explained(error: OSError, words: Words) -> OSError:
    """With the cure, if there are no more descriptors."""
    if error.errno not in (errno.EMFILE, errno.ENFILE):
        return error
    return OSError(error.errno, f"{error.strerror}: no descriptor is left for {words.what}: {words.fewer}")


def _opened(path: str, flags: int) -> int:
    # Not blocking: if the last other end of a pipe closes just now, to open it would wait for ever.
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
