"""The tables of docs/coming-from: each name of ours exists, each old one existed, and none of theirs is missing."""

from __future__ import annotations

import concurrent.futures
import inspect
import json
import multiprocessing.pool
import shlex
import subprocess
import xmlrpc.client
import xmlrpc.server
from typing import Any, NamedTuple

import click
import joblib
import pytest

from elsewhere.cli.group import group
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.commands.sudo import prepare_sudo
from elsewhere.fleet.files.wanted import Get, Put, prepare_get, prepare_put
from elsewhere.fleet.naming.settings import Given
from tests.docs.spans import WORLDS, World, spans, tables
from tests.require import ROOT, require

PAGES = ROOT / "docs" / "coming-from"


def words_of(*things: Any) -> set[str]:
    """Parameters and fields."""
    return {word for thing in things for word in inspect.signature(thing).parameters}


RUN = words_of(prepare)
OURS = World(
    ["elsewhere.joblib", "elsewhere.xmlrpc", "elsewhere.xmlrpc.server", "elsewhere.fleet", "elsewhere"],
    {
        "pool": "elsewhere.Pool",
        "process": "elsewhere.Process",
        "future": "elsewhere.Future",
        "queue": "elsewhere.Queue",
        "manager": "elsewhere.SyncManager",
        "client": "elsewhere.Client",
        "service": "elsewhere.Service",
        "host": "elsewhere.Host",
        "fleet": "elsewhere.Fleet",
        "result": "elsewhere.fleet.Result",
        "DictProxy": "elsewhere.shared.managers.proxies.DictProxy",
        "Connection": "elsewhere.process.sync.pipes.Connection",
        "ImapIterator": "elsewhere.pool.outcomes.iterators.ImapIterator",
        "Caller": "elsewhere.rpc.Caller",
    },
    {
        "Client": None,
        "Host": words_of(Given),
        "Fleet": words_of(Given),
        "Fleet.from_inventory": words_of(Given),
        **{f"{kind}.{verb}": RUN for kind in ("Host", "Fleet") for verb in ("run", "run_async")},
        **{f"{kind}.sudo": RUN | words_of(prepare_sudo) for kind in ("Host", "Fleet")},
        **{f"{kind}.put": words_of(prepare_put, Put) for kind in ("Host", "Fleet")},
        **{f"{kind}.get": words_of(prepare_get, Get) for kind in ("Host", "Fleet")},
        "Pool.submit": None,
        "Host.env": None,
    },
)


class Original(NamedTuple):
    """What one page comes from.

    Attributes:
        head: of its tables' first column.
        modules, words, more: its `World`, if it is installed here.
        names: that must stand in its tables.
        venv: where it is installed instead, and the name of its world.
    """

    head: str
    modules: list[str]
    words: dict[str, str]
    names: set[str]
    more: dict[str, set[str] | None] = {}  # noqa: RUF012 - nobody changes it
    venv: str = ""


def public(kind: Any) -> set[str]:
    return {f"{kind.__name__}.{name}" for name in dir(kind) if not name.startswith("_")}


def defined(*modules: Any) -> set[str]:
    """The classes and functions that these define."""
    return {
        name
        for module in modules
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }


# Of joblib 1.6: a later one may have more.
JOBLIB = {
    "Logger", "Memory", "MemorizedResult", "Parallel", "ParallelBackendBase", "PrintTime", "StoreBackendBase",
    "cpu_count", "delayed", "dump", "effective_n_jobs", "expires_after", "hash", "load", "parallel_backend",
    "parallel_config", "register_compressor", "register_parallel_backend", "register_store_backend",
    "wrap_non_picklable_objects",
}  # fmt: skip
ORIGINALS = {
    "multiprocessing": Original(
        "multiprocessing",
        [
            "multiprocessing.sharedctypes",
            "multiprocessing.managers",
            "multiprocessing.shared_memory",
            "multiprocessing.connection",
            "multiprocessing",
        ],
        {
            "pool": "multiprocessing.pool.Pool",
            "Pool": "multiprocessing.pool.Pool",
            "ThreadPool": "multiprocessing.pool.ThreadPool",
            "AsyncResult": "multiprocessing.pool.AsyncResult",
            "MaybeEncodingError": "multiprocessing.pool.MaybeEncodingError",
            "Connection": "multiprocessing.connection.Connection",
            "result": "multiprocessing.pool.AsyncResult",
            "process": "multiprocessing.Process",
            "queue": "multiprocessing.queues.Queue",
            "JoinableQueue": "multiprocessing.queues.JoinableQueue",
            "manager": "multiprocessing.managers.SyncManager",
        },
        set(multiprocessing.__all__)
        | public(multiprocessing.pool.Pool)
        | public(multiprocessing.Process)
        | {f"ApplyResult.{name}" for name in ("get", "wait", "ready", "successful")},
        {"BaseManager": {"shutdown"}, "SyncManager": {"shutdown"}},
    ),
    "concurrent-futures": Original(
        "concurrent.futures",
        ["concurrent.futures.process", "concurrent.futures.thread", "concurrent.futures"],
        {
            "executor": "concurrent.futures.Executor",
            "future": "concurrent.futures.Future",
            "InvalidStateError": "concurrent.futures._base.InvalidStateError",
        },
        set(concurrent.futures.__all__) | public(concurrent.futures.Executor) | public(concurrent.futures.Future),
        {"Executor.submit": None},
    ),
    "joblib": Original("joblib", ["joblib"], {}, JOBLIB & set(joblib.__all__), {"Parallel": None}),
    "xmlrpc": Original(
        "xmlrpc",
        ["xmlrpc.client", "xmlrpc.server"],
        {"proxy": "xmlrpc.client.ServerProxy", "server": "xmlrpc.server.DocXMLRPCServer"},
        defined(xmlrpc.server)
        | defined(xmlrpc.client)
        - {"ExpatParser", "FastMarshaller", "FastParser", "GzipDecodedResponse", "FastUnmarshaller", "Boolean"},
        {"ServerProxy": None},
    ),
    "msgpackrpc": Original(
        "msgpackrpc",
        *WORLDS["msgpackrpc"][:2],
        {"Address", "Client", "Loop", "Server", "Session", "AsyncResult", "REQUEST", "RESPONSE", "NOTIFY"}
        | {"RPCError", "TimeoutError", "TransportError", "CallError", "NoMethodError", "ArgumentError"}
        | {f"Client.{name}" for name in ["open", "call", "call_async", "send_request", "notify", "close", "address"]}
        | {f"Server.{name}" for name in ["listen", "start", "stop", "close"]}
        | {"AsyncResult.set_result", "AsyncResult.set_error"}
        | {
            f"Loop.{name}"
            for name in ["instance", "start", "stop", "attach_periodic_callback", "dettach_periodic_callback"]
        }
        | {f"Future.{name}" for name in ["join", "get", "result", "error"]}
        | {f"Future.attach_{name}" for name in ["callback", "error_handler", "result_handler"]},
        venv=".venv-msgpackrpc",
    ),
    "fabric1": Original(
        "fabric.api",
        *WORLDS["fabric1"][:2],
        {"append", "comment", "contains", "exists", "first", "is_link", "sed", "uncomment", "upload_template"}
        | {"rsync_project", "upload_project", "confirm", "Task", "disconnect_all"}
        | {
            f"_AttributeString.{name}" for name in ("return_code", "stdout", "stderr", "command", "succeeded", "failed")
        },
        venv=".venv-fabric1",
    ),
    "fabric3": Original(
        "fabric",
        *WORLDS["fabric3"][:2],
        {
            f"Connection.{name}"
            for name in ("open", "close", "run", "sudo", "local", "put", "get", "shell", "sftp", "cd")
        }
        | {
            f"Connection.{name}"
            for name in ("prefix", "forward_local", "forward_remote", "is_connected", "create_session")
        }
        | {f"Connection.{name}" for name in ("host", "user", "port", "gateway", "config", "ssh_config", "from_v1")}
        | {f"Result.{name}" for name in ("stdout", "stderr", "ok", "failed", "return_code", "exited", "tail")}
        | {"ThreadingGroup.run", "ThreadingGroup.sudo", "ThreadingGroup.put", "ThreadingGroup.get", "GroupException"},
        venv=".venv-fabric3",
    ),
}
# What everybody imports; all of it is to be on its page.
EVERYTHING = {
    "fabric1": "sorted(n for n in dir(fabric.api) if n[0] != '_')",
    "fabric3": "sorted(n for n in dir(fabric) + dir(invoke) if n[0].isupper() or n in ('task', 'call', 'run', 'sudo'))",
}
NOT_THERE = {"Any", "Optional", "Result", "Failure"}


def columns(page: str) -> tuple[list[str], list[str]]:
    """The code spans of its tables: old ones, and ours."""
    old: list[str] = []
    ours: list[str] = []
    for head, rows in tables((PAGES / f"{page}.md").read_text()):
        if head[:2] == ["fab", "elsewhere"]:
            continue
        assert head[:2] == [ORIGINALS[page].head, "here"], head
        for row in rows:
            assert len(row) == 3, row
            old += spans(row[0])
            ours += spans(row[1])
    return old, ours


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.iterdir()))
def test_every_name_of_ours_exists(page):
    _, ours = columns(page)
    assert len(ours) > 10
    assert [wrong for span in ours if (wrong := OURS.check(span))] == []


@pytest.mark.parametrize("page", [name for name, original in ORIGINALS.items() if not original.venv])
def test_every_old_name_exists_and_none_is_missing(page):
    original = ORIGINALS[page]
    world = World(original.modules, original.words, original.more)
    old, _ = columns(page)
    assert [wrong for span in old if (wrong := world.check(span))] == []
    assert original.names - world.mentioned == set()


@pytest.mark.parametrize("page", [name for name, original in ORIGINALS.items() if original.venv])
def test_every_old_name_exists_and_none_is_missing_in_their_own_environment(page):
    original = ORIGINALS[page]
    python = require(file=f"{original.venv}/bin/python", install=f".ci/peers {original.venv.removeprefix('.venv-')}")
    old, _ = columns(page)
    done = subprocess.run(
        [str(python), "-W", "ignore", str(ROOT / "tests/docs/spans.py"), page, EVERYTHING.get(page, "[]")],
        input=json.dumps(old),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert (original.names | set(told["all"])) - NOT_THERE - set(told["mentioned"]) == set()


@pytest.mark.parametrize("page", ["fabric1", "fabric3"])
def test_lines_of_the_shell(page):
    """Our options exist; the originals' are told by their own help."""
    fab = require(file=f"{ORIGINALS[page].venv}/bin/fab", install=f".ci/peers {page}")
    python = fab.parent / "python"
    helped = subprocess.run([python, "-W", "ignore", fab, "--help"], capture_output=True, text=True, check=True).stdout
    [rows] = [rows for head, rows in tables((PAGES / f"{page}.md").read_text()) if head[0] == "fab"]
    assert rows
    for (theirs,), (ours,) in (map(spans, row) for row in rows):
        for option in options_of(theirs):
            assert f"{option}" in helped.replace(",", " ").replace("=", " ").split(), theirs
        verb = group.get_command(click.Context(group), shlex.split(ours)[1])
        assert verb is not None, ours
        known = {name for param in verb.params if isinstance(param, click.Option) for name in param.opts}
        assert set(options_of(ours)) <= known, ours


def options_of(line: str) -> list[str]:
    words = shlex.split(line)
    words = words[: words.index("--")] if "--" in words else words
    return [word for word in words if word.startswith("-")]


@pytest.mark.parametrize(
    ("span", "says"),
    [
        ("Pool(4).nothing", "Pool has no 'nothing'"),
        ("pool.nothing()", "Pool has no 'nothing'"),
        ("pool.map(f, xs, chunks=9)", "takes no chunks"),
        ("host.run('ls', warn=True)", "takes no warn"),
        ("host.run_async('ls').nothing()", "Future has no 'nothing'"),
        ("nobody.map(f)", "nothing is called 'nobody'"),
        ("f(elsewhere.Nothing)", "nothing is called 'f'"),
        ("pool.submit(net.nothing)", "has no 'nothing'"),
        ("pool.map(", "is no Python"),
    ],
)
def test_what_is_wrong_is_found(span, says):
    assert says in (OURS.check(span) or "")
