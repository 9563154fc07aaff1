"""Can it be sent at all? Asked once, before any host is connected to."""

from __future__ import annotations

from typing import Any

from elsewhere.runtime.far.packing import Packer

__all__ = ["check"]


def check(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises TypeError, or whatever pickling these raises, with a note that says where and how it is cured."""
    if not callable(fn):
        raise TypeError(f"{fn!r} is not callable: the first argument is the function to call")
    packer = Packer(sources=True)
    packer.function(fn)
    packer.item((args, kwargs), lambda: "the arguments")
