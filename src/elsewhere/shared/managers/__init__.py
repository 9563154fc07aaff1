"""Managers: objects in a process of their own, used from many: multiprocessing's, repaired.

::

    a client's process                                   the manager's process
    proxies ──▶ Link (one for the process) ── frames ──▶ Server (one thread) ──▶ dicts, lists, values: at once
                                                              │                  locks, queues (`waiting`): parked
                                                              └──▶ lanes ──────▶ objects of the user's own classes
"""

from .link import ManagerLost
from .manager import BaseManager, Manager, SyncManager

__all__ = ["BaseManager", "Manager", "ManagerLost", "SyncManager"]
