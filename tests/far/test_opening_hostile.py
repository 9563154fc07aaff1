"""A hacked host must not own the caller: each attack fails here, and Python's own pickle would have fallen for it."""

import copyreg
import pickle
import re
import subprocess
import sys

import pytest

from elsewhere.errors import CallTimeout, ProtocolError, RemoteError
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.far.opening.gate import is_simple
from tests.far import hostile
from tests.far.hostile import FIRED, answer, call, mine, name, new, of, state, text, tuple_of, whole

OWN = {"tests.far.hostile", "tests.far.hostile_import"}
SHIPPED = {"1": hostile.Settings, "2": hostile.Colour}

opening = Opening(SHIPPED.get, OWN.__contains__, trust=False)


@pytest.fixture(autouse=True)
def nothing_fires():
    FIRED.clear()
    hostile.Settings.secure = True
    yield
    vars(hostile.Colour.RED)["_value_"] = 1
    hostile.Settings.secure = True
    re.RegexFlag._value2member_map_.pop(1 << 40, None)
    sys.modules.pop("tests.far.hostile_import", None)
    FIRED.clear()


def refused(data):
    """Nothing ran, nothing changed, and the error is one of ours."""
    with pytest.raises((RemoteError, ProtocolError)):
        opening.value(data)
    assert FIRED == []
    assert hostile.Settings.secure
    assert hostile.Colour.RED.value == 1
    assert "tests.far.hostile_import" not in sys.modules
    assert 1 << 40 not in re.RegexFlag._value2member_map_


@pytest.mark.parametrize("attack", hostile.ALL, ids=lambda attack: attack.what)
class TestAttack:
    def test_it_fails(self, attack):
        refused(attack.data)
        assert not is_simple(attack.data)

    def test_it_fails_inside_of_something_harmless(self, attack):
        body = attack.data[2:-1]
        refused(whole(b"](N" + body + b"Ne"))
        refused(whole(b"}" + text("x") + body + b"s"))
        refused(whole(call(name("builtins", "ValueError"), body)))
        refused(whole(state(new(mine("Settings")), b"}" + text("x") + body + b"s")))

    def test_it_fails_as_an_error(self, attack):
        told = pickle.dumps((attack.data, "mod.Error", "the text", "the trace", "fn(1)", 1.5), 4)
        error, seconds = opening.error(told, "fn", 3, "worker 1 on web1")
        assert type(error) is RemoteError
        assert error.type_name == "mod.Error"
        assert error.text == "the text"
        assert seconds == 1.5
        assert FIRED == []

    def test_it_fails_in_the_place_of_an_error_or_a_log(self, attack):
        error, seconds = opening.error(attack.data, "fn", None, "worker 1 on web1")
        assert type(error) is RemoteError
        assert "fn" in str(error)
        assert "web1" in str(error)
        assert seconds == 0.0
        with pytest.raises(ProtocolError):
            opening.plain(attack.data)
        assert FIRED == []

    def test_pickle_would_have_fallen_for_it(self, attack):
        """The control: if this fails, the tests above show nothing."""
        loaded = pickle.loads(attack.data)
        if attack.hits is not None:
            hit = attack.hits(loaded)  # a forged pointer must not be shown, as a failed assertion would
            assert hit
        else:
            del loaded  # what runs at its end has run now
            assert FIRED


CALLABLES = """os.system os.popen os.execv posix.system subprocess.Popen subprocess.run subprocess.getoutput pty.spawn
builtins.exec builtins.eval builtins.compile builtins.open builtins.__import__ builtins.getattr builtins.setattr
builtins.map builtins.filter builtins.super builtins.property builtins.classmethod builtins.memoryview builtins.iter
importlib.import_module runpy.run_path code.interact timeit.timeit pydoc.locate pickle.loads marshal.loads
shutil.rmtree threading.Thread multiprocessing.Process atexit.register weakref.finalize weakref.ref gc.get_objects
types.FunctionType types.CodeType types.MethodType operator.attrgetter operator.itemgetter functools.reduce
functools.partialmethod itertools.chain itertools.count ctypes.CDLL ctypes.c_char_p socket.socket tempfile.mkdtemp
urllib.request.urlopen http.client.HTTPConnection webbrowser.open logging.FileHandler logging.config.dictConfig
pathlib.Path.unlink pathlib.Path.read_bytes os.environ enum.Enum.__new__ collections.namedtuple copyreg._reconstructor
copyreg.__newobj__ numpy.load numpy.fromfile numpy.memmap numpy.zeros numpy.vectorize numpy.ufunc numpy.frombuffer
random.Random datetime.datetime.now decimal.getcontext zoneinfo.reset_tzpath uuid.getnode platform.popen
concurrent.futures.ThreadPoolExecutor elsewhere.Pool elsewhere_far.refuse elsewhere.runtime.far.worker.main""".split()  # noqa: SIM905 - a list to be read


@pytest.mark.parametrize("what", CALLABLES)
def test_no_function_and_no_class_that_does_something_is_known(what):
    module, _, attribute = what.rpartition(".")
    if module.startswith("pathlib."):
        module, attribute = "pathlib", what.removeprefix("pathlib.")
    refused(whole(name(module, attribute)))
    refused(whole(call(name(module, attribute), of("x"))))


# ---- what is not in the list above -----------------------------------------------------------------------------------


def test_names_in_the_registry_of_extensions_are_not_known_even_when_cached():
    copyreg.add_extension("tests.far.hostile", "fire", 0x7F)
    try:
        data = whole(call(b"\x82\x7f"))
        refused(data)
        assert pickle.loads(data) == "fired"  # now it is in the cache, which `find_class` is not asked about
        FIRED.clear()
        refused(data)
        refused(whole(call(b"\x83\x7f\x00")))
        refused(whole(call(b"\x84\x7f\x00\x00\x00")))
    finally:
        copyreg.remove_extension("tests.far.hostile", "fire", 0x7F)
        copyreg.clear_extension_cache()


@pytest.mark.parametrize(
    "body",
    [
        b"P1\n",
        text("1") + b"Q",
        b"\x97",
        b"I1\n",
        b"L1L\n",
        b"F1\n",
        b"S'x'\n",
        b"Vx\n",
        b"Np1\n0g1\n",
        b"Nq\x01",
        b"(l",
        b"(d",
        b"N2",
        b"\xff",
    ],
    ids=repr,
)
def test_opcodes_that_no_pickler_of_ours_writes_are_refused(body):
    refused(whole(body))


def test_our_own_classes_are_nobodys_but_our_errors_come_back():
    whichever = Opening(lambda token: None, lambda module: True, trust=False)
    for module, cls in (("elsewhere.pool.pool", "Pool"), ("elsewhere.fleet.host", "Host"), ("elsewhere.call", "Retry")):
        with pytest.raises(RemoteError, match="neither plain nor yours"):
            whichever.value(whole(name(module, cls)))
    assert type(opening.value(answer(CallTimeout("late")))) is CallTimeout


def test_a_function_that_was_called_is_no_value_afterwards():
    member = b"\x94" + tuple_of(mine("Colour"), text("RED")) + b"R"
    assert opening.value(whole(name("builtins", "getattr") + member)) is hostile.Colour.RED
    refused(whole(b"(" + name("builtins", "getattr") + member + b"h\x00t"))


def test_long_fractions_are_not_reduced():
    """It takes the square of their length."""
    assert opening.value(whole(call(name("fractions", "Fraction"), of(2**60_000), of(2)))).numerator == 2**59_999
    refused(whole(call(name("fractions", "Fraction"), of(3**60_000), of(2**90_000))))


def test_a_token_that_was_not_sent_means_nothing():
    refused(whole(call(name("elsewhere_far", "shipped"), of("3"))))
    refused(whole(call(name("elsewhere_far", "shipped"), of(1))))
    refused(whole(call(name("elsewhere_far", "shipped"), of(()))))
    refused(whole(name("elsewhere_far", "shipped")))
    assert opening.value(whole(call(name("elsewhere_far", "shipped"), of("1")))) is hostile.Settings


def test_a_dtype_that_is_used_does_not_change():
    """It would make objects of the bytes of an array that is there already."""
    import numpy as np

    dtype = call(name("numpy", "dtype"), text("V8"), b"\x89", b"\x88") + b"\x94"
    change = tuple_of(
        of(3),
        text("|"),
        b"N",
        tuple_of(text("f")),
        b"}" + text("f") + tuple_of(hostile.OBJECT, of(0)) + b"s",
        of(8),
        of(1),
        of(0),
    )
    array = call(hostile.BUFFER, of(b"\1" * 8), dtype, of((1,)), text("C"))
    data = whole(b"(" + array + b"h\x00" + change + b"bt")
    loaded, _ = pickle.loads(data)
    pointers = isinstance(loaded, np.ndarray) and loaded.dtype["f"].hasobject  # to look at one would end this process
    assert pointers
    refused(data)
    twice = call(hostile.RECONSTRUCT, hostile.NDARRAY, of((0,)), of(b"b")) + b"\x94"
    plain = tuple_of(of(1), of((2,)), hostile._numpy_dtype("i8"), b"\x89", of(b"\1" * 16))
    assert list(opening.value(whole(state(twice, plain)))) == [0x0101010101010101] * 2
    refused(whole(state(state(twice, plain), plain)))


def test_bytes_that_others_hold_are_not_written_to():
    """numpy takes a large state as it is and writes to it in place."""
    raw = of(b"\0" * 5000) + b"\x94"
    array = state(
        call(hostile.RECONSTRUCT, hostile.NDARRAY, of((0,)), of(b"b")),
        tuple_of(of(1), of((5000,)), hostile._numpy_dtype("i1"), b"\x89", b"h\x00"),
    )
    data = whole(b"(" + raw + array + b"t")
    raw_there, array_there = opening.value(data)
    array_there[:] = 7
    assert raw_there == b"\0" * 5000
    raw_there, array_there = pickle.loads(data)
    array_there[:] = 7
    assert raw_there == b"\7" * 5000


@pytest.mark.parametrize("shape", [(-1,), (1, 2), (2**62, 2**62), (1.0,), [8], (1,) * 65, ("1",), (True,)], ids=repr)
def test_an_array_is_as_large_as_its_bytes(shape):
    refused(whole(call(hostile.BUFFER, of(b"\1" * 8), hostile._numpy_dtype("i8"), of(shape), text("C"))))


def test_an_array_of_nothing_is_not_endless():
    refused(whole(call(hostile.BUFFER, of(b""), hostile._numpy_dtype("V0"), of((2**60,)), text("C"))))


TRY = """
import collections, numpy, os, pickle, resource, signal, sys, threading
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
threading.stack_size(256 << 10)  # so that 20,000 levels are enough
signal.setitimer(signal.ITIMER_PROF, 0.5)  # half a second of a core; its signal's default is the end

def load(data):
    try:
        value = pickle.loads(data)
        if type(value) is tuple:
            hash(value)
    except MemoryError:
        os._exit(17)

thread = threading.Thread(target=load, args=[sys.stdin.buffer.read()])
thread.start()
thread.join()
"""


def ends(data):
    """Would it end or stop this process? Tried in another one."""
    done = subprocess.run([sys.executable, "-c", TRY], input=data, capture_output=True, check=False)
    return done.returncode < 0 or done.returncode == 17


LEVELS = 20_000
KEY = b"N" + b"\x85" * LEVELS


def kept(*parts):
    """Each in the memo, from index 0 on, and none on the stack."""
    return b"".join(part + b"\x940" for part in parts)


def twice(index):
    return b"h%c" % index * 2


def frozensets(first):
    """30 levels of two sets that differ, of both of the level below; put into the memo from index `first` on."""
    levels = [b"K\x02K\x03", *(b"h%ch%c" % (first + 2 * i, first + 2 * i + 1) for i in range(29))]
    return kept(*(part for level in levels for part in (b"(" + level + b"\x91", b"(" + level + b"K\x01\x91")))


ARRAYS = (hostile.RECONSTRUCT, hostile.NDARRAY, of((0,)), of(b"b"), of((1,)), hostile.OBJECT)
ENDS = {
    "a memo of 2**31": b"Nr\xff\xff\xff\x7f",
    "a deep key": b"}" + KEY + b"Ns",
    "a deep member": b"\x8f(" + KEY + b"\x90",
    "a deep member of a frozenset": b"(" + KEY + b"\x91",
    "a deep tuple, hashed by whoever gets it": KEY,
    "a key of 2**60 parts": kept(b"N", *(twice(i) + b"\x86" for i in range(60))) + b"}h\x3cNs",
    "a tuple of 2**60 parts, hashed by whoever gets it": kept(b"N", *(twice(i) + b"\x86" for i in range(60)))
    + b"h\x3c",
    "... in much else": b"(" + kept(b"N", *(twice(i) + b"\x86" for i in range(60))) + b"h\x3c" + b"N" * 10_000 + b"t",
    "equal frozensets of 2**30 parts": frozensets(0) + frozensets(60) + b"\x8f(h\x3ah\x76\x90",
    "deques in deques": kept(name("collections", "deque")) + b"h\x00)R" * LEVELS + b"N" + b"a" * LEVELS,
    "defaultdicts": kept(name("collections", "defaultdict")) + b"h\x00)RN" * LEVELS + b"N" + b"s" * LEVELS,
    "slices": kept(name("builtins", "slice")) + b"h\x00" * LEVELS + b"N" + b"NN\x87R" * LEVELS,
    "sizes": kept(name("os", "terminal_size")) + b"h\x00" * LEVELS + b"N" + b"N\x86\x85R" * LEVELS,
    "arrays": kept(*ARRAYS) + b"h\x00h\x01h\x02h\x03\x87R(K\x01h\x04h\x05\x89](" * LEVELS + b"N" + b"etb" * LEVELS,
}


@pytest.mark.parametrize("what", ENDS)
class TestEnd:
    def test_it_fails(self, what):
        data = whole(ENDS[what])
        assert not is_simple(data) or what.startswith(("a deep tuple", "..."))
        with pytest.raises((RemoteError, ProtocolError), match=r"nested so|is made of a|0x72"):
            opening.value(data)

    def test_pickle_would_have_ended_or_stopped_the_process(self, what):
        assert ends(whole(ENDS[what]))


def test_what_is_filled_after_it_was_put_into_another_is_not_deep_either():
    """Deques that are put into each other while they are empty, from the outermost on."""
    deque = name("collections", "deque")
    parts = [deque, *[b"h\x00)R"] * 200]
    body = kept(*parts) + b"".join(b"h%ch%ca0" % (i, i + 1) for i in range(199, 0, -1)) + b"h\x01"
    refused(whole(kept(*parts) + b"".join(b"h%ch%ca0" % (i, i + 1) for i in range(1, 200)) + b"h\x01"))
    assert len(opening.value(whole(body))) == 1


def test_a_large_key_is_not_hashed_again_and_again():
    body = b"(" + b"K\x01" * 1000 + b"t\x940" + b"](" + b"}h\x00Ns" * 2000 + b"e"
    with pytest.raises(RemoteError, match="nested so often"):
        opening.value(whole(body))
    assert len(opening.value(whole(b"(" + b"K\x01" * 1000 + b"t\x940" + b"](" + b"}h\x00Ns" * 10 + b"e"))) == 10


def test_axes_are_as_many_as_there_are():
    axes = call(name("builtins", "range"), of(0), of(10**6), of(1))
    array = call(hostile.BUFFER, of(b"\1" * 8), hostile._numpy_dtype("i8"), of((1,)), text("K"), axes)
    with pytest.raises(RemoteError, match="its shape is none"):
        opening.value(whole(array))


def test_as_many_as_one_likes_of_what_is_not_nested():
    assert len(opening.value(whole(b"]" * 20_000 + b"a" * 19_999))) == 1  # a list is hashed by nobody
    pairs = [(i, (i,)) for i in range(20_000)]
    assert opening.value(pickle.dumps(pairs, 5)) == pairs
    assert len(opening.value(pickle.dumps([{"a": (i, (i, i))} for i in range(3000)], 5))) == 3000
    key = tuple(range(500))
    assert opening.value(pickle.dumps({(i, key): None for i in range(20)}, 5)) == {(i, key): None for i in range(20)}
