"""One cell's program: makes the rounds of one fault with one library, and says what came of each.

    python -m benchmarks.faults.sharing.cell LIBRARY METHOD FAULT ROUNDS POST

FAULT is its number. Each blow and each outcome is said when it is known; what is not said is for the runner to see.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from benchmarks.faults.sharing.faults import FAULTS
from benchmarks.faults.sharing.kit import Kit
from tests.faults.faults import say


def main(library: str, method: str, number: str, rounds: str, post: str) -> None:
    def tell(**line: Any) -> None:
        say(post, json.dumps(line))

    kit = Kit(library, method, int(rounds), tell, os.path.dirname(post))
    try:
        for outcome in FAULTS[int(number)].run(kit):
            tell(outcome=outcome, at=time.monotonic())
    except Exception as error:
        tell(outcome=type(error).__name__, text=str(error)[:500], at=time.monotonic())
        raise
    finally:
        kit.news.close()
        tell(over=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
