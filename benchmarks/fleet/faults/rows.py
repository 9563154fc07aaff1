"""The faults: how each comes about, and what it did."""

from __future__ import annotations

import os
import random
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.fleet.faults import sudoing
from benchmarks.fleet.faults.ground import Ground, Said, becomes, left, other_key, processes

UPLOAD = 300_000_000  # bytes of which some are under way when the connection breaks


class Cell(NamedTuple):
    """What somebody made of a fault.

    Attributes:
        text: what came of it.
        bad: what should not be.
    """

    text: str
    bad: tuple[str, ...] = ()


class Fault(NamedTuple):
    """A row of the table.

    Attributes:
        title: as the table shows it.
        run: brings it about for "ours" or "fabric".
        root: only root can bring it about.
    """

    title: str
    run: Callable[[Ground, str], Cell]
    root: bool = False


def told(said: Said, value: str = "value") -> str:
    return {"": "", "value": value}.get(said.outcome, f"`{said.outcome}`")


def _late(said: Said) -> list[str]:
    return ["waits for ever"] if not said.outcome else []


# ---- whom to believe -------------------------------------------------------------------------------------------------


def changed(ground: Ground, who: str) -> Cell:
    ground.know(other_key(ground.near))
    return _believed(ground, who)


def unknown(ground: Ground, who: str) -> Cell:
    ground.know("")
    return _believed(ground, who)


def _believed(ground: Ground, who: str) -> Cell:
    with ground.actor(who) as actor:
        said = actor.ask("run", "echo in")
    if said.outcome == "value":
        return Cell("", ("believed: the command ran",))
    return Cell(told(said), tuple(_late(said)))


# ---- what is passed on as it is --------------------------------------------------------------------------------------


def environment(ground: Ground, who: str) -> Cell:
    ground.know()
    mark = ground.mark()
    value = f"; 'a\nb' $(touch {mark}) `touch {mark}` \\\\ x"
    with ground.actor(who) as actor:
        said = actor.ask("run", 'printf "%s." "$VALUE"', env={"VALUE": value})
    bad = _late(said)
    if said != ("value", f"{value}."):
        bad.append("another value" if said.outcome == "value" else "the command did not run")
    if mark.exists():
        bad.append("what stood in it ran")
    return Cell(told(said, "as given"), tuple(bad))


def path(ground: Ground, who: str) -> Cell:
    ground.know()
    mark = ground.mark()
    # No slash can stand in a name; and the user's home is where commands begin.
    folder = mark.parent / "a  b $(touch mark) ; 'x'"
    folder.mkdir()
    folder.chmod(0o777)
    source, back = ground.near / "some file", ground.near / "back"
    source.write_text("text")
    back.unlink(missing_ok=True)
    bad = []
    with ground.actor(who) as actor:
        where = actor.ask("run", "pwd", cwd=str(folder))
        there = actor.ask("put", str(source), str(folder / "some file"))
        here = actor.ask("get", str(folder / "some file"), str(back))
    if where != ("value", f"{folder}\n"):
        bad.append(f"as cwd: {told(where, 'another folder')}")
    if there.outcome != "value" or not (folder / "some file").exists():
        bad.append(f"put: {told(there, 'not there')}")
    if here.outcome != "value" or not back.exists():
        bad.append(f"get: {told(here, 'not there')}")
    homes = [Path(f"/home/{ground.user}/mark"), folder / "mark"]
    if any(each.exists() for each in homes):
        bad.append("what stood in it ran")
    return Cell("as given", tuple(bad))


def secret(ground: Ground, who: str) -> Cell:
    ground.know()
    begun, go, value = ground.mark(), ground.mark(), f"hush-{secrets.token_hex(8)}"
    with ground.actor(who) as actor:
        actor.tell("run", f"touch {begun}; while [ ! -e {go} ]; do sleep 0.1; done; echo well", env={"TOKEN": value})
        started = becomes(begun.exists)
        shown = len(processes(value))
        go.touch()
        said = actor.said()
    bad = _late(said)
    if not started or said != ("value", "well\n"):
        bad.append("the command did not run")
    if shown:
        bad.append("for everybody to read")
    return Cell("nowhere to be seen", tuple(bad))


# ---- limits of sshd --------------------------------------------------------------------------------------------------


def startups(ground: Ground, who: str) -> Cell:
    return _counted(ground, who, "connections", 40)


def sessions(ground: Ground, who: str) -> Cell:
    return _counted(ground, who, "sessions", 30)


def _counted(ground: Ground, who: str, verb: str, many: int) -> Cell:
    ground.know()
    with ground.actor(who) as actor:
        said = actor.ask(verb, many)
    if said == ("value", f"{many} well"):
        return Cell("all well")
    return Cell("", (said.text or "waits for ever",))


# ---- what is left running --------------------------------------------------------------------------------------------


def _sleeper(stubborn: bool = False) -> tuple[str, str]:
    """A command that starts another process, and a text that stands in the command lines of both."""
    number = f"1000.{random.randrange(10**9):09}"
    return f"{'trap : HUP TERM; ' * stubborn}sleep {number} & sleep {number}; sleep {number}", number


def _left(found: int) -> list[str]:
    return [f"{found} processes left" if found > 1 else "1 process left"] if found else []


def dropped(ground: Ground, who: str) -> Cell:
    command, number = _sleeper()
    with ground.relay() as relay, ground.actor(who, relay.port) as actor:
        actor.tell("run", command)
        becomes(lambda: len(processes(f"sleep\0{number}")) == 2)
        relay.cut()
        said = actor.said()
        return Cell(told(said, "a value"), (*_late(said), *_left(left(f"sleep\0{number}"))))


def upload(ground: Ground, who: str) -> Cell:
    source, target = ground.near / "large", ground.mark()
    with source.open("wb") as file:
        file.truncate(UPLOAD)
    with ground.relay() as relay, ground.actor(who, relay.port) as actor:
        actor.tell("put", str(source), str(target))
        becomes(lambda: relay.passed > 20_000_000)
        relay.cut()
        said = actor.said()
    source.unlink()
    bad = _late(said)
    if target.exists():
        bad.append(
            f"half a file is seen: {target.stat().st_size:,} bytes" if said.outcome != "value" else "it is there"
        )
    return Cell(told(said, "a value"), tuple(bad))


def killed(ground: Ground, who: str) -> Cell:
    return _ended(ground, who, signal.SIGKILL)


def interrupted(ground: Ground, who: str) -> Cell:
    return _ended(ground, who, signal.SIGINT)


def _ended(ground: Ground, who: str, number: int) -> Cell:
    ground.know()
    command, text = _sleeper(stubborn=number == signal.SIGKILL)
    with ground.actor(who) as actor:
        actor.tell("run", command)
        begun = becomes(lambda: len(processes(f"sleep\0{text}")) == 2)
        actor.signal(number)
        return Cell(
            "0 processes left" if begun else "", tuple(_left(left(f"sleep\0{text}")) if begun else ["never ran"])
        )


def late(ground: Ground, who: str) -> Cell:
    ground.know()
    command, number = _sleeper()
    with ground.actor(who) as actor:
        actor.tell("run", command, timeout=2.0)
        becomes(lambda: len(processes(f"sleep\0{number}")) == 2)
        said = actor.said()
        return Cell(told(said, "a value"), (*_late(said), *_left(left(f"sleep\0{number}"))))


# ---- sudo ------------------------------------------------------------------------------------------------------------


def _sudo(case: sudoing.Case) -> Callable[[Ground, str], Cell]:
    def run(ground: Ground, who: str) -> Cell:
        ground.know()
        said = sudoing.run(ground, who, case)
        bad = _late(said)
        if case.well and said != ("value", "0\n"):
            bad.append(f"fails: {told(said, said.text)}")
        if not case.well and said.outcome == "value":
            bad.append("a value")
        if not case.well and said.outcome and not sudoing.clear(said):
            bad.append(f"not told: `{said.outcome}`")
        return Cell("runs as root" if case.well else told(said), tuple(bad))

    return run


FAULTS = {
    "changed": Fault("the host's key has changed", changed),
    "unknown": Fault("an unknown key, and no terminal to ask at", unknown),
    "env": Fault("a variable's value with `;`, `'`, a newline and `$()`", environment),
    "path": Fault("a path with spaces and `$()`: `cwd`, put, get", path),
    "secret": Fault("a secret in `env`, in the far side's list of processes", secret),
    **{f"sudo-{name}": Fault(f"sudo: {case.title}", _sudo(case), root=True) for name, case in sudoing.CASES.items()},
    "dropped": Fault("the connection breaks during a command; what runs 5 s later", dropped),
    "upload": Fault("the connection breaks during an upload", upload),
    "startups": Fault("40 connections at once to one sshd (MaxStartups 10:30:100)", startups),
    "sessions": Fault("30 commands at once on one connection (MaxSessions 10)", sessions),
    "killed": Fault("SIGKILL of the program; what runs 5 s later, though it ignores SIGHUP and SIGTERM", killed),
    "timeout": Fault("a timeout; what runs 5 s later", late),
    "ctrl-c": Fault("Ctrl-C; what runs 5 s later", interrupted),
}


def possible(name: str) -> bool:
    return not FAULTS[name].root or os.geteuid() == 0
