"""What any Python from 3.8 on answers is opened here as it was there."""

import subprocess

import pytest

from elsewhere.runtime.far.opening import Opening
from tests.far.driving import interpreters

opening = Opening(lambda token: None, lambda module: False, trust=False)

EXPRESSIONS = """
None
Ellipsis
NotImplemented
type(None)
[1, 2.5, "x", b"y", bytearray(b"z"), 1j, True, 10**30, -(10**30)]
{1: (2, 3), "a": {4}, (5, 6): frozenset({7})}
slice(1, 2, None)
range(5)
datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
datetime.timedelta(1, 2, 3)
decimal.Decimal("1.50")
fractions.Fraction(1, 3)
uuid.UUID(int=5)
collections.deque([1, 2], 3)
collections.Counter("aab")
collections.defaultdict(list, a=[1])
collections.ChainMap({1: 2})
collections.UserDict(a=1)
pathlib.PurePosixPath("/a/b")
pathlib.PosixPath("a/b")
ipaddress.ip_address("10.0.0.1")
ipaddress.ip_network("10.0.0.0/8")
ipaddress.ip_interface("::1/64")
os.stat_result(range(10))
time.gmtime(0)
re.RegexFlag.I | re.RegexFlag.M
signal.SIGINT
socket.AF_INET
http.HTTPStatus.OK
types.SimpleNamespace(a=1)
subprocess.CompletedProcess(["a"], 0)
array.array("d", [1.0])
urllib.parse.urlparse("http://a/b")
platform.uname()[:5]
FileNotFoundError(2, "x")
ImportError("x", name="n")
UnicodeDecodeError("utf8", b"x", 0, 1, "r")
AttributeError("x")
subprocess.CalledProcessError(1, "x")
StopIteration(3)
json.JSONDecodeError("m", "doc", 1)
"""
MODULES = """array collections datetime decimal fractions http ipaddress json os pathlib pickle platform re signal
socket subprocess sys time types urllib.parse uuid"""
PROGRAM = f"""
import {", ".join(MODULES.split())}
for line in sys.argv[1].split("\\n"):
    print(pickle.dumps(eval(line), 5).hex())
print(pickle.dumps(platform.uname(), 5).hex())
"""


@pytest.mark.parametrize("python", interpreters())
def test_what_it_answers_is_opened(python):
    lines = EXPRESSIONS.strip().split("\n")
    done = subprocess.run([python, "-c", PROGRAM, "\n".join(lines)], capture_output=True, text=True, check=True)
    *answers, uname = map(bytes.fromhex, done.stdout.split())
    names = {module.partition(".")[0]: __import__(module) for module in MODULES.split()}
    for line, answer in zip(lines, answers, strict=True):
        value = eval(line, names)
        back = opening.value(answer)
        assert (type(back), repr(back)) == (type(value), repr(value)), line
    assert opening.value(uname)[:5] == names["platform"].uname()[:5]
