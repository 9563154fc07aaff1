"""``elsewhere doctor``, in surroundings that are well and in such that are really broken."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from elsewhere.cli.doctor import asking
from elsewhere.cli.doctor.answers import QUESTIONS
from elsewhere.cli.doctor.finding import FAILS, MISSING, NOTE, PARTS, WORKS, Finding
from elsewhere.cli.doctor.page import end, failed, lines
from elsewhere.cli.doctor.probes import extras, machine, ports, ssh
from elsewhere.cli.group import run
from tests.cli.helpers import Started, shell, until
from tests.cli.surroundings import by_shell, in_namespace, instead, without
from tests.cli.test_shell import alive, children
from tests.ports import free_port
from tests.require import ROOT, require

HANGS = "import time\nopen({file!r}, 'w').close()\ntime.sleep(600)\n"


def found(ended: subprocess.CompletedProcess[str]) -> dict[str, Finding]:
    """Its JSON lines, by name."""
    rows = [Finding(**json.loads(line)) for line in ended.stdout.splitlines()]
    assert ended.stderr == ""
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


def doctor(tmp_path: Path, *args: str, **variables: str) -> tuple[int, dict[str, Finding]]:
    more: dict[str, Any] = {"HOME": str(tmp_path), "SSH_AUTH_SOCK": "", **variables}
    ended = shell("doctor", "--json", *args, cwd=tmp_path, **more)
    return ended.returncode, found(ended)


@pytest.fixture(scope="module")
def well(tmp_path_factory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("well")
    return shell("doctor", cwd=folder, HOME=str(folder), SSH_AUTH_SOCK="", COLUMNS="80")


class TestWell:
    def test_all_that_is_core_works(self, well):
        assert well.returncode == 0
        assert well.stderr == ""
        assert well.stdout.endswith("\n\nAll that is core works.\n")
        assert "does not" not in well.stdout

    def test_it_fits_a_screen(self, well):
        every = well.stdout.splitlines()
        assert len(every) <= 40
        assert max(map(len, every)) <= 80
        assert "\x1b" not in well.stdout

    def test_it_has_looked_at_everything(self, well):
        names = [line[15:].split("  ")[0].strip() for line in well.stdout.splitlines()[2:-2]]
        for name in (
            "python", "worker", "cores", "memory", "files", "/dev/shm", "blocks", "locks", "cloudpickle", "msgpack",
            "service", "shell", "uvloop", "http", "asyncssh", "ssh-agent", "ssh config", "known_hosts", "dask",
            "numpy", "joblib",
        ):  # fmt: skip
            assert name in names
        assert any(name.startswith("port") for name in names)

    def test_json_of_named_parts(self, tmp_path):
        code, rows = doctor(tmp_path, "fleet", "numpy")
        assert code == 0
        assert {row.part for row in rows.values()} == {"fleet", "numpy"}
        assert {row.state for row in rows.values()} == {WORKS}
        assert all(row.says and not row.says.endswith(".") for row in rows.values())


class TestBroken:
    def test_msgpack_in_pure_python(self, tmp_path):
        code, rows = doctor(tmp_path, "core", MSGPACK_PUREPYTHON="1")
        assert (code, rows["msgpack"].state, rows["msgpack"].do) == (0, NOTE, "unset MSGPACK_PUREPYTHON")
        assert rows["service"].state == WORKS

    def test_a_dependency_that_is_gone(self, tmp_path):
        code, rows = doctor(tmp_path, "core", **without(tmp_path / "gone", "msgpack"))
        assert code == 1
        assert rows["msgpack"].state == FAILS
        assert "--force-reinstall msgpack" in rows["msgpack"].do
        assert "service" not in rows

    @pytest.mark.parametrize("module", ["click", "rich"])
    def test_what_the_shell_itself_needs(self, tmp_path, module):
        ended = shell("doctor", "core", "--json", cwd=tmp_path, **without(tmp_path / "gone", module))
        assert ended.returncode == 1
        assert f"python -m pip install --force-reinstall {module}" in ended.stdout + ended.stderr

    def test_extras_that_are_missing(self, tmp_path):
        gone = without(tmp_path / "gone", "numpy", "asyncssh", "distributed", "starlette", "joblib", "uvloop")
        code, rows = doctor(tmp_path, "ports", "core", **gone)
        assert code == 0
        code, rows = doctor(tmp_path, "numpy", "fleet", "dask", "http", "joblib", **gone)
        assert code == 1  # they were asked for
        assert {name: (row.state, row.do) for name, row in rows.items()} == {
            "uvloop": (MISSING, "python -m pip install 'elsewhere[http]'"),
            "http": (MISSING, "python -m pip install 'elsewhere[http]'"),
            "asyncssh": (MISSING, "python -m pip install 'elsewhere[fleet]'"),
            "dask": (MISSING, "python -m pip install 'elsewhere[dask]'"),
            "numpy": (MISSING, "python -m pip install 'elsewhere[numpy]'"),
            "joblib": (MISSING, "python -m pip install 'elsewhere[joblib]'"),
        }

    def test_extras_that_are_half_there(self, tmp_path):
        half = without(tmp_path / "gone", "bcrypt", "httptools")
        code, rows = doctor(tmp_path, "fleet", "http", **half)
        assert code == 0
        assert (rows["asyncssh"].state, rows["asyncssh"].do) == (NOTE, "python -m pip install bcrypt")
        assert (rows["http"].state, "httptools" in rows["http"].says) == (NOTE, True)

    def test_a_module_that_raises_one_that_needs_another_and_one_that_crashes(self, tmp_path):
        folder = tmp_path / "odd"
        instead(folder, "raise RuntimeError('no\\nway')", "numpy")
        instead(folder, "import gone_too", "distributed")
        variables = instead(folder, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "joblib")
        code, rows = doctor(tmp_path, "numpy", "dask", "joblib", **variables)
        assert code == 1
        assert rows["numpy"].says == "cannot be imported: RuntimeError: no way"
        assert rows["dask"].says == "needs gone_too, which is not installed"
        assert rows["joblib"].says == "Python was killed by SIGSEGV when it was tried"
        assert {row.state for row in rows.values()} == {FAILS}

    def test_one_that_is_too_old(self, monkeypatch):
        monkeypatch.setattr(extras, "version", lambda name: "1.25.9")
        (row,) = extras.numpy()
        assert (row.state, row.says) == (FAILS, "1.25.9 is too old: 1.26 or newer is needed")
        assert row.do == "python -m pip install --upgrade 'elsewhere[numpy]'"

    def test_the_oldest_that_will_do_are_those_of_the_package(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        wanted = [each for some in project["optional-dependencies"].values() for each in some]
        for name, least in extras.LEAST.items():
            dotted = ".".join(map(str, least))
            assert any(each.partition("[")[0].partition(">")[0] == name and f">={dotted}" in each for each in wanted)

    def test_one_that_hangs_is_a_finding_and_all_else_is_found(self, tmp_path, monkeypatch):
        for name, value in instead(tmp_path / "odd", HANGS.format(file=str(tmp_path / "came")), "numpy").items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(tmp_path / "odd"))
        monkeypatch.setattr(asking, "BOUND", 3.0)
        rows = {row.name: row for row in asking.ask_all(["numpy", "python"])}
        assert (rows["numpy"].state, rows["numpy"].says) == (FAILS, "did not answer within 3 s")
        assert rows["python"].state == WORKS

    def test_ctrl_c_while_something_hangs_leaves_nothing(self, tmp_path):
        came = tmp_path / "came"
        variables = instead(tmp_path / "odd", HANGS.format(file=str(came)), "numpy")
        with Started("doctor", "numpy", cwd=tmp_path, variables=variables) as started:
            until(came.exists)
            asked = children(started.process.pid)
            assert asked
            started.process.send_signal(signal.SIGINT)
            assert started.end(asking.BOUND / 2) == 130  # and not when what hangs is given up
            until(lambda: not alive(asked))


class TestLimits:
    def test_few_descriptors_are_noted(self, tmp_path):
        ended = by_shell('ulimit -n 128; exec "$@"', "doctor", "core", "--json", cwd=tmp_path)
        files = found(ended)["files"]
        assert (ended.returncode, files.state) == (0, NOTE)
        assert "only 128 may be open at once" in files.says
        assert files.do

    def test_too_few_for_a_worker_are_a_failure(self, tmp_path):
        ended = by_shell('ulimit -n 11; exec "$@"', "doctor", "core", cwd=tmp_path)
        assert ended.returncode == 1
        assert "Not all that is needed works: " in ended.stdout
        assert "Traceback" not in ended.stdout + ended.stderr

    def test_no_shared_memory(self, tmp_path):
        ended = by_shell('ulimit -f 64; exec "$@"', "doctor", "core", "--json", cwd=tmp_path)
        blocks = found(ended)["blocks"]
        assert (ended.returncode, blocks.state) == (1, FAILS)
        assert "ulimit -f" in blocks.do

    def test_dev_shm_missing_and_tiny(self, tmp_path):
        missing = 'mount -t tmpfs -o ro tmpfs /dev/shm; exec "$@"'
        if os.geteuid() == 0:  # whom a mode would not keep out
            row = found(in_namespace(missing, "doctor", "core", "--json", cwd=tmp_path))["/dev/shm"]
            assert (row.state, row.do) == (NOTE, "mount -t tmpfs tmpfs /dev/shm")
            tiny = 'mount -t tmpfs -o size=1m tmpfs /dev/shm; exec "$@"'
            ended = in_namespace(tiny, "doctor", "core", "--json", cwd=tmp_path)
            rows = found(ended)
            assert (ended.returncode, rows["/dev/shm"].state, rows["worker"].state) == (0, NOTE, WORKS)
            assert "holds 1.0 MB only" in rows["/dev/shm"].says
        row = machine.shm(str(tmp_path / "gone"))
        assert (row.state, "cannot be written to" in row.says) == (NOTE, True)

    def test_a_quota_and_a_limit_of_memory(self, tmp_path, monkeypatch):
        """As a container of Docker's shows them, under another root."""
        monkeypatch.delenv("ELSEWHERE_CPUS", raising=False)
        group = tmp_path / "sys/fs/cgroup"
        for path, text in {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "proc/meminfo": "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\n",
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/memory.max": "300000000\n",
            "sys/fs/cgroup/memory.current": "200000000\n",
            "sys/fs/cgroup/memory.stat": "inactive_file 1000000\n",
        }.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        assert machine.cores(str(tmp_path)).says.endswith("by a quota of 1.5 (cgroup)")
        row = machine.memory(str(tmp_path))
        assert (row.state, row.says) == (NOTE, "101 MB of 300 MB are free")
        (group / "memory.max").write_text("max\n")
        assert machine.memory(str(tmp_path)).says == "4.1 GB of 8.2 GB are free"

    def test_a_number_of_cores_that_is_none(self, tmp_path):
        code, rows = doctor(tmp_path, "core", ELSEWHERE_CPUS="many")
        assert (code, rows["cores"].state) == (1, FAILS)
        assert "ELSEWHERE_CPUS" in rows["cores"].do
        assert doctor(tmp_path, "core", ELSEWHERE_CPUS="2")[1]["cores"].says.endswith("as ELSEWHERE_CPUS says")


class TestOfTheUser:
    def test_an_agent(self, tmp_path):
        program = require(program="ssh-agent", install="apt-get install openssh-client")
        path = str(tmp_path / "agent")
        process = subprocess.Popen([program, "-D", "-a", path], stdout=subprocess.DEVNULL)
        try:
            until(lambda: os.path.exists(path))
            assert ssh.agent(path).says == "answers, and has 0 keys"
            key = tmp_path / "key"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
            subprocess.run(
                ["ssh-add", "-q", str(key)], check=True, capture_output=True, env={**os.environ, "SSH_AUTH_SOCK": path}
            )
            assert ssh.agent(path) == Finding("ssh-agent", "fleet", WORKS, "answers, and has 1 key")
        finally:
            process.terminate()
            process.wait()

    def test_one_that_has_ended_or_is_another_program_or_says_nothing(self, tmp_path, monkeypatch):
        assert ssh.agent(None).state == WORKS
        assert ssh.agent(str(tmp_path / "gone")).says.endswith("does not answer: No such file or directory")
        monkeypatch.setattr(ssh, "PATIENCE", 0.1)
        path = str(tmp_path / "other")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            assert ssh.agent(path).state == NOTE  # nobody answers

    def test_files(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert "none" in ssh.file("ssh config", "~/.ssh/config", "host").says
        (tmp_path / ".ssh").mkdir()
        config = tmp_path / ".ssh/config"
        config.write_text("# Host no\nHost web1\n  User me\nHOST web2 web3\n")
        assert ssh.file("ssh config", "~/.ssh/config", "host").says == "2 Host lines in ~/.ssh/config"
        config.write_bytes(b"Host \xff\n")
        assert ssh.file("ssh config", "~/.ssh/config", "host").state == NOTE
        config.unlink()
        config.mkdir()
        row = ssh.file("ssh config", "~/.ssh/config", "host")
        assert (row.state, row.says) == (NOTE, "~/.ssh/config cannot be read: Is a directory")
        (tmp_path / ".ssh/known_hosts").write_text("web1 ssh-ed25519 AAAA\n")
        assert ssh.file("known_hosts", "~/.ssh/known_hosts", "").says == "1 key in ~/.ssh/known_hosts"


class TestPorts:
    def test_whose_a_port_is(self, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as server:
            taken, free = server.getsockname()[1], free_port()
            monkeypatch.setattr(ports, "PORTS", {free: "tcp://there", taken: "tcp://elsewhere"})
            rows = {row.name: row for row in ports.ports()}
        row = rows[f"port {taken}"]
        assert (row.state, row.part) == (NOTE, "ports")
        assert row.says.endswith(f"(pid {os.getpid()})")
        assert "tcp://elsewhere" in row.do
        assert f"{free} is free on localhost" in rows["ports"].says

    def test_the_usual_ones_are_those_of_the_documentation(self):
        text = "\n".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
        assert all(f":{port}" in text for port in ports.PORTS)


class TestPage:
    def test_lines_are_wrapped_and_say_what_to_do(self):
        row = Finding("thing", "core", FAILS, "is broken " * 10, "mend it " * 9)
        every = lines(row, width=60, coloured=False)
        assert max(map(len, every)) <= 60
        assert every[0].startswith("does not       thing        is broken")
        assert sum("-> mend it" in line for line in every) == 1
        assert "\x1b[31mdoes not\x1b[0m" in lines(row, width=60, coloured=True)[0]

    def test_what_counts_as_a_failure(self):
        rows = [
            Finding("a", "core", FAILS, "x"),
            Finding("b", "core", NOTE, "x"),
            Finding("c", "dask", FAILS, "x"),
            Finding("d", "fleet", MISSING, "x"),
        ]
        assert failed(rows, []) == ["a"]
        assert failed(rows, ["dask", "fleet"]) == ["a", "c", "d"]
        assert end([], []) == "All that is core works."
        assert end([], ["fleet"]) == "All that fleet needs works."
        assert end(["a"], []) == "Not all that is needed works: a."

    def test_each_question_has_a_part_and_the_page_of_the_documentation_knows_it(self):
        text = (ROOT / "docs" / "doctor.md").read_text()
        assert {question.part for question in QUESTIONS.values()} == set(PARTS)
        assert all(f"`{part}`" in text for part in PARTS)
        assert all(f"`{state}`" in text for state in (WORKS, NOTE, MISSING, FAILS))

    def test_a_part_that_is_none(self, capfd):
        assert run(["doctor", "flee"]) == 2
        assert "'fleet'" in capfd.readouterr().err
