"""Tasks that know of hosts."""

from __future__ import annotations

from typing import Any

from elsewhere.fabric.v3.invoke.tasks import Call
from elsewhere.fabric.v3.invoke.tasks import Task as InvokeTask
from elsewhere.fabric.v3.invoke.tasks import task as invoke_task
from elsewhere.fabric.v3.remote.connection import Connection

__all__ = ["ConnectionCall", "Task", "task"]


class Task(InvokeTask):
    """A task.

    Args:
        args, kwargs: see invoke's.
        hosts: where it runs unless the command line says otherwise: names, or dicts of what `Connection` takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.hosts = kwargs.pop("hosts", None)
        super().__init__(*args, **kwargs)


def task(*args: Any, **kwargs: Any) -> Any:
    """This function is a task; see `Task`, and invoke's `task`."""
    kwargs.setdefault("klass", Task)
    return invoke_task(*args, **kwargs)


class ConnectionCall(Call):
    """A task on one host.

    Args:
        args, kwargs: see `Call`.
        init_kwargs: what the `Connection` is made of.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.init_kwargs = kwargs.pop("init_kwargs")
        super().__init__(*args, **kwargs)

    def clone_data(self) -> dict[str, Any]:
        return {**super().clone_data(), "init_kwargs": self.init_kwargs}

    def make_context(self, config: Any) -> Connection:
        return Connection(**{**self.init_kwargs, "config": config})

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, host='{self.init_kwargs['host']}'>"
