"""A host that starts anew: it is told to, and is waited for until it is another boot that answers."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from elsewhere.errors import CallTimeout, ConnectError, ConnectionLost, HostKeyError, Unauthorized
from elsewhere.fleet.commands import run as commands
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.results import CommandError

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["checked", "reboot"]

PAUSE = 1.0  # seconds between two looks
# Linux, and when its first process began, as containers keep the id of the machine's boot; macOS. Else it says nothing.
BOOT = (
    "cat /proc/sys/kernel/random/boot_id 2>/dev/null && cut -d ' ' -f 22 /proc/1/stat 2>/dev/null || "
    "sysctl -n kern.bootsessionuuid 2>/dev/null || :"
)


def checked(wait: float) -> float:
    """The seconds to wait.

    Raises:
        TypeError, ValueError: they are none.
    """
    if isinstance(wait, bool) or not isinstance(wait, int | float):
        raise TypeError(f"wait is a number of seconds, not {wait!r}")
    if not 0 < wait < math.inf:
        raise ValueError(f"wait is more than 0 seconds, and less than forever, not {wait!r}")
    return float(wait)


async def reboot(host: Host, tell: Callable[[], Coroutine[Any, Any, Any]], wait: float) -> float:
    """See `Host.reboot`.

    Args:
        host: the host.
        tell: runs the command.
        wait: seconds.
    """
    loop = asyncio.get_running_loop()
    before = await _boot(host)
    began = loop.time()
    try:
        async with asyncio.timeout(wait):
            await tell()
    except (ConnectionLost, TimeoutError):  # it went, or the command waits until it does
        pass
    except CommandError as error:
        if not error.result.signal:
            raise
    down, last = False, ""
    while (left := began + wait - loop.time()) > 0:
        await host.link.close()  # what is left of the old one may say nothing for long
        try:
            async with asyncio.timeout(left):
                now = await _boot(host)
        except HostKeyError:
            raise
        except (ConnectError, ConnectionLost, Unauthorized) as error:
            down, last = True, str(error)
        except TimeoutError:
            break
        else:
            if now != before if before else down:
                return loop.time() - began
            last = "it has not gone down" if not down else "it is the same boot as before"
        await asyncio.sleep(min(PAUSE, max(0.0, began + wait - loop.time())))
    raise CallTimeout(f"{host}: it is not back from its reboot within {wait:g} s: {last or 'it does not answer'}")


async def _boot(host: Host) -> str:
    """What tells one boot from another; "" where nothing does. No `cd` of the program's counts for it."""
    command = prepare(BOOT, check=False)
    task = asyncio.get_running_loop().create_task(commands.run(host, command), context=contextvars.Context())
    try:
        return str((await task).stdout).strip()
    except asyncio.CancelledError:
        task.cancel()
        raise
