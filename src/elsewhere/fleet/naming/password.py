"""Sudo's password: where it comes from, and to whom it may be sent.

From ``password=``, a file, the variable ELSEWHERE_SUDO_PASSWORD, or the user at the terminal, who is asked once for all
hosts. It is not looked for before a host's sudo asks.

A wrong password on fifty hosts that share their accounts would lock the user out. So one that has not been right
anywhere yet is tried on one host while the others wait; and one that was wrong somewhere is sent only to hosts on which
it has been right before.

Rule: all but `password_of` runs on the engine's loop.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import stat
from collections.abc import Awaitable, Callable
from typing import Any

from elsewhere.errors import Unauthorized
from elsewhere.fleet.naming import terminal
from elsewhere.fleet.naming.secret import Secret

__all__ = ["VARIABLE", "Password", "Permit", "password_of"]

VARIABLE = "ELSEWHERE_SUDO_PASSWORD"
HOW = f"password=, sudo_password_file= or the variable {VARIABLE} gives one"
_kept: dict[str, Password] = {}  # by where it comes from: what is known of it holds for all verbs


class Password:
    """One that may be asked for by many hosts.

    Args:
        source: where it comes from, for messages.
        secret: it, if it is known.
        obtain: gives it, given the name of the first host that wants it; None for no password.
    """

    def __init__(
        self,
        source: str,
        secret: Secret | None = None,
        obtain: Callable[[str], Awaitable[Secret | None]] | None = None,
    ) -> None:
        self.source = source
        self.secret = secret
        self._obtain = obtain
        self._right: set[str] = set()
        self._wrong: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking = asyncio.Lock()
        self._trial: asyncio.Event | None = None

    @property
    def spent(self) -> bool:
        """Is it wrong, or was none given?"""
        return self._wrong is not None or (self.secret is None and self._obtain is None)

    async def permit(self, name: str, address: str) -> Permit:
        """Have it for one host; waits while it is tried on another one.

        Args:
            name: of the host, for messages.
            address: of the host, with the user there.

        Raises:
            Unauthorized: there is none, or it may not be sent.
            Exception: what a callable raised that was to give it.
        """
        self._on(asyncio.get_running_loop())
        async with self._asking:
            if self.secret is None and self._obtain is not None:
                self.secret = await self._obtain(name)
                self._obtain = None  # who gives none is not asked again, for another host of the same verb
        if self.secret is None:
            raise Unauthorized(f"{name}: sudo asks for a password, and none is known: {HOW}")
        while True:
            if address in self._right:
                return Permit(self, name, address, None)
            if self._wrong is not None:
                raise Unauthorized(
                    f"{name}: sudo asks for a password, and that of {self.source} was not sent, as it was wrong on "
                    f"{self._wrong}: trying it everywhere may lock the account"
                )
            if self._right:
                return Permit(self, name, address, None)
            if self._trial is None:
                self._trial = asyncio.Event()
                return Permit(self, name, address, self._trial)
            await self._trial.wait()

    def _on(self, loop: asyncio.AbstractEventLoop) -> None:
        """The engine may be another one than before: after a fork, say."""
        if self._loop is not loop:
            self._loop, self._asking, self._trial = loop, asyncio.Lock(), None

    def __repr__(self) -> str:
        return f"<Password of {self.source}>"


class Permit:
    """That a password may be sent to one host, until it is told what came of it: `right`, `wrong` or `end`."""

    def __init__(self, password: Password, name: str, address: str, trial: asyncio.Event | None) -> None:
        self.password = password
        self._name = name
        self._address = address
        self._trial = trial

    @property
    def secret(self) -> Secret:
        """It."""
        assert self.password.secret is not None
        return self.password.secret

    def right(self) -> None:
        """Sudo has taken it."""
        self.password._right.add(self._address)
        self.end()

    def wrong(self) -> None:
        """Sudo has not taken it."""
        password = self.password
        password._right.discard(self._address)
        password._wrong = password._wrong or self._name
        self.end()

    def end(self) -> None:
        """Nothing is known, or all is told: who waits goes on."""
        trial, self._trial = self._trial, None
        if trial is not None:
            if self.password._trial is trial:
                self.password._trial = None
            trial.set()


def password_of(given: Any = None, file: str | os.PathLike[str] | None = None) -> Password:
    """The password of one verb, for however many hosts.

    Args:
        given: a str, a `Secret`, a `Password`, or a callable that gives a str, or None for none; it may be a coroutine
            function.
        file: whose first line it is. Nobody else may be able to read it.

    Raises:
        TypeError, ValueError: it is none, or the file cannot be read, or others can read it.
    """
    if given is not None and file is not None:
        given = None  # not in a traceback
        raise ValueError("a password comes from password= or from sudo_password_file=, not from both")
    if isinstance(given, Password):
        return given
    if isinstance(given, str | Secret):
        try:
            return Password("password=", Secret(given))
        finally:
            given = None  # as above
    if callable(given):
        return Password(f"the function {getattr(given, '__name__', 'that was given')}", obtain=_calling(given))
    if given is not None:
        raise TypeError(f"password is a str or a function that gives one, not a value of type {type(given).__name__}")
    if file is not None:
        return _known(os.fspath(file), _first_line(os.fspath(file)))
    if VARIABLE in os.environ:
        try:
            return _known(f"the variable {VARIABLE}", Secret(os.environ[VARIABLE]))
        except ValueError as error:
            raise ValueError(f"the variable {VARIABLE}: {error}") from None
    kept = _kept.get("the terminal")
    if kept is None or kept.spent:  # who has mistyped is asked again, by the next verb
        kept = _kept["the terminal"] = Password("the terminal", obtain=_asking)
    return kept


def _known(source: str, secret: Secret) -> Password:
    kept = _kept.get(source)
    if kept is None or kept.secret != secret:
        kept = _kept[source] = Password(source, secret)
    return kept


def _first_line(path: str) -> Secret:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                raise ValueError(
                    f"{path} holds a password, and others may read or write it (mode {stat.S_IMODE(mode):o}): "
                    f"chmod 600 {path}"
                )
            return Secret(stream.readline().rstrip("\r\n"))
    except OSError as error:
        raise ValueError(f"sudo_password_file {path} cannot be read: {error.strerror}") from None


def _calling(function: Callable[[], Any]) -> Callable[[str], Awaitable[Secret | None]]:
    async def obtain(name: str) -> Secret | None:
        if inspect.iscoroutinefunction(function):
            return _secret(await function())
        return await asyncio.to_thread(lambda: _secret(function()))

    return obtain


def _secret(found: Any) -> Secret | None:
    return None if found is None else Secret(found)


async def _asking(name: str) -> Secret | None:
    return await terminal.ask(f"Password for sudo on {name}, and all others that ask: ")
