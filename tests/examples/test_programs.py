"""Each short program of `examples/`, run as its reader runs it: what it prints is what its page says."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.examples.programs import EXAMPLES, PAGES, PATIENCE, copied, environment, matches, run, serving, told
from tests.require import require

ALONE = [
    "slow_loop",
    "pool",
    "as_completed",
    "awaiting",
    "progress_bar",
    "time_limit",
    "retries",
    "cancel",
    "process",
    "pipe",
    "queues",
    "shared_array",
    "manager",
    "numpy_fill",
    "threads_and_processes",
]
TALKING = {  # clients, and the server each of them calls
    "tcp_client": "tcp_server",
    "tls_client": "tls_server",
    "udp_client": "udp_server",
    "msgpack_client": "msgpack_server",
    "xmlrpc_client": "http_server",
    "jsonrpc_client": "http_server",
    "service_client": "service",
}
ON_HOSTS = ["deploy", "everywhere", "fabfile", "one_program"]  # test_hosts.py, test_one_program.py
LARGER = ["stdlib_modules", "demo"]  # test_stdlib_modules.py
# What takes seconds on a quiet machine takes less here: the table is the same.
SHORTER = {"[:1500]": "[:60]", "[:300]": "[:10]", "] * 60": "] * 10"}
HTTP = "pip install 'elsewhere[http]'"


@pytest.fixture
def folder(tmp_path):
    return copied(tmp_path, more=SHORTER)


def expected(name):
    """Its page's words; what is measured, or counted of what is measured, is another number each time."""
    text = told(f"{name}.py")
    if name == "threads_and_processes":
        return re.sub(r"[\d,]+ (files|pages)", "... \\1", re.sub(r" +[\d.]+ (s|x)", "... \\1", text))
    return text


@pytest.mark.parametrize("name", ALONE)
def test_it_prints_what_its_page_says(folder, name):
    if name == "numpy_fill":
        require(module="numpy", install="pip install 'elsewhere[numpy]'")
    said, should = run(folder, f"{name}.py"), expected(name)
    if name == "cancel":  # who comes first, the worker or the caller, is a matter of time
        said, should = ("".join(sorted(text.splitlines(keepends=True))) for text in (said, should))
    assert matches(said, should), said


def certify(folder):
    """By the very command that the program names."""
    require(program="openssl", install="apt-get install openssl")
    docstring = ast.get_docstring(ast.parse((EXAMPLES / "tls_server.py").read_text()))
    assert docstring is not None
    command = docstring[docstring.index("openssl") :]
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True, timeout=PATIENCE)


@pytest.mark.parametrize("name", TALKING)
def test_a_client_prints_what_its_page_says(folder, name):
    server = TALKING[name]
    if server in {"http_server", "service"}:
        require(module="uvicorn", install=HTTP)
    if server == "tls_server":
        certify(folder)
    with serving(folder, f"{server}.py"):
        said = run(folder, f"{name}.py")
    assert matches(said, expected(name)), said


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def last_line(said):
    return said.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("tcp_client", "tcp://localhost:7000"),
        ("tls_client", "tls://localhost:7002"),
        ("udp_client", "udp://localhost:7001"),
        ("msgpack_client", "tcp://localhost:6789"),
        ("jsonrpc_client", "jsonrpc+http://localhost:8000/jsonrpc"),
    ],
)
def test_a_client_without_its_server_says_so(folder, client, address):
    if client == "tls_client":
        certify(folder)
    text = (folder / "examples" / f"{client}.py").read_text()
    there = re.escape(re.sub(r"\d+", "PORT", address)).replace("PORT", r"\d+")
    assert re.search(there, text)
    said = run(folder, f"{client}.py", code=1)
    assert re.search(rf"ConnectError: {there}: connection refused: nobody listens there$", last_line(said)), said


@pytest.mark.parametrize("server", sorted(set(TALKING.values())))
def test_a_server_that_is_started_twice_says_so(folder, server):
    if server in {"http_server", "service"}:
        require(module="uvicorn", install=HTTP)
    if server == "tls_server":
        certify(folder)
    with serving(folder, f"{server}.py"):
        said = run(folder, f"{server}.py", code=1)
    assert "another program has the port; port 0 picks a free one" in last_line(said), said


def test_a_wrong_argument_is_named(folder):
    client = folder / "examples" / "msgpack_client.py"
    client.write_text(client.read_text().replace("double(21)", "double('seven')"))
    with serving(folder, "msgpack_server.py"):
        said = run(folder, "msgpack_client.py", code=1)
    assert last_line(said).endswith(": double: n: expected int, got str"), said


def test_ctrl_c_ends_it_at_once(folder):
    """With one KeyboardInterrupt, the program's own; it has reached the workers, too."""
    program = folder / "examples" / "pool.py"
    text = program.read_text()
    assert "    return sum(" in text
    program.write_text(
        text.replace("    return sum(", "    print('begun')\n    __import__('time').sleep(600)\n    sum(")
    )
    with subprocess.Popen(
        [sys.executable, "examples/pool.py"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, as at a terminal
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(PATIENCE) != 0
    assert said.count("Traceback") == 1, said
    assert last_line(said) == "KeyboardInterrupt", said


# ---- all of them -----------------------------------------------------------------------------------------------------


def test_each_program_is_run_by_a_test():
    tested = {*ALONE, *TALKING, *TALKING.values(), *ON_HOSTS, *LARGER}
    assert {file.stem for file in EXAMPLES.glob("*.py")} == tested


def test_each_program_is_told_of():
    """In the table of the folder; and the short ones as a whole, on some page."""
    table = (EXAMPLES / "README.md").read_text()
    text = "".join(page.read_text() for page in PAGES)
    for file in EXAMPLES.glob("*.py"):
        assert f"[`{file.name}`]({file.name})" in table
        assert file.stem in LARGER or f"\n{file.read_text()}```" in text, f"{file.name} stands on no page"


def test_no_name_hides_a_module():
    """A program's folder is the first on its path: `queue.py` here would break `import queue` in all the others."""
    taken = sys.stdlib_module_names | set(importlib.metadata.packages_distributions())
    names = {path.stem for path in EXAMPLES.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not names & taken
