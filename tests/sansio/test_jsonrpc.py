"""JSON-RPC 2.0 without I/O: what a body asks for, what is answered, and that each answer is JSON."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.errors import MessageTooLarge, ProtocolError
from elsewhere.sansio import jsonrpc
from elsewhere.sansio.jsonrpc import (
    ARGUMENTS,
    INVALID,
    METHOD,
    PARSE,
    SERVER,
    Answer,
    Failure,
    Parts,
    Request,
    answer,
    answers,
    batch,
    encoder,
    failure,
    request,
    requests,
)  # fmt: skip

LIMIT = 1 << 20
ENCODE = encoder()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
IDS = st.none() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def only(body):
    """The one call of a body that is no batch."""
    parts = requests(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert not parts.batch
    (found,) = parts.calls
    return found


def refused(body):
    """Code, text and id of what is no request."""
    found = only(body)
    assert isinstance(found, Failure)
    return found.code, found.message, found.msgid


class TestRequests:
    def test_arguments_by_position(self):
        found = only({"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1})
        assert found == Request(1, "subtract", [42, 23], {})

    def test_arguments_by_name(self):
        found = only({"jsonrpc": "2.0", "method": "subtract", "params": {"a": 1}, "id": "x"})
        assert found == Request("x", "subtract", [], {"a": 1})

    def test_without_arguments(self):
        assert only({"jsonrpc": "2.0", "method": "get", "id": None}) == Request(None, "get", [], {})

    def test_a_notification_has_no_id(self):
        assert only({"jsonrpc": "2.0", "method": "note", "params": []}).msgid is ...

    def test_members_that_nobody_knows_are_no_matter(self):
        assert only({"jsonrpc": "2.0", "method": "get", "id": 1.5, "more": 1}).msgid == 1.5

    @pytest.mark.parametrize(
        ("body", "text", "msgid"),
        [
            (1, "a request is an object, not a number", None),
            ("x", "a request is an object, not a string", None),
            (None, "a request is an object, not null", None),
            ({}, '"jsonrpc": "2.0"', ...),
            ({"method": "get", "id": 7}, '"jsonrpc": "2.0"', 7),
            ({"jsonrpc": "1.0", "method": "get", "id": 7}, '"jsonrpc": "2.0"', 7),
            ({"jsonrpc": 2.0, "method": "get", "id": 7}, '"jsonrpc": "2.0"', 7),
            ({"jsonrpc": "2.0", "id": 7}, '"method" is a string, not null', 7),
            ({"jsonrpc": "2.0", "method": 1, "id": 7}, '"method" is a string, not a number', 7),
            ({"jsonrpc": "2.0", "method": "get", "params": "bar", "id": 7}, "not a string", 7),
            ({"jsonrpc": "2.0", "method": "get", "params": None, "id": 7}, "not null", 7),
            ({"jsonrpc": "2.0", "method": "get", "params": True, "id": 7}, "not a boolean", 7),
            ({"jsonrpc": "2.0", "method": "get", "id": {}}, '"id" is .* not an object', None),
            ({"jsonrpc": "2.0", "method": "get", "id": True}, '"id" is .* not a boolean', None),
        ],
    )
    def test_what_is_no_request(self, body, text, msgid):
        code, message, told = refused(body)
        assert code == INVALID
        assert re.search(text, message)
        assert told == (None if msgid is ... else msgid)

    def test_an_id_that_no_answer_could_repeat(self):
        assert refused(b'{"jsonrpc": "2.0", "method": "get", "id": 1e999}')[0] == INVALID

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (b"", "no JSON"),
            (b"{", "no JSON"),
            (b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', "no JSON"),
            (b'{"a": NaN}', "NaN is no number of JSON"),
            (b"[-Infinity]", "-Infinity is no number of JSON"),
            (b'"\xff"', "no UTF-8: invalid start byte at byte 1"),
            (b"[" * 100_000, "nested too deeply"),
            (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
            (b'{"a":' * 100_000, "nested too deeply"),
            (b"9" * 5000, "no JSON"),
            (b"[" + b"1," * (1 << 20) + b"1]", "more than 1,048,576 entries"),
        ],
    )
    def test_what_cannot_be_read_is_one_answer(self, body, text):
        with pytest.raises(Failure, match=text) as caught:
            requests(body)
        assert (caught.value.code, caught.value.msgid) == (PARSE, None)
        assert len(caught.value.message) < 300

    def test_a_text_that_does_not_end_takes_no_time(self):
        with pytest.raises(Failure, match="can be read"):  # looked at from each of its quotes, it would take days
            requests(b'"' + b"," * (1 << 20) + b'\\"' * 2_000_000)

    def test_commas_in_a_text_are_no_entries(self):
        text = 'a,\\"' * 1000
        found = requests(json.dumps({"jsonrpc": "2.0", "method": "f", "params": [text]}).encode(), entries=10)
        assert found.calls[0].args == [text]
        with pytest.raises(Failure, match="more than 10 entries"):
            requests(b"[" + b'"a",' * 11 + b"1]", entries=10)

    def test_a_mark_of_the_byte_order_is_skipped(self):
        assert only(b'\xef\xbb\xbf{"jsonrpc": "2.0", "method": "get"}').method == "get"


class TestBatches:
    def test_each_call_is_by_itself(self):
        body = [{"jsonrpc": "2.0", "method": "a", "id": 1}, 1, {"jsonrpc": "2.0", "method": "b"}]
        found = requests(json.dumps(body).encode())
        assert found.batch
        assert found.calls[0] == Request(1, "a", [], {})
        assert found.calls[1].code == INVALID
        assert found.calls[2].msgid is ...

    def test_an_empty_one_is_none(self):
        with pytest.raises(Failure, match="one request at least") as caught:
            requests(b"[]")
        assert caught.value.code == INVALID

    def test_one_of_too_many_calls(self):
        assert isinstance(requests(b"[1,1]", calls=2), Parts)
        with pytest.raises(Failure, match="3 calls is above the limit of 2"):
            requests(b"[1,1,1]", calls=2)


class TestAnswers:
    def test_a_result(self):
        assert answer(1, {"a": [1, "é"]}, ENCODE) == b'{"jsonrpc":"2.0","result":{"a":[1,"\\u00e9"]},"id":1}'

    def test_an_error(self):
        data = failure(Failure(METHOD, "no such method", {"kind": "method"}, "x"))
        assert json.loads(data) == {
            "jsonrpc": "2.0",
            "error": {"code": METHOD, "message": "no such method", "data": {"kind": "method"}},
            "id": "x",
        }
        assert "data" not in json.loads(failure(Failure(PARSE, "bad")))["error"]

    @pytest.mark.parametrize("value", [float("nan"), [float("inf")], {1j: 2}, object(), {"a": b"x"}, {(1,): 2}])
    def test_what_json_does_not_hold_is_an_error(self, value):
        with pytest.raises((TypeError, ValueError)):
            answer(1, value, ENCODE)

    def test_what_is_nested_without_end(self):
        endless: list = []
        endless.append(endless)
        with pytest.raises(ValueError, match="Circular"):
            answer(1, endless, ENCODE)

    def test_the_default_makes_what_json_holds(self):
        assert b'"result":["a"]' in answer(1, {"a"}, encoder(list))

    def test_the_client_reads_what_the_service_writes(self):
        body = batch([answer(1, 14, ENCODE), failure(Failure(ARGUMENTS, "bad", [1], 2))])
        first, second = answers(body)
        assert first == Answer(1, 14, None)
        assert (second.msgid, second.error.code, second.error.message, second.error.data) == (2, ARGUMENTS, "bad", [1])

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (b"<html>", "no JSON"),
            (b"", "no JSON"),
            (b"1", "an object, not a number"),
            (b"{}", 'has a "result" or an "error"'),
            (b'{"jsonrpc": "2.0", "result": 1, "id": []}', '"id" of an answer'),
            (b"[" * 100_000, "nested too deeply"),
            (b'{"result": NaN, "id": 1}', "NaN is no number"),
        ],
    )
    def test_what_is_no_answer(self, body, text):
        with pytest.raises(ProtocolError, match=text):
            answers(body)

    @pytest.mark.parametrize(
        ("error", "code", "text"),
        [
            ({"code": 5, "message": "bad"}, 5, "bad"),
            ({"code": "5", "message": "bad"}, SERVER, "bad"),
            ({"code": 5}, 5, "{'code': 5}"),
            ("bad", SERVER, "bad"),
        ],
    )
    def test_errors_of_whatever_shape(self, error, code, text):
        (found,) = answers(json.dumps({"id": 1, "result": None, "error": error}).encode())
        assert (found.error.code, found.error.message) == (code, text)


class TestAsking:
    def test_a_request(self):
        assert json.loads(request(1, "a.b", (1, "x"), {}, LIMIT)) == {
            "jsonrpc": "2.0", "method": "a.b", "params": [1, "x"], "id": 1,
        }  # fmt: skip
        assert json.loads(request(1, "a", (), {"b": 2}, LIMIT))["params"] == {"b": 2}

    def test_a_notification(self):
        assert "id" not in json.loads(request(..., "a", (), {}, LIMIT))

    def test_both_kinds_of_arguments_at_once(self):
        with pytest.raises(TypeError, match="by position or by name, not both"):
            request(1, "a", (1,), {"b": 2}, LIMIT)

    @pytest.mark.parametrize(
        ("value", "error", "text"),
        [
            (b"x", TypeError, "base64.b64encode"),
            ([bytearray(b"x")], TypeError, "base64.b64encode"),
            (object(), TypeError, "builtins.object cannot be sent"),
            (float("nan"), ValueError, "JSON carries"),
            ({1, 2}, TypeError, "builtins.set cannot be sent"),
        ],
    )
    def test_what_json_does_not_hold_is_said(self, value, error, text):
        with pytest.raises(error, match=text) as caught:
            request(1, "a", (value,), {}, LIMIT)
        assert "JSON carries" in str(caught.value)

    def test_what_is_nested_too_deeply(self):
        value: list = []
        for _ in range(100_000):
            value = [value]
        with pytest.raises(ValueError, match="nested too deeply"):
            request(1, "a", (value,), {}, LIMIT)
        while value:  # or taking it apart would recurse
            value = value.pop()

    def test_what_is_above_the_limit(self):
        with pytest.raises(MessageTooLarge, match="above the limit of 100 ") as caught:
            request(1, "a", ("x" * 100,), {}, 100)
        assert caught.value.limit == 100


class TestWhatever:
    @given(IDS, st.text(), st.lists(VALUES), st.dictionaries(st.text(), VALUES))
    def test_requests_arrive_as_they_were_sent(self, msgid, method, args, kwargs):
        if kwargs:
            assert only(request(msgid, method, (), kwargs, 1 << 30)) == Request(msgid, method, [], kwargs)
        assert only(request(msgid, method, args, {}, 1 << 30)) == Request(msgid, method, args, {})

    @given(IDS, VALUES)
    def test_answers_arrive_as_they_were_sent(self, msgid, value):
        data = answer(msgid, value, ENCODE)
        assert data.isascii()
        assert answers(data) == [Answer(msgid, value, None)]

    @given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
    def test_any_body_is_calls_or_one_failure(self, body):
        try:
            parts = requests(body)
        except Failure as error:
            found = [error]
        else:
            found = parts.calls
        assert found
        for each in found:
            if isinstance(each, Failure):
                json.loads(jsonrpc.failure(each))

    @given(st.characters(categories=["Cs"]))
    def test_half_a_surrogate_pair_goes_as_it_came(self, half):
        body = b'{"jsonrpc": "2.0", "method": "f", "params": ["\\u%04x"]}' % ord(half)
        (value,) = only(body).args
        assert answers(answer(1, value, ENCODE))[0].result == value
