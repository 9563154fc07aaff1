"""Ours."""

from __future__ import annotations

from typing import Any

from benchmarks.fleet.kinds.base import Answered, Kind


class Ours(Kind):
    """`Fleet` and `Host`."""

    @property
    def options(self) -> dict[str, Any]:
        return {
            "user": self.user,
            "port": self.port,
            "keys": (self.key,),
            "known_hosts": (self.known_hosts,),
            "config": (),
            "agent": False,
            "connect_timeout": self.connect_timeout,
        }

    def warm_up(self) -> None:
        self.cold(1)

    def cold(self, most: int | None = None) -> Answered:
        from elsewhere.fleet import Fleet

        with Fleet(*self.hosts[:most], **self.options) as fleet:
            assert all(result.ok for result in fleet.run("true").values())
            return Answered.now()

    def open(self) -> None:
        from elsewhere.fleet import Fleet

        self.fleet = Fleet(*self.hosts, **self.options)
        self.fleet.run("true")

    def warm(self, rounds: int) -> None:
        for _ in range(rounds):
            self.fleet.run("true")

    def one(self, commands: int) -> None:
        """Of one host, one after the other."""
        host = self.fleet.hosts[0]
        for _ in range(commands):
            host.run("true")

    def close(self) -> None:
        self.fleet.close()

    def crowd(self, hosts: list[str]) -> dict[str, Any]:
        """What became of each: "ok", or the name of its error's type."""
        from elsewhere.fleet import Fleet

        with Fleet(*hosts, **self.options) as fleet:
            found = fleet.run("true", return_exceptions=True)
        told = {
            str(host): "ok" if not isinstance(outcome, Exception) else type(outcome).__name__
            for host, outcome in found.items()
        }
        return {"outcomes": told}

    def tree(self, source: str, target: str, existing: bool) -> None:
        from elsewhere.fleet import Host

        with Host(self.hosts[0], **self.options) as host:
            host.put(f"{source}/", f"{target}/")

    def put(self, source: str, target: str) -> None:
        from elsewhere.fleet import Host

        with Host(self.hosts[0], **self.options) as host:
            host.put(source, target)

    def get(self, source: str, target: str) -> None:
        from elsewhere.fleet import Host

        with Host(self.hosts[0], **self.options) as host:
            host.get(source, target)
