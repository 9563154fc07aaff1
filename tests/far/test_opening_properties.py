"""Whatever the bytes are: a value, or one of our errors, and nothing runs."""

import contextlib
import datetime as dt
import pickle
import pickletools

from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.errors import ProtocolError, RemoteError
from elsewhere.runtime.far.opening import Opening, gate
from elsewhere.runtime.far.opening.opcodes import OPS, load
from elsewhere.runtime.far.opening.world import HostWorld, PlainWorld
from tests.far import hostile

OWN = {"tests.far.hostile"}
opening = Opening({"1": hostile.Settings}.get, OWN.__contains__, trust=False)

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**5000), 2**5000)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.text(min_size=250, max_size=300)
    | st.binary(min_size=250, max_size=300)
)
KEYS = st.recursive(ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)
PLAIN = st.recursive(
    KEYS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner) | st.tuples(inner, inner, inner)
    | st.tuples(inner, inner, inner, inner) | st.sets(KEYS) | st.frozensets(KEYS),
    max_leaves=30,
)  # fmt: skip
MORE = st.recursive(
    PLAIN | st.dates() | st.datetimes(timezones=st.just(dt.UTC)) | st.timedeltas() | st.decimals(allow_nan=False)
    | st.fractions() | st.uuids() | st.complex_numbers(allow_nan=False) | st.ip_addresses(),
    lambda inner: st.lists(inner) | st.dictionaries(ATOMS, inner),
    max_leaves=10,
)  # fmt: skip
PROTOCOLS = st.sampled_from([4, 5])
TWICE = st.booleans()

SAFE = {
    *["PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"],
    *["LONG1", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"],
    *["EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "SETITEM"],
    *["SETITEMS", "EMPTY_SET", "ADDITEMS", "FROZENSET", "BINGET", "LONG_BINGET"],
}
"""What makes plain values, by the standard library's own table."""


@settings(max_examples=60)
@given(PLAIN, PROTOCOLS, TWICE)
def test_plain_values_come_back(value, protocol, twice):
    value = [value, value] if twice else value
    data = pickle.dumps(value, protocol)
    for back in (
        opening.value(data),
        opening.plain(data),
        load(data, PlainWorld(), frozenset()),
        opening.value(memoryview(data)),
        opening.value(bytearray(data)),
    ):
        assert back == value
        assert pickle.dumps(back, 5) == pickle.dumps(pickle.loads(data), 5)


@settings(max_examples=60)
@given(MORE, PROTOCOLS)
def test_values_come_back(value, protocol):
    assert opening.value(pickle.dumps(value, protocol)) == value


@settings(max_examples=60)
@given(PLAIN, PROTOCOLS)
def test_what_passes_the_gate_holds_only_what_makes_plain_values(value, protocol):
    data = pickle.dumps(value, protocol)
    if gate.is_simple(data):
        names = {opcode.name for opcode, _, _ in pickletools.genops(data)}
        assert names <= SAFE
        assert not (
            "TUPLE" in " ".join(names - {"EMPTY_TUPLE"})
            and names & {"BINGET", "LONG_BINGET"}
            and names & {"SETITEM", "SETITEMS", "ADDITEMS", "FROZENSET"}
        )


OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
NAMES = """builtins.exec builtins.list builtins.ValueError builtins.getattr builtins.type builtins.bytearray
collections.deque collections.defaultdict collections.Counter datetime.datetime decimal.Decimal uuid.UUID signal.Signals
os.stat_result types.SimpleNamespace pathlib.Path numpy.dtype numpy.ndarray elsewhere_far.shipped zoneinfo.ZoneInfo
platform.uname_result fractions.Fraction subprocess.CompletedProcess"""
MINE = ["fire", "Armed", "Job", "Cleaner", "Settings", "Colour", "Plain", "Size", "Trouble", "FIRED"]
WORDS = st.sampled_from(
    [
        *(hostile.name(*one.split(".")) for one in NAMES.split()),
        *map(hostile.mine, MINE),
        *map(hostile.of, [0, 1, -1, 2**40, "x", "", b"x", (), (0,), [], {}, {"a": 1}, [1]]),
        *[hostile.FORGED, hostile.OBJECT, hostile.BUFFER, hostile.RECONSTRUCT],
        *[
            b"(",
            b"t",
            b"R",
            b"b",
            b"\x81",
            b"\x85",
            b"\x86",
            b"\x87",
            b"a",
            b"e",
            b"s",
            b"u",
            b"\x90",
            b"\x91",
            b"\x94",
        ],
        *[b"h\x00", b"0", b"1", b"N", b"]", b"}", b"\x8f"],
    ]
)


def names_in(data):
    """The opcodes, as far as the standard library can read them: text may be none."""
    found = set()
    with contextlib.suppress(ValueError):
        for opcode, _, _ in pickletools.genops(data):
            found.add(opcode.name)
    return found


def survive(data):
    hostile.FIRED.clear()
    hostile.Settings.secure = True
    for opened in (opening.value, opening.plain):
        try:
            opened(data)
        except (RemoteError, ProtocolError):
            continue
    error, seconds = opening.error(data, "fn", None, "worker 1")
    assert isinstance(error, BaseException)
    assert seconds >= 0
    assert hostile.FIRED == []
    assert hostile.Settings.secure is True
    if gate.is_simple(data):
        assert names_in(data) <= SAFE


@given(st.binary(max_size=60))
def test_any_bytes_do_nothing(data):
    survive(data)
    survive(b"\x80\x05" + data + b".")


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=25).map(b"".join))
def test_any_words_of_pickles_do_nothing(body):
    survive(hostile.whole(body))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(OPCODES) | st.binary(max_size=2), max_size=25).map(b"".join))
def test_any_opcodes_do_nothing(body):
    survive(hostile.whole(body))


@given(MORE, st.data())
def test_a_pickle_that_was_cut_or_changed_does_nothing(value, data):
    whole = pickle.dumps(value, 5)
    place = data.draw(st.integers(0, len(whole) - 1))
    survive(whole[:place])
    survive(whole[:place] + data.draw(st.binary(min_size=1, max_size=1)) + whole[place + 1 :])


def test_the_opcodes_are_those_of_the_standard_library():
    known = {opcode.code: opcode.name for opcode in pickletools.opcodes}
    unknown = OPS[0xFF]
    done = {known[chr(code)] for code in range(256) if OPS[code] is not unknown}
    assert done == SAFE | {
        "LONG4",
        "BYTEARRAY8",
        "STACK_GLOBAL",
        "REDUCE",
        "NEWOBJ",
        "NEWOBJ_EX",
        "BUILD",
        "POP",
        "POP_MARK",
    }


def test_a_world_is_new_for_each_load():
    """What one pickle named, another may not use."""
    first = HostWorld({}.get, OWN.__contains__)
    assert first.find("tests.far.hostile", "Settings") is hostile.Settings
    assert hostile.Settings is not HostWorld({}.get, lambda module: False)._rules.get(id(hostile.Settings))
