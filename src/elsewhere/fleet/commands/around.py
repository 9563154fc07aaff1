"""What stands around commands: ``with host.cd("/srv"), host.prefix("umask 027"): ...``.

It belongs to the context of who said it (`contextvars`): neither other threads nor other tasks see it. What is said is
read when a command is prepared, in the caller's thread, and told apart by host where the command is run.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

from elsewhere.sansio.hosts import prelude as words

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Around", "Layer", "folder", "layers"]


class Layer:  # no dataclass, whose module takes as long to import as all that a `Host` is made of
    """One `with`.

    Args:
        hosts: by identity: two hosts of one name may be reached differently.
        cwd, prefix: what is said of them, or None.
        env: further variables, which no repr shows.
    """

    def __init__(
        self, *, hosts: Mapping[int, Host], cwd: str | None, prefix: str | None, env: Mapping[str, str]
    ) -> None:
        self.hosts = hosts
        self.cwd = cwd
        self.prefix = prefix
        self.env = env


_layers: ContextVar[tuple[Layer, ...]] = ContextVar("elsewhere_around", default=())


def layers() -> tuple[Layer, ...]:
    """What stands around this place of the program, the outermost first."""
    return _layers.get()


def folder(base: str | None, cwd: str | None) -> str | None:
    """A folder that may be told from another one."""
    if base is None or cwd is None or cwd.startswith(("/", "~")):
        return base if cwd is None else cwd
    return posixpath.join(base, cwd)


@contextlib.contextmanager
def _within(layer: Layer) -> Iterator[None]:
    token = _layers.set((*_layers.get(), layer))
    try:
        yield
    finally:
        _layers.reset(token)


class Around:
    """A part of `Host` and `Fleet`."""

    def _around(self) -> Sequence[Host]:
        """The hosts that are meant."""
        raise NotImplementedError

    def _layer(
        self, *, cwd: str | None = None, prefix: str | None = None, env: Mapping[str, str] | None = None
    ) -> Layer:
        hosts = {id(host.root): host for host in self._around()}
        return Layer(hosts=hosts, cwd=cwd, prefix=prefix, env=dict(env or {}))

    def cd(self, path: str) -> contextlib.AbstractContextManager[None]:
        """A context in which commands run in a folder; a relative one is in that of the context around it.

        Args:
            path: on the far side; ``~`` is the home there.

        Raises:
            TypeError, ValueError: it is none.
        """
        words.line("true", cwd=path)
        return _within(self._layer(cwd=path))

    def prefix(self, command: str) -> contextlib.AbstractContextManager[None]:
        """A context in which a command, such as ``". venv/bin/activate"``, goes before each other, and must succeed.

        It is run in the same shell: what it exports or sets is there. Several go in the order of their contexts, after
        `cd`.
        """
        words.line("true", prefixes=[command])
        return _within(self._layer(prefix=command))

    def env(self, **variables: str) -> contextlib.AbstractContextManager[None]:
        """A context in which commands have further environment variables. They are in no command line.

        Raises:
            TypeError, ValueError: a name or a value is none.
        """
        words.values(variables)
        return _within(self._layer(env=variables))
