"""What the two directions share: limits, faults and their codes."""

from __future__ import annotations

from dataclasses import dataclass

from elsewhere.errors import ProtocolError

__all__ = [
    "APPLICATION", "INTERNAL", "INVALID", "METHOD_NOT_FOUND", "NOT_WELL_FORMED", "PARAMS", "TRANSPORT",
    "Fault", "Limits", "Malformed",
]  # fmt: skip

# The codes that servers agreed on, which JSON-RPC took over:
# http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php
NOT_WELL_FORMED = -32700
INVALID = -32600  # it is XML, but no call of XML-RPC
METHOD_NOT_FOUND = -32601
PARAMS = -32602
INTERNAL = -32603
APPLICATION = -32500  # what the method itself raised
TRANSPORT = -32300


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may take, in both directions.

    Attributes:
        size: its bytes; 64 MiB by default, as for other messages.
        depth: how many arrays and structs may be in each other; 200 by default.
        values: how many values it may hold, all in all; about a million by default. Each takes 8 bytes of a body or
            more, and up to a hundred of memory.
    """

    size: int = 64 << 20
    depth: int = 200
    values: int = 1 << 20


class Fault(Exception):
    """The answer to a call was a fault.

    Attributes:
        code: the number that the far side gave it.
        text: its words.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return f"{self.text} (fault {self.code})"


class Malformed(ProtocolError):
    """What came is no XML-RPC; the text says what, and where.

    Attributes:
        code: of the fault that a server answers: `NOT_WELL_FORMED` or `INVALID`.
    """

    def __init__(self, message: str, *, code: int = INVALID) -> None:
        super().__init__(message)
        self.code = code
