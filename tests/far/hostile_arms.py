"""A class that is not the caller's own, and does something when it is made."""

from __future__ import annotations

from typing import Any


class Armed:
    def __init__(self, *args: Any) -> None:
        self.run()

    @staticmethod
    def run() -> None:
        from tests.far import hostile

        hostile.fire("armed")


class Loaded(Armed):
    def __reduce__(self) -> Any:
        return Loaded, ()
