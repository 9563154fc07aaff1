"""What goes wrong, as task files catch it."""

from __future__ import annotations

from typing import Any

__all__ = [
    "AmbiguousEnvVar", "AuthFailure", "CollectionNotFound", "CommandTimedOut", "Exit", "Failure", "ParseError",
    "PlatformError", "ResponseNotAccepted", "SubprocessPipeError", "ThreadException", "UncastableEnvVar",
    "UnexpectedExit", "UnknownFileType", "UnpicklableConfigMember", "WatcherError",
]  # fmt: skip


class CollectionNotFound(Exception):
    """There is no such task file.

    Attributes:
        name: that was looked for.
        start: where.
    """

    def __init__(self, name: str, start: str) -> None:
        super().__init__(name, start)
        self.name, self.start = name, start


class Failure(Exception):
    """A command has not done what it should.

    Attributes:
        result: all there is to tell of it.
        reason: the `WatcherError` that ended it, or None.
    """

    def __init__(self, result: Any, reason: WatcherError | None = None) -> None:
        super().__init__(result, reason)
        self.result, self.reason = result, reason

    def streams_for_display(self) -> tuple[str, str]:
        """What is said of its output: the end of what was hidden."""
        result, shown = self.result, " already printed"
        stdout = result.tail("stdout") if "stdout" in result.hide else shown
        if result.pty:
            return stdout, " n/a (PTYs have no stderr)"
        return stdout, result.tail("stderr") if "stderr" in result.hide else shown

    def __repr__(self) -> str:
        return self._repr()

    def _repr(self, **more: Any) -> str:
        rest = "".join(f" {key}={value}" for key, value in more.items())
        return f"<{type(self).__name__}: cmd={self.result.command!r}{rest}>"


class UnexpectedExit(Failure):
    """It has ended with another status than 0."""

    def __str__(self) -> str:
        stdout, stderr = self.streams_for_display()
        result = self.result
        return (
            f"Encountered a bad command exit code!\n\nCommand: {result.command!r}\n\nExit code: {result.exited}\n\n"
            f"Stdout:{stdout}\n\nStderr:{stderr}\n\n"
        )

    def _repr(self, **more: Any) -> str:
        return super()._repr(**{"exited": self.result.exited, **more})


class CommandTimedOut(Failure):
    """It took too long, and was ended.

    Attributes:
        timeout: seconds.
    """

    def __init__(self, result: Any, timeout: float) -> None:
        super().__init__(result)
        self.timeout = timeout

    def __str__(self) -> str:
        stdout, stderr = self.streams_for_display()
        return (
            f"Command did not complete within {self.timeout} seconds!\n\nCommand: {self.result.command!r}\n\n"
            f"Stdout:{stdout}\n\nStderr:{stderr}\n\n"
        )

    def __repr__(self) -> str:
        return self._repr(timeout=self.timeout)


class AuthFailure(Failure):
    """Sudo does not take the password.

    Attributes:
        prompt: at which it was given.
    """

    def __init__(self, result: Any, prompt: str) -> None:
        super().__init__(result)
        self.prompt = prompt

    def __str__(self) -> str:
        return f"The password submitted to prompt {self.prompt!r} was rejected."


class ParseError(Exception):
    """The command line cannot be understood.

    Attributes:
        context: the task whose part of it that was.
    """

    def __init__(self, msg: str, context: Any = None) -> None:
        super().__init__(msg)
        self.context = context


class Exit(Exception):
    """The program is to end.

    Attributes:
        message: to be printed.
        code: the exit status; 1 with a message, else 0.
    """

    def __init__(self, message: str | None = None, code: int | None = None) -> None:
        super().__init__(message, code)
        self.message, self._code = message, code

    @property
    def code(self) -> int:
        return self._code if self._code is not None else 1 if self.message else 0


class PlatformError(Exception):
    """This system cannot do it."""


class AmbiguousEnvVar(Exception):
    """An environment variable could mean two settings."""


class UncastableEnvVar(Exception):
    """An environment variable cannot hold what the setting is."""


class UnknownFileType(Exception):
    """A configuration file is of no known kind."""


class UnpicklableConfigMember(Exception):
    """A configuration file in Python holds a module."""


class ThreadException(Exception):
    """Threads have ended with exceptions.

    Attributes:
        exceptions: those.
    """

    def __init__(self, exceptions: Any) -> None:
        super().__init__(exceptions)
        self.exceptions = tuple(exceptions)


class WatcherError(Exception):
    """Whoever watches the output wants the command to end."""


class ResponseNotAccepted(WatcherError):
    """What was answered is not what was wanted."""


class SubprocessPipeError(Exception):
    """A pipe to a command is not as it should be."""
