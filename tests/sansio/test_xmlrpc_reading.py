"""XML-RPC's machine: what other peers send, what is none of it, and what hostile ones do."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio.xmlrpc import (
    INVALID,
    NOT_WELL_FORMED,
    Fault,
    Limits,
    Malformed,
    answer,
    call,
    parse_answer,
    parse_call,
)
from tests.sansio.test_xmlrpc import typed

NOON = dt.datetime.fromisoformat("1998-07-17T14:08:55")

# From 2.6.0 on expat itself does not read it again and again, and says in the end what it is:
ENDLESS = "longer than" if expat.version_info < (2, 6, 0) else "unclosed token"


def a_call(inside: str, head: str = "") -> bytes:
    return f"{head}<methodCall><methodName>m</methodName><params>{inside}</params></methodCall>".encode()


def a_struct(inside: str) -> bytes:
    return a_call(f"<param><value><struct>{inside}</struct></value></param>")


def a_value(inside: str) -> object:
    """What the inside of a value element is read as."""
    method, params = parse_call(a_call(f"<param><value>{inside}</value></param>"))
    assert method == "m"
    [value] = params
    return value


class TestPeers:
    """What other peers send."""

    @pytest.mark.parametrize(
        ("inside", "value"),
        [
            ("", ""),
            ("text", "text"),
            (" <!-- c --> ", "  "),
            ("<string/>", ""),
            ("<string> <![CDATA[<b>&amp;]]> </string>", " <b>&amp; "),
            ("&#65;&lt;&amp;", "A<&"),
            ("\n  <i4>\n 7 </i4>\n", 7),
            ("<int>+7</int>", 7),
            ("<int>-007</int>", -7),
            ("<int>5000000000</int>", 5_000_000_000),  # Node and Perl
            ("<i1>1</i1>", 1),
            ("<i8>-9223372036854775808</i8>", -(2**63)),
            ("<ex:i8>8</ex:i8>", 8),  # Apache
            ("<ex:nil/>", None),
            ("<nil/>", None),
            ("<nil></nil>", None),
            ("<boolean> 1 </boolean>", True),
            ("<double>-1.5e3</double>", -1500.0),
            ("<float>1</float>", 1.0),
            ("<base64>\r\nAP\r\n8=\r\n</base64>", b"\x00\xff"),
            ("<base64/>", b""),
            ("<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>", NOON),
            (
                "<dateTime.iso8601>1998-07-17T14:08:55Z</dateTime.iso8601>",
                NOON.replace(tzinfo=dt.UTC),
            ),
            ("<array><data/></array>", []),
            ("<array/>", []),
            ("<struct/>", {}),
            ("<struct>\n<member>\n<name>a</name>\n<value>1</value>\n</member>\n</struct>", {"a": "1"}),
            ("<array><data><value><array><data><value/></data></array></value></data></array>", [[""]]),
        ],
    )
    def test_values(self, inside, value):
        assert typed(a_value(inside)) == typed(value)

    def test_a_call_without_params(self):
        assert parse_call(b"<methodCall><methodName> a.b </methodName></methodCall>") == ("a.b", [])

    def test_an_answer_without_a_value(self):
        assert parse_answer(b"<methodResponse><params></params></methodResponse>") is None

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "iso-8859-15", "windows-1252"])
    def test_encodings(self, encoding):
        inside = f"<?xml version='1.0' encoding='{encoding}'?>" + a_call("<param><value>é</value></param>").decode()
        assert parse_call(inside.encode(encoding)) == ("m", ["é"])

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_kind_of_bytes(self, kind):
        assert parse_call(kind(call("m", [1]))) == ("m", [1])


class TestMalformed:
    @pytest.mark.parametrize(
        ("body", "code", "says"),
        [
            (b"", NOT_WELL_FORMED, "no element"),
            (b"junk", NOT_WELL_FORMED, "syntax error"),
            (b"\xff\xfe\xff", NOT_WELL_FORMED, "XML"),
            (b"<methodCall>", NOT_WELL_FORMED, "no element"),
            (b"<methodCall></methodCal>", NOT_WELL_FORMED, "mismatched"),
            (call("m", [1]) + b"<x/>", NOT_WELL_FORMED, "junk after"),
            (a_call("<param><value>\x01</value></param>"), NOT_WELL_FORMED, "invalid token"),
            (a_call("<param><value>&a;</value></param>"), NOT_WELL_FORMED, "undefined entity"),
            (b"<?xml version='1.0' encoding='nix'?><methodCall/>", NOT_WELL_FORMED, "encoding"),
            (b"<methodCall/>", INVALID, "without a methodName"),
            (b"<methodCall><methodName/></methodCall>", INVALID, "methodName is empty"),
            (b"<methodCall><params/></methodCall>", INVALID, "only methodName"),
            (b"<html/>", INVALID, "<html> where only methodCall"),
            (answer(1), INVALID, "<methodResponse> where only methodCall"),
            (a_call("<param/>"), INVALID, "<param> ends without a value"),
            (a_call("<param><value/><value/></param>"), INVALID, "<value> where no element"),
            (a_call("<value/>"), INVALID, "only param"),
            (a_call("<param><value><spam/></value></param>"), INVALID, "<spam> where only"),
            (a_call("<param><value><int>1</int><int>2</int></value></param>"), INVALID, "<int> where no element"),
            (a_call("<param><value><int>1<int>2</int></int></value></param>"), INVALID, "<int> where no element"),
            (a_call("<param><value><array><value/></array></value></param>"), INVALID, "only data"),
            (a_struct("<member/>"), INVALID, "<member> ends without a name"),
            (a_struct("<member><name/></member>"), INVALID, "<member> ends without a value"),
            (a_struct("<member><value/></member>"), INVALID, "<value> where only name"),
            (a_struct("<member><name/><value/><value/></member>"), INVALID, "<value> where no element"),
        ],
    )  # fmt: skip
    def test_what_is_no_call(self, body, code, says):
        with pytest.raises(Malformed, match=says) as raised:
            parse_call(body)
        assert raised.value.code == code

    @pytest.mark.parametrize(
        "inside",
        [
            "<int/>", "<int>1_0</int>", "<int>1.5</int>", "<int>٣</int>", "<int>0x10</int>", f"<int>{'1' * 5000}</int>",
            "<i8>9223372036854775808</i8>", "<double>a</double>", "<double>1_0</double>", "<boolean>2</boolean>",
            "<boolean>true</boolean>", "<base64>A</base64>", "<base64>é</base64>", "<base64>AA==AA==</base64>",
            "<dateTime.iso8601>2020W102T00:00:00</dateTime.iso8601>",
            "<dateTime.iso8601>20200102p00:00:00</dateTime.iso8601>",
            "<dateTime.iso8601>20200102</dateTime.iso8601>", "<dateTime.iso8601>20200102T00:00</dateTime.iso8601>",
            "<dateTime.iso8601>yesterday</dateTime.iso8601>", "<dateTime.iso8601>19981317T14:08:55</dateTime.iso8601>",
        ],
    )  # fmt: skip
    def test_what_is_no_value(self, inside):
        with pytest.raises(Malformed, match="holds") as raised:
            a_value(inside)
        assert raised.value.code == INVALID
        assert "line 1, column" in str(raised.value)
        assert len(str(raised.value)) < 300

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"<methodResponse/>", "without params or a fault"),
            (b"<methodResponse><fault/></methodResponse>", "<fault> ends without a value"),
            (b"<methodResponse><fault><value>no</value></fault></methodResponse>", "faultCode"),
            (b"<methodResponse><fault><value><struct/></value></fault></methodResponse>", "faultCode"),
            (call("m", []), "<methodCall> where only methodResponse"),
            (b"<!DOCTYPE html><html></html>", "document type"),
            (b"<html><body>It works!</body></html>", "<html> where only methodResponse"),
        ],
    )
    def test_what_is_no_answer(self, body, says):
        with pytest.raises(Malformed, match=says):
            parse_answer(body)

    def test_a_fault_with_a_word_for_a_code(self):
        member = "<member><name>{}</name><value>{}</value></member>".format
        struct = f"<struct>{member('faultCode', 'Server')}{member('faultString', 'so')}</struct>"
        with pytest.raises(Fault) as raised:
            parse_answer(f"<methodResponse><fault><value>{struct}</value></fault></methodResponse>".encode())
        assert (raised.value.code, raised.value.text) == (0, "Server: so")

    @given(st.binary(max_size=200))
    def test_any_bytes_are_an_error(self, body):
        for parse in (parse_call, parse_answer):
            with pytest.raises(Malformed):
                parse(body)

    @given(st.data())
    def test_a_cut_or_changed_body_is_an_error_or_another_call(self, data):
        body = bytearray(call("m", [1, "a", {"b": [2.5, None, b"x"]}]))
        at = data.draw(st.integers(0, len(body) - 1))
        if data.draw(st.booleans()):
            del body[at:]
        else:
            body[at] = data.draw(st.integers(0, 255))
        try:
            method, params = parse_call(body)
        except Malformed:
            return
        assert method
        assert type(params) is list


LAUGHS = (
    "<!DOCTYPE l [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {chr(98 + n)} '{'&' + chr(97 + n) + ';'}'>" for n in range(9))
    + "]>"
)


class TestHostile:
    """Each is refused before it takes memory."""

    @pytest.mark.parametrize(
        "head",
        [
            LAUGHS,
            f"<!DOCTYPE q [<!ENTITY a '{'a' * 50_000}'>]>",
            "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
            "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>",
            "<?xml version='1.0'?><!DOCTYPE x>",
        ],
    )
    def test_document_types_are_refused(self, head):
        with pytest.raises(Malformed, match="DOCTYPE"):
            parse_call(a_call("<param><value>&a;</value></param>", head))

    @pytest.mark.parametrize("open_", ["<array><data>", "<struct><member><name>a</name>"])
    def test_arrays_and_structs_are_nested_so_deep_and_no_deeper(self, open_):
        close = "</data></array>" if open_ == "<array><data>" else "</member></struct>"
        levels = f"<value>{open_}" * 5 + "<value/>" + f"{close}</value>" * 5
        body = a_call(f"<param>{levels}</param>")
        assert parse_call(body, Limits(depth=5))
        with pytest.raises(MessageTooLarge, match="4 deep"):
            parse_call(body, Limits(depth=4))

    def test_nesting_costs_no_memory_beyond_the_limit(self):
        body = a_call("<param>" + "<value><array><data>" * 100_000)
        tracemalloc.start()
        try:
            with pytest.raises(MessageTooLarge, match="200 deep"):
                parse_call(body)
            assert tracemalloc.get_traced_memory()[1] < 1 << 19
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("token", [b"<!--", b"<?x ", b"<value a='", b"<value "])
    def test_a_token_that_does_not_end_is_not_read_again_and_again(self, token):
        with pytest.raises(Malformed, match=ENDLESS):
            parse_call(b"<methodCall><methodName>m</methodName>" + token + b"x" * (2 << 20))

    def test_a_text_may_be_long(self):
        for inside in ("x" * (2 << 20), f"<![CDATA[{'x' * (2 << 20)}]]>", "x\n" * (1 << 20), "&amp;" * (1 << 20)):
            assert len(a_value(inside)) >= 1 << 20

    def test_values_are_counted(self):
        body = a_call("<param><value><array><data><value/><value/></data></array></value></param>")
        assert parse_call(body, Limits(values=3))
        with pytest.raises(MessageTooLarge, match="more than 2 values"):
            parse_call(body, Limits(values=2))

    def test_size_is_looked_at_first(self):
        with pytest.raises(MessageTooLarge) as raised:
            parse_call(b"x" * 101, Limits(size=100))
        assert (raised.value.size, raised.value.limit) == (101, 100)

    def test_what_a_stranger_sent_is_shown_short_and_harmless(self):
        with pytest.raises(Malformed) as raised:
            a_value(f"<int>\x1b[31m\n{'x' * 10_000}</int>".replace("\x1b", "\x9b"))
        assert len(str(raised.value)) < 200
        assert str(raised.value).isascii()
