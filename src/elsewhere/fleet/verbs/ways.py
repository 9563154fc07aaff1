"""Ways to a host and over it: tunnels, and a host that starts anew."""

from __future__ import annotations

from elsewhere.fleet.verbs.base import Part

__all__ = ["Ways"]


class Ways(Part):
    """See the module."""
