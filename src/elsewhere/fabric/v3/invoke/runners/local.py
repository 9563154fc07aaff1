"""Commands here."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from elsewhere.fabric.v3.invoke.exceptions import AuthFailure, Failure, ResponseNotAccepted
from elsewhere.fabric.v3.invoke.runners.runner import Late, Runner
from elsewhere.fabric.v3.invoke.watchers import FailingResponder

__all__ = ["Local"]

PIECE = 64 << 10  # bytes
LOOK = 0.2  # seconds between two looks whether it has ended though somebody else holds its pipes
# A session's first process gets the terminal that it opens as its own.
_ON_TERMINAL = 'exec <"$0" >"$0" 2>&1; exec "$1" -c "$2"'


class Local(Runner):
    """See the module."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._input: int | None = None

    def should_use_pty(self, pty: bool, fallback: bool) -> bool:
        if not pty:
            return False
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stdin.fileno()
            return True
        if fallback:
            sys.stderr.write("WARNING: stdin has no fileno; falling back to non-pty execution!\n")
        return not fallback

    def sudo(self, command: str, *, user: Any = None, password: Any = None, **kwargs: Any) -> Any:
        prompt = self.context.config.sudo.prompt
        options = f"-H -u {shlex.quote(str(user))} " if user is not None else ""
        if kwargs.get("env"):
            options += f"--preserve-env={shlex.quote(','.join(kwargs['env']))} "
        # Without a password that is known sudo must not wait for one, nor be sent a wrong one.
        ask = "-n" if password is None else f"-S -p {shlex.quote(prompt)}"
        watchers = list(kwargs.pop("watchers", None) or self.context.config.run.watchers)
        if password is not None:
            watchers.append(FailingResponder(re.escape(prompt), f"{password}\n", "Sorry, try again.\n"))
        try:
            return self.run(f"sudo {ask} {options}sh -c {shlex.quote(command)}", watchers=watchers, **kwargs)
        except Failure as failure:
            if isinstance(failure.reason, ResponseNotAccepted):
                raise AuthFailure(failure.result, prompt) from None
            raise

    def leave(self, command: str) -> None:
        subprocess.Popen(
            command,
            shell=True,
            executable=self._known["shell"],
            env=self._known["env"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def write(self, data: bytes) -> None:
        if self._input is not None:
            with contextlib.suppress(BrokenPipeError):  # it reads no more, which is its own affair
                os.write(self._input, data)

    def execute(self, command: str, came: Callable[[str, bytes], None]) -> int | None:
        sys.stdout.flush()
        begin = self._terminal if self.using_pty else self._piped
        with begin(command) as (process, sources):
            try:
                self._read(process, sources, came)
                return process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise

    @contextlib.contextmanager
    def _piped(self, command: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[Any, str]]]:
        given = self.given_input()
        wants = given is not None or self.opts["watchers"] or self.opts["in_stream"] is False
        with subprocess.Popen(
            command,
            shell=True,
            executable=self._known["shell"],
            env=self._known["env"],
            stdin=subprocess.PIPE if wants else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None and process.stderr is not None  # noqa: PT018 - both are pipes
            if process.stdin is not None:
                self._feed(process.stdin, given)
            yield process, {process.stdout: "stdout", process.stderr: "stderr"}

    def _feed(self, pipe: IO[bytes], given: bytes | None) -> None:
        self._input = pipe.fileno()
        if given is not None or not self.opts["watchers"]:
            from threading import Thread

            def write() -> None:
                with contextlib.suppress(BrokenPipeError), pipe:
                    pipe.write(given or b"")

            Thread(target=write, name="invoke-input", daemon=True).start()

    @contextlib.contextmanager
    def _terminal(self, command: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[Any, str]]]:
        ours, theirs = os.openpty()
        try:
            words = ["/bin/sh", "-c", _ON_TERMINAL, os.ttyname(theirs), self._known["shell"], command]
            with subprocess.Popen(
                words, env=self._known["env"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
            ) as process:
                os.close(theirs)
                theirs = -1
                self._input = ours
                given = self.given_input()
                if given:
                    self.write(given)
                yield process, {ours: "stdout"}
        finally:
            self._input = None
            os.close(ours)
            if theirs >= 0:
                os.close(theirs)

    def _read(
        self, process: subprocess.Popen[bytes], sources: dict[Any, str], came: Callable[[str, bytes], None]
    ) -> None:
        """All that it writes, until it and all that have its pipes are gone, or it is and nothing comes."""
        timeout = self.opts["timeout"]
        end = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            for source, name in sources.items():
                selector.register(source, selectors.EVENT_READ, name)
            while selector.get_map():
                left = LOOK if end is None else min(LOOK, end - time.monotonic())
                if left <= 0:
                    process.kill()
                    raise Late(process.wait())
                ready = selector.select(left)
                if not ready and process.poll() is not None:
                    return
                for key, _ in ready:
                    try:
                        data = os.read(key.fd, PIECE)
                    except OSError:  # a terminal whose last user is gone
                        data = b""
                    if data:
                        came(key.data, data)
                    else:
                        selector.unregister(key.fileobj)
