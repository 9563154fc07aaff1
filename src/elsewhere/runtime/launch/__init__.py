"""Starting, watching and ending worker processes: everything that makes a process lives in this folder.

::

    caller                        fork server (single-threaded, made for the purpose)        workers
    Launcher ── START, fds ─────▶ fork (or fork + exec) ────────────────────────────────────▶ entry(fds, inherited)
        ▲ ◀──── STARTED, pidfd ──────────────────────────────────────────────────────────────── first thing it does
        └────── EXITED, status ── wait

The server is the parent of every worker, with each start method, and the only one who reaps: the signals it sends hit
the right process, the statuses it reports are exact. It dies with its caller, and the workers die with it.

Nothing is imported before it is asked for: the fork server imports this package too, and starts in a few milliseconds.
"""

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without the 8 ms that importing typing costs a fresh fork server
if TYPE_CHECKING:
    from elsewhere.runtime.launch.launcher import Event, Exited, Launcher, ServerLost, Started
    from elsewhere.runtime.launch.servers import shared, shutdown_shared

__all__ = ["Event", "Exited", "Launcher", "ServerLost", "Started", "shared", "shutdown_shared"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from elsewhere.runtime.launch import launcher, servers

    return getattr(servers if name.startswith("sh") else launcher, name)
