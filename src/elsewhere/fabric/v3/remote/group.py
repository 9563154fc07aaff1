"""Several connections, one call."""

from __future__ import annotations

import contextvars
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from elsewhere.fabric.v3.exceptions import GroupException
from elsewhere.fabric.v3.remote.connection import Connection

__all__ = ["Group", "GroupResult", "SerialGroup", "ThreadingGroup"]


class Group(list[Connection]):
    """Connections; also a context manager, which closes them. How they take turns is up to `SerialGroup` and the other.

    Args:
        hosts: their names.
        kwargs: for each `Connection`.
    """

    def __init__(self, *hosts: str, **kwargs: Any) -> None:
        super().__init__(Connection(host, **kwargs) for host in hosts)

    @classmethod
    def from_connections(cls, connections: Iterable[Connection]) -> Self:
        """One of connections that there are already."""
        group = cls()
        group.extend(connections)
        return group

    def _do(self, method: str, *args: Any, **kwargs: Any) -> GroupResult:
        raise NotImplementedError

    def run(self, *args: Any, **kwargs: Any) -> GroupResult:
        """`Connection.run` on each.

        Raises:
            GroupException: some have failed, after all have ended.
        """
        return self._do("run", *args, **kwargs)

    def sudo(self, *args: Any, **kwargs: Any) -> GroupResult:
        """`Connection.sudo` on each; raises as `run`."""
        return self._do("sudo", *args, **kwargs)

    def put(self, *args: Any, **kwargs: Any) -> GroupResult:
        """`Connection.put` to each; raises as `run`."""
        return self._do("put", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> GroupResult:
        """`Connection.get` from each, into a folder of its host's name by default; raises as `run`."""
        if len(args) < 2:
            kwargs.setdefault("local", "{host}/")
        return self._do("get", *args, **kwargs)

    def close(self) -> None:
        """Disconnect all."""
        for connection in self:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SerialGroup(Group):
    """One after the other."""

    def _do(self, method: str, *args: Any, **kwargs: Any) -> GroupResult:
        results = GroupResult()
        for connection in self:
            try:
                results[connection] = getattr(connection, method)(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others have their turn
                results[connection] = error
        return results.checked()


class ThreadingGroup(Group):
    """Side by side."""

    def _do(self, method: str, *args: Any, **kwargs: Any) -> GroupResult:
        results = GroupResult()
        with ThreadPoolExecutor(max_workers=max(1, len(self)), thread_name_prefix="fabric-group") as pool:
            futures = [
                (each, pool.submit(contextvars.copy_context().run, getattr(each, method), *args, **kwargs))
                for each in self
            ]
            try:
                for connection, future in futures:
                    error = future.exception()
                    results[connection] = future.result() if error is None else error
            except BaseException:  # Ctrl-C: what runs ends with its connection
                self.close()
                raise
        return results.checked()


class GroupResult(dict[Connection, Any]):
    """Connections to results, or to exceptions."""

    @property
    def succeeded(self) -> dict[Connection, Any]:
        """Those with a result."""
        return {key: value for key, value in self.items() if not isinstance(value, BaseException)}

    @property
    def failed(self) -> dict[Connection, Any]:
        """Those with an exception."""
        return {key: value for key, value in self.items() if isinstance(value, BaseException)}

    def checked(self) -> GroupResult:
        """Itself, if none has failed; raises `GroupException` otherwise."""
        if self.failed:
            raise GroupException(self)
        return self
