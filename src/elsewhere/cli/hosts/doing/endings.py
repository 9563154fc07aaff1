"""The exit code of work on hosts, and what is worth another try. Everything here is a pure function.

=========================  =======  =========================
one host                   code
=========================  =======  =========================
its command has ended      n        its own status
... by a signal            128 + n  as a shell shows it
it took too long           124      as timeout(1) has it
not reached, or lost       255      as ssh has it
anything else              1
=========================  =======  =========================

Of several hosts the code is 0 if all went well, and 1 if any did not.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from elsewhere.call import Retry
from elsewhere.errors import CallTimeout, ConnectError, ConnectionLost, HostKeyError, Unauthorized
from elsewhere.fleet import CommandError, Result

__all__ = ["NOT_REACHED", "TOO_LATE", "NotReached", "code_of", "code_of_all", "is_well"]

TOO_LATE = 124
NOT_REACHED = 255


def code_of(outcome: Any) -> int:
    """Of one host alone: what its outcome, a result of any verb or an exception, is to the caller's shell."""
    if isinstance(outcome, CommandError):
        outcome = outcome.result
    if isinstance(outcome, Result):
        return outcome.returncode if outcome.returncode >= 0 else 128 - outcome.returncode
    if isinstance(outcome, ConnectError | ConnectionLost | Unauthorized):
        return NOT_REACHED
    if isinstance(outcome, CallTimeout):
        return TOO_LATE
    return 0 if is_well(outcome) else 1


def code_of_all(outcomes: Collection[Any]) -> int:
    """Of several hosts."""
    return 0 if all(map(is_well, outcomes)) else 1


def is_well(outcome: Any) -> bool:
    """Is there nothing to complain of?"""
    return not isinstance(outcome, BaseException) and bool(getattr(outcome, "ok", True))


class NotReached(Retry):
    """Again where the host was not reached, so that nothing has begun.

    Not where it was, and has shown a key that is not believed or has not let us in: that would be the same again, and
    logins that fail lock accounts.
    """

    __slots__ = ()

    def wants(self, error: BaseException, failures: int) -> bool:
        """See `Retry.wants`."""
        reached = isinstance(error, HostKeyError) or not isinstance(error, ConnectError)
        return failures <= self.retries and not reached
