"""Connections by their host's text: made at first use, kept until the program ends.

Those of parallel tasks are kept too, but are not shown: in the original each of those tasks has its own, of which the
program knows nothing.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from elsewhere.fabric.v1.state.local import AttributeDict

if TYPE_CHECKING:
    from elsewhere.fleet import Host

__all__ = ["Connections"]


class Connections(dict[str, Any]):
    """Host texts, however they are written, to `Host` objects that are connected; to look one up connects.

    Args:
        env: the settings by which hosts are reached.
    """

    def __init__(self, env: AttributeDict) -> None:
        super().__init__()
        self._env = env
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def connect(self, key: str) -> Host:
        """Connect anew.

        Raises:
            NetworkError: there is no way there.
        """
        from elsewhere.fabric.v1 import network

        name = network.normalize_to_string(key)
        self._drop(name)
        host = network.connected(key)
        with self._lock:
            self._hosts[name] = host
        if not self._env.get("parallel_task"):
            super().__setitem__(name, host)
        return host

    def _drop(self, name: str) -> None:
        with self._lock:
            host = self._hosts.pop(name, None)
        super().pop(name, None)
        if host is not None:
            host.close()

    def __getitem__(self, key: str) -> Host:
        from elsewhere.fabric.v1.network import normalize_to_string

        name = normalize_to_string(key)
        with self._lock:
            host = self._hosts.get(name)
        if host is None:
            return self.connect(key)
        if not self._env.get("parallel_task"):
            super().__setitem__(name, host)
        return host

    def __contains__(self, key: object) -> bool:
        from elsewhere.fabric.v1.network import normalize_to_string

        return super().__contains__(normalize_to_string(str(key)))

    def __delitem__(self, key: str) -> None:
        from elsewhere.fabric.v1.network import normalize_to_string

        self._drop(normalize_to_string(key))

    def close_all(self) -> None:
        """Close all of them, shown or not."""
        with self._lock:
            hosts, self._hosts = list(self._hosts.values()), {}
        super().clear()
        for host in hosts:
            host.close()
