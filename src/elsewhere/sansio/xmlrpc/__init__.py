"""XML-RPC: the body of a request or an answer in, calls and values out, and the other way round.

::

    body = call("sum", [1, 2.5])            parse_call(body)   →  ("sum", [1, 2.5])
    body = answer({"ok": True})             parse_answer(body) →  {"ok": True}
    body = fault(4, "too many parameters")  parse_answer(body) raises Fault: code 4, and the text

Values, both ways::

    int i1 i2 i4 i8  int       string    str                  array   list (from a tuple, too)
    double float     float     base64    bytes                struct  dict, whose keys are str
    boolean          bool      nil       None                 dateTime.iso8601  datetime without a zone

Specification: http://xmlrpc.com/spec.md; nil, i8 and the ``ex:`` of Apache's are what peers added to it. XML-RPC has no
time zones and no fractions of a second: a datetime that knows its zone is sent as UTC, and microseconds are left out.

Rule: whatever comes in is bounded, before it takes memory: by `Limits`. A document type declaration is refused, so
that there is nothing to expand and nothing to fetch. Whatever goes out is well-formed XML, or it is an error that says
what could not be written: numbers of more than 64 bits, control characters, halves of surrogate pairs.
"""

from elsewhere.sansio.xmlrpc.batches import MULTICALL, batch, batch_answer, parse_batch, parse_batch_answer
from elsewhere.sansio.xmlrpc.reading import parse_answer, parse_call
from elsewhere.sansio.xmlrpc.terms import (
    APPLICATION,
    INTERNAL,
    INVALID,
    METHOD_NOT_FOUND,
    NOT_WELL_FORMED,
    PARAMS,
    TRANSPORT,
    Fault,
    Limits,
    Malformed,
)
from elsewhere.sansio.xmlrpc.writing import answer, batch_body, batch_fault, batch_outcome, call, fault

__all__ = [
    "APPLICATION",
    "INTERNAL",
    "INVALID",
    "METHOD_NOT_FOUND",
    "MULTICALL",
    "NOT_WELL_FORMED",
    "PARAMS",
    "TRANSPORT",
    "Fault",
    "Limits",
    "Malformed",
    "answer",
    "batch",
    "batch_answer",
    "batch_body",
    "batch_fault",
    "batch_outcome",
    "call",
    "fault",
    "parse_answer",
    "parse_batch",
    "parse_batch_answer",
    "parse_call",
]
