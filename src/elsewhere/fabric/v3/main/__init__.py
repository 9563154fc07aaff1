"""The command line of Fabric 2 and 3."""

from elsewhere.fabric.v3.main.program import main

__all__ = ["main"]
