"""What a program catches.

An error that the far side's method has raised is a plain `RPCError`, whose only argument is the error object of the
answer: a str, bytes without an `unpack_encoding`, or whatever that peer sends. A `TransportError` has a cause from
`elsewhere.errors`, which knows address and phase.
"""

from __future__ import annotations

from typing import Any

from elsewhere.errors import ElsewhereError, TooLate

__all__ = ["ArgumentError", "CallError", "NoMethodError", "RPCError", "TimeoutError", "TransportError"]


class RPCError(ElsewhereError):
    """Base of all of them, and what an error answer is raised as."""

    CODE = ".RPCError"

    def __init__(self, message: Any) -> None:
        super().__init__(message)

    @property
    def code(self) -> str:
        return self.CODE

    def to_msgpack(self) -> list[Any]:
        return list(self.args)

    @staticmethod
    def from_msgpack(message: Any) -> RPCError:
        return RPCError(message)


class TimeoutError(RPCError, TooLate):  # noqa: A001 - the original's name
    """No answer within the session's timeout."""

    CODE = ".TimeoutError"


class TransportError(RPCError):
    """There is no connection, or it has ended before the answer came."""

    CODE = ".TransportError"


class CallError(RPCError):
    """A call that the service cannot make."""

    CODE = ".NoMethodError"  # so says the original


class NoMethodError(CallError):
    """The dispatcher has no such method."""

    CODE = ".CallError.NoMethodError"


class ArgumentError(CallError):
    """The method does not take these arguments."""

    CODE = ".CallError.ArgumentError"
