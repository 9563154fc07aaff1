"""The programs of examples/classic: with the original library and with ours, with and without a guard, all the same."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples import classic
from tests.examples.classic import BOUND, FOLDER, PAGE, Terminal, quick, text_of, told, variants, with_ours
from tests.fabric.beside import Bench, same
from tests.fleet.sshd import Sshd, sshd
from tests.ports import free_port
from tests.require import ROOT, require

TEXT = PAGE.read_text()
BLOCKS = classic.blocks(TEXT)
PRINTED = {name: output for name, _, output in BLOCKS}
ALONE = {  # the programs that need nobody else; is the order of their lines defined?
    "manager_dict_list": True,
    "pool_callback": False,
    "pool_results_after": True,
    "pool_results_inside": True,
    "pool_sync": True,
    "process_daemon": False,  # its last two lines may change places where the program gets no core for a second
    "process_function": False,
    "process_subclass": False,
    "queue_processes": True,
    "queue_threads": True,
    "shared_array": True,
    "zombie": True,
}
PORTS = {"udp": 9999, "tcp": 9999, "xmlrpc": 8000, "msgpackrpc": 6789}  # as the programs have them
TIMEOUT = re.compile(r"(timeout=|settimeout\()5\b")
HOSTS = {"web1": "127.60.0.101", "web2": "127.60.0.102"}
# The original listens at every network, whatever it is told.
ONLY_HERE = """
import tornado.tcpserver
listen = tornado.tcpserver.TCPServer.listen
tornado.tcpserver.TCPServer.listen = lambda self, port, address="": listen(self, port, {host!r})
"""


# ---- the files and the page ------------------------------------------------------------------------------------------


def test_the_page_has_each_program_as_it_is():
    assert {name: text for name, text, _ in BLOCKS} == {path.stem: path.read_text() for path in FOLDER.glob("*.py")}
    assert len(BLOCKS) == len(PRINTED)


def test_each_program_is_run_here():
    pairs = {f"{name}_{side}" for name in PORTS for side in ("server", "client")}
    net = {f"{name}_{side}_net" for name in ("udp", "tcp") for side in ("server", "client")}
    assert {path.stem for path in FOLDER.glob("*.py")} == {*ALONE, *pairs, *net, "fab1"}


def test_only_imports_are_changed():
    for path in FOLDER.glob("*.py"):
        text = path.read_text()
        lines = zip(text.splitlines(), with_ours(text).splitlines(), strict=True)
        changed = [(before, after) for before, after in lines if before != after]
        kinds = {line.split()[0] for pair in changed for line in pair}
        assert kinds <= {"from", "import"}, path.name
        assert all("elsewhere" in after for _, after in changed)
        if path.stem in ALONE:
            left = {word for word in ("multiprocessing", "queue", "threading") if f"from {word} " in with_ours(text)}
            assert (bool(changed), left) == (True, set()), path.name


def test_the_line_of_the_page_that_changes_a_file(tmp_path: Path) -> None:
    (line,) = re.findall(r"^\$ (sed .*) > ours\.py$", TEXT, re.MULTILINE)
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == with_ours(text_of("pool_sync")) != text_of("pool_sync")


# ---- programs that need nobody else ----------------------------------------------------------------------------------


def started(folder: Path, texts: dict[str, str], stack: contextlib.ExitStack) -> dict[str, Terminal]:
    """All of these programs, side by side."""
    found = {}
    for number, (name, text) in enumerate(texts.items()):
        found[name] = Terminal(folder / f"program{number}.py", text)
        stack.callback(found[name].close)
    return found


@pytest.mark.parametrize("name", ALONE)
def test_all_variants_print_what_the_page_says(name: str, tmp_path: Path) -> None:
    text = quick(text_of(name))
    if name == "zombie":  # its second is what our fork server has to wait for the child: a busy machine takes longer
        text = text.replace("time.sleep(1 / 20)", "time.sleep(3)")
    texts = variants(text)
    if sys.version_info >= (3, 14):
        del texts["original, no guard"]  # its children are no forks any more, and run the file again
    arrange = list if ALONE[name] else sorted
    with contextlib.ExitStack() as stack:
        for variant, program in started(tmp_path, texts, stack).items():
            status = program.end()
            expected = told(PRINTED[name])
            if name == "zombie" and variant.startswith("ours"):  # on purpose, as the page says
                expected = [line.replace("joined: Z", "joined: gone") for line in expected]
            assert arrange(told(program.output)) == arrange(expected), variant
            assert (status, program.errors()) == (0, ""), variant


def test_the_zombie_that_is_none_stands_on_the_page():
    assert "ended, but not joined: Z" in PRINTED["zombie"]
    assert "prints `ended, but not joined: gone` in its second line" in TEXT


def test_without_a_guard_where_children_start_afresh(tmp_path: Path) -> None:
    """As on macOS and Windows, and on Linux from Python 3.14 on: the original fails as the page says, ours does not."""
    texts = variants(text_of("process_subclass"))
    for library, variant in (("multiprocessing", "original"), ("elsewhere", "ours")):
        head = f"import {library}\n\n{library}.set_start_method('spawn', force=True)\n"
        texts[variant] = head + texts.pop(f"{variant}, no guard")
    with contextlib.ExitStack() as stack:
        programs = started(tmp_path, texts, stack)
        assert [program.end() for program in programs.values()] == [0, 0]
        assert sorted(programs["ours"].output.splitlines()) == sorted(PRINTED["process_subclass"].splitlines())
        assert programs["original"].output == "exit codes: [1, 1, 1]\n"
        assert "finished its bootstrapping phase" in programs["original"].errors()


def test_a_writer_may_be_joined_before_its_queue_is_read(tmp_path: Path) -> None:
    """What the page says of queues. With multiprocessing this waits for ever."""
    text = with_ours(text_of("queue_processes")).replace("queue.put(letter)", "queue.put(letter * 1_000_000)")
    text = text.replace("got {letter}", "got {len(letter)}").replace("    reader.start()\n    writer.join()\n", "")
    text = text.replace("    reader.join()\n", "    writer.join()\n    reader.start()\n    reader.join()\n")
    program = Terminal(tmp_path / "program.py", text)
    with contextlib.closing(program):
        assert (program.end(), program.output) == (0, "got 1000000 from the queue\n" * 3)


# ---- servers and clients ---------------------------------------------------------------------------------------------


class Network:
    """The programs of one pair, each server at an address of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._number = 10 * list(PORTS).index(name)
        self._count = itertools.count()

    def texts(self, side: str) -> dict[str, str]:
        found = variants(text_of(f"{self.name}_{side}"))
        if self.name in {"udp", "tcp"}:
            found["net"] = text_of(f"{self.name}_{side}_net")
        return found

    def start(self, variant: str, text: str, host: str, port: int) -> Terminal:
        assert text.count(f"{PORTS[self.name]}") == text.count("127.0.0.1") > 0
        text = text.replace("127.0.0.1", host).replace(f"{PORTS[self.name]}", f"{port}")
        text = TIMEOUT.sub(rf"\g<1>{BOUND:g}", text)
        path = self.folder / f"program{next(self._count)}.py"
        if self.name != "msgpackrpc" or not variant.startswith("original"):
            return Terminal(path, text)
        require(file=".venv-msgpackrpc/.ready", install=".ci/peers original")
        python = require(file=".venv-msgpackrpc/bin/python", install=".ci/peers original")
        aside = self.folder / f"aside{port}"
        aside.mkdir(exist_ok=True)
        (aside / "sitecustomize.py").write_text(ONLY_HERE.format(host=host))
        return Terminal(path, text, python=str(python), environment={"PYTHONPATH": str(aside)})

    @contextlib.contextmanager
    def servers(self) -> Iterator[list[tuple[str, Terminal, str, int]]]:
        """All variants of the server, ready: the variant, the program, its host and port."""
        with contextlib.ExitStack() as stack:
            found = []
            for variant, text in self.texts("server").items():
                self._number += 1
                host, port = f"127.60.0.{self._number}", free_port()
                program = self.start(variant, text, host, port)
                stack.callback(program.close)
                found.append((variant, program, host, port))
            for _, program, _, _ in found:
                program.until("is ready\n")
            yield found


@pytest.mark.parametrize("name", PORTS)
def test_each_client_talks_to_each_server(name: str, tmp_path: Path) -> None:
    network = Network(name, tmp_path)
    printed = PRINTED[f"{name}_client"]
    clients = network.texts("client")
    with network.servers() as servers:
        for variant, server, host, port in servers:
            with contextlib.ExitStack() as stack:
                asking = {each: network.start(each, text, host, port) for each, text in clients.items()}
                for program in asking.values():
                    stack.callback(program.close)
                for each, program in asking.items():
                    found = (program.end(), program.output, program.errors())
                    assert found == (0, printed, ""), f"client: {each}; server: {variant} {server.errors()}"
        for variant, server, _, _ in servers:
            assert server.interrupt() == (0 if variant == "net" else -signal.SIGINT), variant
            assert server.output.count("\n") == 1, variant


# ---- a task file -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd"), list(HOSTS.values())) as found:
        yield found


def test_the_task_file_is_run_by_fabric_and_by_ours(hosts: Sshd, tmp_path: Path) -> None:
    require(module="asyncssh", install="pip install 'elsewhere[fleet]'")
    (words,) = re.findall(r"^\$ elsewhere fab -f examples/classic/fab1\.py (.*?)  # ours$", TEXT, re.MULTILINE)
    config = "".join(f"Host {name}\n  Hostname {address}\n  Port {hosts.port}\n" for name, address in HOSTS.items())
    files = {"fab1.py": text_of("fab1"), "../home/.ssh/config": config}
    bench = Bench(tmp_path, hosts, 1)
    with contextlib.ExitStack() as stack:
        runs = []
        for program in (bench.original, bench.ours):
            runs.append(bench.start(program, ["-f", "fab1.py", *words.split()], "", None, files))
            stack.callback(runs[-1].stop)
        original, ours = (run.end() for run in runs)
    same(original, ours)
    assert original.status == 0
    for name in HOSTS:
        assert {f"[{name}] out: {os.uname().sysname}", f"[{name}] out: hello, Ada"} <= set(ours.out)
