"""What `tests.runtime.packing.harness` is to the pool's own workers, with a far worker.

What comes back is unpickled with trust, as these scripts are about what is sent.
"""

from __future__ import annotations

import functools
import io
import os
import pickle
import sys
from typing import Any

from elsewhere.runtime.far import worker
from elsewhere.runtime.far.packing import Body, Packer
from tests.far.packed import Sent


class Trusting(pickle.Unpickler):
    """Finds everything, and the classes that were shipped."""

    def __init__(self, packer: Packer, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.packer = packer

    def find_class(self, module: str, name: str) -> Any:
        if module == "elsewhere_far" and name == "shipped":
            return self.packer.shipped
        assert module != "__main__", f"{name} came back by name, which says nothing of whose it is"
        return super().find_class(module, name)


class Worker(Sent):
    """Calls functions in another process, shipping each definition once."""

    def __init__(self) -> None:
        self.shipped: list[str] = []  # the names of definitions, in the order in which they were shipped
        python = os.environ.get("FAR_PYTHON", sys.executable)  # another version gets sources
        super().__init__(python, packer=Packer(sources="FAR_PYTHON" in os.environ), popen={"stderr": None, "cwd": None})

    def carry(self, body: Body) -> bytes:
        for constant in body.constants:
            if constant.token not in self.tokens:
                self.shipped.append(pickle.loads(constant.body.data)[0])
        return super().carry(body)

    def call(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        assert not kwargs
        return self.map(fn, [args])[0]

    def map(self, fn: Any, argument_tuples: Any) -> list[Any]:
        function = self.carry(self.packer.function(fn))
        items = [
            self.packer.item(args, functools.partial("item {} of map".format, i), "args")
            for i, args in enumerate(argument_tuples)
        ]
        self.run(function, *map(self.carry, items), shape=worker.STAR)
        answers = [self.next_frame(worker.VALUE, worker.ERROR) for _ in items]
        return [self.opened(kind, payload) for kind, _, _, payload in answers]

    def close(self) -> None:
        self.__exit__()

    def opened(self, kind: int, payload: bytes) -> Any:
        value = Trusting(self.packer, payload).load()
        if kind == worker.ERROR:
            raise RuntimeError(value[1:]) if value[0] is None else Trusting(self.packer, value[0]).load()
        return value
