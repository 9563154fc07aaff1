"""Many hosts, one verb: which hosts, how many at once, when it stops, and that each is accounted for."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import traceback
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from elsewhere.call import Retry
from elsewhere.errors import (
    CallTimeout,
    ConnectError,
    HostKeyError,
    MayHaveRun,
    NeverStarted,
    NotTouched,
    Unauthorized,
)
from elsewhere.fleet import CommandError, Fleet, FleetError, Host, HostOptions, Result
from elsewhere.fleet.engine import engine
from elsewhere.fleet.kinds import by_kind, kind_of, report
from elsewhere.fleet.many.plan import Plan
from elsewhere.fleet.many.together import Together
from elsewhere.fleet.naming.settings import Given
from elsewhere.fleet.output.base import Output
from tests.fleet.sshd import Sshd
from tests.fleet.test_commands import pid_in
from tests.fleet.test_link import becomes, gone, options

# ---- which hosts -----------------------------------------------------------------------------------------------------


def names(fleet: Fleet) -> list[str]:
    return [host.name for host in fleet]


def test_ranges_and_each_host_once() -> None:
    own = Host("web2")
    fleet = Fleet("web[1-3],db1", own, "web1", "deploy@web1", exclude="web3")
    assert names(fleet) == ["web1", "web2", "db1", "deploy@web1"]
    assert fleet["web2"] is own
    assert Fleet(own, "web[1-3]")["web2"] is own
    assert names(Fleet(own, "web1", exclude=["web[2-9]"])) == ["web1"]
    assert repr(fleet) == "<Fleet of 4 hosts: web[1-2], db1, deploy@web1>"
    assert names(Fleet()) == []


def test_what_is_said_of_hosts_is_for_those_that_are_named() -> None:
    fleet = Fleet("web1", "root@web2", Host("web3", config=(), user="ann"), user="deploy", port=2222, config=())
    assert [host.settings.address for host in fleet] == [
        "ssh://deploy@web1:2222",
        "ssh://root@web2:2222",
        "ssh://ann@web3:22",
    ]


def test_inventories(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text("[web]\nweb[1:3] ansible_user=deploy\n[db]\ndb1\n")
    assert names(Fleet.from_inventory(path)) == ["web1", "web2", "web3", "db1"]
    assert names(Fleet.from_inventory(str(path), groups="web", exclude=["web2"])) == ["web1", "web3"]
    assert names(Fleet("db1", inventory=path)) == ["db1"]
    fleet = Fleet("other", inventory=path, groups=["web", "db"], exclude="db", config=())
    assert names(fleet) == ["other", "web1", "web2", "web3"]
    assert fleet["web1"].settings.user == "deploy"


def test_members_and_views() -> None:
    fleet = Fleet("web[1-5]", jobs=7)
    assert (len(fleet), "web4" in fleet, "web6" in fleet) == (5, True, False)
    assert fleet[0] is fleet["web1"] is fleet["web1"]
    assert names(fleet[1:3]) == ["web2", "web3"]
    assert names(fleet.filter(lambda host: host.name > "web3")) == ["web4", "web5"]
    view = fleet.only("web[4-5]", fleet[0])
    assert names(view) == ["web1", "web4", "web5"]
    assert (view[0] is fleet[0], view._plan.jobs) == (True, 7)
    assert fleet.options(jobs=2, retry=3, timeout=5)._plan == Plan(jobs=2, retry=Retry(3), timeout=5.0)
    assert fleet.options(max_failures=1).options(jobs=3)[:1]._plan == Plan(jobs=3, max_failures=1)
    with pytest.raises(KeyError, match="web9 is no host of this fleet"):
        fleet["web9"]
    with pytest.raises(KeyError, match="web6 is no host of this fleet"):
        fleet.only("web[1-9]")


@pytest.mark.parametrize(
    ("arguments", "more", "error", "says"),
    [
        ([["web1"]], {}, TypeError, r"not \['web1'\]: Fleet\(\*hosts\) takes those of a list"),
        ([7], {}, TypeError, "a host is a text such as"),
        (["web 1"], {}, ValueError, "several hosts are written with commas"),
        (["web1"], {"jobs": 0}, ValueError, "jobs is 1 or more, not 0"),
        (["web1"], {"jobs": "8"}, TypeError, "jobs is a whole number"),
        (["web1"], {"max_failures": 0}, ValueError, "max_failures is 1 or more"),
        (["web1"], {"max_failures": True}, TypeError, "max_failures is a whole number"),
        (["web1"], {"groups": "web"}, ValueError, "the group 'web' needs an inventory"),
        (["web1"], {"exclude": [7]}, TypeError, "exclude is a text"),
        (["web1"], {"inventory": "/nowhere"}, ValueError, "the inventory /nowhere cannot be read"),
        (["web1"], {"inventory": 7}, TypeError, "an inventory is a file, not 7"),
        (["web1"], {"nonsense": 1}, TypeError, "nonsense"),
        ([], {"nonsense": 1}, TypeError, "nonsense"),
    ],
)
def test_what_is_wrong_with_a_fleet(
    arguments: list[Any], more: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Fleet(*arguments, **more)


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"timeout": 0}, ValueError, "more than 0 seconds"),
        ({"env": {"A-B": "1"}}, ValueError, "no name of an environment variable"),
        ({"output": "loud"}, ValueError, 'output is "live", "grouped", an Output or None'),
        ({"output": [7]}, TypeError, 'output is "live", "grouped"'),
        ({"progress": 3.5}, TypeError, "progress is True, False or a label"),
        ({"nonsense": 1}, TypeError, "nonsense"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_connects(more: dict[str, Any], error: type[Exception], says: str) -> None:
    fleet = Fleet("nobody.invalid", config=())
    for verb in (fleet.run, fleet.run_async):
        with pytest.raises(error, match=says):
            verb("true", **more)
    with pytest.raises(ValueError, match="more than 0 seconds"):
        fleet.options(timeout=-1)
    assert fleet[0]._link is None


def test_a_fleet_that_does_nothing_costs_next_to_nothing() -> None:
    program = """
import sys
bare = set(sys.modules)
from elsewhere import Fleet, Host
fleet = Fleet("web[1-3]", Host("db1"))
import threading
loaded = {"asyncio", "asyncssh", "click", "rich", "ssl"} & set(sys.modules) - bare
assert (loaded, threading.active_count()) == (set(), 1), loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# ---- what comes back -------------------------------------------------------------------------------------------------

FAILS_ON = "case $SSH_CONNECTION in *127.0.1.{}' '*) echo no >&2; exit 3;; esac; echo yes"


def test_all_finish_and_then_one_error_has_everything(server: Sshd) -> None:
    with Fleet("127.0.1.[1-4]", **options(server)) as fleet:
        with pytest.raises(FleetError) as caught:
            fleet.run(FAILS_ON.format("[23]"))
        error = caught.value
        assert list(error.results) == list(fleet)
        assert [error.results[host].returncode for host in fleet] == [0, 3, 3, 0]
        assert error.results["127.0.1.4"].stdout == "yes\n"  # type: ignore[index]  # a host is equal to its text
        assert (list(error.ok), list(error.failed), error.untouched) == ([*fleet[::3]], [*fleet[1:3]], [])
        assert str(error).splitlines()[:2] == ["run failed on 2 of 4 hosts:", "  2 exit status 3: 127.0.1.[2-3]"]
        results = fleet.run(FAILS_ON.format("[23]"), return_exceptions=True)
        assert [kind_of(outcome) for outcome in results.values()] == ["ok", "exit status 3", "exit status 3", "ok"]
        assert isinstance(results[fleet[1]], CommandError)
        assert [result.ok for result in fleet.run(FAILS_ON.format(2), check=False).values()] == [
            True,
            False,
            True,
            True,
        ]
        assert Fleet().run("true") == {}


def test_parts_of_the_error(server: Sshd) -> None:
    caught: list[Any] = []
    with Fleet("127.0.1.[1-2]", "nobody.invalid", **options(server)) as fleet:
        try:
            fleet.run(FAILS_ON.format(2))
        except* ConnectError as unreachable:
            caught.append(unreachable)
        except* CommandError as failed:
            caught.append(failed)
    assert [list(map(str, error.results)) for error in caught] == [["nobody.invalid"], ["127.0.1.2"]]


def test_how_hosts_fail_is_told_apart(server: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    kind, key = (tmp_path / "other.pub").read_text().split()[:2]
    (tmp_path / "changed").write_text(f"[127.0.1.6]:{server.port} {kind} {key}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        hosts = [
            Host("127.0.1.1", **options(server)),
            Host("127.0.1.2", **options(server)),
            Host("127.0.0.1", **options(server, port=free.getsockname()[1])),
            Host("nobody.invalid", **options(server)),
            Host("127.0.1.4", **options(server, known_hosts=(str(tmp_path / "none"),))),
            Host("127.0.1.5", **options(server, known_hosts=(str(tmp_path / "none"),))),
            Host("127.0.1.6", **options(server, known_hosts=(str(tmp_path / "changed"),))),
            Host("127.0.1.7", **options(server, keys=(str(tmp_path / "other"),))),
        ]
        command = "case $SSH_CONNECTION in *1.2' '*) exit 3;; esac"
        with Fleet(*hosts) as fleet, pytest.raises(FleetError) as caught:
            fleet.run(command)
    results = caught.value.results
    assert [kind_of(results[host]) for host in hosts] == [
        "ok", "exit status 3", "connection refused", "name not found", "host key unknown",
        "host key unknown", "host key changed", "login refused",
    ]  # fmt: skip
    types = [CommandError, ConnectError, ConnectError, HostKeyError, HostKeyError, HostKeyError]
    assert [type(results[host]) for host in hosts[1:]] == [*types, Unauthorized]
    text = str(caught.value)
    assert "run failed on 7 of 8 hosts:" in text
    assert text.count("2 hosts show keys that are not known:") == text.count("--accept-new") == 1
    assert "1 host key changed: 127.0.1.6" in text


def test_hosts_that_take_too_long(server: Sshd) -> None:
    with Fleet("127.0.1.[1-2]", **options(server)) as fleet, pytest.raises(FleetError) as caught:
        fleet.options(timeout=0.5).run("exec sleep 1000")
    assert [kind_of(outcome) for outcome in caught.value.results.values()] == ["timed out"] * 2
    assert all(isinstance(error, CallTimeout) for error in caught.value.exceptions)


def test_errors_of_hosts_keep_nothing_of_what_they_were_given(server: Sshd) -> None:
    with Fleet("127.0.1.1", "nobody.invalid", **options(server)) as fleet, pytest.raises(FleetError) as caught:
        fleet.run("exit 3", env={"TOKEN": "hush"}, input="hush")
    shown = "".join(
        text
        for error in caught.value.exceptions
        for text in traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    assert "hush" not in shown
    assert "File" not in shown
    assert "gaierror" in shown  # the reason is there
    assert kind_of(caught.value.results[fleet[1]]) == "name not found"


def test_a_report_is_short_for_many_hosts() -> None:
    results: dict[str, Any] = {f"web{n:04}": Result("true", 0) for n in range(900)}
    results |= {f"db{n}": ConnectError(f"db{n}: " + "x" * 900) for n in range(60)}
    results |= {f"old{n}": NotTouched(f"old{n}: later") for n in range(40)}
    text = report("run", results)
    assert text.splitlines()[0] == "run failed on 60 of 1,000 hosts:"
    assert "  60 unreachable: db[0-59]" in text
    assert text.splitlines()[-1] == "  40 not touched: old[0-39]"
    assert len(text) < 600
    assert list(by_kind(results)) == ["ok", "unreachable", "not touched"]
    key = HostKeyError("unknown", fingerprint="SHA256:x", key="ssh-ed25519 AAAA")
    lines = report("run", {f"web{n:03}": key for n in range(900)}).splitlines()
    assert (lines[1], len(lines)) == ("  50 hosts show keys that are not known:", 54)
    assert lines[-2] == "    and 850 more: web[050-899]"
    many = {f"h{n}": type(f"Error{n}", (Exception,), {})("\x1b[2Jno") for n in range(40)}
    assert len(report("put", many).splitlines()) == 26
    assert "\x1b" not in report("put", many)


def test_what_stands_around_commands_of_a_fleet(server: Sshd, tmp_path: Path) -> None:
    with Fleet("127.0.1.[1-3]", **options(server)) as fleet:
        with fleet.cd(str(tmp_path)), fleet.env(WHERE="here"), fleet[1].env(WHERE="there"), fleet.prefix("W=$WHERE"):
            told = [result.stdout.split() for result in fleet.run("pwd; echo $W").values()]
        assert told == [[str(tmp_path), where] for where in ("here", "there", "here")]
        assert fleet[:1].run("echo $WHERE")[fleet[0]].stdout == "\n"


# ---- rolling work ----------------------------------------------------------------------------------------------------


def test_nobody_is_touched_after_the_limit(server: Sshd, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    command = f"echo $SSH_CONNECTION >> {touched}; {FAILS_ON.format('[24]')}"
    with Fleet("127.0.1.[1-6]", jobs=1, max_failures=2, **options(server)) as fleet:
        with pytest.raises(FleetError) as caught:
            fleet.run(command)
        error = caught.value
        assert [line.split()[2] for line in touched.read_text().splitlines()] == [f"127.0.1.{n}" for n in range(1, 5)]
        assert [str(host) for host in error.untouched] == ["127.0.1.5", "127.0.1.6"]
        assert all(isinstance(error.results[host], NeverStarted) for host in error.untouched)
        assert [host._link for host in error.untouched] == [None, None]
        assert len(error.exceptions) == 2
        assert "2 not touched: 127.0.1.[5-6]" in str(error)
        assert len(fleet.only(*error.untouched).run(command)) == 2
        # a status that was not to be checked is no failure
        assert len(fleet.options(max_failures=1, jobs=6).run(command, check=False)) == 6


def worked(hosts: int, plan: Plan, work: Any) -> dict[str, Any]:
    fleet = [Host(f"web{n}") for n in range(hosts)]
    together = Together("work", fleet, lambda host, sink: work(str(host)), plan)
    results = engine().call(lambda: together.run(return_exceptions=True))
    return {str(host): outcome for host, outcome in results.items()}


def test_so_many_at_once_and_no_more() -> None:
    running, most = 0, []

    async def work(host: str) -> str:
        nonlocal running
        running += 1
        most.append(running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return host

    assert list(worked(40, Plan(jobs=7), work).values()) == [f"web{n}" for n in range(40)]
    assert max(most) == 7


def test_a_host_that_failed_is_tried_again_as_often_as_it_may() -> None:
    tries: dict[str, int] = {}

    async def work(host: str) -> str:
        tries[host] = tries.get(host, 0) + 1
        if host == "web0" or (host == "web1" and tries[host] < 3):
            raise ConnectError(host)
        if host == "web2":
            raise ValueError(host)
        return host

    results = worked(4, Plan(retry=Retry(2, on=ConnectError)), work)
    assert tries == {"web0": 3, "web1": 3, "web2": 1, "web3": 1}
    assert [type(outcome) for outcome in results.values()] == [ConnectError, str, ValueError, str]
    # none of them again, once as many have failed as may
    tries.clear()
    results = worked(4, Plan(jobs=1, max_failures=1, retry=Retry(1, on=ConnectError)), work)
    assert (tries, kind_of(results["web1"])) == ({"web0": 2}, "not touched")


def test_nobody_is_tried_again_after_the_limit() -> None:
    tries: list[str] = []
    waits = asyncio.Event()

    async def work(host: str) -> str:
        tries.append(host)
        if host == "web1":
            waits.set()  # its second try would be a tenth of a second later
            raise ConnectError(host)
        await waits.wait()
        raise ValueError(host)

    plan = Plan(jobs=2, max_failures=1, retry=Retry(5, on=ConnectError, backoff=0.1))
    results = worked(3, plan, work)
    assert (tries, kind_of(results["web2"])) == (["web0", "web1"], "not touched")


def test_what_is_cancelled_from_within_is_a_host_that_was_lost() -> None:
    async def work(host: str) -> str:
        if host == "web1":
            raise asyncio.CancelledError
        return host

    assert list(map(kind_of, worked(3, Plan(), work).values())) == ["ok", "connection lost", "ok"]


def test_a_bug_of_ours_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> int:
        return 1

    def broken(*_: Any, **__: Any) -> list[int]:
        raise RuntimeError("a bug")

    monkeypatch.setattr("elsewhere.sansio.hosts.many.rolling.Rolling.ended", broken)
    fleet = Fleet("web[1-2]", config=())
    with pytest.raises(ExceptionGroup) as caught:
        fleet._do("work", lambda host, sink: work(), return_exceptions=True, output=Output())
    assert "a bug" in str(caught.value.exceptions[0])
    assert not [thread for thread in threading.enumerate() if thread.name == "elsewhere-output"]


# ---- interrupts ------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_what_runs_and_keeps_what_has_ended(server: Sshd, tmp_path: Path) -> None:
    def interrupt() -> None:
        pid_in(tmp_path / "pid")
        os.kill(os.getpid(), signal.SIGINT)

    command = f"case $SSH_CONNECTION in *1.2' '*) echo $$ > {tmp_path}/pid; sleep 1000;; esac; echo done"
    with Fleet("127.0.1.[1-4]", jobs=1, **options(server)) as fleet:
        thread = threading.Thread(target=interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            thread.start()
            fleet.run(command)
        thread.join()
        assert gone(pid_in(tmp_path / "pid"))
        results: dict[Host, Any] = caught.value.results  # type: ignore[attr-defined]  # as `Fleet` says
        assert [type(outcome) for outcome in results.values()] == [Result, MayHaveRun, NotTouched, NotTouched]
        assert list(map(kind_of, results.values())) == ["ok", "interrupted", "not touched", "not touched"]


def test_cancelling_the_future_ends_what_runs(server: Sshd, tmp_path: Path) -> None:
    with Fleet("127.0.1.[1-2]", **options(server)) as fleet:
        assert fleet.run_async("echo hi").result(60)[fleet[0]].stdout == "hi\n"
        with pytest.raises(FleetError):
            fleet.run_async("exit 1").result(60)
        future = fleet.run_async(f"echo $$ > {tmp_path}/$$; sleep 1000")
        pids: list[int] = []

        def begun() -> bool:
            found = [path for path in tmp_path.iterdir() if path.read_text().endswith("\n")]
            pids[:] = [int(path.read_text()) for path in found]
            return len(pids) == 2

        becomes(begun)
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result(60)
        for pid in pids:
            becomes(lambda pid=pid: gone(pid))


async def in_a_loop(server: Sshd) -> tuple[list[str], str]:
    async with Fleet("127.0.1.[1-3]", **options(server)) as fleet, Host("127.0.1.4", **options(server)) as host:
        results = await fleet.run_async("echo hi")
        return [result.stdout for result in results.values()], (await host.run_async("echo ho")).stdout


def test_in_a_loop_of_the_users(server: Sshd) -> None:
    assert asyncio.run(in_a_loop(server)) == (["hi\n"] * 3, "ho\n")


def test_connecting_to_all(server: Sshd) -> None:
    with Fleet("127.0.1.[1-2]", "nobody.invalid", **options(server)) as fleet:
        with pytest.raises(FleetError, match="connect failed on 1 of 3 hosts"):
            fleet.connect()
        assert [host.is_connected for host in fleet] == [True, True, False]
        assert fleet[:2].connect_async().result(60) == dict.fromkeys(fleet[:2])


def test_closing_closes_all(server: Sshd) -> None:
    fleet = Fleet("127.0.1.[1-3]", **options(server))
    fleet.run("true")
    links = [host.link for host in fleet]
    assert all(link.up for link in links)
    fleet.close()
    assert not any(link.up for link in links)
    views = Fleet(*(host.options(timeout=60) for host in fleet))
    views.run("true")
    assert all(host.link.up for host in fleet)
    views.close()
    assert [host._link for host in fleet] == [None] * 3
    fleet.close()
    fleet.run("true")
    fleet.close()


class Breaks(Output):
    def came(self, host: Host, stream: str, data: bytes) -> None:
        raise OSError("the disk is full")


def test_what_cannot_be_shown_ends_what_runs(server: Sshd, tmp_path: Path) -> None:
    with Fleet("127.0.1.[1-2]", **options(server)) as fleet:
        command = f"echo $$ > {tmp_path}/pid-$$; echo hello; exec sleep 1000"
        with pytest.raises(OSError, match="the disk is full") as caught:
            fleet.run(command, output=Breaks())
        for path in tmp_path.glob("pid-*"):
            becomes(lambda path=path: gone(int(path.name.removeprefix("pid-"))))
        assert set(map(kind_of, caught.value.results.values())) == {"interrupted"}  # type: ignore[attr-defined]
        assert fleet.run("echo well")[fleet[1]].stdout == "well\n"


# ---- files -----------------------------------------------------------------------------------------------------------


def test_files_to_all_and_from_each(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "dist" / "css").mkdir(parents=True)
    (tmp_path / "dist" / "css" / "a.css").write_text("a")
    (tmp_path / "dist" / "index.html").write_text("hi")
    home = tmp_path / "there"
    with Fleet("127.0.1.[1-3]", jobs=1, **options(server)) as fleet:
        sent = fleet.put(tmp_path / "dist", f"{home}/", output="live")
        assert [result.sent for result in sent.values()] == [2, 0, 0]  # all are one machine: one after another
        got = fleet.get(f"{home}/dist", tmp_path / "back")
        assert [result.sent for result in got.values()] == [2, 2, 2]
        for host in fleet:
            assert (tmp_path / "back" / str(host) / "dist" / "css" / "a.css").read_text() == "a"
        assert fleet[:1].get(f"{home}/dist/index.html", tmp_path / "one", by_host=False)[fleet[0]].sent == 1
        assert (tmp_path / "one").read_text() == "hi"
        into = io.BytesIO()
        fleet[1:2].get(f"{home}/dist/index.html", into)
        assert into.getvalue() == b"hi"
        with pytest.raises(ValueError, match="each needs its own folder"):
            fleet.get("x", tmp_path / "back", by_host=False)
        with pytest.raises(ValueError, match="each needs its own folder"):
            fleet.get_async("x", into)
        with pytest.raises(FileNotFoundError, match="nothing-here"):
            fleet.put("nothing-here", "/tmp/x")
        with pytest.raises(FleetError, match=r"get failed on 3 of 3 hosts:\n  3 file not found: 127\.0\.1\.\[1-3\]"):
            fleet.get(f"{home}/none", tmp_path / "back")
    with Fleet("nobody.invalid", config=()) as fleet, pytest.raises(ValueError, match="timeout is more than 0"):
        fleet.put(b"x", "/tmp/x", timeout=0)


def test_files_as_futures(server: Sshd, tmp_path: Path) -> None:
    with Fleet("127.0.1.[1-2]", jobs=1, **options(server)) as fleet:
        source = io.BytesIO(b"x" * (9 << 20))  # so large that it is held in a file
        sent = fleet.put_async(source, f"{tmp_path}/big")
        assert [result.bytes for result in sent.result(60).values()] == [9 << 20, 9 << 20]
        got = fleet.get_async(f"{tmp_path}/big", tmp_path / "back").result(60)
        assert all((tmp_path / "back" / str(host) / "big").stat().st_size == 9 << 20 for host in got)


# ---- what is said of hosts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"nonsense": 1}, TypeError, "a host has no option 'nonsense': there are user, port, keys"),
        ({"host_keys": "loose"}, ValueError, "host_keys is one of 'strict', 'accept-new', 'off', not 'loose'"),
        ({"port": "22"}, TypeError, "port is a number, not '22'"),
        ({"port": 65536}, ValueError, "from 1 to 65535"),
        ({"user": 7}, TypeError, "user is a str"),
        ({"user": ""}, ValueError, "user is a text that is not empty"),
        ({"password": b"secret"}, TypeError, "^password is a str, not a value of type bytes$"),
        ({"connect_timeout": 0}, ValueError, "connect_timeout is more than 0 seconds"),
        ({"connect_timeout": "5"}, TypeError, "connect_timeout is a number of seconds"),
        ({"keepalive": -1}, ValueError, "keepalive is 0 or more seconds"),
        ({"known_hosts": 5}, TypeError, "known_hosts is a path or several"),
        ({"config": [5]}, TypeError, "config is a path"),
        ({"agent": 5}, TypeError, "agent is a path"),
        ({"forward_agent": "yes"}, TypeError, "forward_agent is True or False"),
        ({"jump": "a b"}, ValueError, "'a b' is no host"),
    ],
)
def test_what_is_wrong_with_a_host(options: dict[str, Any], error: type[Exception], says: str) -> None:
    for make in (Host, Fleet):
        with pytest.raises(error, match=says):
            make("web1", **options)


@pytest.mark.parametrize(
    ("verb", "arguments", "there"),
    [
        ("run", ("true",), "cwd, env, input, timeout, check, pty, answers, encoding, detach, output"),
        ("sudo", ("true",), "cwd, .* user, group, sudo_password_file, password, detach, output"),
        ("put", (b"x", "/x"), "mode, checksum, delete, dry_run, sudo, password, sudo_password_file, timeout, progress"),
        ("get", ("/x",), "mode, checksum, delete, dry_run, sudo, password, sudo_password_file, timeout, progress"),
    ],
)
def test_an_option_that_a_verb_does_not_have(verb: str, arguments: tuple[Any, ...], there: str) -> None:
    for owner in (Host("web1"), Fleet("web1")):
        for name in (verb, f"{verb}_async"):
            with pytest.raises(TypeError, match=rf"^{verb}\(\) has no option 'nonsense': there are {there}"):
                getattr(owner, name)(*arguments, nonsense=1)


def test_the_options_that_are_typed_are_those_that_there_are() -> None:
    assert list(HostOptions.__annotations__) == [field.name for field in dataclasses.fields(Given)]


def test_one_host_has_what_a_fleet_has(server: Sshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "there"

    def appears(repeat: int) -> float:
        there.write_bytes(b"at the second try")
        return 0.0

    with Host("127.0.1.1", **options(server)) as host:
        assert host.run_async("echo hi", output="live").result(60).stdout == "hi\n"
        assert host.sudo("echo as root", output="live").stdout == "as root\n"
        assert capsys.readouterr().out == "[127.0.1.1] hi\n[127.0.1.1] as root\n"
        with pytest.raises(CommandError, match="exit status 3"):
            host.run_async("exit 3", output="live").result(60)
        host.options(retry=Retry(1, backoff=appears)).get(f"{there}", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == b"at the second try"
        with pytest.raises(CallTimeout):
            host.options(timeout=1e-6).get(f"{there}", tmp_path / "back")
        assert host.put_async(b"y", f"{tmp_path}/y", progress="of one host").result(60).bytes == 1
    with Fleet("127.0.1.[1-2]", **options(server)) as fleet:
        fleet.put_async(b"y", f"{tmp_path}/y", progress="of a fleet").result(60)
        fleet.options(progress="of its own").get(f"{there}", tmp_path / "each")
    shown = capsys.readouterr().err.strip()
    assert [line.rpartition("  ")[0].split("%")[0] for line in shown.splitlines() if "%" in line] == [
        "of one host: 1/1  100",
        "of a fleet: 2/2  100",
        "of its own: 34/34  100",
    ]


def test_paths_alone_and_several() -> None:
    host = Host("web1", keys=Path("/k/one"), known_hosts="/k/known", config=(), keepalive=0, jump=["a", "b:22"])
    settings = host.settings
    assert (settings.keys, settings.known_hosts, settings.keepalive) == (("/k/one",), ("/k/known",), 0.0)
    assert [jump.name for jump in settings.jumps] == ["a", "b:22"]
    assert Host("web1", keys=["/k/one", Path("/k/two")], config=()).settings.keys == ("/k/one", "/k/two")


def test_what_comes_back_can_be_pickled(server: Sshd) -> None:
    def again(value: Any) -> Any:
        return pickle.loads(pickle.dumps(value))

    with Fleet("127.0.1.[1-2]", **options(server)) as fleet:
        results = again(fleet.run("echo hi"))
        assert {str(host): result.stdout for host, result in results.items()} == dict.fromkeys(map(str, fleet), "hi\n")
        with pytest.raises(FleetError) as caught:
            fleet.run(FAILS_ON.format(2))
        error = again(caught.value)
        assert str(error) == str(caught.value)
        assert [kind_of(outcome) for outcome in error.results.values()] == ["ok", "exit status 3"]
        assert str(error.failed["127.0.1.2"]) == str(caught.value.failed[fleet[1]])
        with again(fleet[0]) as host:
            assert (host == fleet[0], host.run("echo ho").stdout) == (True, "ho\n")
