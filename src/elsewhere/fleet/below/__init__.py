"""What drop-ins for other tools need of hosts below `Host`'s own verbs; of this room they import this and public names.

::

    talking     a command that is talked with, while it runs, by the thread that has called it
    sftp        an SFTP session, whatever names its files are then asked for by
    Secret      a password that shows nowhere
    NeedsAsyncssh   what is raised where that is not installed
    asking      what else is known: the addresses of a connection, ssh's configuration, the keys of its agent
"""

from __future__ import annotations

from elsewhere.fleet.below.asking import agent_keys, peer_address, ssh_config
from elsewhere.fleet.below.sftp import Files
from elsewhere.fleet.below.talking import Feed, live
from elsewhere.fleet.naming.needed import NeedsAsyncssh
from elsewhere.fleet.naming.secret import Secret

__all__ = ["Feed", "Files", "NeedsAsyncssh", "Secret", "agent_keys", "live", "peer_address", "ssh_config"]
