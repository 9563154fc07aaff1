"""The bar on everything it draws on: numbers, a file, a real terminal (a pty) and a real Jupyter kernel.

`Terminal` is the far end of a pty with a small emulator, so that a test sees what a reader would see: lines.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import pytest

from elsewhere.progress import Progress, Snapshot, aside, compose_line, duration, pace, views
from elsewhere.progress.bar import Speed, Throttle
from tests.require import require

PATIENCE = 20.0  # seconds until something that must happen has not happened


def shot(
    done: int, total: int | None, failed: int = 0, *, after: float = 3.0, rate: float = 400.0, ended: bool = False
):
    return Snapshot("score", done, total, failed, after, rate, ended)


class Clock:
    """Time that a test turns by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class TornPipe(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class Terminal:
    """Both ends of a pty: `stream` to draw on, `lines()` for what a reader of the screen and its scrollback sees."""

    def __init__(self, columns: int = 80) -> None:
        self.columns = columns
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.raw = ""
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(OSError):  # EIO: the last writer has closed
            while chunk := os.read(self.master, 65536):
                data += chunk
                with self._more:
                    self.raw = data.decode("utf-8", "ignore")
                    self._more.notify_all()

    def second_stream(self) -> TextIO:
        return os.fdopen(os.dup(self.stream.fileno()), "w", encoding="utf-8")

    def wait_for(self, seen: Callable[[str], object]) -> None:
        with self._more:
            assert self._more.wait_for(lambda: seen(self.raw), PATIENCE), self.raw

    def close(self) -> None:
        if not self.stream.closed:
            self.stream.close()
        self._reader.join(PATIENCE)
        os.close(self.master)

    def lines(self) -> list[str]:
        """Read everything (no more can be written after this) and give the screen, top to bottom."""
        self.stream.close()
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive()
        rows, x = [""], 0
        for code, char in re.findall(r"(\x1b\[[?0-9;]*[A-Za-z])|(.)", self.raw, re.DOTALL):
            if code == "\x1b[2K":
                rows[-1] = ""
            elif code:
                assert code[-1] in "mhl", f"{code!r} is nothing that one line needs"
            elif char == "\n":
                rows.append("")
            elif char == "\r":
                x = 0
            else:
                if x == self.columns:
                    rows, x = [*rows, ""], 0
                rows[-1] = rows[-1].ljust(x)[:x] + char + rows[-1][x + 1 :]
                x += 1
        return [row.rstrip() for row in rows]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (shot(1200, 20000, 3), "score: 1,200/20,000  6%  400/s  eta 0:47  3 failed"),
        (shot(19999, 20000), "score: 19,999/20,000  99%  400/s  eta 0:00"),
        (shot(20000, 20000, ended=True), "score: 20,000/20,000  100%  400/s  in 3.0 s"),
        (shot(7, 20, 1, after=61.2, rate=0.11, ended=True), "score: 7/20  35%  6.6/min  in 1:01  1 failed"),
        (shot(0, 20, rate=0), "score: 0/20  0%"),
        (shot(0, 0, rate=0), "score: 0/0  100%"),
        (shot(1200, None), "score: 1,200  400/s  after 0:03"),
        (shot(1200, None, ended=True), "score: 1,200  400/s  in 3.0 s"),
    ],
)
def test_line(given: Snapshot, line: str) -> None:
    assert compose_line(given) == line


def test_line_with_the_time_so_far_and_without_a_label() -> None:
    assert compose_line(Snapshot("", 5, 10, 0, 65.0, 1.0), elapsed=True) == "5/10  50%  1.0/s  after 1:05  eta 0:05"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (725, "12:05"), (3600, "1:00:00"), (172_800, "2d 00h"), (-1, "0:00")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(612_345.6, "612,346/s"), (9.96, "10/s"), (4.21, "4.2/s"), (0.2, "12/min"), (0.001, "3.6/h")],
)
def test_pace(rate: float, text: str) -> None:
    assert pace(rate) == text


def test_speed_is_that_of_the_last_half_minute() -> None:
    speed = Speed(0.0)
    rates = [speed.rate(min(now, 60) * 10, float(now)) for now in range(1, 121)]
    assert rates[:60] == pytest.approx([10.0] * 60)  # steady
    assert 0 < rates[75] < 6  # stalled at 60: it falls
    assert rates[-1] == 0.0
    assert len(speed._marks) <= 12


def test_throttle_lets_one_draw_and_then_waits() -> None:
    clock = Clock()
    throttle = Throttle(2.0, 5.0, clock)
    assert not throttle.due()
    clock.now += 2
    assert [throttle.due(), throttle.due()] == [True, False]
    clock.now += 60  # that one still draws: the stream is slow
    assert not throttle.due()
    throttle.rearm()
    clock.now += 4.9
    assert not throttle.due()
    clock.now += 0.2
    assert throttle.due()


def test_last_line_is_written_at_close_once(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        with Progress(20, "two\nlines", stream=file) as bar:
            bar.advance(10)
            bar.set_total(10)
        bar.close()
        bar.advance(5)
    log = (tmp_path / "log").read_text()
    assert re.fullmatch(r"two lines: 10/10  100%  [0-9,]+/s  in 0\.\d s\n", log)


def test_lines_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "FIRST_LINE", 0.0)
    monkeypatch.setattr(views, "NEXT_LINE", 0.0)
    stream = io.StringIO()
    with Progress(3, "score", stream=stream) as bar:
        for failed in (0, 1, 0):
            bar.advance(1, failed)
    counts = [line.split("  ")[0] for line in stream.getvalue().splitlines()]
    assert counts == ["score: 1/3", "score: 2/3", "score: 3/3", "score: 3/3"]
    assert stream.getvalue().endswith("  1 failed\n")
    assert repr(bar).startswith("<Progress score: 3/3  100%  ")


def test_default_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(1).close()
    assert capsys.readouterr() == ("", "0/1  0%  in 0.0 s\n")


def test_no_advance_is_lost_between_threads() -> None:
    bar = Progress(None, stream=io.StringIO())
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(bar.advance, [3] * 40_000, [1] * 40_000))
    last = bar._snapshot()
    assert (last.done, last.failed) == (120_000, 40_000)


@pytest.mark.parametrize("broken", ["torn", "closed"])
def test_a_stream_that_breaks_breaks_nothing_else(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "FIRST_LINE", 0.0)
    stream: TextIO = TornPipe()
    if broken == "closed":
        stream.close()
    with Progress(2, stream=stream) as bar:
        bar.advance()
        bar.advance()
    assert bar._snapshot().done == 2


def test_what_it_imports() -> None:
    heavy = {
        "rich",
        "ipywidgets",
        "IPython",
        "asyncio",
        "multiprocessing",
        "concurrent.futures",
        "logging",
        "socket",
    }
    code = f"import sys, elsewhere.progress; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == "set()\n"


def test_final_state_and_nothing_left(terminal: Terminal) -> None:
    stdout, stderr = sys.stdout, sys.stderr
    with Progress(20, "score", stream=terminal.stream) as bar:
        bar.advance(20, 2)
    assert not [thread for thread in threading.enumerate() if thread.name == "elsewhere-progress"]
    assert (sys.stdout, sys.stderr) == (stdout, stderr)
    [line, after] = terminal.lines()
    assert re.fullmatch(r"score ━{10,40} 20/20  100%  [\d,]+/s  in 0\.\d s  2 failed", line)
    assert after == ""
    assert re.findall(r"\x1b\[\?25[hl]", terminal.raw)[-1] == "\x1b[?25h"  # the cursor is shown


def test_cursor_is_shown_while_it_lives_and_time_goes_on_without_advance(terminal: Terminal) -> None:
    with Progress(20, stream=terminal.stream):
        terminal.wait_for(lambda raw: "after 0:01" in raw)
        assert re.findall(r"\x1b\[\?25[hl]", terminal.raw)[-1] == "\x1b[?25h"


def test_it_stands_aside_while_somebody_is_asked(terminal: Terminal) -> None:
    with Progress(2, "score", stream=terminal.stream) as bar:
        terminal.wait_for(lambda raw: "score" in raw)
        with aside():
            terminal.stream.write("Password: ")
            terminal.stream.flush()
            bar._view.draw()  # type: ignore[attr-defined]  # what its thread does ten times a second
            terminal.stream.write("(typed)\n")
            terminal.stream.flush()
        terminal.wait_for(lambda raw: "score" in raw.partition("(typed)")[2])
        bar.advance(2)
    asked, after, _ = terminal.lines()
    assert asked == "Password: (typed)"
    assert after.startswith("score ━")


def test_prints_go_above_it_unchanged(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal.second_stream() as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        print("before")
        with Progress(None, "score", stream=terminal.stream) as bar:
            print("one", 2, [3])
            print("a long line " * 10 + "[/] 1.5 \x1b[1mbold\x1b[0m")
            terminal.wait_for(lambda raw: raw.count("after") > 3)
            print("begun, ", end="")
            bar.advance(5)
            print("ended")
            print("name?", end="", flush=True)
            print("not ended", end="")
        assert sys.stdout is stdout
        print(" until now")
        monkeypatch.undo()
    long = "a long line " * 10 + "[/] 1.5 bold"
    lines = [line for line in terminal.lines() if not line.startswith("score ")]
    assert lines == [
        "before",
        "one 2 [3]",
        long[:80].rstrip(),
        long[80:],
        "begun, ended",
        "name?",
        "not ended until now",
        "",
    ]
    assert sum("score" in row for row in terminal.lines()) == 1


def test_rows_for_a_file_go_to_the_file(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "rows").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with Progress(1, stream=terminal.stream):
            print("a row")
            assert sys.stdout is file
        monkeypatch.undo()
    assert (tmp_path / "rows").read_text() == "a row\n"
    assert "a row" not in terminal.raw


def test_a_second_bar_writes_lines_above_the_first(terminal: Terminal) -> None:
    with Progress(2, "first", stream=terminal.stream) as first:
        with Progress(3, "second", stream=terminal.stream) as second:
            second.advance(3)
        first.advance(2)
    above, bar, after = terminal.lines()
    assert above.startswith("second: 3/3  100%")
    assert re.match("first ━+ 2/2  100%", bar)
    assert after == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_exception_leaves_it_tidy(terminal: Terminal, error: type[BaseException]) -> None:
    with pytest.raises(error), Progress(2, "score", stream=terminal.stream) as bar:
        bar.advance()
        raise error
    line, after = terminal.lines()
    assert (line.startswith("score ━"), "1/2  50%" in line, after) == (True, True, "")


@pytest.mark.parametrize("columns", [10, 20, 40])
def test_one_line_however_narrow(columns: int, terminal: Terminal) -> None:
    narrow = Terminal(columns)
    try:
        with Progress(2000, "a name of some length", stream=narrow.stream) as bar:
            bar.advance(1000, 1000)
        assert len(narrow.lines()) == 2
    finally:
        narrow.close()


def test_dumb_terminal_gets_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with Progress(2, "score", stream=terminal.stream) as bar:
        bar.advance(2)
    assert terminal.lines()[0].startswith("score: 2/2  100%")
    assert "\x1b" not in terminal.raw


def test_no_color(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Progress(4, "score", stream=terminal.stream) as bar:
        bar.advance(1, 1)
    assert terminal.lines()[0].startswith("score ━")
    assert not re.search(r"\x1b\[[\d;]*[3-49]\d", terminal.raw)


def test_a_terminal_that_goes_away_breaks_nothing(terminal: Terminal) -> None:
    master, slave = os.openpty()
    stream = os.fdopen(slave, "w")
    with Progress(2, stream=stream) as bar:
        os.close(master)  # writing to the other end is EIO from here on
        bar.advance()
    assert bar._snapshot().done == 1
    with contextlib.suppress(OSError):
        stream.close()


def run_on_a_terminal(terminal: Terminal, code: str) -> subprocess.Popen[bytes]:
    """Run a program as a shell would: the pty is its stdin, stdout, stderr and controlling terminal."""
    preamble = "import fcntl, os, sys, termios, time; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    preamble += "from elsewhere.progress import Progress\n"
    on = terminal.stream
    return subprocess.Popen(
        [sys.executable, "-c", preamble + code], stdin=on, stdout=on, stderr=on, start_new_session=True
    )


def test_ctrl_c(terminal: Terminal) -> None:
    code = "with Progress(9, 'score') as bar:\n  bar.advance()\n  print('ready')\n  time.sleep(60)"
    with run_on_a_terminal(terminal, code) as program:
        # A second frame is drawn once the line is out, and its writer asleep: within the print it would be shown twice.
        terminal.wait_for(lambda raw: raw.partition("ready")[2].count("score") >= 2)
        os.write(terminal.master, b"\x03")
        program.wait(PATIENCE)
    lines = terminal.lines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Traceback"))
    assert lines[0] == "ready"
    assert at <= 3  # a frame as wide as the terminal is pushed up by the ^C that is echoed behind it
    assert re.match("(\\^C)?score ━.*1/9  11%.*in [0-9.]+ s$", lines[at - 1])
    assert lines[-2:] == ["KeyboardInterrupt", ""]


def test_a_bar_that_nobody_closed(terminal: Terminal) -> None:
    with run_on_a_terminal(terminal, "bar = Progress(9, 'score'); bar.advance(3)") as program:
        assert program.wait(PATIENCE) == 0
    line, after = terminal.lines()
    assert (line.startswith("score ━"), "3/9  33%" in line, after) == (True, True, "")


def test_a_forked_child_prints_once_and_draws_nothing(terminal: Terminal) -> None:
    code = "bar = Progress(9, 'score')\nif os.fork():\n  os.wait()\nelse:\n  print(' in the child')\n"
    with run_on_a_terminal(terminal, "import warnings; warnings.simplefilter('ignore')\n" + code) as program:
        assert program.wait(PATIENCE) == 0
    assert terminal.raw.count("in the child") == 1
    assert len(terminal.lines()) == 3  # what the child printed, the bar, the end


BLOCKER = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ipywidgets":
            raise ImportError("there is no ipywidgets")
sys.meta_path.insert(0, Missing())
"""
OLDER_CELL = """
import threading
from elsewhere.progress import Progress
turn, over = threading.Event(), threading.Event()
def advance():
    turn.wait(60)
    bar.advance(9, 1)
    over.set()
threading.Thread(target=advance, daemon=True).start()
"""
CELL = """
with Progress(9, "score") as bar:
    turn.set()
    over.wait(60)
"""
Run = Callable[[str], list[tuple[str, dict]]]  # of a cell's code, to the messages it makes
INSTALL = "pip install ipykernel jupyter_client ipywidgets"


@pytest.fixture
def run() -> Iterator[Run]:
    require(module="ipykernel", install=INSTALL)
    manager = require(module="jupyter_client.manager", install=INSTALL)
    kernel, client = manager.start_new_kernel(kernel_name="python3")

    def run(code: str) -> list[tuple[str, dict]]:
        found: list[tuple[str, dict]] = []
        asked = client.execute(code)
        deadline = time.monotonic() + PATIENCE
        while True:
            message = client.get_iopub_msg(timeout=max(0.0, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != asked:
                assert message["msg_type"] != "stream", "output went to another cell"
                continue
            assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
            if message["content"].get("execution_state") == "idle":
                return found
            found.append((message["msg_type"], message["content"]))

    yield run
    client.stop_channels()
    kernel.shutdown_kernel(now=True)
    kernel.cleanup_resources()
    client.context.term()
    require(module="jupyter_core.utils", install=INSTALL).ensure_event_loop().close()


def test_one_rewritten_line_without_ipywidgets(run: Run) -> None:
    run(BLOCKER + OLDER_CELL)
    text = "".join(content["text"] for kind, content in run(CELL) if kind == "stream")
    assert (text.count("\n"), text[0], text[-1]) == (1, "\r", "\n")
    assert re.fullmatch(r"score: 9/9  100%  [\d,.]+/s  in 0\.\d s  1 failed *", text.split("\r")[-1].rstrip("\n"))


def test_a_widget(run: Run) -> None:
    require(module="ipywidgets", install=INSTALL)
    run(OLDER_CELL)
    messages = run(CELL)
    assert "stream" not in {kind for kind, _ in messages}
    shown = [content["data"] for kind, content in messages if kind == "display_data"]
    assert ["application/vnd.jupyter.widget-view+json" in data for data in shown] == [True]
    models: dict[str, dict] = {}  # as a browser knows them
    for kind, content in messages:
        if kind in {"comm_open", "comm_msg"}:
            models.setdefault(content["comm_id"], {}).update(content["data"].get("state", {}))
    [bar] = [state for state in models.values() if state.get("_model_name") == "IntProgressModel"]
    [text] = [state["value"] for state in models.values() if state.get("_model_name") == "LabelModel"]
    assert (bar["value"], bar["max"], bar["bar_style"]) == (9, 9, "danger")
    assert text.startswith("9/9  100%")
