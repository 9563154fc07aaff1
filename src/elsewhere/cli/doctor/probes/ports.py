"""The addresses that the documentation uses: are they free, and if not, whose are they?"""

from __future__ import annotations

import contextlib
import os
import socket

from elsewhere.cli.doctor.finding import NOTE, WORKS, Finding

__all__ = ["PORTS", "ports", "whose"]

PORTS = {6789: "tcp://localhost:6790", 8000: "http://localhost:8001", 8786: "dask://localhost:8787"}
LISTENS = "0A"  # TCP_LISTEN, in /proc/net/tcp
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def ports() -> list[Finding]:
    """Of all of them; those that are free in one line."""
    families = [family for family in LOOPBACK if _can_bind(family, 0) is None]
    taken = {port: [family for family in families if _can_bind(family, port) is not None] for port in PORTS}
    free = [str(port) for port in PORTS if not taken[port]]
    names = ", ".join("IPv6" if family == socket.AF_INET6 else "IPv4" for family in families) or "no address"
    found = []
    if free:
        says = f"{', '.join(free)} {'is' if len(free) == 1 else 'are'} free on localhost ({names})"
        found.append(Finding("ports", "ports", WORKS, says))
    for port, other in PORTS.items():
        if taken[port]:
            by = f" by {who}" if (who := whose(port)) else ""
            do = f"end that program, or choose another such as {other}"
            found.append(Finding(f"port {port}", "ports", NOTE, f"in use{by}", do))
    return found


def _can_bind(family: socket.AddressFamily, port: int) -> OSError | None:
    """None, or why not."""
    try:
        with socket.socket(family) as sock:
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            sock.bind((LOOPBACK[family], port))
    except OSError as error:
        return error
    return None


def whose(port: int) -> str | None:
    """Who listens there, such as ``python3 (pid 77)``; None where the system does not tell us."""
    inodes = set(_inodes(port))
    for pid in filter(str.isdecimal, os.listdir("/proc") if inodes else ()):
        with contextlib.suppress(OSError):  # another user's, or it has just ended
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                            return f"{file.read().strip()} (pid {pid})"
    return None


def _inodes(port: int) -> list[str]:
    found = []
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}", encoding="ascii") as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(f"socket:[{fields[9]}]")
    return found
