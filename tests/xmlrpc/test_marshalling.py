"""Python's values as XML and back: beside the original, with what programs add, with what that lets pass."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import xmlrpc.client as original
from typing import Any
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.xmlrpc import client
from tests.sansio.test_xmlrpc import TEXTS, TIMES
from tests.sansio.test_xmlrpc_reading import ENDLESS

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False)
    | TEXTS.map(lambda text: text.replace("\r", ""))
    | st.binary(max_size=300)
    | st.binary(max_size=300).map(original.Binary)
    | TIMES
    | TIMES.map(original.DateTime),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(TEXTS.filter(lambda text: "\r" not in text), inner, max_size=5)
    ),
    max_leaves=20,
)
KINDS = st.fixed_dictionaries({"use_datetime": st.booleans(), "use_builtin_types": st.booleans()})


class Plain(enum.Enum):
    A = 1


class TestBesideTheOriginal:
    @settings(max_examples=50)
    @given(st.lists(VALUES, max_size=3).map(tuple))
    def test_texts_are_the_same(self, params):
        for options in ({}, {"methodname": "a.b"}, {"methodname": "m", "encoding": "iso-8859-15"}):
            ours = client.dumps(params, allow_none=True, **options)
            assert ours == original.dumps(params, allow_none=True, **options)
        [value] = params[:1] or [1]
        assert client.dumps((value,), None, True, None, True) == original.dumps((value,), None, True, None, True)

    @settings(max_examples=50)
    @given(st.lists(VALUES, max_size=3).map(tuple), KINDS)
    def test_values_are_the_same(self, params, kinds):
        text = original.dumps(params, "m", allow_none=True)
        ours, theirs = client.loads(text, **kinds), original.loads(text, **kinds)
        assert ours == theirs
        assert repr_of(ours) == repr_of(theirs)

    @pytest.mark.parametrize(
        "inside",
        [
            "x", " x ", "<string/>", "<int> 7 </int>", "<i8>9876543210</i8>",
            "<biginteger>98765432100123456789</biginteger>",
            "<bigdecimal>1.50</bigdecimal>", "<ex:nil/>", "<float>1</float>", "<array><data/></array>", "<array/>",
            "<struct/>", "<base64>AA\n==</base64>", "<dateTime.iso8601> x </dateTime.iso8601>", "junk<int>1</int>junk",
            "<struct><member><name>a</name><value/></member><member><name>a</name><value>2</value></member></struct>",
        ],
    )  # fmt: skip
    def test_odd_values_are_the_same(self, inside):
        text = f"<params><param><value>{inside}</value></param></params>"
        assert repr_of(client.loads(text)) == repr_of(original.loads(text))

    def test_what_is_not_whole_is_an_error(self):
        for text in ("<params><param><value><array></array>", "<x/>", "<methodResponse><fault/></methodResponse>"):
            with pytest.raises((client.ResponseError, expat.ExpatError)):
                client.loads(text)

    def test_xml_that_is_none_raises_what_the_original_raises(self):
        for data in ("", "junk", b"<a>\xff</a>", "<a></b>"):
            with pytest.raises(expat.ExpatError):
                client.loads(data)

    def test_an_encoding_that_is_none_is_an_error(self):
        with pytest.raises(client.ResponseError, match="nothing-8859"):
            client.loads(b"<?xml version='1.0' encoding='nothing-8859'?><params/>")

    def test_a_fault_is_raised(self):
        with pytest.raises(client.Fault) as raised:
            client.loads(client.dumps(client.Fault(4, "no")))
        assert (raised.value.faultCode, raised.value.faultString) == (4, "no")
        assert client.Fault is original.Fault

    @pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 10**50])
    def test_numbers_are_as_large_as_in_the_original(self, value):
        with pytest.raises(OverflowError):
            client.dumps((value,))

    @pytest.mark.parametrize("value", [None, {1: 2}, object(), dt.date(2020, 1, 1), int, Plain.A])
    def test_what_has_no_type_is_a_type_error(self, value):
        with pytest.raises(TypeError):
            client.dumps(([value],))

    def test_what_contains_itself_is_a_type_error(self):
        loop: list[Any] = []
        loop.append({"a": loop})
        with pytest.raises(TypeError, match="recursive"):
            client.dumps((loop,))

    def test_params_are_a_tuple(self):
        with pytest.raises(TypeError, match="tuple"):
            client.dumps([1])
        with pytest.raises(ValueError, match="singleton"):
            client.dumps((1, 2), methodresponse=True)

    def test_data_of_any_size_is_read_by_the_original(self):
        for size in (0, 1, 57, 58, 4095, 4096, 100_000):
            data = bytes(size)
            assert original.loads(client.dumps((data,)), use_builtin_types=True)[0] == (data,)


def repr_of(value: Any) -> str:
    """With the types of all parts; wrappers as what they hold."""
    if isinstance(value, original.Binary | original.DateTime):
        return f"{type(value).__name__} {vars(value)}"
    if isinstance(value, list | tuple):
        return str([repr_of(part) for part in value])
    if isinstance(value, dict):
        return str({key: repr_of(part) for key, part in value.items()})
    return f"{type(value).__name__} {value!r}"


class TestBeyondTheOriginal:
    def test_subclasses_go_as_what_they_are_kinds_of(self):
        class Text(str):
            __slots__ = ()

        class Number(enum.IntEnum):
            ONE = 1

        class Far(float):
            def __repr__(self):
                return "far"

        point = collections.namedtuple("point", "x y")(1, 2)  # noqa: PYI024 - it is a namedtuple that is meant
        values = (Text("<"), Number.ONE, Far(1.5), point, collections.OrderedDict(a=1), collections.defaultdict(int))
        assert client.loads(client.dumps(values))[0] == ("<", 1, 1.5, [1, 2], {"a": 1}, {})

    def test_a_carriage_return_arrives(self):
        assert client.loads(client.dumps(("a\r\nb", {"\r": 1})))[0] == ("a\r\nb", {"\r": 1})

    @pytest.mark.parametrize("bad", ["\x00", "\x1f", "\ud800", "\uffff"])
    def test_what_xml_cannot_hold_is_an_error(self, bad):
        for value in (bad, [bad], {bad: 1}, client.DateTime(bad)):
            with pytest.raises(ValueError, match="XML cannot hold"):
                client.dumps((value,))
        with pytest.raises(ValueError, match="XML cannot hold"):
            client.dumps((), bad)

    def test_the_text_of_a_fault_can_hold_anything(self):
        with pytest.raises(client.Fault) as raised:
            client.loads(client.dumps(client.Fault(1, "bad \x00\ud800 <text>")).encode())
        assert raised.value.faultString == "bad \\x00\\ud800 <text>"

    def test_names_and_times_bring_no_markup_in(self):
        inside = "</methodName></methodCall><!--"
        assert client.loads(client.dumps((), inside)) == ((), inside)
        moment = "</dateTime.iso8601></value><value><int>7</int></value>"
        assert client.loads(client.dumps((client.DateTime(moment),)))[0] == (client.DateTime(moment),)

    def test_times_of_other_peers(self):
        text = (
            "<params><param><value><dateTime.iso8601>2020-01-02T03:04:05Z</dateTime.iso8601></value></param></params>"
        )
        [moment] = client.loads(text, use_datetime=True)[0]
        assert moment == dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
        with pytest.raises(ValueError, match="yesterday"):
            client.loads(text.replace("2020-01-02T03:04:05Z", "yesterday"), use_datetime=True)

    @pytest.mark.parametrize(
        "head",
        [
            "<!DOCTYPE x>",
            "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>",
            "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
        ],
    )
    def test_document_types_are_refused(self, head):
        with pytest.raises(client.ResponseError, match="DOCTYPE"):
            client.loads(f"{head}<params><param><value>x</value></param></params>")

    def test_nesting_and_values_are_bounded(self, monkeypatch):
        with pytest.raises(client.ResponseError, match="max_depth"):
            client.loads("<params><param>" + "<value><array><data>" * 100_000)
        monkeypatch.setattr(client.Unmarshaller, "max_values", 2)
        with pytest.raises(client.ResponseError, match="max_values"):
            client.loads("<params>" + "<param><value/></param>" * 3 + "</params>")

    def test_a_token_that_does_not_end_is_not_read_again_and_again(self):
        with pytest.raises((client.ResponseError, expat.ExpatError), match=ENDLESS):
            client.loads("<params><!--" + "x" * (2 << 20))

    def test_a_text_may_be_long(self):
        for text in ("x" * (2 << 20), "é" * (2 << 20), "\n" * (2 << 20)):
            assert client.loads(client.dumps((text,)))[0] == (text,)

    @pytest.mark.parametrize(
        "inside",
        [
            "<struct><member><name>a</name></member></struct>",
            "<struct><member><value/></member></struct>",
            "<spam/>",
        ],
    )
    def test_structs_without_sense_are_an_error(self, inside):
        with pytest.raises(client.ResponseError):
            client.loads(f"<params><param><value>{inside}</value></param></params>")

    @pytest.mark.parametrize("inside", ["<value>no</value>", "<value><struct/></value>", ""])
    def test_a_fault_that_is_none_is_an_error(self, inside):
        with pytest.raises(client.ResponseError, match="faultCode"):
            client.loads(f"<methodResponse><fault>{inside}</fault></methodResponse>")


class TestWhatProgramsAdd:
    def test_a_type_to_write(self, monkeypatch):
        monkeypatch.setitem(
            client.Marshaller.dispatch, decimal.Decimal, lambda _, value, write: write(f"<value><d>{value}</d></value>")
        )
        monkeypatch.setitem(
            client.Unmarshaller.dispatch, "d", lambda unmarshaller, text: unmarshaller.append(decimal.Decimal(text))
        )
        assert client.loads(client.dumps(([decimal.Decimal("1.50")],)))[0] == ([decimal.Decimal("1.50")],)

    def test_long_numbers(self, monkeypatch):
        monkeypatch.setitem(
            client.Marshaller.dispatch, int, lambda _, value, write: write(f"<value><i8>{value}</i8></value>")
        )
        assert client.loads(client.dumps((2**40, True)))[0] == (2**40, True)

    def test_a_subclass_that_writes_itself(self):
        class Mine(client.Marshaller):
            def dump_set(self, value, write):
                self.dump_array(sorted(value), write)

        Mine.dispatch = {**client.Marshaller.dispatch, set: Mine.dump_set}
        assert client.loads(Mine().dumps(({2, 1},)))[0] == ([1, 2],)

    def test_a_wrapper(self, monkeypatch):
        class Mine:
            def encode(self, out):
                out.write("<value><int>5</int></value>")

        assert client.loads(client.dumps((Mine(),)))[0] == ({},)
        monkeypatch.setattr(client, "WRAPPERS", (*client.WRAPPERS, Mine))
        assert client.loads(client.dumps((Mine(),)))[0] == (5,)

    def test_a_parser(self, monkeypatch):
        fed = []

        class Parser(client.ExpatParser):
            def __init__(self, target):
                super().__init__(target)
                self._parser.CommentHandler = fed.append

        monkeypatch.setattr(client, "FastParser", Parser)
        assert client.loads("<params><!--hello--></params>")[0] == ()
        assert fed == ["hello"]

    def test_a_fast_marshaller_and_unmarshaller(self, monkeypatch):
        class Fast:
            def __init__(self, *args):
                self.args = args

            def dumps(self, params):
                return f"<fast {params}/>"

            def feed(self, data):
                self.data = data

            def close(self):
                return (self.args[0], 1)

            def getmethodname(self):
                return "fast"

        monkeypatch.setattr(client, "FastMarshaller", Fast)
        monkeypatch.setattr(client, "FastParser", Fast)
        monkeypatch.setattr(client, "FastUnmarshaller", Fast)
        assert client.dumps((1,)) == "<fast (1,)/>"
        assert client.loads("x") == ((True, 1), "fast")

    def test_a_feeder_of_pieces(self):
        parser, unmarshaller = client.getparser(use_builtin_types=True)
        for piece in client.dumps((b"abc", "ä&ö"), "m").encode():
            parser.feed(bytes([piece]))
        parser.close()
        parser.close()
        assert unmarshaller.close() == (b"abc", "ä&ö")
        assert unmarshaller.getmethodname() == "m"
