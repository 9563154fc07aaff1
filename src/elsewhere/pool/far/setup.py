"""What a far worker is told before its first call, and the modules that it asks for."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any

from elsewhere.pool.far.channel import Channel
from elsewhere.pool.far.freight import Freight
from elsewhere.pool.places import relay
from elsewhere.runtime.far import worker as wire
from elsewhere.runtime.far.packing import Body, Packer

__all__ = ["Setup"]

PROTOCOL = 4  # of pickle, which every Python from 3.8 on reads


class Setup:
    """The same for all workers of one pool.

    Args:
        name: of the pool.
        packer: knows the caller's modules.
        initializer: called in each worker, with `initargs`.

    Raises:
        Exception: what pickling the initializer raises, with a note.
    """

    def __init__(
        self, name: str, packer: Packer, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]
    ) -> None:
        self._packer = packer
        self._initializer: Body | None = None
        if initializer is not None:
            self._initializer = packer.item((initializer, initargs), lambda: "the initializer and its initargs")
        self._given = {"name": name, "levels": relay.take_levels(), "stdlib": sorted(sys.stdlib_module_names)}

    def frames(self, channel: Channel, freight: Freight) -> list[bytes]:
        """For a worker that has said who it is."""
        body = self._initializer
        initializer = None if body is None else freight.variant(channel, body)
        before = [] if body is None else freight.carried(channel, body)
        given = {
            **self._given,
            "initializer": initializer,
            "cores": channel.cores,
            "caller": tuple(sys.version_info[:2]),
        }
        return [*before, wire.frame(wire.SETUP, pickle.dumps(given, PROTOCOL))]

    def module(self, name: str) -> bytes:
        """The answer to a worker that asks for a module: its source, or that it is none of ours."""
        return wire.frame(wire.MODULE, pickle.dumps((name, self._packer.module(name)), PROTOCOL))
