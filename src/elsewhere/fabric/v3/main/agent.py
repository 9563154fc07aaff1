"""The keys of the agent, as ``--list-agent-keys`` shows them."""

from __future__ import annotations

import binascii
import os
from typing import Any

from elsewhere.fabric.v3.invoke.exceptions import Exit
from elsewhere.fleet.below import agent_keys as asked

__all__ = ["agent_keys"]


def agent_keys() -> list[str]:
    """A line for each: bits, fingerprint, comment and kind.

    Raises:
        Exit: there is no agent.
    """
    if not os.environ.get("SSH_AUTH_SOCK"):
        raise Exit("there is no SSH agent: SSH_AUTH_SOCK is not set")
    try:
        return [_line(pair) for pair in asked()]
    except OSError as error:
        raise Exit(f"the SSH agent at {os.environ['SSH_AUTH_SOCK']} does not answer: {error}") from None


def _line(pair: Any) -> str:
    import asyncssh
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    key = asyncssh.import_public_key(_text(pair))
    size = getattr(load_ssh_public_key(key.export_public_key()), "key_size", 256)
    name = pair.algorithm.decode().removeprefix("ssh-").partition("-")[0].upper()
    return f"{size} {key.get_fingerprint()} {pair.get_comment()} ({name})"


def _text(pair: Any) -> bytes:
    return bytes(pair.algorithm + b" " + binascii.b2a_base64(pair.public_data, newline=False))
