"""Files to a host, and from it."""

from __future__ import annotations

from elsewhere.fleet.verbs.base import Part

__all__ = ["Files"]


class Files(Part):
    """See the module."""
