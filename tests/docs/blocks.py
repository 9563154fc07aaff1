"""What a page shows, done as a reader would do it. These are the rules for who writes one.

A page is read from top to bottom by somebody with an empty home, `/home/you`, who works there: files stay, so does a
`cd`.

- ```` ```python title="name.py" ```` is a file: the reader writes it down. So is any block with a title, whatever its
  language, unless it is `console`. A title that begins with `examples/` is a file of this repository, and the block is
  held equal to it; `python -m tests.docs.blocks --write PAGE` brings such blocks up to date.
- ```` ```console ```` is a terminal. What stands behind `$ ` is run by bash (a line that ends in a backslash goes on in
  the next), and what stands below has to be what it prints, stdout and stderr as they come. A command that fails is an
  error of the page, unless the last line that it printed stands there.
- A line `^C` is Ctrl-C: what ran ends by it, and what stands below is what it has printed since.
- ```` ```console title="Terminal 1" ```` is a terminal of its own, in which the last command goes on running when all
  that stands below it has been printed: so a server has to say that it is ready. It ends by a `^C` in a later block of
  that terminal, or by the end of the page.
- ```` ```sh ```` are commands, one a line, that have to end well, whatever they print.
- ```` ```python ```` without a title is a program: it is run by itself, in an interpreter of its own, and has to end
  well. If the next block is ```` ```text ````, that is what it prints.
- `pip install` and `uv pip install` are not run: what they install has to be us, with extras that there are.
- Blocks of other languages are there to be read. One that should be run and cannot be has a comment on the line before
  it that says why: `<!-- not run: it needs a Kubernetes -->`.

What is printed is compared so:

- `...` stands for anything within its line; on a line of its own, for any number of lines.
- Times and speeds differ from machine to machine: where the page has a number with `s`, `ms`, `µs`, `seconds`, `/s`,
  `times`, `%` or `x` behind it, any number will do; likewise behind `worker` or `pid`, and
  for what bash's `time` says.
- Of a progress bar only the last line counts.
- Lines that begin with a host, as `[web1] `, may come in any order of the hosts.
- Spaces at the end of a line do not count.

A port behind `localhost:`, `127.0.0.1:` or `0.0.0.0:` on the page is another, free one while the tests run, in all
blocks the same; what is printed has the page's again. So a page may simply say 6789.

`python -m tests.docs.blocks PAGE...` does what pages say, and tells what is wrong. Hosts of a page are in `hosts.py`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"(?:^<!-- (?P<why>not run:[^\n]*?) *-->\n)?^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
INDENTED = re.compile(r"^[ >]+```(?:python|console)", re.MULTILINE)
TITLE = re.compile(r'\btitle="([^"]*)"')
RUN_ELSEWISE = {"bash", "shell", "pycon", "py", "python3"}


class PageError(AssertionError):
    """A page says something that is not so."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: the file.
        line: of the page, at which the fence is.
        language: `python`, `console` and so on; empty without one.
        title: of the block; empty without one.
        text: what stands in it, with its last newline.
        why_not: why it is not run; empty if it is.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str
    why_not: str

    @property
    def place(self) -> str:
        """Where it stands, for a message."""
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f"{page}:{self.line}"

    @property
    def is_file(self) -> bool:
        return bool(self.title) and self.language != "console"


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in their order."""
    text = page.read_text()
    if found := INDENTED.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise PageError(
            f"{page}:{line}: a block that is indented is not seen by the tests; begin it in the first column"
        )
    return list(_blocks(page, text))


def _blocks(page: Path, text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        info = found["info"].strip()
        title = TITLE.search(info)
        why = (found["why"] or "").removeprefix("not run:").strip()
        block = Block(
            page=page,
            line=text.count("\n", 0, found.start("info")) + 1,
            language=info.split()[0].lower() if info and not info.startswith("title=") else "",
            title=title[1] if title else "",
            text=found["text"],
            why_not=why,
        )
        if found["why"] and len(why) < 10:
            raise PageError(f"{block.place}: say why it is not run")
        yield block


def same_as_the_repository(block: Block) -> None:
    """A block that is a file of this repository is what the file is.

    Raises:
        PageError: it is not, or there is no such file.
    """
    file = ROOT / block.title
    if not file.is_file():
        raise PageError(f"{block.place}: there is no file {block.title}")
    if file.read_text() != block.text:
        raise PageError(
            f"{block.place}: the block differs from {block.title};"
            f" python -m tests.docs.blocks --write {block.place.partition(':')[0]}"
        )


def is_of_the_repository(block: Block) -> bool:
    return block.is_file and block.title.startswith("examples/")


def refresh(page: Path) -> bool:
    """Write the repository's files into the blocks that show them; whether anything changed."""
    old = new = page.read_text()
    for block in reversed(list(_blocks(page, old))):
        if is_of_the_repository(block):
            lines = new.splitlines(keepends=True)
            lines[block.line : block.line + block.text.count("\n")] = [(ROOT / block.title).read_text()]
            new = "".join(lines)
    page.write_text(new)
    return new != old


def play(
    page: Path,
    folder: Path,
    *,
    home: Path | None = None,
    desk: Path | None = None,
    instead: Mapping[str, str] | None = None,
) -> None:
    """Do what a page says, from top to bottom; see above.

    Args:
        page: the Markdown file.
        folder: an empty one, for all that the reader has; an absolute path.
        home: a folder whose `.ssh` the reader has, such as the fixture `hosts` is.
        desk: a folder with what the reader has already, such as the files of pages before this one.
        instead: texts of the page that mean something else here, such as `{"scheduler:8786": "127.64.0.9:20001"}`.

    Raises:
        PageError: something is not as the page says; what, and at which line.
    """
    from tests.docs.reader import Reader

    found = blocks(page)
    with Reader(folder, [block.text for block in found], home=home, desk=desk, instead=instead or {}) as reader:
        for number, block in enumerate(found):
            if is_of_the_repository(block):
                same_as_the_repository(block)
            if block.why_not:
                continue
            if block.is_file:
                reader.write(block)
            elif block.language in RUN_ELSEWISE:
                raise PageError(f"{block.place}: write `console` for what is typed, `python` for a program")
            elif block.language in {"console", "sh"}:
                reader.type(block)
            elif block.language == "python":
                following = found[number + 1] if number + 1 < len(found) else None
                prints = following is not None and following.language == "text" and not following.title
                reader.run(block, following.text if following is not None and prints else None)


def main(words: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.docs.blocks", description="Do what pages say.")
    options.add_argument("--write", action="store_true", help="bring blocks that are files of examples/ up to date")
    options.add_argument("--hosts", action="store_true", help="with the hosts of hosts.py; only root can make them")
    options.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    given = options.parse_args(words)
    if given.write:
        for page in given.pages:
            print(f"{page}: {'written' if refresh(page) else 'is up to date'}")
        return 0
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (page, home) in enumerate(_with_homes(given.pages, folder, given.hosts)):
            (folder / f"{number}").mkdir()
            try:
                play(page.resolve(), folder / f"{number}", home=home)
            except PageError as error:
                wrong += 1
                print(error, file=sys.stderr)
            else:
                print(f"{page}: is as it says")
    return 1 if wrong else 0


def _with_homes(pages: Sequence[Path], folder: Path, hosts: bool) -> Iterator[tuple[Path, Path | None]]:
    if not hosts:
        yield from ((page, None) for page in pages)
        return
    from tests.docs.hosts import known_hosts

    (folder / "hosts").mkdir()
    with known_hosts(folder / "hosts") as home:
        yield from ((page, home) for page in pages)


if __name__ == "__main__":
    from tests.docs.blocks import main as start  # under its own name, whose classes the reader has, too

    raise SystemExit(start(sys.argv[1:]))
