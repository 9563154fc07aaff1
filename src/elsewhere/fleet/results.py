"""What a verb of a host gives, and how many hosts' outcomes are told at once."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from elsewhere.errors import ElsewhereError, NotTouched

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["CommandError", "FleetError", "Result"]


MOST = 200  # characters of a command or of what it says, in a message


def shown(command: object) -> str:
    """A command as messages have it: not all of a long one."""
    return repr(shlex.join(command) if isinstance(command, list | tuple) else command)[:MOST]


class Result(subprocess.CompletedProcess[Any]):
    """The end of a command, as `subprocess.run` tells it, and on which host.

    Attributes:
        args: the command as it was given: a str or a list.
        returncode: its exit status; negative for a signal's number, as the standard library has it.
        stdout: what it wrote, a str (bytes where ``encoding=None`` asked for them).
        stderr: ... to its standard error; "" with ``pty=True``, where both are one.
        host: where.
        seconds: that it took, without connecting.
        signal: the name of the signal that ended it such as ``"TERM"``, or None.
    """

    def __init__(
        self,
        args: Any,
        returncode: int,
        stdout: Any = "",
        stderr: Any = "",
        *,
        host: Host | None = None,
        seconds: float = 0.0,
        signal: str | None = None,
    ) -> None:
        super().__init__(args, returncode, stdout, stderr)
        self.host = host
        self.seconds = seconds
        self.signal = signal

    @property
    def ok(self) -> bool:
        """Was the exit status 0?"""
        return self.returncode == 0

    def check_returncode(self) -> None:
        """Raise `CommandError` unless it is `ok`."""
        if not self.ok:
            raise CommandError(self)


class CommandError(ElsewhereError, subprocess.CalledProcessError):
    """A command has ended with another status than 0; also the standard library's `CalledProcessError`.

    Attributes:
        result: all there is to tell.
        returncode, cmd, stdout, stderr: as `CalledProcessError` has them.
    """

    def __init__(self, result: Result) -> None:
        subprocess.CalledProcessError.__init__(self, result.returncode, result.args, result.stdout, result.stderr)
        self.result = result

    def __str__(self) -> str:
        result = self.result
        how = f"was ended by SIG{result.signal}" if result.signal else f"ended with exit status {result.returncode}"
        told = result.stderr or result.stdout or ""
        text = told.decode(errors="backslashreplace") if isinstance(told, bytes) else str(told)
        last = text.strip().splitlines()[-1:]  # most often the one that says why
        where = "" if result.host is None else f"{result.host}: "
        return f"{where}{shown(result.args)} {how}" + (f": {last[0]:.{MOST}}" if last else "")


class FleetError(ElsewhereError, ExceptionGroup[Exception]):
    """Some hosts failed, after all of them had finished.

    Attributes:
        results: each `Host` (equal to its own text), to its result or its exception, in the fleet's order.
        exceptions: those of the hosts that failed.
    """

    results: Mapping[Host, Any]

    def __new__(cls, message: str, results: Mapping[Host, Any]) -> Self:
        errors = [outcome for outcome in results.values() if isinstance(outcome, Exception)]
        failures = [error for error in errors if not isinstance(error, NotTouched)]
        self = super().__new__(cls, message, failures or errors)
        self.results = results
        return self

    def __init__(self, message: str, results: Mapping[Host, Any]) -> None:
        """See the class."""

    def __str__(self) -> str:
        return self.message  # it says how many there are

    @property
    def ok(self) -> dict[Host, Any]:
        """The hosts that did well, with their results."""
        return {host: outcome for host, outcome in self.results.items() if not isinstance(outcome, Exception)}

    @property
    def failed(self) -> dict[Host, Exception]:
        """The hosts that failed, with their exceptions."""
        return {
            host: outcome
            for host, outcome in self.results.items()
            if isinstance(outcome, Exception) and not isinstance(outcome, NotTouched)
        }

    @property
    def untouched(self) -> list[Host]:
        """The hosts that were left alone, because too many others had failed."""
        return [host for host, outcome in self.results.items() if isinstance(outcome, NotTouched)]

    def __reduce__(self) -> tuple[Any, ...]:
        return FleetError, (self.message, dict(self.results))

    def derive(self, excs: Sequence[Exception]) -> FleetError:  # type: ignore[override]  # as `except*` needs it
        """What `except*` and `split` make: the same, of the hosts with these exceptions.

        Args:
            excs: some of `exceptions`.
        """
        kept = set(map(id, excs))
        return FleetError(self.message, {host: each for host, each in self.results.items() if id(each) in kept})
