"""Fabric 1's names on `Host`: what a task file of that dialect finds under ``fabric``.

::

    api, operations/, context_managers, decorators, colors, utils, contrib/    what task files import
    state/       env and output, of which each parallel task has its own; connections
    tasks/       what a task is; to execute it on its hosts
    network      hosts as Fabric 1 writes them, and the way there
    main/        the command line: options, arguments, discovery, listing

`NAMES` says which of our modules each of the original's is.
"""

from typing import Any

from elsewhere.fabric.v1.version import VERSION

__all__ = ["NAMES", "__version__"]

__version__ = VERSION
_MODULES = [
    "api", "colors", "context_managers", "contrib", "contrib.console", "contrib.django", "contrib.files",
    "contrib.project", "decorators", "exceptions", "main", "network", "operations", "state", "task_utils", "tasks",
    "utils", "version",
]  # fmt: skip
NAMES = {"fabric": __name__, **{f"fabric.{name}": f"{__name__}.{name}" for name in _MODULES}}


def __getattr__(name: str) -> Any:
    if name[:1].isupper() or name == "task":
        # No AttributeError: `from fabric import …` would say something else.
        raise ImportError(
            f"fabric.{name} is of Fabric 2 and 3, and this file is read as one of Fabric 1; --dialect 3 says otherwise",
            name="fabric",
        )
    raise AttributeError(f"module 'fabric' has no attribute {name!r}")
