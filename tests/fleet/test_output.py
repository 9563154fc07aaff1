"""What hosts write, as it is shown: live, grouped, as rows, and summed up."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import ConnectError, ConnectTimeout, NotTouched
from elsewhere.fleet import CommandError, Fleet, FleetError, Host, Result
from elsewhere.fleet.engine import engine
from elsewhere.fleet.output import summary
from elsewhere.fleet.output.base import Output
from elsewhere.fleet.output.courier import MOST, Courier
from elsewhere.fleet.output.grouped import Grouped
from elsewhere.fleet.output.live import Live
from elsewhere.fleet.output.rows import line, row
from tests.fleet.sshd import Sshd
from tests.fleet.test_commands import pid_in
from tests.fleet.test_link import becomes, gone, options


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def told(output: Output, *news: tuple[Any, ...]) -> None:
    """Tell an output what came from hosts, and their outcomes."""
    hosts = list(dict.fromkeys(host for host, *_ in news))
    output.begin(hosts)
    for host, *what in news:
        if len(what) == 2:
            output.came(host, *what)
        else:
            output.ended(host, what[0], 0.5)
    output.flush()
    output.end()


WEB1, WEB2 = Host("web1"), Host("web2")
GOOD = Result("uptime", 0, "", "")


def test_lines_have_their_hosts_name_and_are_never_split() -> None:
    out, err = io.StringIO(), io.StringIO()
    told(
        Live(out, err),
        (WEB1, "stdout", b"first ha"),
        (WEB2, "stdout", b"other\n"),
        (WEB1, "stdout", b"lf\nlast, without an end"),
        (WEB2, "stderr", b"oh \x1b]0;title\x07\xff[red]no[/red]\n"),
        (WEB1, GOOD),
        (WEB2, CommandError(Result("uptime", 3))),
    )
    assert out.getvalue() == "[web2] other\n[web1] first half\n[web1] last, without an end\n"
    assert err.getvalue() == "[web2]! oh \\x1b]0;title\\x07\\xff[red]no[/red]\n[web2]! exit status 3\n"


def test_a_terminal_shows_names_in_colours_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    told(Live(out, out), (WEB1, "stdout", b"\x1b[1mhi\n"))
    assert re.fullmatch(r"\x1b\[\d+m\[web1\]\x1b\[0m \\x1b\[1mhi\n", out.getvalue())
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    told(Live(out, out), (WEB1, "stdout", b"hi\n"))
    assert out.getvalue() == "[web1] hi\n"


def test_a_stream_that_has_not_all_characters() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    told(Live(out, out), (WEB1, "stdout", "café\n".encode()))
    assert out.buffer.getvalue() == b"[web1] caf\\xe9\n"


def test_hosts_with_the_same_output_are_one_group() -> None:
    out = io.StringIO()
    hosts = [Host(f"web{n:02}") for n in range(1, 6)]
    failed = CommandError(Result("cat", 1))
    news: list[tuple[Any, ...]] = [(host, "stdout", b"same\n") for host in reversed(hosts[:4])]
    news += [(hosts[4], "stderr", b"no such\x1b file"), *((host, GOOD) for host in hosts[:4]), (hosts[4], failed)]
    news += [(WEB1, ConnectError("web1: nobody\x1b is there")), (WEB2, NotTouched("web2: later"))]
    told(Grouped(out), *news)
    assert out.getvalue() == (
        "== web[01-04] (4 hosts): ok\nsame\n== web05: exit status 1\n! no such\\x1b file\n"
        "== web1: unreachable\n! web1: nobody\\x1b is there\n== web2: not touched\n"
    )


def test_hosts_of_a_group_stand_in_their_order() -> None:
    out = io.StringIO()
    grouped = Grouped(out)
    grouped.begin([WEB1, Host("db1"), WEB2])
    for host in (Host("db1"), WEB2, WEB1):
        grouped.ended(host, GOOD, 0.5)
    grouped.end()
    assert out.getvalue() == "== web[1-2],db1 (3 hosts): ok\n"


def test_live_output_of_a_fleet(server: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    command = "i=0; while [ $i -lt 200 ]; do echo line $i; echo error $i >&2; i=$((i+1)); done; printf end"
    with Fleet("127.0.1.[1-4]", **options(server)) as fleet:
        results = fleet.run(command, output="live", progress=True)
    out, err = capsys.readouterr()
    for host, result in results.items():
        assert [ln for ln in out.splitlines() if ln.startswith(f"[{host}] ")] == [
            f"[{host}] {text}" for text in result.stdout.splitlines()
        ]
        assert [ln for ln in err.splitlines() if ln.startswith(f"[{host}]! ")] == [
            f"[{host}]! {text}" for text in result.stderr.splitlines()
        ]
    assert (len(out.splitlines()), out.count("] end\n")) == (804, 4)
    assert "run: 4/4  100%" in err


def test_it_is_shown_while_the_command_runs(server: Sshd, tmp_path: Path) -> None:
    class Opens(io.StringIO):
        """Whoever reads the first line lets the command go on."""

        def write(self, text: str) -> int:
            if "first" in text:
                (tmp_path / "seen").touch()
            return super().write(text)

    out = Opens()
    command = f"echo first; while [ ! -e {tmp_path}/seen ]; do sleep 0.02; done; echo second"
    with Fleet("127.0.1.1", **options(server)) as fleet:
        fleet.run(command, output=Live(out, out), timeout=60)
    assert out.getvalue() == "[127.0.1.1] first\n[127.0.1.1] second\n"


def test_grouped_output_of_a_fleet(server: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    with Fleet("127.0.1.[1-3]", **options(server)) as fleet, pytest.raises(FleetError):
        fleet.run("case $SSH_CONNECTION in *1.2' '*) echo odd; exit 9;; esac; echo same", output="grouped")
    assert capsys.readouterr().out == ("== 127.0.1.[1,3] (2 hosts): ok\nsame\n== 127.0.1.2: exit status 9\nodd\n")


def test_nobody_reads_what_is_shown(server: Sshd) -> None:
    read, write = os.pipe()
    os.close(read)
    # Closing it raises, too, as it still holds the line.
    with (
        contextlib.suppress(BrokenPipeError),
        Fleet("127.0.1.1", **options(server)) as fleet,
        open(write, "w") as out,
        pytest.raises(BrokenPipeError),
    ):
        fleet.run("echo hi; exec sleep 1000", output=Live(out, out))


def test_everything_is_told_in_one_thread_and_in_order(server: Sshd) -> None:
    class Everything(Output):
        def __init__(self) -> None:
            self.news: list[tuple[Any, ...]] = []
            self.threads: set[int] = set()

        def _tell(self, *what: Any) -> None:
            self.news.append(what)
            self.threads.add(threading.get_ident())

        def begin(self, hosts: Any) -> None:
            self._tell("begin", *map(str, hosts))

        def came(self, host: Host, stream: str, data: bytes) -> None:
            self._tell("came", str(host), stream, data)

        def ended(self, host: Host, outcome: Any, seconds: float) -> None:
            self._tell("ended", str(host), outcome.returncode, seconds > 0)

        def end(self) -> None:
            self._tell("end")

    output = Everything()
    with Fleet("127.0.1.[1-2]", **options(server)) as fleet:
        assert len(fleet.run_async("echo hi", output=[output, Live(io.StringIO())]).result(60)) == 2
    assert output.news[0] == ("begin", "127.0.1.1", "127.0.1.2")
    assert output.news[-1] == ("end",)
    for host in ("127.0.1.1", "127.0.1.2"):
        own = [news for news in output.news if host in news and news[0] != "begin"]
        assert own == [("came", host, "stdout", b"hi\n"), ("ended", host, 0, True)]
    assert len(output.threads) == 1
    assert threading.get_ident() not in output.threads


class Stands(Output):
    """One that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.stands, self.goes = threading.Event(), threading.Event()
        self.came_bytes = 0

    def came(self, host: Host, stream: str, data: bytes) -> None:
        self.stands.set()
        assert self.goes.wait(60)
        self.came_bytes += len(data)


def test_what_is_not_shown_yet_is_not_piled_up() -> None:
    output = Stands()
    courier = Courier([WEB1], [output])

    async def pours() -> int:
        courier.begin(lambda: None)
        sink, poured = courier.sink(WEB1), 0
        while (room := sink("stdout", b"x" * 100_000)) is None:
            poured += 100_000
        poured += 100_000
        await asyncio.sleep(0)  # as it is
        assert courier._size > MOST > courier._size - 200_000
        output.goes.set()
        await asyncio.wait_for(room, 60)
        await courier.end()
        return poured

    poured = asyncio.run(pours())
    assert MOST - 200_000 < poured == output.came_bytes
    assert courier._size == 0


def test_who_stands_still_is_waited_for_only_so_long_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elsewhere.fleet.output.courier.PATIENCE", 0.1)
    output = Stands()
    courier = Courier([WEB1], [output])

    async def interrupted() -> None:
        courier.begin(lambda: None)
        courier.sink(WEB1)("stdout", b"hi")
        await asyncio.wait_for(courier.end(interrupted=True), 30)

    asyncio.run(interrupted())
    assert output.stands.is_set()
    output.goes.set()
    courier._thread.join(60)


def test_who_interrupts_the_end_is_shown_no_more_but_the_outcomes() -> None:
    class Counts(Stands):
        outcomes = 0

        def ended(self, host: Host, outcome: Any, seconds: float) -> None:
            self.outcomes += 1

    output = Counts()
    courier = Courier([WEB1], [output])

    async def interrupted() -> None:
        courier.begin(lambda: None)
        sink = courier.sink(WEB1)
        sink("stdout", b"one")
        await asyncio.to_thread(output.stands.wait, 60)
        sink("stdout", b"two")
        courier.ended(WEB1, GOOD, 0.5)
        end = asyncio.create_task(courier.end())
        await asyncio.sleep(0)
        end.cancel()
        await asyncio.wait([end])
        output.goes.set()
        await courier.end()

    asyncio.run(interrupted())
    assert (output.came_bytes, output.outcomes) == (3, 1)


def test_ctrl_c_while_nothing_can_be_shown(server: Sshd, tmp_path: Path) -> None:
    output = Stands()

    def interrupt() -> None:
        assert output.stands.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with Fleet("127.0.1.1", **options(server)) as fleet:
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            fleet.run(f"echo $$ > {tmp_path}/pid; echo hi; exec sleep 1000", output=output)
        becomes(lambda: gone(pid_in(tmp_path / "pid")))
    output.goes.set()
    thread.join()
    for each in threading.enumerate():
        if each.name == "elsewhere-output":
            each.join(60)


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_rows() -> None:
    good = Result("x", 0, "out\u2028\udcff", "", host=WEB1, seconds=0.25)
    text = line(row(WEB1, good))
    assert text == (
        b'{"host": "web1", "ok": true, "returncode": 0, "stdout": "out\\u2028\\udcff", "stderr": "", "seconds": 0.25}\n'
    )
    killed = row("web2", CommandError(Result("x", -9, b"o\xff", b"e", host=WEB2, seconds=1, signal="KILL")), 1.5)
    assert killed == {
        "host": "web2", "ok": False, "returncode": -9, "stdout": "o\udcff", "stderr": "e", "signal": "KILL",
        "seconds": 1.5, "kind": "ended by SIGKILL",
        "error": {"type": "CommandError", "message": "web2: 'x' was ended by SIGKILL: e"},
    }  # fmt: skip
    late = row("web3", ConnectTimeout("nobody"), 10)
    assert (late["ok"], late["returncode"], late["kind"]) == (False, None, "not connected in time")
    assert late["error"] == {"type": "ConnectTimeout", "message": "nobody"}
    unchecked = row("web1", Result("x", 4, "", ""))
    assert (unchecked["ok"], unchecked["kind"], "error" in unchecked) == (False, "exit status 4", False)
    for each in (killed, late, unchecked):
        assert json.loads(line(each)) == each
        assert line(each).decode().splitlines() == [line(each).decode()[:-1]]


# ---- the summary -----------------------------------------------------------------------------------------------------


def test_a_summary_of_many_hosts_has_few_lines() -> None:
    results: dict[Any, Any] = {f"web{n:03}": GOOD for n in range(900)}
    results |= {f"db{n}": ConnectError("gone") for n in range(3)} | {"x1": NotTouched("later")}
    out = io.StringIO()
    summary.show(results, {"web000": 0.1, "web001": 2.04, "db0": 3.0}, out, took=4.2)
    lines = [re.split(r" {2,}", text.strip()) for text in out.getvalue().splitlines()]
    assert lines == [
        ["hosts", "outcome", "seconds", "which"],
        ["900", "ok", "0.1–2.0", "web[000-899]"],
        ["3", "unreachable", "3.0", "db[0-2]"],
        ["1", "not touched", "x1"],
        ["900 of 904 hosts ok in 4.2 s"],
    ]


def test_a_summary_collects_what_it_is_told() -> None:
    output = summary.Summary()
    told(output, (WEB1, GOOD), (WEB2, ConnectError("gone")))
    assert list(output.outcomes) == [WEB1, WEB2]
    assert output.seconds == {WEB1: 0.5, WEB2: 0.5}


def test_a_bar_is_closed_though_the_work_never_began() -> None:
    class Told(Output):
        abandoned = threading.Event()

        def abandon(self) -> None:
            self.abandoned.set()

    async def never() -> None:
        await asyncio.sleep(1000)

    held = threading.Event()
    engine().loop.call_soon_threadsafe(held.wait)  # so that nothing begins
    future = Fleet("web1", config=())._begin("x", lambda host, sink: never(), return_exceptions=True, output=Told())
    assert future.cancel()
    held.set()
    assert Told.abandoned.wait(60)
