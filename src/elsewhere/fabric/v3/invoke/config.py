"""All settings: several levels of them, the later ones on top.

::

    defaults < the collection's < system < user < project < environment < runtime file < command line < what is set
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import types
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from elsewhere.fabric.v3.invoke.data import DataProxy, copied, merged
from elsewhere.fabric.v3.invoke.exceptions import (
    AmbiguousEnvVar,
    UncastableEnvVar,
    UnknownFileType,
    UnpicklableConfigMember,
)

__all__ = ["Config", "DataProxy", "merge_dicts"]

LEVELS = ("defaults", "collection", "system", "user", "project", "env", "runtime", "overrides", "modifications")
SUFFIXES = ("yaml", "yml", "json", "py")
merge_dicts = merged


class Config(DataProxy):
    """See the module.

    Args:
        overrides: what the command line says, or who makes it.
        defaults: instead of `global_defaults`.
        system_prefix, user_prefix: of the names of files, ``/etc/`` and ``~/.``.
        project_location: the folder of the project's file.
        runtime_path: of one more file.
        lazy: read no files yet.
    """

    prefix: ClassVar[str] = "invoke"
    file_prefix: ClassVar[str | None] = None
    env_prefix: ClassVar[str | None] = None

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        system_prefix: str | None = None,
        user_prefix: str | None = None,
        project_location: Any = None,
        runtime_path: Any = None,
        lazy: bool = False,
    ) -> None:
        super().__init__(self)
        levels: dict[str, dict[str, Any]] = {level: {} for level in LEVELS}
        levels["defaults"] = copied(self.global_defaults() if defaults is None else defaults)
        levels["overrides"] = copied(overrides or {})
        self._set(_levels=levels, _removed=set(), _merged=None, _runtime_path=runtime_path, _location=project_location)
        self._set(_system_prefix=system_prefix or "/etc/", _user_prefix=user_prefix or "~/.")
        if not lazy:
            self.load_base_conf_files()

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        """What holds where nobody says anything."""
        from elsewhere.fabric.v3.invoke.runners import Local

        return {
            "run": {
                "asynchronous": False,
                "disown": False,
                "dry": False,
                "echo": False,
                "echo_stdin": None,
                "encoding": None,
                "env": {},
                "err_stream": None,
                "fallback": True,
                "hide": None,
                "in_stream": None,
                "out_stream": None,
                "echo_format": "\033[1;37m{command}\033[0m",
                "pty": False,
                "replace_env": False,
                "shell": "/bin/bash",
                "warn": False,
                "watchers": [],
            },
            "runners": {"local": Local},
            "sudo": {"password": None, "prompt": "[sudo] password: ", "user": None},
            "tasks": {
                "auto_dash_names": True,
                "collection_name": "tasks",
                "dedupe": True,
                "executor_class": None,
                "ignore_unknown_help": False,
                "search_root": None,
            },
            "timeouts": {"command": None},
        }

    # ---- what a proxy asks of its root -------------------------------------------------------------------------------

    def merged_data(self) -> dict[str, Any]:
        """All levels as one."""
        if self._merged is None:
            data: dict[str, Any] = {}
            for level in LEVELS:
                merged(data, self._levels[level])
            for path in self._removed:
                _remove(data, path)
            self._set(_merged=data)
        found: dict[str, Any] = self._merged
        return found

    def changed(self, path: tuple[str, ...], value: Any) -> None:
        """A setting has been set."""
        place = self._levels["modifications"]
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
        for removed in [each for each in self._removed if each[: len(path)] == path or path[: len(each)] == each]:
            self._removed.discard(removed)
        self._set(_merged=None)

    def removed(self, path: tuple[str, ...]) -> None:
        """A setting has been taken away."""
        _remove(self._levels["modifications"], path)
        self._removed.add(path)
        self._set(_merged=None)

    def merge(self) -> None:
        """Levels have changed."""
        self._set(_merged=None)

    # ---- levels ------------------------------------------------------------------------------------------------------

    def _level(self, name: str, data: Mapping[str, Any], merge: bool = True) -> None:
        self._levels[name] = copied(data)
        self.merge()

    def load_base_conf_files(self) -> None:
        """The system's file, and the user's."""
        prefix = self.file_prefix or self.prefix
        self._level("system", _read(f"{self._system_prefix}{prefix}"))
        self._level("user", _read(os.path.expanduser(f"{self._user_prefix}{prefix}")))

    def set_project_location(self, path: Any) -> None:
        """The folder of the project's file."""
        self._set(_location=path)

    def load_project(self, merge: bool = True) -> None:
        if self._location:
            prefix = self.file_prefix or self.prefix
            self._level("project", _read(os.path.join(str(self._location), prefix)))

    def set_runtime_path(self, path: Any) -> None:
        """A file that the command line names."""
        self._set(_runtime_path=path)

    def load_runtime(self, merge: bool = True) -> None:
        if self._runtime_path is not None:
            self._level("runtime", _read_file(os.path.expanduser(str(self._runtime_path))))

    def load_collection(self, data: Mapping[str, Any], merge: bool = True) -> None:
        self._level("collection", data)

    def load_overrides(self, data: Mapping[str, Any], merge: bool = True) -> None:
        self._level("overrides", data)

    def load_shell_env(self) -> None:
        """Environment variables such as ``INVOKE_RUN_ECHO=1`` for settings that there are."""
        self._level("env", {})
        prefix = (self.env_prefix or self.prefix).upper()
        found: dict[str, Any] = {}
        names: dict[str, tuple[str, ...]] = {}
        for path, value in _leaves(self.merged_data()):
            name = "_".join((prefix, *path)).upper()
            if name in names:
                raise AmbiguousEnvVar(f"Found >1 source for {name.removeprefix(prefix + '_')}")
            names[name] = path
            if name in os.environ:
                place = found
                for key in path[:-1]:
                    place = place.setdefault(key, {})
                place[path[-1]] = _cast(value, os.environ[name])
        self._level("env", found)

    def clone(self, into: type[Config] | None = None) -> Any:
        """Another one with the same settings, of a class that is this one's or comes from it."""
        kind = type(self) if into is None else into
        new = kind(lazy=True, **self._clone_init_kwargs())
        for level in LEVELS:
            data = copied(self._levels[level])
            # A subclass has defaults of its own, which this one does not know.
            new._levels[level] = merged(new._levels[level], data) if level == "defaults" else data
        new._set(_removed=set(self._removed), _merged=None, _location=self._location, _runtime_path=self._runtime_path)
        return new

    def _clone_init_kwargs(self) -> dict[str, Any]:
        return {"system_prefix": self._system_prefix, "user_prefix": self._user_prefix}

    def __copy__(self) -> Self:
        return self.clone()  # type: ignore[no-any-return]  # of this class

    def __deepcopy__(self, memo: object) -> Self:
        return self.clone()  # type: ignore[no-any-return]  # of this class


def _remove(data: dict[str, Any], path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        inner = data.get(key)
        if not isinstance(inner, dict):
            return
        data = inner
    data.pop(path[-1], None)


def _leaves(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in data.items():
        if isinstance(value, dict):
            found += _leaves(value, (*path, str(key)))
        else:
            found.append(((*path, str(key)), value))
    return found


def _cast(old: Any, new: str) -> Any:
    if isinstance(old, bool):
        return new not in {"0", ""}
    if old is None or isinstance(old, str):
        return new
    if isinstance(old, list | tuple):
        raise UncastableEnvVar(f"Can't adapt an environment string into a {type(old)}!")
    return type(old)(new)


# ---- files -----------------------------------------------------------------------------------------------------------


def _read(stem: str) -> dict[str, Any]:
    """The first file of that name with a suffix that is known, or nothing."""
    for suffix in SUFFIXES:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return _read_file(f"{stem}.{suffix}")
    return {}


def _read_file(path: str) -> dict[str, Any]:
    """A file's settings.

    Raises:
        OSError: it cannot be read.
        UnknownFileType: its suffix is none of `SUFFIXES`.
        ValueError: it is not what its suffix says, or reading it takes a package that is not there.
    """
    suffix = os.path.splitext(path)[1].lstrip(".")
    if suffix not in SUFFIXES:
        raise UnknownFileType(
            f"Config files of type {suffix!r} (from file {path!r}) are not supported! Please use one of: "
            f"{list(SUFFIXES)!r}"
        )
    with open(path, encoding="utf-8") as file:
        if suffix == "json":
            found = json.load(file)
        elif suffix == "py":
            found = _python(path)
        else:
            found = _yaml(path, file.read())
    if not isinstance(found or {}, dict):
        kind = type(found).__name__
        raise ValueError(f"{path} holds no settings but a {kind}")  # noqa: TRY004 - it is the file that is wrong
    return found or {}


def _python(path: str) -> dict[str, Any]:
    found = {key: value for key, value in runpy.run_path(path).items() if not key.startswith("__")}
    for key, value in found.items():
        if isinstance(value, types.ModuleType):
            raise UnpicklableConfigMember(f"{path} holds the module {key!r}, which is no setting")
    return found


def _yaml(path: str, text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ValueError(f"{path} is YAML, which PyYAML reads: pip install pyyaml; or write it as JSON") from None
    return yaml.safe_load(text)
