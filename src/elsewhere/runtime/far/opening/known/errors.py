"""Errors that may come back as themselves: those of Python, and those of its library that keep what they are given.

An error's state never touches what the interpreter or we use of it: no ``__cause__`` or ``__class__``, no attribute in
the place of a method.
"""

from __future__ import annotations

import builtins
from importlib import import_module
from typing import Any

from elsewhere.runtime.far.opening.machine import Refused

from .rules import Found, Rule, no_ranges, state_of

__all__ = ["find", "give_state", "rule_for"]

LIBRARY = {
    "asyncio.exceptions": "CancelledError IncompleteReadError InvalidStateError LimitOverrunError QueueEmpty QueueFull "
    "QueueShutDown BrokenBarrierError SendfileNotAvailableError TimeoutError",
    "binascii": "Error Incomplete",
    "concurrent.futures._base": "BrokenExecutor CancelledError InvalidStateError TimeoutError",
    "configparser": "Error NoSectionError DuplicateSectionError DuplicateOptionError NoOptionError InterpolationError "
    "ParsingError MissingSectionHeaderError",
    "csv": "Error",
    "_csv": "Error",
    "decimal": "DecimalException Clamped InvalidOperation DivisionByZero Inexact Rounded Subnormal Overflow Underflow "
    "FloatOperation",
    "elsewhere.errors": "",
    "getopt": "GetoptError",
    "http.client": "HTTPException NotConnected InvalidURL UnknownProtocol UnknownTransferEncoding IncompleteRead "
    "ImproperConnectionState CannotSendRequest CannotSendHeader ResponseNotReady BadStatusLine LineTooLong "
    "RemoteDisconnected",
    "io": "UnsupportedOperation",
    "ipaddress": "AddressValueError NetmaskValueError",
    "json.decoder": "JSONDecodeError",
    "locale": "Error",
    "lzma": "LZMAError",
    "_lzma": "LZMAError",
    "multiprocessing.context": "ProcessError BufferTooShort TimeoutError AuthenticationError",
    "pickle": "PickleError PicklingError UnpicklingError",
    "_pickle": "PickleError PicklingError UnpicklingError",
    "queue": "Empty Full ShutDown",
    "_queue": "Empty",
    "re": "error PatternError",
    "re._constants": "error PatternError",
    "sre_constants": "error",
    "select": "error",
    "shutil": "Error SameFileError SpecialFileError ExecError ReadError RegistryError",
    "socket": "error gaierror herror timeout",
    "sqlite3": "Warning Error InterfaceError DatabaseError DataError OperationalError IntegrityError InternalError "
    "ProgrammingError NotSupportedError",
    "ssl": "SSLError SSLZeroReturnError SSLWantReadError SSLWantWriteError SSLSyscallError SSLEOFError "
    "SSLCertVerificationError CertificateError",
    "statistics": "StatisticsError",
    "struct": "error",
    "subprocess": "SubprocessError CalledProcessError TimeoutExpired",
    "tarfile": "TarError ExtractError ReadError CompressionError StreamError HeaderError",
    "threading": "BrokenBarrierError",
    "tomllib": "TOMLDecodeError",
    "urllib.error": "URLError ContentTooShortError",
    "xml.etree.ElementTree": "ParseError",
    "zipfile": "BadZipFile LargeZipFile",
    "zlib": "error",
    "zoneinfo": "ZoneInfoNotFoundError",
    "zoneinfo._common": "ZoneInfoNotFoundError",
}
"""Modules and their errors. To import one of the modules, and to make one of the errors, does nothing else."""

NEVER = frozenset({"with_traceback", "add_note"})  # methods that are called on any error


def find(module: str, name: str) -> Found | None:
    """The class and its rule, or None where it may not come back."""
    if module == "builtins":
        found = vars(builtins).get(name)
    elif module == "elsewhere.errors" or name in LIBRARY.get(module, "").split():
        try:
            found = vars(import_module(module)).get(name)
        except ImportError:
            return None
    else:
        return None
    return (found, rule_for(found)) if isinstance(found, type) and issubclass(found, BaseException) else None


def rule_for(cls: type[BaseException]) -> Rule:
    """How errors of that class are made and given their state."""

    def call(args: tuple[Any, ...]) -> Any:
        no_ranges(cls.__qualname__, args)
        if issubclass(cls, BaseExceptionGroup):
            _, errors = args
            if type(errors) not in (list, tuple) or not all(isinstance(one, BaseException) for one in errors):
                raise Refused(cls.__qualname__, "it holds what are no errors")
        return cls(*args)

    return Rule(call=call, build=give_state)


def give_state(error: Any, state: Any) -> None:
    """As `BaseException.__setstate__`, of attributes that are harmless."""
    if state is None:
        return
    name = type(error).__qualname__
    for key, value in state_of(name, state).items():
        if key == "__notes__":
            if type(value) is not list or not all(type(note) is str for note in value):
                raise Refused(name, "its notes are no texts")
        elif key == "args" and type(value) is not tuple:
            raise Refused(name, "its arguments are no tuple")
        elif key in NEVER or (key.startswith("__") and key.endswith("__")):
            raise Refused(name, f"its state has {key}")
        no_ranges(name, (value,))
        setattr(error, key, value)
