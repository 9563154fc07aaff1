"""What all of a task file shares: ``env``, ``output``, the tasks that were found, the connections that are open."""

from __future__ import annotations

import sys
from typing import Any

from elsewhere.fabric.v1.state.connections import Connections
from elsewhere.fabric.v1.state.defaults import OUTPUT, OUTPUT_ALIASES, PORT, env_defaults
from elsewhere.fabric.v1.state.local import AliasDict, AttributeDict

__all__ = ["commands", "connections", "default_port", "env", "output", "reset", "win32"]

win32 = sys.platform == "win32"
default_port = PORT
env = AttributeDict(env_defaults(), shared=True)
output = AliasDict(OUTPUT, OUTPUT_ALIASES, shared=True)
commands: dict[str, Any] = {}
connections = Connections(env)


def reset() -> None:
    """As at the start of a program."""
    env.clear()
    env.update(env_defaults())
    output.clear()
    output.update(OUTPUT)
    commands.clear()
    connections.close_all()
