"""Commands on the current host: `run`, `sudo`, `open_shell`, `reboot`."""

from __future__ import annotations

import codecs
import re
import sys
import time
from collections import deque
from contextlib import nullcontext
from typing import Any

from elsewhere.errors import CallTimeout, ConnectError, ConnectionLost, Unauthorized
from elsewhere.fabric.shared.typed import typed
from elsewhere.fabric.v1 import context_managers
from elsewhere.fabric.v1.exceptions import CommandTimeout, NetworkError
from elsewhere.fabric.v1.network import needs_host, normalize_to_string, reached
from elsewhere.fabric.v1.operations import wrapping
from elsewhere.fabric.v1.operations.echo import Echo
from elsewhere.fabric.v1.operations.values import AttributeString
from elsewhere.fabric.v1.state import connections, env, output
from elsewhere.fabric.v1.utils import error
from elsewhere.fleet.below import Secret, live

__all__ = ["open_shell", "reboot", "run", "sudo"]

ENDED = -1  # the status of a command that a signal ended, as paramiko has it


@needs_host
def run(
    command: str,
    shell: bool = True,
    pty: bool = True,
    combine_stderr: bool | None = None,
    quiet: bool = False,
    warn_only: bool = False,
    stdout: Any = None,
    stderr: Any = None,
    timeout: float | None = None,
    shell_escape: bool | None = None,
    capture_buffer_size: int | None = None,
) -> AttributeString:
    """Run a command on the current host.

    Args:
        command: for ``env.shell`` there; as it is with ``shell=False``.
        shell: see above.
        pty: give it a terminal.
        combine_stderr: its errors are part of its output; ``env.combine_stderr`` by default.
        quiet: show nothing, and do not give up if it fails.
        warn_only: do not give up if it fails.
        stdout, stderr: where its output is shown.
        timeout: seconds, after which it is ended.
        shell_escape: its quotes and dollars are its own.
        capture_buffer_size: how many characters of the output are kept.

    Raises:
        SystemExit: it has failed, unless that is only to be warned of.
        CommandTimeout: it took too long.
        NetworkError: there is no way to the host.
    """
    given = (command, shell, pty, combine_stderr, stdout, stderr, timeout, shell_escape, capture_buffer_size)
    return _managed(quiet, warn_only, lambda: _run("run", None, *given))


@needs_host
def sudo(
    command: str,
    shell: bool = True,
    pty: bool = True,
    combine_stderr: bool | None = None,
    user: Any = None,
    quiet: bool = False,
    warn_only: bool = False,
    stdout: Any = None,
    stderr: Any = None,
    group: Any = None,
    timeout: float | None = None,
    shell_escape: bool | None = None,
    capture_buffer_size: int | None = None,
) -> AttributeString:
    """Run a command on the current host as root, or as another user or group; see `run`."""
    given = (command, shell, pty, combine_stderr, stdout, stderr, timeout, shell_escape, capture_buffer_size)
    return _managed(quiet, warn_only, lambda: _run("sudo", (user or env.sudo_user, group), *given))


def _managed(quiet: bool, warn_only: bool, work: Any) -> AttributeString:
    manager = (
        context_managers.quiet() if quiet else context_managers.settings(**({"warn_only": True} if warn_only else {}))
    )
    with manager:
        return work()  # type: ignore[no-any-return]  # _run's


def _run(
    which: str,
    who: tuple[Any, Any] | None,
    command: str,
    shell: bool,
    pty: bool,
    combine_stderr: bool | None,
    stdout: Any,
    stderr: Any,
    timeout: float | None,
    shell_escape: bool | None,
    capture: int | None,
) -> AttributeString:
    inner = _inner(command, shell, shell_escape)
    real = (
        inner if who is None else wrapping.wrapped(inner, "", False, wrapping.sudo_prefix(env.sudo_prefix % env, *who))
    )
    if output.debug:
        print(f"[{env.host_string}] {which}: {real}")
    elif output.running:
        print(f"[{env.host_string}] {which}: {command}")
    shown = _Shown(stdout, stderr, env.combine_stderr if combine_stderr is None else combine_stderr, capture)
    status = _status(shown, inner, who, pty and env.always_use_pty, env.command_timeout if timeout is None else timeout)
    out, err = (AttributeString(text.strip()) for text in shown.texts())
    if (output.running and output.stdout and out) or (output.stderr and err):
        print()
    out.failed, out.command, out.real_command = status not in env.ok_ret_codes, command, real
    if out.failed:
        text = f"{which}() received nonzero return code {status} while executing"
        text += f" '{command}'!" if env.warn_only else f"!\n\nRequested: {command}\nExecuted: {real}"
        error(text, stdout=out, stderr=err)
    out.return_code, out.succeeded, out.stderr = status, not out.failed, err
    return out


def _inner(command: str, shell: bool, shell_escape: bool | None) -> str:
    """The command with all that stands around it, but for sudo."""
    escape = env.get("shell_escape", True) if shell_escape is None else shell_escape
    text = wrapping.prefixed(command, env.cwd, env.command_prefixes)
    text = wrapping.with_variables(text, env.path, env.path_behavior, env.shell_env)
    return wrapping.wrapped(text, env.shell if shell and env.use_shell else "", escape, None)


def _status(shown: _Shown, text: str, who: tuple[Any, Any] | None, pty: bool, timeout: float | None) -> int:
    """Run it; its status."""
    host = reached(env.host_string)
    answers = [(re.escape(asked), str(answer)) for asked, answer in env.prompts.items()]
    sudo = None if who is None else _sudo(*who)
    try:
        with typed(None if pty else _echo) if not (answers or env.parallel) else nullcontext() as feed:
            result = live(
                host, text, shown.came,
                feed=feed, sudo=sudo, pty=pty, timeout=timeout, check=False, encoding=None, answers=answers,
            )  # fmt: skip
    except CallTimeout as late:
        raise CommandTimeout(timeout or 0) from late
    except Unauthorized as refused:
        if who is None:
            raise NetworkError(str(refused), refused) from refused
        shown.came("stderr", f"{refused}\n".encode())  # as sudo would say it there
        return 1
    except (ConnectError, ConnectionLost) as lost:
        raise NetworkError(str(lost), lost) from lost
    finally:
        shown.end()
    return ENDED if result.signal else int(result.returncode)


def _echo(data: bytes) -> None:
    """Show what is typed, which the far side does only where it has a terminal."""
    if env.echo_stdin:
        sys.stdout.write(data.decode(errors="replace"))
        sys.stdout.flush()


def _sudo(*who: Any) -> dict[str, Any]:
    """Sudo's user, group and password; a number is one of an account."""
    user, group = (None if name is None else f"#{name}" if str(name).isdigit() else str(name) for name in who)
    name = normalize_to_string(env.host_string)
    known = env.sudo_passwords.get(name, env.sudo_password) or env.passwords.get(name, env.password)
    return {"user": user, "group": group, "password": Secret(known) if known else None}


class _Shown:
    """The output of a command: shown while it comes, and kept."""

    def __init__(self, stdout: Any, stderr: Any, combined: bool, capture: int | None) -> None:
        self._streams = {"stdout": stdout or sys.stdout, "stderr": stderr or sys.stderr}
        self._combined = combined
        self._kept: dict[str, deque[str]] = {name: deque(maxlen=None) for name in self._streams}
        self._capture = capture
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in self._streams}
        self._linewise = bool(env.linewise or env.parallel)
        self._echoes = {
            name: Echo(f"[{env.host_string}] {name[3:]}: " if env.output_prefix else "", self._linewise)
            for name in self._streams
        }

    def came(self, name: str, data: bytes) -> None:
        name = "stdout" if self._combined else name
        text = self._decoders[name].decode(data)
        if text:
            self._kept[name].append(text)
            self._show(name, lambda echo: echo.feed(text))

    def _show(self, name: str, of: Any) -> None:
        if not output[name]:
            return
        text = of(self._echoes[name])
        if text:
            self._streams[name].write(text)
            self._streams[name].flush()

    def end(self) -> None:
        for name in self._streams:
            self._show(name, lambda echo: echo.end())

    def texts(self) -> tuple[str, str]:
        """What came; the last so many characters of it, if only so many are to be kept."""
        found = ("".join(self._kept["stdout"]), "".join(self._kept["stderr"]))
        return found if self._capture is None else (found[0][-self._capture :], found[1][-self._capture :])


@needs_host
def open_shell(command: str | None = None) -> None:
    """A shell of the current host at our terminal, until it ends.

    Args:
        command: what is typed there first.
    """
    from elsewhere.fabric.shared.shells import shell

    shell(reached(env.host_string), command)


@needs_host
def reboot(wait: float = 120, command: str = "reboot", use_sudo: bool = True) -> None:
    """Start the host anew, and wait until it is back.

    Args:
        wait: seconds, at most.
        command: that does it.
        use_sudo: as root.
    """
    timeout = 5
    with context_managers.settings(
        context_managers.hide("running"), timeout=timeout, connection_attempts=round(float(wait) / timeout)
    ):
        (sudo if use_sudo else run)(command)
        time.sleep(5)  # it still answers for a moment
        connections.connect(env.host_string)
