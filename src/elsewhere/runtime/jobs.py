"""Jobs as a pool fills them: a function, the items it is called with, and where outcomes go.

Rule: items are kept until their outcome is told, because a lost worker's calls are handed over again.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.call import Options, function_name
from elsewhere.sansio.frames import Shape
from elsewhere.sansio.scheduling.jobs import Job

if TYPE_CHECKING:
    from elsewhere.runtime.packing import Packed, Packer

__all__ = ["CallJob", "ours"]


class CallJob(Job):
    """Calls of one function.

    Subclasses say where outcomes go. `deliver` and `fail` run on the driver's thread: they must not run user code.

    Attributes:
        fn: the function.
        name: how notes and statistics call it.
        shape: how an item becomes arguments.
        packed: the function's pickle, where the place needs one.
        items: index -> item, as the place wants it.
        mixed: whether any item is pickled on its own; otherwise runs of them are pickled as one list.
        weight: bytes of the largest item's large buffers so far.
        context: the submitter's context variables, in which what calls print is written out.
        number: what workers know the function by, once it was sent.
        known: has the driver heard of it?
    """

    __slots__ = (
        "__weakref__", "context", "fn", "items", "known", "mixed", "name", "number", "packed", "packer", "shape",
        "weight",
    )  # fmt: skip

    def __init__(self, fn: Callable[..., Any], options: Options, shape: Shape, chunk: int | None = None) -> None:
        super().__init__(options.timeout, options.retry, chunk)
        self.fn = fn
        self.name = options.name or function_name(fn)
        self.shape = shape
        self.packed: Packed | None = None
        self.packer: Packer | None = None
        self.items: dict[int, Any] | list[Any] | range = {}
        self.mixed = False
        self.weight = 0
        self.number = 0
        self.known = False
        self.context = contextvars.copy_context()

    def take(self, lo: int, hi: int) -> list[Any] | range:
        """The items of a range."""
        items = self.items
        if isinstance(items, dict):
            return [items[lo]] if hi - lo == 1 else [items[index] for index in range(lo, hi)]
        return items[lo:hi]

    def context_of(self, index: int) -> contextvars.Context:
        """In which what a call prints is written out."""
        return self.context

    def free(self, index: int) -> None:
        """A call was cancelled and will not be handed over again."""
        if isinstance(self.items, dict):
            self.items.pop(index, None)

    def attempts(self, index: int) -> int:
        """How often a call that has now succeeded was run."""
        return self.failures.pop(index, 0) + 1 if self.failures else 1

    def deliver(self, lo: int, hi: int, values: Sequence[Any]) -> None:
        """The calls of a range returned these values."""
        raise NotImplementedError

    def fail(self, index: int, error: BaseException, attempts: int) -> None:
        """A call failed for good."""
        raise NotImplementedError

    def abort(self, error: BaseException) -> None:
        """Fail every call whose outcome is not told."""
        raise NotImplementedError


def ours(job: Job) -> CallJob:
    """A job that came back from the scheduler: it holds no others than a driver gave it."""
    return job  # type: ignore[return-value]  # typing.cast is a call, too
