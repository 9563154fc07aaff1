"""Many calls in one request: `MultiCall`."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault, ResponseError

__all__ = ["MultiCall", "MultiCallIterator"]


class _Method:
    """A name of a call that is to be put in the list, as it grows: ``multicall.system.listMethods``."""

    def __init__(self, calls: list[tuple[str, tuple[Any, ...]]], name: str) -> None:
        self.__calls = calls
        self.__name = name

    def __getattr__(self, name: str) -> _Method:
        return _Method(self.__calls, f"{self.__name}.{name}")

    def __call__(self, *args: Any) -> None:
        self.__calls.append((self.__name, args))


class MultiCallIterator:
    """The values of a multicall, in the order of its calls.

    Attributes:
        results: what the server answered: of each call a list of one value, or a dict that is a fault.
    """

    def __init__(self, results: list[Any]) -> None:
        self.results = results

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, i: int) -> Any:
        """The value of one of them.

        Raises:
            Fault: the call ended in it.
            ValueError: it is neither.
        """
        item = self.results[i]
        if type(item) is dict and {"faultCode", "faultString"} <= item.keys():
            raise Fault(item["faultCode"], item["faultString"])
        if type(item) is list and len(item) == 1:
            return item[0]
        raise ValueError("unexpected type in multicall result")


class MultiCall:
    """Collects calls, and makes them all in one request: of ``system.multicall``.

    ::

        multicall = MultiCall(proxy)
        multicall.add(2, 3)
        multicall.get_address("Guido")
        total, address = multicall()

    Args:
        server: a `ServerProxy`.
    """

    def __init__(self, server: Any) -> None:
        self.__server = server
        self.__calls: list[tuple[str, tuple[Any, ...]]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x}>"

    def __getattr__(self, name: str) -> _Method:
        if name.startswith("__") and name.endswith("__"):  # Python looks for such; no server has them
            raise AttributeError(name)
        return _Method(self.__calls, name)

    def __call__(self) -> MultiCallIterator:
        """Make the calls.

        Raises:
            ResponseError: the server answered something that is no list of as many outcomes.
            Exception: as a call of the `ServerProxy`.
        """
        calls = [{"methodName": name, "params": args} for name, args in self.__calls]
        results = self.__server.system.multicall(calls)
        if not isinstance(results, list) or len(results) != len(calls):
            raise ResponseError(
                f"system.multicall of {len(calls)} calls was not answered with a list of as many outcomes"
            )
        return MultiCallIterator(results)
