"""What comes of a command."""

from __future__ import annotations

import locale
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

__all__ = ["Promise", "Result"]


class Result:
    """The end of a command; true if that is a good one.

    Attributes:
        stdout, stderr: what it wrote.
        encoding: of that.
        command: as it was run.
        shell: that ran it.
        env: its environment, as far as that was said.
        exited: its exit status; None if it was ended by a watcher.
        pty: it had a terminal.
        hide: the streams that were not shown.
    """

    def __init__(
        self,
        stdout: str = "",
        stderr: str = "",
        encoding: str | None = None,
        command: str = "",
        shell: str = "",
        env: Any = None,
        exited: int | None = 0,
        pty: bool = False,
        hide: tuple[str, ...] = (),
    ) -> None:
        self.stdout, self.stderr = stdout, stderr
        self.encoding = encoding or locale.getpreferredencoding(False)
        self.command, self.shell = command, shell
        self.env = {} if env is None else env
        self.exited, self.pty, self.hide = exited, pty, hide

    @property
    def return_code(self) -> int | None:
        return self.exited

    @property
    def ok(self) -> bool:
        return self.exited == 0

    @property
    def failed(self) -> bool:
        return not self.ok

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        told = (
            "Command was not fully executed due to watcher error."
            if self.exited is None
            else f"Command exited with status {self.exited}."
        )
        for name in ("stdout", "stderr"):
            text = getattr(self, name)
            told += f"\n=== {name} ===\n{text.rstrip()}\n" if text else f"\n(no {name})"
        return told

    def __repr__(self) -> str:
        return f"<Result cmd={self.command!r} exited={self.exited}>"

    def tail(self, stream: str, count: int = 10) -> str:
        """The last lines of one, behind an empty line."""
        return "\n\n" + "\n".join(getattr(self, stream).splitlines()[-count:])


class Promise(Result):
    """A command that runs. As a context manager it waits at the end of the block.

    Args:
        runner: that runs it.
        future: of its result.
        known: what is known of it already.
    """

    def __init__(self, runner: Any, future: Future[Any], known: dict[str, Any]) -> None:
        super().__init__(**known, exited=None)
        self.runner = runner
        self._future = future

    def join(self) -> Any:
        """Wait for its end.

        Returns:
            Its `Result`.

        Raises:
            as `Runner.run` does.
        """
        return self._future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.join()
