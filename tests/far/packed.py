"""A far worker that gets what a `Packer` makes: what the pool's driver does, for one call after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from elsewhere.runtime.far import worker
from elsewhere.runtime.far.packing import Body, Packer
from tests.far.driving import Far


class Sent(Far):
    """One worker of one packer.

    Args:
        python: the interpreter; of another minor version it gets sources.
        packer: which; a new one if none is given.
    """

    def __init__(self, python: str = sys.executable, packer: Packer | None = None, **options: Any) -> None:
        self.packer = packer or Packer(sources=True)
        self.tokens: set[int] = set()
        # Nothing of this checkout is there, unless it is asked for.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        popen = {"cwd": "/", "env": environment, **options.pop("popen", {})}
        super().__init__(python, modules=self.packer.module, popen=popen, **options)
        self.same = tuple(worker_version(self)) == tuple(sys.version_info[:2])

    def carry(self, body: Body) -> bytes:
        """The bytes for this worker; what they refer to is sent before."""
        for constant in body.constants:
            if constant.token not in self.tokens:
                self.tokens.add(constant.token)
                data = self.variant(constant.body)
                if data is not None:
                    self.carry(constant.body)
                    self.send(worker.SHARE, data, number=constant.token)
        data = self.variant(body)
        if data is None:
            raise TypeError(body.refusal)
        return data

    def variant(self, body: Body) -> bytes | None:
        return body.data if self.same else body.source

    def begin(self, fn: Callable[..., Any], *args: Any) -> None:
        function, item = self.packer.function(fn), self.packer.item(args, lambda: "the item", "args")
        self.run(self.carry(function), self.carry(item), shape=worker.STAR)

    def called(self, fn: Callable[..., Any], *args: Any) -> Any:
        """The value of one call."""
        self.begin(fn, *args)
        return self.value()

    def failed(self, fn: Callable[..., Any], *args: Any) -> tuple[str, str]:
        """The type and the text of what one call raises."""
        self.begin(fn, *args)
        _, kind, text, *_ = self.error()
        return kind, text


def worker_version(far: Far) -> list[int]:
    import json

    version: list[int] = json.loads(far.hello)["version"][:2]
    return version
