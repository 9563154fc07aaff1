"""`Host` and `Fleet`: commands, files and Python functions on other machines, over SSH.

SSH itself is asyncssh's job, which is imported when the first connection is made.
"""

from elsewhere.fleet.commands.detached import Detached
from elsewhere.fleet.files.outcome import Transfer, TransferError
from elsewhere.fleet.fleet import Fleet
from elsewhere.fleet.host import Host
from elsewhere.fleet.local import local
from elsewhere.fleet.output.base import Output
from elsewhere.fleet.results import CommandError, FleetError, Result

__all__ = [
    "CommandError",
    "Detached",
    "Fleet",
    "FleetError",
    "Host",
    "Output",
    "Result",
    "Transfer",
    "TransferError",
    "local",
]
