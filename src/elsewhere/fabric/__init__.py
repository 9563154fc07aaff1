"""Fabric's task files, of both dialects, on `Host`: ``elsewhere fab``, or programs that say ``import fabric``.

::

    dialect      which of the two a file is written in, told from its text
    loading      task files: where they are
    finder       ``import fabric`` and ``import invoke`` give our modules, while a program runs
    v1/          Fabric 1: ``fabric.api`` and the others
    v3/          Fabric 2 and 3: ``Connection``, ``Group``, ``@task``, and invoke
    shared/      what both need of `Host`

The two do not know each other. Nothing of ours is installed under the names ``fabric`` or ``invoke``.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "Config", "Connection", "Executor", "Group", "GroupResult", "Remote", "RemoteShell", "Result", "SerialGroup",
    "Task", "ThreadingGroup", "install", "task", "uninstall",
]  # fmt: skip


def install(dialect: int = 3) -> None:
    """From now on ``import fabric`` and ``import invoke`` are ours, in this process, wherever the originals are.

    What has imported the originals before keeps them. Doing it again changes nothing.

    Args:
        dialect: 1 or 3; they cannot be used in the same program.

    Raises:
        ValueError: it is neither.
    """
    from importlib import import_module

    from elsewhere.fabric import finder

    if dialect not in {1, 3}:
        raise ValueError(f"the dialect is 1 or 3, not {dialect!r}")
    names: Any = import_module(f"{__name__}.v{dialect}").NAMES
    finder.install(names, f"Fabric {dialect}")


def uninstall() -> None:
    """``import fabric`` and ``import invoke`` are the originals' again, if there are any."""
    from elsewhere.fabric import finder

    finder.uninstall()


def __getattr__(name: str) -> Any:
    """The names of Fabric 3, so that ``import elsewhere.fabric as fabric`` is enough for a script."""
    if name in __all__:
        from elsewhere.fabric import v3

        return getattr(v3, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
