"""Names of Fabric 2 and 3, and of invoke, on `Host`: what a task file of that dialect finds under ``fabric``.

::

    remote/                     `Connection`, the `Host` that it becomes, commands, files, several hosts at once
    config                      settings, with what is said of ssh
    tasks, executor, main/      tasks on hosts, and the command line
    invoke/                     what knows no hosts: tasks, collections, settings, commands here

`NAMES` says which of our modules each of the original's is.
"""

from elsewhere.fabric.v3.config import Config
from elsewhere.fabric.v3.executor import Executor
from elsewhere.fabric.v3.remote.connection import Connection
from elsewhere.fabric.v3.remote.group import Group, GroupResult, SerialGroup, ThreadingGroup
from elsewhere.fabric.v3.remote.runners import Remote, RemoteShell, Result
from elsewhere.fabric.v3.tasks import Task, task
from elsewhere.fabric.v3.version import VERSION

__all__ = [
    "NAMES", "Config", "Connection", "Executor", "Group", "GroupResult", "Remote", "RemoteShell", "Result",
    "SerialGroup", "Task", "ThreadingGroup", "__version__", "task",
]  # fmt: skip

__version__ = VERSION
_OURS = ["config", "exceptions", "executor", "main", "tasks"]
_REMOTE = ["connection", "group", "runners", "transfer"]
_INVOKES = [
    "collection",
    "config",
    "context",
    "exceptions",
    "executor",
    "parser",
    "runners",
    "tasks",
    "util",
    "watchers",
]
NAMES = {
    "fabric": __name__,
    "invoke": f"{__name__}.invoke",
    **{f"fabric.{name}": f"{__name__}.{name}" for name in _OURS},
    **{f"fabric.{name}": f"{__name__}.remote.{name}" for name in _REMOTE},
    **{f"invoke.{name}": f"{__name__}.invoke.{name}" for name in _INVOKES},
}
