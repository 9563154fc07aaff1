"""Task files: where they are, what they hold, in which dialect."""

from __future__ import annotations

import difflib
import os
import tokenize
from pathlib import Path

from elsewhere.fabric.dialect import dialect_of

__all__ = ["Missing", "dialect_of_file", "find"]

NAME = "fabfile"


class Missing(Exception):
    """There is no such task file; the text says what is there instead."""


def find(name: str | None = None) -> Path | None:
    """The task file.

    Args:
        name: of a file, or of a folder with an ``__init__.py``, with or without ``.py``; where it has no slash, the
            folders above are searched too. ``fabfile`` by default.

    Returns:
        Its absolute path; None where none was named and there is none.

    Raises:
        Missing: the one that was named is not there.
    """
    names = [name or NAME]
    if not names[0].endswith(".py"):
        names.append(f"{names[0]}.py")
    if os.path.dirname(names[0]):
        folders = [Path()]
    else:
        here = Path.cwd()
        folders = [here, *here.parents]
    for folder in folders:
        for each in names:
            path = folder / os.path.expanduser(each)
            if _is_task_file(path):
                return Path(os.path.abspath(path))
    if name is None:
        return None
    raise Missing(_nearest(name))


def _is_task_file(path: Path) -> bool:
    return (path.suffix == ".py" and path.is_file()) or (path / "__init__.py").is_file()


def _nearest(name: str) -> str:
    folder = Path(os.path.expanduser(os.path.dirname(name))) if os.path.dirname(name) else Path.cwd()
    text = f"there is no task file {name!r}"
    if not folder.is_dir():
        return f"{text}: there is no folder {str(folder)!r}"
    there = sorted(path.name for path in folder.iterdir() if _is_task_file(path))
    wanted = os.path.basename(name)
    close = difflib.get_close_matches(wanted if wanted.endswith(".py") else f"{wanted}.py", there, 1, 0.5)
    if close:
        return f"{text}; did you mean {os.path.join(os.path.dirname(name), close[0])!r}?"
    where = str(folder) if os.path.dirname(name) else "here"
    return f"{text}" + (f"; the Python files {where} are {', '.join(there[:8])}" if there else f", and none {where}")


def dialect_of_file(path: Path) -> int:
    """1 or 3; see `elsewhere.fabric.dialect`.

    Raises:
        OldPython: it is written in Python 2.
        SyntaxError: it is no Python.
        OSError: it cannot be read.
    """
    file = path / "__init__.py" if path.is_dir() else path
    package = path if path.is_dir() else None

    def read(name: str) -> str | None:
        """A module beside the file; one dot or none mean that, as far as a dialect is concerned."""
        parts = name.lstrip(".").split(".") if name.strip(".") else []
        for base in (package, path.parent):
            if base is not None and parts:
                place = base.joinpath(*parts)
                for candidate in (place.with_suffix(".py"), place / "__init__.py"):
                    if candidate.is_file() and candidate != file:
                        return _text(candidate)
        return None

    return dialect_of(_text(file), str(file), read)


def _text(path: Path) -> str:
    with tokenize.open(path) as file:  # as its coding line says
        return file.read()
