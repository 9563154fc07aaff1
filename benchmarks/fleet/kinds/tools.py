"""The programs that everybody has."""

from __future__ import annotations

import shlex
import subprocess

from benchmarks.fleet.kinds.base import Kind


class Tool(Kind):
    """What they have in common."""

    @property
    def options(self) -> list[str]:
        said = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.known_hosts,
        }
        return ["-F", "none", "-i", self.key, *(word for item in said.items() for word in ("-o", "=".join(item)))]

    @property
    def ssh(self) -> list[str]:
        return ["ssh", *self.options, "-p", str(self.port)]

    @property
    def there(self) -> str:
        return f"{self.user}@{self.hosts[0]}"

    def warm_up(self) -> None:
        subprocess.run([*self.ssh, self.there, "true"], check=True)


class Tar(Tool):
    """A stream of tar through ssh into a folder beside the target, which then takes its place."""

    def tree(self, source: str, target: str, existing: bool) -> None:
        new, old = shlex.quote(f"{target}.new"), shlex.quote(f"{target}.old")
        to = shlex.quote(target)
        swap = f"mv {to} {old} && mv {new} {to} && rm -rf {old}" if existing else f"mv {new} {to}"
        unpack = f"mkdir {new} && tar -C {new} -xpf - && {swap}"
        with subprocess.Popen(["tar", "-C", source, "-cf", "-", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run([*self.ssh, self.there, unpack], stdin=tar.stdout, check=True)
            assert tar.stdout is not None
            tar.stdout.close()
            assert tar.wait() == 0


class Rsync(Tool):
    """With ``--archive``, and no more."""

    def _copy(self, *paths: str) -> None:
        subprocess.run(["rsync", "--archive", "-e", shlex.join(self.ssh), *paths], check=True)

    def tree(self, source: str, target: str, existing: bool) -> None:
        self._copy(f"{source}/", f"{self.there}:{target}/")

    def put(self, source: str, target: str) -> None:
        self._copy(source, f"{self.there}:{target}")

    def get(self, source: str, target: str) -> None:
        self._copy(f"{self.there}:{source}", target)


class Scp(Tool):
    """As OpenSSH's now is: over SFTP."""

    def _copy(self, *paths: str) -> None:
        subprocess.run(["scp", "-q", *self.options, "-P", str(self.port), *paths], check=True)

    def tree(self, source: str, target: str, existing: bool) -> None:
        self._copy("-r", "-p", f"{source}/.", f"{self.there}:{target}")

    def put(self, source: str, target: str) -> None:
        self._copy(source, f"{self.there}:{target}")

    def get(self, source: str, target: str) -> None:
        self._copy(f"{self.there}:{source}", target)
