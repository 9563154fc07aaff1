"""The names of the original, the texts of its errors, and the two ways to stand in for it."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest

import elsewhere.errors
from elsewhere import msgpackrpc as _msgpackrpc
from tests.msgpackrpc.helpers import BOUND

msgpackrpc: Any = _msgpackrpc  # it is called wrongly on purpose
NAMES = {
    "msgpackrpc": "Address Client Loop Server __version__",
    "elsewhere.msgpackrpc": "address client compat error future loop message server session transport",
    "msgpackrpc._version": "__version__",
    "msgpackrpc.address": "Address",
    "msgpackrpc.client": "Client",
    "msgpackrpc.compat": "force_str iteritems inPy3k",
    "msgpackrpc.error": "RPCError TimeoutError TransportError CallError NoMethodError ArgumentError",
    "msgpackrpc.future": "Future",
    "msgpackrpc.loop": "Loop",
    "msgpackrpc.message": "REQUEST RESPONSE NOTIFY",
    "msgpackrpc.server": "Server AsyncResult",
    "msgpackrpc.session": "Session",
    "msgpackrpc.transport": "tcp",
    "msgpackrpc.transport.tcp": "ClientTransport ServerTransport",
}
IMPORTS = """
import msgpackrpc
from msgpackrpc.error import *
from msgpackrpc.future import Future
from msgpackrpc.transport import tcp
import msgpackrpc.transport.tcp
assert msgpackrpc.transport.tcp is tcp
assert issubclass(TimeoutError, RPCError) and issubclass(NoMethodError, CallError)
assert msgpackrpc.Client is __import__("elsewhere.msgpackrpc").msgpackrpc.Client
print(msgpackrpc.__file__)
"""


def run(*args: str, cwd: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND,
        cwd=cwd,
        env={**os.environ, **environment},
    )


@pytest.fixture
def original(tmp_path):
    """A folder with a package of the original's name, first on the path."""
    folder = tmp_path / "site" / "msgpackrpc"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from msgpackrpc import client\n")
    (folder / "client.py").write_text("original = True\n")
    return str(folder.parent)


def test_each_name_of_the_original_is_there_under_its_own_module_names():
    program = f"""
import importlib, elsewhere.msgpackrpc
elsewhere.msgpackrpc.install()
for module, names in {NAMES!r}.items():
    found = importlib.import_module(module)
    missing = [name for name in names.split() if not hasattr(found, name)]
    assert not missing, (module, missing)
"""
    done = run("-c", program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("installed", [False, True])
def test_install_takes_the_place_of_the_original(installed, original):
    path = os.pathsep.join([original] * installed + [*sys.path])
    done = run("-c", "import elsewhere.msgpackrpc; elsewhere.msgpackrpc.install()\n" + IMPORTS, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == msgpackrpc.__file__


def test_install_takes_the_place_of_an_original_that_was_imported_before(original):
    program = "import msgpackrpc; assert msgpackrpc.client.original\n"
    done = run(
        "-c",
        f"{program}import elsewhere.msgpackrpc; elsewhere.msgpackrpc.install()\n{IMPORTS}",
        PYTHONPATH=os.pathsep.join([original, *sys.path]),
    )
    assert done.returncode == 0, done.stderr


def test_a_script_is_run_with_its_arguments_as_main(tmp_path, original):
    (tmp_path / "beside.py").write_text("value = 7\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, atexit, beside\n"
        + IMPORTS
        + "assert __name__ == '__main__' and sys.modules['__main__'].beside is beside\n"
        + "atexit.register(lambda: print(beside.value, sys.argv[1:]))\nsys.exit(3)\n"
    )
    done = run("-m", "elsewhere.msgpackrpc", str(script), "a", "-m", PYTHONPATH=os.pathsep.join([original, *sys.path]))
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == [msgpackrpc.__file__, "7 ['a', '-m']"]


def test_a_module_is_run_with_its_arguments_as_main(tmp_path):
    (tmp_path / "program.py").write_text("import sys, msgpackrpc\nprint(__name__, msgpackrpc.Client, sys.argv[1:])\n")
    done = run("-m", "elsewhere.msgpackrpc", "-m", "program", "x", cwd=str(tmp_path))
    assert done.stdout == f"__main__ {msgpackrpc.Client} ['x']\n", done.stderr


def test_a_script_has_its_own_future(tmp_path):
    (tmp_path / "script.py").write_text("def double(n: int): ...\nprint(double.__annotations__)\n")
    done = run("-m", "elsewhere.msgpackrpc", str(tmp_path / "script.py"))
    assert done.stdout == "{'n': <class 'int'>}\n", done.stderr


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [([], 2, "usage"), (["-m"], 2, "usage"), (["--help"], 0, ""), (["no/such.py"], 2, "cannot open 'no/such.py'")],
)
def test_wrong_usage_is_a_sentence(args, code, says):
    done = run("-m", "elsewhere.msgpackrpc", *args)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_codes_and_classes_of_errors():
    error = msgpackrpc.error
    codes = {
        error.RPCError: ".RPCError",
        error.TimeoutError: ".TimeoutError",
        error.TransportError: ".TransportError",
        error.CallError: ".NoMethodError",
        error.NoMethodError: ".CallError.NoMethodError",
        error.ArgumentError: ".CallError.ArgumentError",
    }
    for kind, code in codes.items():
        assert kind.CODE == kind("text").code == code
        assert kind("text").args == ("text",)
        assert issubclass(kind, error.RPCError)
        assert issubclass(kind, elsewhere.errors.ElsewhereError)
        assert pickle.loads(pickle.dumps(kind("text"))).args == ("text",)
    assert error.RPCError("text").to_msgpack() == ["text"]
    assert error.RPCError.from_msgpack([1, "text"]).args == ([1, "text"],)


def test_signatures_of_the_original():
    def parameters(function):
        return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}

    tcp, empty = msgpackrpc.transport.tcp, inspect.Parameter.empty
    assert list(parameters(msgpackrpc.Client).items()) == [
        ("address", empty),
        ("timeout", 10),
        ("loop", None),
        ("builder", tcp),
        ("reconnect_limit", 5),
        ("pack_encoding", "utf-8"),
        ("unpack_encoding", None),
    ]
    assert list(parameters(msgpackrpc.Server).items()) == [
        ("dispatcher", empty),
        ("loop", None),
        ("builder", tcp),
        ("pack_encoding", "utf-8"),
        ("unpack_encoding", None),
    ]
    assert (msgpackrpc.message.REQUEST, msgpackrpc.message.RESPONSE, msgpackrpc.message.NOTIFY) == (0, 1, 2)
    assert msgpackrpc.__version__ == msgpackrpc._version.__version__ == "0.4.1"
    assert msgpackrpc.compat.force_str(b"\xc3\xa4") == "ä"


def test_an_address():
    address = msgpackrpc.Address("localhost", 6789)
    assert (address.host, address.port, address.unpack()) == ("localhost", 6789, ("localhost", 6789))
    with address.socket() as sock:
        assert not sock.getblocking()
    assert msgpackrpc.Address("localhost", "6789").port == "6789"


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda: msgpackrpc.Address("localhost", 65536), ValueError, "from 0 to 65535"),
        (lambda: msgpackrpc.Address("localhost", "http"), ValueError, "from 0 to 65535"),
        (lambda: msgpackrpc.Address("localhost", None), TypeError, "from 0 to 65535"),
        (lambda: msgpackrpc.Address(b"localhost", 1), TypeError, "a host is"),
        (lambda: msgpackrpc.Client("localhost:6789"), TypeError, r"Address\(host, port\)"),
        (lambda: msgpackrpc.Client(msgpackrpc.Address("a", 1), timeout="3"), TypeError, "number of seconds"),
        (lambda: msgpackrpc.Client(msgpackrpc.Address("a", 1), timeout=-1), ValueError, "number of seconds"),
        (lambda: msgpackrpc.Client(msgpackrpc.Address("a", 1), timeout=float("nan")), ValueError, "seconds"),
        (lambda: msgpackrpc.Client(msgpackrpc.Address("a", 1), builder=object()), TypeError, "builder"),
        (lambda: msgpackrpc.Client(msgpackrpc.Address("a", 1), reconnect_limit="5"), TypeError, "reconnect_limit"),
        (lambda: msgpackrpc.Client(msgpackrpc.Address("a", 1), unpack_encoding="x"), LookupError, "unknown encoding"),
        (lambda: msgpackrpc.Server(object(), builder=object()), TypeError, "builder"),
        (lambda: msgpackrpc.Server(object()).listen("localhost:1"), TypeError, r"Address\(host, port\)"),
        (lambda: msgpackrpc.Loop(object()), TypeError, "without Tornado"),
    ],
)
def test_wrong_arguments_are_told_at_once(make, kind, says):
    with pytest.raises(kind, match=says):
        make()
