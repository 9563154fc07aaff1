"""The faults: what the guilty one of a cell's calls does to its worker, its result, its fork server or its caller.

Rule: module-level and picklable by reference, since every library's workers import it.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.faults import faults as acts

CALLS = 20
GUILTY = 7
BESIDE = (6, 8)  # these last so long that one of them runs beside the guilty call
BESIDE_SECONDS = 0.05
TIMEOUT = 1.0  # seconds, of the calls that are given one
LARGE = 100_000_000  # bytes of a large reply
PATIENCE = 2.0  # seconds until the large reply is taken to be on its way, whatever it looks like


class Fault(NamedTuple):
    """A row of the table.

    Attributes:
        title: as the table shows it.
        strike: what the guilty call does and returns; None where no call is guilty.
        timeout: seconds each call is given; None for no limit.
        at_start: which initializers die: "always", "once", or "" for none.
        kills_caller: the runner kills the caller once the guilty call has begun.
    """

    title: str
    strike: Callable[[Call], Any] | None = None
    timeout: float | None = None
    at_start: str = ""
    kills_caller: bool = False


class Call:
    """The function of a cell's calls: quick for every input but the guilty one.

    Args:
        fault: a key of `FAULTS`.
        post: path of the FIFO that the runner reads.
        caller: process id of the program that makes the calls.
    """

    def __init__(self, fault: str, post: str, caller: int) -> None:
        self.fault = fault
        self.post = post
        self.caller = caller

    def __call__(self, index: int) -> Any:
        strike = FAULTS[self.fault].strike
        if index == GUILTY and strike is not None:
            self.say_when()
            return strike(self)
        if index in BESIDE:
            time.sleep(BESIDE_SECONDS)
        return index

    def say_when(self) -> None:
        """Tell the runner that it happens now."""
        say(self.post, struck=time.monotonic())


def say(post: str, **line: Any) -> None:
    """Write a line for the runner, short enough to arrive whole."""
    acts.say(post, json.dumps(line))


def short_work(value: int) -> int:
    """A call of chaos: lasts from nothing to 4 ms, by its input."""
    time.sleep(value * 7919 % 41 / 10_000)
    return value * value


def die_in_initializer(post: str, once: str | None) -> None:
    """Kill this worker before it is ready: each one, or only the first that comes."""
    if acts.is_first(once):
        say(post, struck=time.monotonic())
        acts.die()


# ---- what guilty calls do --------------------------------------------------------------------------------------------


def sigkill(call: Call) -> Any:
    return acts.die()


def sigsegv(call: Call) -> Any:
    return acts.SegfaultAt(GUILTY)(GUILTY)


def os_exit(call: Call) -> Any:
    return acts.ExitAt(GUILTY)(GUILTY)


def die_mid_reply(call: Call) -> Any:
    """Reply 100 MB to a caller that does not read, and be killed while that is on its way."""
    killer = subprocess.Popen(
        [sys.executable, "-m", __name__, str(os.getpid()), str(call.caller), call.post],
        stdout=subprocess.PIPE,
    )
    assert killer.stdout is not None
    killer.stdout.read(1)  # the caller is stopped now
    return b"x" * LARGE


def kill_mid_reply(worker: int, caller: int, post: str) -> None:
    """The killer's program: a pipe to a stopped reader fills up, so the worker comes to wait in the middle."""
    fd = os.pidfd_open(worker)
    tick = select.poll()
    os.kill(caller, signal.SIGSTOP)
    try:
        print("!", end="", flush=True)
        deadline = time.monotonic() + PATIENCE
        asleep = 0
        while asleep < 5 and time.monotonic() < deadline:
            tick.poll(10)
            asleep = asleep + 1 if _holds_reply_and_sleeps(worker) else 0
        say(post, struck=time.monotonic())
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        os.kill(caller, signal.SIGCONT)


def _holds_reply_and_sleeps(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    state, resident = fields[0], int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return state == "S" and resident > LARGE


def raise_unpicklable(call: Call) -> Any:
    return acts.raise_unpicklable()


def raise_unloadable(call: Call) -> Any:
    return acts.raise_one_that_fails_to_unpickle()


def return_unpicklable(call: Call) -> Any:
    return acts.unpicklable_result()


def endless(call: Call) -> Any:
    """Stuck in C, where no exception of a signal handler can be raised."""
    deque(itertools.repeat(0), maxlen=0)


def stop(call: Call) -> Any:
    os.kill(os.getpid(), signal.SIGSTOP)
    return GUILTY


def kill_server(call: Call) -> Any:
    """Kill the fork server, which is the parent of each worker, and return when it is gone."""
    server = os.getppid()
    if server == call.caller:
        raise RuntimeError("this library has no fork server")
    fd = os.pidfd_open(server)
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    select.select([fd], [], [])
    return GUILTY


def wait_for_ever(call: Call) -> Any:
    threading.Event().wait()


FAULTS = {
    "sigkill": Fault("SIGKILL", sigkill),
    "sigsegv": Fault("SIGSEGV", sigsegv),
    "os_exit": Fault("`os._exit(3)`", os_exit),
    "init_always": Fault("killed in the initializer, always", at_start="always"),
    "init_once": Fault("killed in the initializer, once", at_start="once"),
    "mid_reply": Fault("killed mid-reply of 100 MB", die_mid_reply),
    "raise_unpicklable": Fault("exception that won't pickle", raise_unpicklable),
    "raise_unloadable": Fault("exception that won't unpickle", raise_unloadable),
    "return_unpicklable": Fault("result that won't pickle", return_unpicklable),
    "endless": Fault("endless call, timeout 1 s", endless, timeout=TIMEOUT),
    "sigstop": Fault("SIGSTOP, timeout 1 s", stop, timeout=TIMEOUT),
    "server": Fault("fork server killed", kill_server),
    "caller": Fault("parent SIGKILL", wait_for_ever, kills_caller=True),
}

if __name__ == "__main__":
    kill_mid_reply(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
