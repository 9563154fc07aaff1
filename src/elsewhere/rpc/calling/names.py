"""``client.a.b(1)`` calls the method ``"a.b"``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from elsewhere.rpc.calling.terms import Calling, Terms
from elsewhere.runtime.future import Future

__all__ = ["Collected", "Method"]


class Method:
    """A method of a service by its name; attributes lead deeper."""

    __slots__ = ("_link", "_name", "_terms")

    def __init__(self, link: Calling, name: str, terms: Terms) -> None:
        self._link = link
        self._name = name
        self._terms = terms

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it; see `Client.call`."""
        return self._link.call(self._name, args, kwargs, self._terms)

    def __getattr__(self, name: str) -> Method:
        if name.startswith("_"):
            raise AttributeError(
                f"{self._name!r} has no attribute {name!r}: names with a leading underscore are private"
            )
        return Method(self._link, f"{self._name}.{name}", self._terms)

    def __repr__(self) -> str:
        return f"<method {self._name!r} at {self._link.address}>"


class Collected:
    """A method by its name, for a batch."""

    __slots__ = ("_call", "_name")

    def __init__(self, call: Callable[..., Future[Any]], name: str) -> None:
        self._call = call
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Collect a call; see `Batch.call`."""
        return self._call(self._name, *args, **kwargs)

    def __getattr__(self, name: str) -> Collected:
        if name.startswith("_"):
            raise AttributeError(
                f"{self._name!r} has no attribute {name!r}: names with a leading underscore are private"
            )
        return Collected(self._call, f"{self._name}.{name}")

    def __repr__(self) -> str:
        return f"<method {self._name!r}, to be collected>"
