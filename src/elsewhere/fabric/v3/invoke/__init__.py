"""Invoke's names: tasks, collections, settings, and commands here."""

from __future__ import annotations

from typing import Any

from elsewhere.fabric.v3.invoke.collection import Collection
from elsewhere.fabric.v3.invoke.config import Config
from elsewhere.fabric.v3.invoke.context import Context
from elsewhere.fabric.v3.invoke.exceptions import (
    AmbiguousEnvVar,
    AuthFailure,
    CollectionNotFound,
    CommandTimedOut,
    Exit,
    Failure,
    ParseError,
    PlatformError,
    ResponseNotAccepted,
    SubprocessPipeError,
    ThreadException,
    UncastableEnvVar,
    UnexpectedExit,
    UnknownFileType,
    UnpicklableConfigMember,
    WatcherError,
)
from elsewhere.fabric.v3.invoke.executor import Executor
from elsewhere.fabric.v3.invoke.parser import Argument, Parser, ParserContext, ParseResult
from elsewhere.fabric.v3.invoke.runners import Local, Promise, Result, Runner
from elsewhere.fabric.v3.invoke.tasks import Call, Task, call, task
from elsewhere.fabric.v3.invoke.watchers import FailingResponder, Responder, StreamWatcher

__all__ = [
    "AmbiguousEnvVar", "Argument", "AuthFailure", "Call", "Collection", "CollectionNotFound", "CommandTimedOut",
    "Config", "Context", "Executor", "Exit", "FailingResponder", "Failure", "Local", "ParseError", "ParseResult",
    "Parser", "ParserContext", "PlatformError", "Promise", "Responder", "ResponseNotAccepted", "Result", "Runner",
    "StreamWatcher", "SubprocessPipeError", "Task", "ThreadException", "UncastableEnvVar", "UnexpectedExit",
    "UnknownFileType", "UnpicklableConfigMember", "WatcherError", "call", "pty_size", "run", "sudo", "task",
]  # fmt: skip


def run(command: str, **kwargs: Any) -> Any:
    """Run a command here; see `Context.run`."""
    return Context().run(command, **kwargs)


def sudo(command: str, **kwargs: Any) -> Any:
    """... under sudo; see `Context.sudo`."""
    return Context().sudo(command, **kwargs)


def pty_size() -> tuple[int, int]:
    """Columns and rows of our terminal; 80 and 24 where there is none."""
    import shutil

    size = shutil.get_terminal_size((80, 24))
    return size.columns, size.lines
