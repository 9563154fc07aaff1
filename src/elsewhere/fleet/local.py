"""Commands on this machine, with the results and errors of those on hosts.

As there, nothing is left running: a small shell (the one that watches a connection) is told of the command's process
group, and ends it when its input does, however this program ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from elsewhere.errors import CallTimeout
from elsewhere.fleet.commands.command import Command
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.link.watcher import GRACE, script
from elsewhere.fleet.results import Result, shown

__all__ = ["local"]


def local(
    command: str | Sequence[str],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    input: str | bytes | bytearray | memoryview | None = None,  # noqa: A002 - subprocess's name
    timeout: float | None = None,
    check: bool = True,
    encoding: str | None = "utf-8",
) -> Result:
    """Run a command on this machine, and wait for its end.

    It is in a session of its own, without a terminal: Ctrl-C is this program's, and ends it. What stands around
    commands on hosts (`Host.cd` and others) does not count here.

    Args:
        command: a str for ``/bin/sh``; or a list of a program and its arguments.
        cwd: the folder to run it in; ``~`` is the user's home.
        env: further variables.
        input: a str or bytes to read from; nothing by default.
        timeout: seconds, after which it is ended with all that it has started; None for no limit.
        check: raise if it fails.
        encoding: of what it writes, which is a str then; None for bytes. What is none of it becomes surrogates.

    Returns:
        A `Result`, whose `host` is None.

    Raises:
        CommandError: it has failed.
        CallTimeout: it took too long.
        FileNotFoundError, PermissionError: there is no such program, or no such folder.
        TypeError, ValueError: an argument is wrong.
    """
    folder = None if cwd is None else os.path.expanduser(os.fspath(cwd))
    told = prepare(command, cwd=folder, env=env, input=input, timeout=timeout, check=check, encoding=encoding)
    with _watched() as watcher:
        began = time.monotonic()
        status, out, err = _run(told, folder, watcher)
    result = _result(told, status, out, err, time.monotonic() - began)
    if told.check:
        result.check_returncode()
    return result


def _run(told: Command, folder: str | None, watcher: Callable[[str], None]) -> tuple[int, bytes, bytes]:
    """Its status, and what it wrote."""
    began = time.monotonic()
    process = subprocess.Popen(
        told.command,
        shell=isinstance(told.command, str),
        cwd=folder,
        env={**os.environ, **told.env},
        stdin=subprocess.DEVNULL if told.input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        watcher(f"+{process.pid}\n")
        out, err = process.communicate(told.input, told.timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        raise _late(told, time.monotonic() - began) from None
    except BaseException:  # Ctrl-C
        _end(process)
        raise
    finally:
        watcher(f"-{process.pid}\n")
    return process.returncode, out, err


@contextlib.contextmanager
def _watched() -> Iterator[Callable[[str], None]]:
    """A way to tell the watcher."""
    watcher = subprocess.Popen(
        ["sh", "-c", script()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert watcher.stdin is not None
    stdin = watcher.stdin

    def tell(text: str) -> None:
        with contextlib.suppress(OSError):  # somebody has killed it
            stdin.write(text.encode())
            stdin.flush()

    try:
        yield tell
    finally:
        with contextlib.suppress(OSError):
            stdin.close()
        watcher.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End its group: TERM, and KILL two seconds later; then nobody holds its output any more."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE)
            return
    for stream in (process.stdin, process.stdout, process.stderr):  # one of another group may still hold them
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


def _late(told: Command, took: float) -> CallTimeout:
    return CallTimeout(
        f"{shown(told.command)} did not end here within its timeout of {told.timeout:g} s, and was ended "
        f"after {took:.3g} s"
    )


def _result(told: Command, status: int, out: bytes, err: bytes, seconds: float) -> Result:
    args: Any = told.command
    name = None
    if status < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-status).name.removeprefix("SIG")
    encoding = told.encoding
    stdout, stderr = (data if encoding is None else data.decode(encoding, "surrogateescape") for data in (out, err))
    return Result(args if isinstance(args, str) else list(args), status, stdout, stderr, seconds=seconds, signal=name)
