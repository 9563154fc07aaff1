"""What an honest host answers comes back as it was."""

import array
import collections
import datetime as dt
import decimal
import fractions
import http
import ipaddress
import os
import pathlib
import pickle
import platform
import pwd
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import types
import urllib.parse
import uuid
import zoneinfo

import pytest

from elsewhere.errors import ProtocolError, RemoteError
from elsewhere.runtime.far.opening import Opening
from tests.far.hostile import answer

opening = Opening(lambda token: None, lambda module: False, trust=False)

VALUES = [
    *[None, ..., NotImplemented, True, False, 0, -1, 255, 256, 65536, -(2**31), 2**31, 2**80, -(2**3000), 1.5, 1e308],
    *["", "text", "ä" * 300, "\ud800", "x" * 70_000, b"", b"\xff" * 300, b"x" * 70_000, bytearray(b"x" * 9)],
    *[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1, [2]], {}, {"a": {1: None}}, {(1, (2, "x")): 3}],
    *[set(), {1, (2, 3)}, frozenset(), frozenset({1, frozenset({2})}), list(range(5000)), dict.fromkeys(range(5000))],
    *[type(None), type(...), int, dict, ValueError, range(3, 9, 2), slice(1, 2, None), complex(1, -2)],
    *[dt.date(2020, 1, 1), dt.time(1, 2, 3), dt.timedelta(1, 2, 3), dt.UTC],
    dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "here")),
    dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    *[decimal.Decimal("1.50"), decimal.Decimal("NaN"), decimal.Decimal(1).as_tuple(), fractions.Fraction(1, -3)],
    *[uuid.UUID(int=5), uuid.uuid1(), uuid.uuid4(), pathlib.Path("/a/b"), pathlib.PureWindowsPath("c:/x")],
    *map(ipaddress.ip_address, ["10.0.0.1", "::1"]),
    *map(ipaddress.ip_network, ["10.0.0.0/8", "::/64"]),
    ipaddress.ip_interface("10.0.0.1/8"),
    collections.deque([1, 2, 3], 3),
    collections.Counter("abracadabra"),
    collections.OrderedDict(a=1, b=2),
    collections.defaultdict(list, a=[1]),
    collections.defaultdict(None, {"a": collections.deque([1])}),
    collections.ChainMap({1: 2}, {3: 4}),
    collections.UserDict(a=1),
    collections.UserList([1]),
    collections.UserString("x"),
    types.SimpleNamespace(a=1, b=[2]),
    subprocess.CompletedProcess(["a"], 0, b"out", None),
    array.array("d", [1.0, 2.0]),
    *[os.stat("/"), os.uname(), os.times(), os.statvfs("/"), os.terminal_size((1, 2)), time.localtime()],
    *[resource.getrusage(resource.RUSAGE_SELF), pwd.getpwuid(0), urllib.parse.urlparse("http://a/b?c#d")],
    *[
        re.IGNORECASE | re.MULTILINE,
        re.IGNORECASE,
        signal.SIGINT,
        socket.AF_INET,
        http.HTTPStatus.OK,
        uuid.SafeUUID.safe,
    ],
]
"""Each is told apart by its repr and its type."""

ERRORS = [
    FileNotFoundError(2, "No such file", "/x"),
    ImportError("x", name="n", path="p"),
    UnicodeDecodeError("utf8", b"x", 0, 1, "why"),
    SyntaxError("m", ("f", 1, 2, "t")),
    subprocess.CalledProcessError(1, ["x"], b"out", b"err"),
    ExceptionGroup("several", [ValueError(1), OSError(2, "x")]),
    KeyError("k"),
    SystemExit(3),
    KeyboardInterrupt(),
    StopIteration(5),
    AttributeError("x", name="n"),
    decimal.InvalidOperation("x"),
    socket.gaierror(-2, "Name or service not known"),
    TimeoutError("x"),
    re.error("bad", "(", 1),
]


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__} {value!r:.30}")
def test_what_may_come_back_comes_back(value, protocol):
    back = opening.value(pickle.dumps(value, protocol))
    assert repr(back) == repr(value)
    assert type(back) is type(value)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_come_back_as_themselves(error):
    error.add_note("a note")
    error.extra = [1]
    back = opening.value(answer(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.__notes__ == ["a note"]
    assert back.extra == [1]


def test_an_object_is_one_object():
    back = opening.value(pickle.dumps([object()] * 2, 5))
    assert type(back[0]) is object
    assert back[0] is back[1]


def test_what_holds_itself_comes_back():
    items: list = [1]
    items.append(items)
    pair = (items,)
    items.append({"pair": pair})
    back = opening.value(pickle.dumps(pair, 5))
    assert back[0][1] is back[0]
    assert back[0][2]["pair"] is back


def test_a_name_of_another_machine_is_not_completed_with_ours():
    back = opening.value(pickle.dumps(platform.uname(), 5))
    assert back[:5] == platform.uname()[:5]
    assert back.processor == ""


def test_a_named_tuple_under_its_modules_own_name_for_it_comes_back():
    """``shutil.disk_usage`` gives a class that calls itself ``shutil.usage``, which there is not."""
    usage = shutil.disk_usage("/")
    name = b"_ntuple_diskusage"
    head = b"\x80\x05\x8c\x06shutil\x8c" + bytes([len(name)]) + name + b"\x93"
    plain = pickle.dumps(tuple(usage), 5)
    body = plain[plain.index(b"\x8a") if b"\x8a" in plain else 0 : -2]
    back = opening.value(head + body + b"\x81.")
    assert back == usage
    assert type(back) is type(usage)


def test_what_may_not_come_back_is_an_error_that_names_it_and_the_cure():
    with pytest.raises(RemoteError, match=r"re\._compile, which is not opened") as caught:
        opening.value(pickle.dumps(re.compile("x"), 5))
    assert caught.value.type_name == "re._compile"
    assert "trust=True" in str(caught.value)


def test_trust_opens_everything():
    trusting = Opening(lambda token: None, lambda module: False, trust=True)
    assert trusting.value(pickle.dumps(re.compile("x"), 5)) == re.compile("x")


def test_what_is_no_pickle_is_a_protocol_error():
    for data in (b"", b"\x80", b"garbage", pickle.dumps([1], 5)[:-1], pickle.dumps(1, 5) + b"x", pickle.dumps([1], 0)):
        with pytest.raises(ProtocolError):
            opening.value(data)
