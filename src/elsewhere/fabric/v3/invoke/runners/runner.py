"""What all commands have in common, wherever they run."""

from __future__ import annotations

import codecs
import contextvars
import locale
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any

from elsewhere.fabric.v3.invoke.exceptions import CommandTimedOut, Failure, UnexpectedExit, WatcherError
from elsewhere.fabric.v3.invoke.runners.options import unified
from elsewhere.fabric.v3.invoke.runners.result import Promise, Result

__all__ = ["Late", "Runner"]

Send = Callable[[bytes], None]


class Late(Exception):
    """The command took too long, and was ended.

    Attributes:
        exited: its status then.
    """

    def __init__(self, exited: int | None) -> None:
        super().__init__(exited)
        self.exited = exited


class Runner:
    """Runs one command.

    Args:
        context: whose settings hold, and where that matters, where it runs.
    """

    replaces_env = False
    input_sleep = 0.01  # the original's; nothing here sleeps

    def __init__(self, context: Any) -> None:
        self.context = context
        self.opts: dict[str, Any] = {}
        self.using_pty = False
        self._texts: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._known: dict[str, Any] = {}

    # ---- what each kind of runner has of its own ---------------------------------------------------------------------

    def execute(self, command: str, came: Callable[[str, bytes], None]) -> int | None:
        """Run it, and wait for its end.

        Args:
            command: for a shell.
            came: is given what it writes, by ``"stdout"`` or ``"stderr"``; what that raises ends it.

        Returns:
            Its status.

        Raises:
            Late: it took longer than ``opts["timeout"]``.
        """
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Give it this to read."""
        raise NotImplementedError

    def leave(self, command: str) -> None:
        """Begin it, and leave it to itself."""
        raise NotImplementedError

    def generate_result(self, **kwargs: Any) -> Result:
        return Result(**kwargs)

    def should_use_pty(self, pty: bool, fallback: bool) -> bool:
        return pty

    # ---- what they share ---------------------------------------------------------------------------------------------

    def run(self, command: str, **kwargs: Any) -> Any:
        """Run a command.

        Args:
            command: for a shell.
            kwargs: ``asynchronous disown dry echo echo_format echo_stdin encoding env err_stream fallback hide
                in_stream out_stream pty replace_env shell timeout warn watchers``; what is not given is as
                ``config.run`` says.

        Returns:
            A `Result`; a `Promise` with ``asynchronous``, None with ``disown``.

        Raises:
            UnexpectedExit: its status is not 0, and `warn` is not set.
            CommandTimedOut: it took too long.
            Failure: a watcher ended it.
            TypeError, ValueError: an option is wrong.
        """
        self._set_up(command, kwargs)
        if self.opts["echo"]:
            print(self.opts["echo_format"].format(command=command))
        if self.opts["dry"]:
            return self.generate_result(**self._known, stdout="", stderr="", exited=0)
        if self.opts["disown"]:
            self.leave(command)
            return None
        if self.opts["asynchronous"]:
            return self._promised(command)
        return self._whole(command)

    def sudo(self, command: str, *, user: Any = None, password: Any = None, **kwargs: Any) -> Any:
        """... under sudo; see `run`."""
        raise NotImplementedError

    def _set_up(self, command: str, kwargs: dict[str, Any]) -> None:
        if self.replaces_env:
            kwargs.setdefault("replace_env", True)
        self.opts = opts = unified(kwargs, self.context.config)
        self.using_pty = self.should_use_pty(opts["pty"], opts["fallback"])
        env = dict(opts["env"].items())
        self._known = {
            "command": command,
            "shell": opts["shell"],
            "env": env if opts["replace_env"] else {**os.environ, **env},
            "pty": self.using_pty,
            "hide": opts["hide"],
            "encoding": opts["encoding"] or locale.getpreferredencoding(False),
        }

    def _promised(self, command: str) -> Promise:
        future: Future[Any] = Future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                future.set_result(context.run(self._whole, command))
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                future.set_exception(error)

        Thread(target=work, name="invoke-promise", daemon=True).start()
        return Promise(self, future, self._known)

    def _whole(self, command: str) -> Result:
        decoders = {
            name: codecs.getincrementaldecoder(self._known["encoding"])("replace") for name in ("stdout", "stderr")
        }
        streams = {"stdout": self.opts["out_stream"] or sys.stdout, "stderr": self.opts["err_stream"] or sys.stderr}

        def came(name: str, data: bytes) -> None:
            text = decoders[name].decode(data)
            if not text:
                return
            if name not in self.opts["hide"]:
                streams[name].write(text)
                streams[name].flush()
            self._texts[name].append(text)
            self._respond(name)

        try:
            exited = self.execute(command, came)
        except Late as late:
            raise CommandTimedOut(self._result(late.exited), timeout=self.opts["timeout"]) from None
        except WatcherError as error:
            raise Failure(self._result(None), reason=error) from error
        result = self._result(exited)
        if not result and not self.opts["warn"]:
            raise UnexpectedExit(result)
        return result

    def _result(self, exited: int | None) -> Result:
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        return self.generate_result(**self._known, **texts, exited=exited)

    def _respond(self, name: str) -> None:
        if not self.opts["watchers"]:
            return
        so_far = "".join(self._texts[name])
        for watcher in self.opts["watchers"]:
            for answer in watcher.submit(so_far):
                self.write(answer.encode(self._known["encoding"]))

    def given_input(self) -> bytes | None:
        """All that ``in_stream`` holds, if there is one."""
        stream = self.opts["in_stream"]
        if not stream:
            return None
        data = stream.read()
        return data.encode(self._known["encoding"]) if isinstance(data, str) else bytes(data)
