"""What the user has for hosts: the agent, and the files in ~/.ssh. Nothing is decrypted, and no host is called."""

from __future__ import annotations

import os
import socket
import struct

from elsewhere.cli.doctor.finding import NOTE, WORKS, Finding
from elsewhere.fleet.naming.needed import NeedsAsyncssh, load_asyncssh

__all__ = ["agent", "file", "ssh"]

PATIENCE = 3.0  # seconds for an agent's answer
WHICH_KEYS, THESE_KEYS = 11, 12  # SSH_AGENTC_REQUEST_IDENTITIES, SSH_AGENT_IDENTITIES_ANSWER: draft-miller-ssh-agent
LONGEST = 1 << 20


def ssh() -> list[Finding]:
    """All of it; nothing where hosts cannot be reached anyway, which has its own line."""
    try:
        load_asyncssh()
    except NeedsAsyncssh:
        return []
    return [
        agent(os.environ.get("SSH_AUTH_SOCK")),
        file("ssh config", "~/.ssh/config", "host"),
        file("known_hosts", "~/.ssh/known_hosts", ""),
    ]


def agent(path: str | None) -> Finding:
    """Does it answer, and how many keys has it?"""
    if not path:
        return Finding("ssh-agent", "fleet", WORKS, "none runs here: keys are read from files")
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(path)
            sock.sendall(struct.pack(">IB", 1, WHICH_KEYS))
            (size,) = struct.unpack(">I", _exactly(sock, 4))
            kind, keys = struct.unpack(">BI", _exactly(sock, 5))
        if kind != THESE_KEYS or size > LONGEST:
            raise ValueError("it is no agent")
    except (OSError, ValueError, struct.error) as error:
        says = f"{path} (SSH_AUTH_SOCK) does not answer: {getattr(error, 'strerror', None) or error}"
        return Finding("ssh-agent", "fleet", NOTE, says, "eval $(ssh-agent); ssh-add -- or unset SSH_AUTH_SOCK")
    says = f"answers, and has {keys} key{'' if keys == 1 else 's'}"
    return Finding("ssh-agent", "fleet", WORKS, says, "")


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ValueError("it said nothing")
        data += more
    return data


def file(name: str, short: str, counted: str) -> Finding:
    """Can it be read?

    Args:
        name: what it is called.
        short: its path, with ``~``.
        counted: the keyword whose lines are counted; "" counts all but comments.
    """
    path = os.path.expanduser(short)
    if not os.path.lexists(path):
        none = "none: hosts are reached by their names" if counted else "none: no host is known by its key yet"
        return Finding(name, "fleet", WORKS, none)
    try:
        with open(path, encoding="utf-8") as opened:
            words = [line.split()[0].lower() for line in opened if line.split() and not line.lstrip().startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        says = f"{short} cannot be read: {getattr(error, 'strerror', None) or error}"
        return Finding(name, "fleet", NOTE, says, f"chmod u+r {short}, and see who owns it (ls -l)")
    number = sum(word == counted for word in words) if counted else len(words)
    what = "Host line" if counted else "key"
    return Finding(name, "fleet", WORKS, f"{number} {what}{'' if number == 1 else 's'} in {short}")
