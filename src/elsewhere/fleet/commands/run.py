"""One command on one host."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.results import Result

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["run"]


async def run(host: Host, command: str | list[str], *, encoding: str | None = "utf-8", check: bool = True) -> Result:
    """See `Host.run`."""
    connection = await host.link.connection()
    text = command if isinstance(command, str) else shlex.join(command)
    began = time.monotonic()
    done: Any = await connection.run(text, encoding=encoding)
    result = Result(command, done.returncode, done.stdout, done.stderr, host=host, seconds=time.monotonic() - began)
    if check:
        result.check_returncode()
    return result
