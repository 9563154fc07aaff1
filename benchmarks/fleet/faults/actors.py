"""Who meets the faults: ``python -m benchmarks.fleet.faults.actors KIND CONFIG``, a program that does what it is told.

A line of stdin is a verb with its arguments, answered with a line of what became of it: the type of the error that was
raised, or "value", and a text. It has no terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Outcome = tuple[str, str]


class Ours:
    """`Host`, with default settings but for how it is reached."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.host: str = config["host"]
        self.options = {"user": config["user"], "port": config["port"], "keys": (config["key"],), "agent": False}

    def _host(self) -> Any:
        from elsewhere.fleet import Host

        return Host(self.host, **self.options)

    def run(self, command: str, **options: Any) -> str:
        with self._host() as host:
            return str(host.run(command, **options).stdout)

    def put(self, source: str, target: str) -> str:
        with self._host() as host:
            host.put(source, target)
        return "sent"

    def get(self, source: str, target: str) -> str:
        with self._host() as host:
            host.get(source, target)
        return "fetched"

    def sudo(self, command: str, password: str | None, before: str | None) -> str:
        more = {} if password is None else {"password": password}
        with self._host() as host:
            if before is not None:
                host.sudo(command, password=before)
            return str(host.sudo(command, timeout=30, **more).stdout)

    def connections(self, many: int) -> str:
        hosts = [self._host() for _ in range(many)]
        futures = [host.run_async("echo well") for host in hosts]
        told = _counted(lambda index: futures[index].result(60).stdout, many)
        for host in hosts:
            host.close()
        return told

    def sessions(self, many: int) -> str:
        with self._host() as host:
            futures = [host.run_async("sleep 0.2; echo well") for _ in range(many)]
            return _counted(lambda index: futures[index].result(60).stdout, many)


class Fabric:
    """A `Connection`, with default settings but for how it is reached."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def _connection(self, **more: Any) -> Any:
        from fabric import Connection

        config = self.config
        keys = {"key_filename": config["key"], "allow_agent": False, "look_for_keys": False}
        return Connection(config["host"], config["user"], config["port"], connect_kwargs=keys, **more)

    def run(self, command: str, **options: Any) -> str:
        cwd = options.pop("cwd", None)
        with self._connection() as connection:
            # Its stdin is where this program is told what to do.
            options |= {"hide": True, "in_stream": False}
            if cwd is None:
                return str(connection.run(command, **options).stdout)
            with connection.cd(cwd):
                return str(connection.run(command, **options).stdout)

    def put(self, source: str, target: str) -> str:
        with self._connection() as connection:
            connection.put(source, target)
        return "sent"

    def get(self, source: str, target: str) -> str:
        with self._connection() as connection:
            connection.get(source, target)
        return "fetched"

    def sudo(self, command: str, password: str | None, before: str | None) -> str:
        from fabric import Config

        with self._connection() as connection:
            if before is not None:
                connection.sudo(command, password=before, hide=True, in_stream=False)
            if password is not None:
                connection.config = Config(overrides={"sudo": {"password": password}})
            return str(connection.sudo(command, hide=True, in_stream=False, timeout=30).stdout)

    def connections(self, many: int) -> str:
        def one(index: int) -> str:
            with self._connection() as connection:
                return str(connection.run("echo well", hide=True, in_stream=False).stdout)

        return _counted(one, many)

    def sessions(self, many: int) -> str:
        with self._connection() as connection:
            connection.open()
            return _counted(
                lambda index: connection.run("sleep 0.2; echo well", hide=True, in_stream=False).stdout, many
            )


def _counted(one: Callable[[int], str], many: int) -> str:
    """So many at once: how many were well, and the types of errors of the others."""

    def outcome(index: int) -> str:
        try:
            return "well" if one(index) == "well\n" else "another answer"
        except Exception as error:
            return type(error).__name__

    with ThreadPoolExecutor(many) as threads:
        found = Counter(threads.map(outcome, range(many)))
    return ", ".join(f"{number} {what}" for what, number in found.most_common())


def done(who: Ours | Fabric, verb: str, arguments: list[Any], options: dict[str, Any]) -> Outcome:
    try:
        return "value", getattr(who, verb)(*arguments, **options)
    except Exception as error:
        return type(error).__name__, str(error)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)  # what is printed must not stand among them
    os.dup2(2, 1)
    name, config = sys.argv[1:]
    who = {"ours": Ours, "fabric": Fabric}[name](json.loads(config))
    print("ready", file=answers)
    for line in sys.stdin:
        verb, arguments, options = json.loads(line)
        print(json.dumps(done(who, verb, arguments, options)), file=answers)


if __name__ == "__main__":
    main()
