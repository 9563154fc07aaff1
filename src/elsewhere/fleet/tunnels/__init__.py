"""Ports and sockets that stand for others on the other side of a host's connection."""
