"""What an outcome is to the caller's shell, and which one is worth another try."""

from __future__ import annotations

import pytest

from elsewhere.cli.hosts.doing.endings import NotReached, code_of, code_of_all
from elsewhere.cli.hosts.doing.words import in_words
from elsewhere.errors import (
    CallTimeout,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HostKeyError,
    MayHaveRun,
    NotTouched,
    Unauthorized,
)
from elsewhere.fleet import CommandError, Result

OUTCOMES = [
    (Result("id", 0), 0, False),
    (Result("id", 7), 7, False),
    (CommandError(Result("id", 7)), 7, False),
    (CommandError(Result("id", -15, signal="TERM")), 143, False),
    (ConnectError(""), 255, True),
    (ConnectTimeout(""), 255, True),
    (HostKeyError(""), 255, False),
    (Unauthorized(""), 255, False),
    (ConnectionLost(""), 255, False),
    (CallTimeout(""), 124, False),
    (MayHaveRun(""), 1, False),
    (NotTouched(""), 1, False),
    (FileNotFoundError(""), 1, False),
]


@pytest.mark.parametrize(("outcome", "code", "again"), OUTCOMES)
def test_of_one_host(outcome: object, code: int, again: bool) -> None:
    assert code_of(outcome) == code
    assert code_of_all([outcome]) == (0 if code == 0 else 1)
    if isinstance(outcome, BaseException):
        assert [NotReached(2).wants(outcome, failures) for failures in (1, 2, 3)] == [again, again, False]


def test_messages_name_options() -> None:
    said = (
        'known: password=, sudo_password_file= or the variable X gives one; host_keys="accept-new" (--accept-new) does'
    )
    assert in_words(said) == "known: --sudo-password-file or the variable X gives one; --accept-new does."
