"""Who does what a page says: files, terminals, programs; the rules are in `blocks.py`."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.docs import comparing
from tests.docs.blocks import ROOT, Block, PageError, is_of_the_repository
from tests.docs.running import Program
from tests.ports import free_port

HOME = "/home/you"
PORT = re.compile(r"(?:\blocalhost|\b127\.0\.0\.1|\b0\.0\.0\.0|\[::1\]):(\d{4,5})\b")
INSTALLS = re.compile(r"^(?:uv )?(?:python -m )?pip install ")
PATIENCE = 100.0  # seconds for a command, or until a program has said what the page says
ENDING = 20.0  # seconds that a program may take to end by Ctrl-C
SHELL = """\
shopt -s expand_aliases
. {state}
left() {{
    code=$?
    {{ export -p; alias -p; printf 'cd %q\\n' "$PWD"; }} > {state}
    exit $code
}}
trap left EXIT
"""


@dataclass
class Step:
    """Something that is typed, and what is to be seen then."""

    words: str  # a command, or ^C
    expected: str = ""


@dataclass
class Reader:
    """Somebody with an empty home. Leaving the `with` block ends what still runs, the last begun first."""

    folder: Path
    texts: Sequence[str]
    home: Path | None
    desk: Path | None
    instead: Mapping[str, str]
    terminals: dict[str, Program] = field(default_factory=dict)  # what runs, by the title of its blocks
    shown: dict[str, str] = field(default_factory=dict)  # what it has printed before a ^C

    def __post_init__(self) -> None:
        self.you, tools, self.states = self.folder / "you", self.folder / "tools", self.folder / "terminals"
        for made in (self.you, tools, self.states):
            made.mkdir()
        if self.desk is not None:
            shutil.copytree(self.desk, self.you, copy_function=os.link, dirs_exist_ok=True)
        if self.home is not None:
            shutil.copytree(self.home / ".ssh", self.you / ".ssh")
        _tools(tools)
        self.temporary = tempfile.mkdtemp(prefix="reader-")  # short, as names of sockets have to be
        ports = sorted({port for text in self.texts for port in PORT.findall(text)})
        free: dict[str, str] = {}
        while len(free) < len(ports):
            port = str(free_port())
            if port not in free.values():
                free[ports[len(free)]] = port
        self.there = {HOME: str(self.you), **self.instead}
        self.ports = free
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in {"SSH_AUTH_SOCK", "CI", "NO_COLOR"}},
            "HOME": str(self.you),
            "PATH": f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": self.temporary,
            "COLUMNS": "80",
            "LC_ALL": "C.UTF-8",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self.terminals.values()):
            with contextlib.suppress(PageError):
                program.interrupt(ENDING)
            program.kill()
        shutil.rmtree(self.temporary)

    def write(self, block: Block) -> None:
        """A file."""
        file = self.you / block.title
        if not file.resolve().is_relative_to(self.you.resolve()):
            raise PageError(f"{block.place}: {block.title} is not in the reader's folder")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # it may be a link into a desk
        file.write_text(self._here(block.text))
        if is_of_the_repository(block):
            file.chmod((ROOT / block.title).stat().st_mode)

    def run(self, block: Block, expected: str | None) -> None:
        """A program without a name."""
        file = self.you / "program.py"
        if file.exists():
            raise PageError(f"{block.place}: program.py is what programs without a title are called here")
        file.write_text(self._here(block.text))
        try:
            program = Program([sys.executable, str(file)], self.you, self.environment, block.place, self._told)
            code = program.finish(PATIENCE)
        finally:
            file.unlink()
        printed = program.printed
        if code:
            raise PageError(f"{block.place}: the program ends with {code}, and prints:\n{_indented(printed)}")
        if expected is not None and not comparing.matches(expected, printed):
            raise PageError(f"{block.place}: another text is printed:\n{comparing.difference(expected, printed)}")

    def type(self, block: Block) -> None:
        """What stands in a block of a terminal."""
        steps = _steps(block)
        for number, step in enumerate(steps):
            last = step is steps[-1]
            goes_on = not last and steps[number + 1].words == "^C"
            if step.words == "^C":
                self._interrupt(block, step)
            elif INSTALLS.match(step.words):
                _installs_us(block, step.words)
            else:
                self._command(block, step, stays=goes_on or (last and bool(block.title)))

    def _command(self, block: Block, step: Step, stays: bool) -> None:
        if block.title in self.terminals:
            raise PageError(f"{block.place}: in {block.title or 'this terminal'} a program runs; end it with ^C")
        state = self.states / (block.title or "terminal")
        state.touch()
        text = SHELL.format(state=shlex.quote(str(state))) + self._here(step.words) + "\n"
        where = f"{block.place}: $ {step.words}"
        program = Program(["bash", "-c", text], self.you, self.environment, where, self._told)
        if stays:
            self.terminals[block.title] = program
            self.shown[block.title] = step.expected
            program.until(lambda printed: comparing.begins(step.expected, printed), PATIENCE, step.expected)
            return
        code = program.finish(PATIENCE)
        self._compare(where, step, program.printed, code)

    def _interrupt(self, block: Block, step: Step) -> None:
        program = self.terminals.pop(block.title, None)
        if program is None:
            raise PageError(f"{block.place}: ^C, and nothing runs in that terminal")
        try:
            program.interrupt(ENDING)
        finally:
            program.kill()
        all_of_it = Step(step.words, self.shown[block.title] + step.expected)
        self._compare(f"{block.place}: ^C", all_of_it, program.printed, 0)

    def _compare(self, where: str, step: Step, printed: str, code: int) -> None:
        if not comparing.matches(step.expected, printed):
            raise PageError(f"{where}\nexit code {code}, and\n{comparing.difference(step.expected, printed)}")
        if code and not comparing.tells_the_end(step.expected, printed):
            raise PageError(f"{where}\nfails with {code}, and the page does not show how:\n{_indented(printed)}")

    def _here(self, text: str) -> str:
        """The page's text, with what its names are here."""
        for theirs, ours in self.there.items():
            text = text.replace(theirs, ours)
        return _ports(text, self.ports)

    def _told(self, text: str) -> str:
        """What was printed here, with the page's names."""
        for theirs, ours in self.there.items():
            text = text.replace(ours, theirs)
        return _ports(text, {ours: theirs for theirs, ours in self.ports.items()})


def _ports(text: str, ports: Mapping[str, str]) -> str:
    return re.sub(r"\b\d{4,5}\b", lambda found: ports.get(found[0], found[0]), text)


def _tools(folder: Path) -> None:
    """What `pip install elsewhere` puts on somebody's PATH."""
    for name, text in {
        "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
        "elsewhere": f"#!{sys.executable}\nimport sys\nfrom elsewhere.cli import main\nsys.exit(main())\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _steps(block: Block) -> list[Step]:
    if block.language == "sh":
        lines = block.text.replace("\\\n", " ").splitlines()
        return [Step(line, "...") for line in lines if line.strip() and not line.startswith("#")]
    steps: list[Step] = []
    goes_on = False
    for line in block.text.splitlines():
        if goes_on:
            steps[-1].words = steps[-1].words[:-1] + line.removeprefix("> ").lstrip()
        elif line.startswith("$ "):
            steps.append(Step(line[2:]))
        elif line == "^C":
            steps.append(Step(line))
        elif steps:
            steps[-1].expected += line + "\n"
        else:
            raise PageError(f"{block.place}: before the first `$ ` stands {line!r}")
        goes_on = bool(steps) and not steps[-1].expected and steps[-1].words.endswith("\\")
    if not steps:
        raise PageError(f"{block.place}: nothing is typed; write `$ ` before a command")
    return steps


def _installs_us(block: Block, words: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in INSTALLS.sub("", words).split(" #")[0].split():
        found = re.fullmatch(r"elsewhere(?:\[([\w,]+)\])?", name.strip("'\""))
        if found is None or set((found[1] or "all").split(",")) - set(project["optional-dependencies"]):
            raise PageError(f"{block.place}: pip cannot install {name}")


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
