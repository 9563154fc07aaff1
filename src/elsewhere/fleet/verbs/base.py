"""What each part of `Host` knows of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Part"]


class Part:
    """A part of `Host`."""

    @property
    def _host(self) -> Host:
        return cast("Host", self)
