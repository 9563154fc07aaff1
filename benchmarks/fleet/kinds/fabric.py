"""Fabric 3, and paramiko, on which it stands."""

from __future__ import annotations

from typing import Any

from benchmarks.fleet.kinds.base import Answered, Kind


class Fabric(Kind):
    """A `ThreadingGroup`: a thread for each host."""

    def _group(self, hosts: list[str]) -> Any:
        from fabric import ThreadingGroup

        # Neither an agent nor keys of who runs this are asked.
        more = {"key_filename": self.key, "allow_agent": False, "look_for_keys": False}
        return ThreadingGroup(*hosts, user=self.user, port=self.port, connect_kwargs=more)

    def warm_up(self) -> None:
        self.cold(1)

    def cold(self, most: int | None = None) -> Answered:
        with self._group(self.hosts[:most]) as group:
            self._run(group)
            return Answered.now()

    @staticmethod
    def _run(group: Any) -> None:
        # Its stdin is where a contestant is told what to do.
        assert all(result.ok for result in group.run("true", hide=True, in_stream=False).values())

    def open(self) -> None:
        self.group = self._group(self.hosts)
        self._run(self.group)

    def warm(self, rounds: int) -> None:
        for _ in range(rounds):
            self._run(self.group)

    def one(self, commands: int) -> None:
        for _ in range(commands):
            self.group[0].run("true", hide=True, in_stream=False)

    def close(self) -> None:
        self.group.close()

    def put(self, source: str, target: str) -> None:
        with self._group(self.hosts[:1]) as group:
            group[0].put(source, target)

    def get(self, source: str, target: str) -> None:
        with self._group(self.hosts[:1]) as group:
            group[0].get(source, target)


class Paramiko(Kind):
    """For its memory: a thread for each connection."""

    def warm_up(self) -> None:
        self._connect(self.hosts[0]).close()

    def _connect(self, host: str) -> Any:
        """As little as there can be: no host's key is looked up."""
        import paramiko

        transport = paramiko.Transport((host, self.port))
        transport.start_client(timeout=30)
        transport.auth_publickey(self.user, paramiko.Ed25519Key.from_private_key_file(self.key))
        return transport

    def open(self) -> None:
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for a thousand connections
        self.transports = [self._connect(host) for host in self.hosts]

    def close(self) -> None:
        for transport in self.transports:
            transport.close()
