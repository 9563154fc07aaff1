"""Asking on the controlling terminal, in a way that can be given up.

The standard library's getpass would hold a thread until somebody types: Ctrl-C reaches another thread, and the echo
stays off.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import select
import threading
from collections.abc import Callable

from elsewhere.fleet.naming.secret import Secret
from elsewhere.progress import aside

__all__ = ["ask"]

MOST = 4096  # bytes of a line


async def ask(prompt: str) -> Secret | None:
    """Ask for a password; None where there is no terminal, or its user gives none.

    Args:
        prompt: what is shown before.
    """
    try:
        import termios

        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except (OSError, ImportError):  # Windows has neither
        return None
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Secret | None] = loop.create_future()
    wake, waker = os.pipe()

    def told(secret: Secret | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(secret)
        else:
            answer.set_exception(error)

    def work() -> None:
        secret, error = None, None
        try:
            with aside():  # a bar would be drawn over the question
                secret = _asked(terminal, wake, prompt)
        except (OSError, ValueError, termios.error) as found:
            error = found
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(told, secret, error)

    thread = threading.Thread(target=work, name="elsewhere-password", daemon=True)
    thread.start()
    try:
        return await answer
    finally:
        os.close(waker)
        thread.join()  # at once: it has answered, or has seen the end of the pipe
        os.close(wake)
        os.close(terminal)


def _asked(terminal: int, wake: int, prompt: str) -> Secret | None:
    import termios

    before = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[3] &= ~termios.ECHO

    def restore() -> None:
        termios.tcsetattr(terminal, termios.TCSANOW, before)

    atexit.register(restore)  # an interpreter that ends meanwhile ends this thread, too
    termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
    try:
        os.write(terminal, prompt.encode(errors="replace"))
        line = _line(lambda: _read(terminal, wake))
    finally:
        restore()
        atexit.unregister(restore)
        with contextlib.suppress(OSError):
            os.write(terminal, b"\n")
    return line


def _line(read: Callable[[], bytes]) -> Secret | None:
    got = b""
    while not got.endswith(b"\n") and len(got) < MOST:
        data = read()
        if not data:
            return None
        got += data
    text = got.rstrip(b"\r\n").decode(errors="surrogateescape")
    return Secret(text) if text else None


def _read(terminal: int, wake: int) -> bytes:
    """A part of a line; b"" where it is given up."""
    ready, _, _ = select.select([terminal, wake], [], [])
    return os.read(terminal, MOST) if wake not in ready else b""
