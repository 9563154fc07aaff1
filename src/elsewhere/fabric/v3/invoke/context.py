"""What a task is given first: settings, and commands here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from elsewhere.fabric.v3.invoke.config import Config
from elsewhere.fabric.v3.invoke.data import DataProxy

__all__ = ["Context"]


class Context(DataProxy):
    """Settings as attributes and keys, and what is done with them.

    Args:
        config: the settings; the defaults and the files' without it.
    """

    command_prefixes: list[str]
    command_cwds: list[str]

    def __init__(self, config: Config | None = None) -> None:
        config = Config() if config is None else config
        super().__init__(config)
        self._set(_config=config, command_prefixes=[], command_cwds=[])

    @property
    def config(self) -> Config:
        return self._config  # type: ignore[no-any-return]  # as it was given

    @config.setter
    def config(self, value: Config) -> None:
        self._set(_config=value, _root=value)

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)

    __hash__ = None

    def run(self, command: str, **kwargs: Any) -> Any:
        """Run a command here; see `elsewhere.fabric.v3.invoke.runners.Runner.run`."""
        return self.config.runners.local(self).run(self._prefix_commands(command), **kwargs)

    def sudo(self, command: str, **kwargs: Any) -> Any:
        """... under sudo: all of it, in this folder too.

        Args:
            command: for a shell.
            kwargs: ``user`` and ``password``; and those of `run`.
        """
        runner = self.config.runners.local(self)
        return runner.sudo(self._prefix_commands(command), **self._sudo_options(kwargs))

    def _sudo_options(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        sudo = self.config.sudo
        return {"user": sudo.user, "password": sudo.password, **kwargs}

    def _prefix_commands(self, command: str) -> str:
        folder = [f"cd {self.cwd}"] if self.cwd else []
        return " && ".join([*folder, *self.command_prefixes, command])

    @contextlib.contextmanager
    def prefix(self, command: str) -> Iterator[None]:
        """Commands run only if this one has succeeded in the same shell."""
        self.command_prefixes.append(command)
        try:
            yield
        finally:
            self.command_prefixes.pop()

    @property
    def cwd(self) -> str:
        """The folder in which commands run, for a shell; "" where none was said."""
        whole: list[str] = []
        for path in self.command_cwds:
            whole = [path] if path.startswith(("~", "/")) else [*whole, path]
        return os.path.join(*(path.replace(" ", "\\ ") for path in whole)) if whole else ""

    @contextlib.contextmanager
    def cd(self, path: str | os.PathLike[str]) -> Iterator[None]:
        """Commands run in this folder."""
        self.command_cwds.append(str(path))
        try:
            yield
        finally:
            self.command_cwds.pop()
