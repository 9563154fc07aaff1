"""The command line of Fabric 1."""

from elsewhere.fabric.v1.main.listing import list_commands, show_commands
from elsewhere.fabric.v1.main.program import main

__all__ = ["list_commands", "main", "show_commands"]
