"""How many files this process may have open: each connection is one, and many systems begin with 256 or 1,024."""

from __future__ import annotations

import contextlib

__all__ = ["make_room", "most"]

RESERVE = 192  # for all else that the program has open
STEP = 1024


def most() -> int | None:
    """How many it may have open at the moment; None where there is no limit, or none that can be known."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def make_room(connections: int) -> None:
    """See to it that there can be so many, as far as this process may change that; it is left alone if they fit."""
    soft = most()
    need = connections + RESERVE
    if soft is None or soft >= need:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (need // STEP + 1) * STEP
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if wanted > soft:
        with contextlib.suppress(ValueError, OSError):  # the kernel has a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
