"""`Host` and `Fleet`: commands, files and Python functions on other machines, over SSH.

::

    host        Host: what can be done on one, in parts      verbs/
    fleet       Fleet: the same on many, in parts            many/
    options     what hosts and verbs are told by keywords, with types
    results     what comes back, and CommandError, FleetError
    local       commands on this machine, with the same results
    kinds       in which of a few ways a verb has ended
    engine      the one thread and loop on which all of it runs
    naming/     which hosts, and how they are reached
    link/       connecting, whom to believe, that nothing is left running
    commands/   what runs there
    files/      what is copied
    calling/    Python functions there
    output/     what hosts write, shown
    tunnels/    ports that stand for others on the far side
    below/      what the drop-ins for other tools use of all this

SSH itself is asyncssh's job, which is imported when the first connection is made. A `Host` or a `Fleet` alone loads
neither that nor asyncio.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from elsewhere.fleet.commands.detached import Detached
    from elsewhere.fleet.files.outcome import Transfer, TransferError
    from elsewhere.fleet.fleet import Fleet
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.local import local
    from elsewhere.fleet.options import CommandOptions, CopyOptions, HostOptions, SudoOptions
    from elsewhere.fleet.output.base import Output
    from elsewhere.fleet.results import CommandError, FleetError, Result

__all__ = [
    "CommandError",
    "CommandOptions",
    "CopyOptions",
    "Detached",
    "Fleet",
    "FleetError",
    "Host",
    "HostOptions",
    "Output",
    "Result",
    "SudoOptions",
    "Transfer",
    "TransferError",
    "local",
]

_HOME = {
    "CommandError": "elsewhere.fleet.results",
    "CommandOptions": "elsewhere.fleet.options",
    "CopyOptions": "elsewhere.fleet.options",
    "Detached": "elsewhere.fleet.commands.detached",
    "Fleet": "elsewhere.fleet.fleet",
    "FleetError": "elsewhere.fleet.results",
    "Host": "elsewhere.fleet.host",
    "HostOptions": "elsewhere.fleet.options",
    "Output": "elsewhere.fleet.output.base",
    "Result": "elsewhere.fleet.results",
    "SudoOptions": "elsewhere.fleet.options",
    "Transfer": "elsewhere.fleet.files.outcome",
    "TransferError": "elsewhere.fleet.files.outcome",
    "local": "elsewhere.fleet.local",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'elsewhere.fleet' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(home), name)
    return value
