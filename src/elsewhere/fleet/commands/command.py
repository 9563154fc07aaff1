"""A command with all that is said of it."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.commands.around import Layer, folder
from elsewhere.sansio.hosts import prelude as words
from elsewhere.sansio.hosts.answers import Pairs

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Command"]


@dataclass(frozen=True, kw_only=True)
class Command:
    """See `Host.run`, whose arguments these are.

    Attributes:
        answers: to what it asks; see `elsewhere.sansio.hosts.answers`.
        prefixes: commands that must succeed before it, in the same shell.
        around: what stands around it; `on` applies that for one host.
    """

    command: str | Sequence[str]
    cwd: str | None = None
    prefixes: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    input: bytes | None = field(default=None, repr=False)
    timeout: float | None = None
    pty: bool = False
    encoding: str | None = "utf-8"
    check: bool = True
    detach: bool = False
    answers: Pairs = field(default=(), repr=False)
    around: tuple[Layer, ...] = ()

    def on(self, host: Host) -> Command:
        """As it is for this host: with what stands around it there."""
        if not self.around:
            return self
        cwd: str | None = None
        prefixes: list[str] = []
        env: dict[str, str] = {}
        for layer in self.around:
            if id(host.root) in layer.hosts:
                cwd = folder(cwd, layer.cwd)
                env.update(layer.env)
                if layer.prefix is not None:
                    prefixes.append(layer.prefix)
        return replace(
            self,
            cwd=folder(cwd, self.cwd),
            prefixes=(*prefixes, *self.prefixes),
            env={**env, **self.env},
            around=(),
        )

    @property
    def quiet(self) -> bool:
        """Is nothing its input?"""
        return self.input is None and not self.pty and not self.answers

    def line(self) -> bytes:
        """What the prelude reads; raises where something cannot be said. `on` goes first."""
        return words.line(self.command, cwd=self.cwd, prefixes=self.prefixes, env=self.env, quiet_input=self.quiet)

    def direct(self, nonce: str) -> bytes | None:
        """What a login shell of Bourne's kind is given; None where that would be too long. `on` goes first."""
        return words.direct(
            self.command,
            nonce,
            cwd=self.cwd,
            prefixes=self.prefixes,
            quiet_input=self.quiet,
            pty=self.pty,
            dark=bool(self.env),
        )

    def decoded(self, pieces: Iterable[bytes]) -> Any:
        """What it wrote: a str in its encoding, in which what is none of that becomes surrogates; else bytes."""
        data = b"".join(pieces)
        return data if self.encoding is None else codecs.decode(data, self.encoding, "surrogateescape")
