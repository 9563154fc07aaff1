"""How the hosts of a fleet are worked on, as its user says it."""

from __future__ import annotations

from typing import NamedTuple

from elsewhere.call import Retry

__all__ = ["Plan", "checked"]


class Plan(NamedTuple):  # and no dataclass, whose module takes as long to import as all of a fleet's
    """See the module.

    Attributes:
        jobs: how many at once.
        max_failures: how many may fail before the others are left alone; None for all.
        retry: when and how often a host that failed is tried again.
        timeout: seconds for each host's command, transfer or call, where the verb is not told another.
        return_exceptions, progress: for verbs that are not told them.
    """

    jobs: int = 50
    max_failures: int | None = None
    retry: Retry | None = None
    timeout: float | None = None
    return_exceptions: bool = False
    progress: bool | str = False


def checked(plan: Plan) -> Plan:
    """The same.

    Raises:
        TypeError, ValueError: a number in it is none.
    """
    for name, value in (("jobs", plan.jobs), ("max_failures", plan.max_failures)):
        if value is None and name != "jobs":
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} is a whole number, not {value!r}")
        if value < 1:
            raise ValueError(f"{name} is 1 or more, not {value}")
    if not isinstance(plan.return_exceptions, bool):
        raise TypeError(f"return_exceptions is True or False, not {plan.return_exceptions!r}")
    if not isinstance(plan.progress, bool | str):
        raise TypeError(f"progress is True, False or a label, not {plan.progress!r}")
    return plan
