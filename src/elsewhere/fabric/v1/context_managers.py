"""What holds within a ``with`` block."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from elsewhere.fabric.v1 import state

__all__ = [
    "cd", "char_buffered", "hide", "lcd", "nested", "path", "prefix", "quiet", "remote_tunnel", "settings", "shell_env",
    "show", "warn_only",
]  # fmt: skip


class nested:  # noqa: N801 - the original's name
    """Several context managers as one; they are entered in their order when it is."""

    def __init__(self, *managers: Any) -> None:
        self._managers = managers
        self._stack: list[contextlib.ExitStack] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for manager in self._managers:
                stack.enter_context(manager)
            self._stack.append(stack.pop_all())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.pop().__exit__(kind, error, trace)


@contextlib.contextmanager
def _shown(groups: tuple[str, ...], value: bool) -> Iterator[None]:
    before = {}
    try:
        for group in state.output.expand_aliases(groups):
            before[group] = state.output[group]
            state.output[group] = value
        yield
    finally:
        state.output.update(before)


def show(*groups: str) -> Any:
    """These groups of output are shown."""
    return _shown(groups, True)


def hide(*groups: str) -> Any:
    """These groups of output are hidden."""
    return _shown(groups, False)


@contextlib.contextmanager
def _setenv(variables: dict[str, Any] | Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Values in ``env``; what was there before is there again afterwards, see `settings`."""
    wanted = dict(variables() if callable(variables) else variables)
    clean = wanted.pop("clean_revert", False)
    env = state.env
    before = {key: env[key] for key in wanted if key in env}
    env.update(wanted)
    try:
        yield
    finally:
        for key, value in wanted.items():
            if clean and not (key in env and env[key] == value):
                continue  # the block has set it to something else, which is to stay
            if key in before:
                env[key] = before[key]
            else:
                env.pop(key, None)


def settings(*managers: Any, **values: Any) -> Any:
    """Other context managers, and values in ``env``, for a block.

    Args:
        managers: to be entered.
        values: for ``env``; with ``clean_revert=True`` what the block itself changes of them stays changed.
    """
    return nested(*managers, *([_setenv(values)] if values else []))


def _folder(which: str, path: str) -> Any:
    before = state.env.get(which)  # as it is now, not in the block: task files keep what they get here
    escaped = path.replace(" ", "\\ ")
    return _setenv({which: f"{before}/{escaped}" if before and not escaped.startswith(("/", "~")) else escaped})


def cd(path: str) -> Any:
    """Commands run in this folder of the host, and relative paths there are within it."""
    return _folder("cwd", path)


def lcd(path: str) -> Any:
    """`local` runs in this folder here, and relative paths here are within it."""
    return _folder("lcwd", path)


def path(path: str, behavior: str = "append") -> Any:
    """Commands have this in their PATH: ``"append"``, ``"prepend"`` or ``"replace"``."""
    return _setenv({"path": path, "path_behavior": behavior})


def prefix(command: str) -> Any:
    """Commands run only if this one has succeeded in the same shell."""
    return _setenv(lambda: {"command_prefixes": [*state.env.command_prefixes, command]})


def shell_env(**variables: Any) -> Any:
    """Commands have these environment variables, and none of an outer block's."""
    return _setenv({"shell_env": variables})


def quiet() -> Any:
    """Nothing is shown, and failures are only told by results."""
    return settings(hide("everything"), warn_only=True)


def warn_only() -> Any:
    """Failures are warned of."""
    return settings(warn_only=True)


@contextlib.contextmanager
def char_buffered(pipe: Any) -> Iterator[None]:
    """Whoever reads a terminal gets each key at once."""
    from elsewhere.fabric.v1.utils import isatty

    if state.win32 or not isatty(pipe):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(pipe)
    tty.setcbreak(pipe)
    try:
        yield
    finally:
        termios.tcsetattr(pipe, termios.TCSADRAIN, before)


@contextlib.contextmanager
def remote_tunnel(
    remote_port: int,
    local_port: int | None = None,
    local_host: str = "localhost",
    remote_bind_address: str = "127.0.0.1",
) -> Iterator[None]:
    """What connects to that port on the host is connected to a port that is reached from here."""
    from elsewhere.fabric.v1.network import reached

    with reached(state.env.host_string).forward_remote(
        remote_port, local_port or remote_port, remote_host=remote_bind_address, local_host=local_host
    ):
        yield
