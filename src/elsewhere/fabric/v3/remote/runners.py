"""Commands on a host."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from elsewhere.errors import CallTimeout, Unauthorized
from elsewhere.fabric.shared.typed import typed
from elsewhere.fabric.v3.invoke.exceptions import AuthFailure
from elsewhere.fabric.v3.invoke.runners.result import Result as InvokeResult
from elsewhere.fabric.v3.invoke.runners.runner import Late, Runner
from elsewhere.fleet.below import Feed, live

__all__ = ["Remote", "RemoteShell", "Result"]

ENDED = -1  # the status of a command that a signal ended, as paramiko has it


class Result(InvokeResult):
    """The end of a command on a host.

    Attributes:
        connection: where.
    """

    def __init__(self, *, connection: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = connection


class Remote(Runner):
    """See the module. Its context is a `Connection`."""

    replaces_env = True

    def __init__(self, context: Any, inline_env: bool | None = None) -> None:
        super().__init__(context)
        self._feed: Feed | None = None
        self._sudo: dict[str, Any] | None = None

    def generate_result(self, **kwargs: Any) -> Result:
        return Result(connection=self.context, **kwargs)

    def sudo(self, command: str, *, user: Any = None, password: Any = None, **kwargs: Any) -> Any:
        """... under sudo, all of it; `Host.sudo` does the talking.

        Raises:
            AuthFailure: sudo does not run it: wants a password, or another one. Its note says which.
        """
        self._sudo = {"user": user, "password": password}
        try:
            return self.run(command, **kwargs)
        except Unauthorized as refused:
            failure = AuthFailure(self._result(None), self.context.config.sudo.prompt)
            failure.add_note(str(refused))
            raise failure from refused

    def write(self, data: bytes) -> None:
        if self._feed is not None:
            self._feed.send(data)

    def leave(self, command: str) -> None:
        self.context.reached().run(command, detach=True, env=self._environment())

    def execute(self, command: str, came: Callable[[str, bytes], None]) -> int | None:
        given = self.given_input()
        if given is not None or self.opts["watchers"]:
            self._feed = Feed()
            if given is not None:
                self._feed.send(given)
                if not self.opts["watchers"]:
                    self._feed.send(None)
        try:
            if self._feed is not None or self.opts["in_stream"] is False or self.opts["asynchronous"]:
                return self._run(command, came, pty=self.using_pty)
            with typed(self._echo()) as self._feed:
                return self._run(command, came, pty=self.using_pty)
        except CallTimeout:
            raise Late(ENDED) from None
        finally:
            self._feed = None

    def _echo(self) -> Callable[[bytes], None] | None:
        """Who shows what is typed: the far side's terminal, if there is one."""
        wanted = not self.using_pty if self.opts["echo_stdin"] is None else self.opts["echo_stdin"]
        if not wanted:
            return None
        stream = self.opts["out_stream"] or sys.stdout

        def show(data: bytes) -> None:
            stream.write(data.decode(errors="replace"))
            stream.flush()

        return show

    def _run(self, command: str, came: Callable[[str, bytes], None], *, pty: bool) -> int:
        result = live(
            self.context.reached(),
            command,
            came,
            feed=self._feed,
            sudo=self._sudo,
            pty=pty,
            timeout=self.opts["timeout"],
            check=False,
            env=self._environment(),
        )
        return ENDED if result.signal else int(result.returncode)

    def _environment(self) -> dict[str, str]:
        """The variables that go there: those that were said, or ours too."""
        if self.opts["replace_env"]:
            return {name: str(value) for name, value in self.opts["env"].items()}
        return {name: str(value) for name, value in self._known["env"].items() if name.isidentifier()}


class RemoteShell(Remote):
    """A shell of the host at our terminal."""

    def run(self, command: Any = None, **kwargs: Any) -> Any:
        """One, until it ends; `command` is None. With ``in_stream`` that is read instead of our terminal."""
        from elsewhere.fabric.shared.shells import LOGIN, shell

        kwargs["pty"] = True
        if kwargs.get("in_stream") not in (None, False, sys.stdin):
            result = super().run(LOGIN, **kwargs)
            result.command = None
            return result
        self._set_up("", kwargs)
        return self.generate_result(**self._known, exited=shell(self.context.reached()).returncode)
