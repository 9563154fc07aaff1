"""Replies are the same whoever reads them, we or the standard library, and wherever they are cut."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elsewhere.errors import MessageTooLarge, ProtocolError
from elsewhere.rpc.calling.http import reply as replies
from elsewhere.rpc.calling.http.reply import Broken, Overdue, receive
from elsewhere.transport.stream import Stream

LIMIT = 1000
NAMES = st.sampled_from(["A", "Content-Type", "X-b", "Keep-Alive", "a"])
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
LINE_ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"])


class Pieces:
    """A stream that gives one piece for each reading, and then its end."""

    address = "test"

    def __init__(self, pieces):
        self._pieces = [piece for piece in pieces if piece]

    def recv(self, size, timeout=None, deadline=None):
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]


def outcome(*pieces, limit=LIMIT):
    """What `receive` makes of it: a reply, or the type of an error."""
    try:
        return receive(Pieces(pieces), 0.0, limit, None)
    except (Broken, ProtocolError) as error:
        return type(error)


def plainly(data):
    """What the standard library makes of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replies, "_usual", lambda *args: None)
        return outcome(data)


STATUS = st.sampled_from(["200 OK", "200 ", "200", "204 No Content", "404 Not Found", "100 Continue", "20 x"])
VERSION = st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2", "http/1.1", "SSH"])
LENGTHS = st.sampled_from([0, 3, 10**6, 10**20, -1, "x", "", "+3", "\u0663", "3, 3", None])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from(["", " ", "  "]), VALUES))
ODD = st.sampled_from(
    ["Connection: close", "connection: keep-alive", "Transfer-Encoding: chunked", " folded: 1", "no colon", "A b: c"]
)


@st.composite
def texts(draw):
    """A reply, or something like one."""
    body, end = draw(st.binary(max_size=60)), draw(LINE_ENDS)
    fields = [f"{name}:{blank}{value}" for name, blank, value in draw(FIELDS)]
    length = draw(st.sampled_from([len(body), len(body), len(body) + 1]) | LENGTHS)
    if length is not None:
        fields.append(f"Content-Length: {length}")
    fields = draw(st.permutations(fields + draw(st.lists(ODD, max_size=1))))
    return end.join([f"{draw(VERSION)} {draw(STATUS)}", *fields, "", ""]).encode() + body


class TestWhoever:
    @given(texts())
    @example(b"HTTP/1.1 200 OK\r\nA: 0 \r\nContent-Length: 0\r\n\r\n")
    @example(b"HTTP/1.1 200 OK\r\nA b: c\r\nContent-Length: 0\r\n\r\n")
    def test_ours_is_what_the_standard_library_reads(self, data):
        ours, theirs = outcome(data), plainly(data)
        if isinstance(ours, tuple) and isinstance(theirs, tuple):
            lasts = ours.lasts  # more than was announced is a reason to end it, which the standard library cannot see
            assert ours._replace(lasts=theirs.lasts) == theirs
            assert theirs.lasts or not lasts
        else:
            assert ours == theirs


class TestWherever:
    @given(texts(), st.lists(st.integers(0, 200), max_size=4))
    def test_it_is_cut(self, data, cuts):
        cuts = sorted({min(cut, len(data)) for cut in cuts})
        pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        whole, parts = outcome(data), outcome(*pieces)
        if isinstance(whole, tuple) and isinstance(parts, tuple):
            assert parts._replace(lasts=whole.lasts) == whole
        else:
            assert whole == parts

    def test_a_large_body_is_read_to_its_end(self):
        body = bytes(range(256)) * 20_000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        found = outcome(head, body, limit=len(body))
        assert (found.body, found.lasts) == (body, True)
        assert outcome(head, body, limit=len(body) - 1) is MessageTooLarge
        assert outcome(head, body[:-1], limit=len(body)) is Broken


def test_it_is_waited_for_until_the_deadline():
    here, there = socket.socketpair()
    with there, contextlib.closing(Stream(here, "test")) as stream, pytest.raises(Overdue):
        receive(stream, time.monotonic() + 0.01, LIMIT, None)
