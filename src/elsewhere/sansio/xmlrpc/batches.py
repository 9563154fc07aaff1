"""Many calls in one: `system.multicall`, both sides.

::

    system.multicall([{"methodName": "sum", "params": [1, 2]}, ...])  →  [[3], {"faultCode": 4, "faultString": "..."}]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from elsewhere.sansio.xmlrpc.reading import as_fault
from elsewhere.sansio.xmlrpc.terms import INVALID, METHOD_NOT_FOUND, PARAMS, Fault, Malformed
from elsewhere.sansio.xmlrpc.writing import fault_members

__all__ = ["MULTICALL", "batch", "batch_answer", "parse_batch", "parse_batch_answer"]

MULTICALL = "system.multicall"


def batch(calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
    """The arguments of `MULTICALL` for these calls, each a name and its arguments."""
    return [[{"methodName": name, "params": list(params)} for name, params in calls]]


def parse_batch(params: Sequence[Any]) -> list[tuple[str, list[Any]] | Fault]:
    """The calls in the arguments of `MULTICALL`; in the place of what is none, the fault to answer.

    A batch in a batch is such a fault: it would let one body ask for any number of calls.

    Raises:
        Fault: these are no arguments of `MULTICALL` at all.
    """
    if len(params) != 1 or type(params[0]) is not list:
        raise Fault(PARAMS, f"{MULTICALL} takes one argument, an array of structs of methodName and params")
    return [_call(item) for item in params[0]]


def _call(item: Any) -> tuple[str, list[Any]] | Fault:
    if type(item) is not dict or type(item.get("methodName")) is not str or type(item.get("params", [])) is not list:
        return Fault(INVALID, f"a call in {MULTICALL} is a struct of methodName, a string, and params, an array")
    if item["methodName"] == MULTICALL:
        return Fault(METHOD_NOT_FOUND, f"{MULTICALL} may not be in {MULTICALL}")
    return item["methodName"], item.get("params", [])


def batch_answer(outcomes: Iterable[Any]) -> list[Any]:
    """The value that answers `MULTICALL`: of each call its value, or a `Fault`."""
    return [fault_members(one.code, one.text) if isinstance(one, Fault) else [one] for one in outcomes]


def parse_batch_answer(value: Any, count: int) -> list[Any]:
    """Of each call its value, or a `Fault` (which is not raised).

    Args:
        value: what `MULTICALL` was answered.
        count: how many calls there were.

    Raises:
        Malformed: it is no such answer, or one for another number of calls.
    """
    if type(value) is not list or len(value) != count:
        told = f"{len(value)} outcomes" if type(value) is list else f"a value of type {type(value).__name__}"
        raise Malformed(f"{MULTICALL} of {count} calls was answered with {told}")
    return [_outcome(item) for item in value]


def _outcome(item: Any) -> Any:
    if type(item) is list and len(item) == 1:
        return item[0]
    fault = as_fault(item)
    if fault is not None:
        return fault
    raise Malformed(
        f"an outcome in the answer to {MULTICALL} is neither an array of one value nor a fault: "
        "some servers (Supervisor) give the bare values, which cannot be told from these. The calls may have run"
    )
