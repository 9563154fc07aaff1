"""The harness that does what pages say: what is right passes, each thing that is wrong is seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import blocks as harness
from tests.docs import comparing
from tests.docs.blocks import DOCS, ROOT, PageError, blocks, is_of_the_repository, play, same_as_the_repository

SLOW_LOOP = (ROOT / "examples" / "slow_loop.py").read_text()
SERVES = """```python title="serving.py"
from elsewhere import Service

service = Service()
service.register(abs)
service.serve("tcp://localhost:6789")
```

```console title="Terminal 1"
$ python serving.py
serving at tcp://localhost:6789
```
"""
RIGHT = {
    "a file and a program": """
```python title="lib/greeting.py"
hello = "hi"
```

```python
from lib.greeting import hello

print(hello, "there")
```

And it prints

```text
hi there
```
""",
    "a terminal": """
```console
$ echo one && echo two >&2
one
two
$ mkdir -p a/b && cd a/b
$ pwd
/home/you/a/b
$ echo a long \\
> line
a long line
$ export WHO=me; alias greet='echo hello'
$ greet $WHO
hello me
```
""",
    "dots and numbers": """
```console
$ printf 'begin\\n1\\n2\\nend in 7.25 s, 1,234/s, worker 99, 1.7 times\\n'
begin
...
end in 1 s, 5/s, worker 1, 2 times
$ echo some noise here
some ... here
$ printf '[web2] a\\n[web1] b\\n[web1] a\\n'
[web1] b
[web1] a
[web2] a
```
""",
    "time": "```console\n$ time true\n\nreal\t0m9.001s\nuser\t0m0.1s\nsys\t1m0.000s\n```",
    "a failure that is shown": """
```console
$ python -c 'raise ValueError("no good")'
Traceback ...
...
ValueError: no good
```
""",
    "a service in a terminal of its own": SERVES
    + """
```console
$ elsewhere call tcp://localhost:6789 abs -- -7
7
```

```console title="Terminal 1"
^C
$ echo over
over
```
""",
    "Ctrl-C in its block": """
```console
$ bash -c 'trap "echo caught; exit" INT; echo ready; while :; do sleep 0.01; done'
ready
^C
caught
```
""",
    "what is not run": """
<!-- not run: it needs a machine of its own -->
```python
raise SystemExit(1)
```

```toml
key = 1
```

```console
$ pip install 'elsewhere[http,fleet]'
```
""",
    "commands alone": """
```sh
pip install 'elsewhere[fleet]'
# and a folder
mkdir folder && \\
  ls -la
```

```console
$ ls
folder
```
""",
    "a file of the repository": f'```python title="examples/slow_loop.py"\n{SLOW_LOOP}```\n',
}
WRONG = {
    "another output": ("```console\n$ echo one\ntwo\n```", "+one"),
    "an output too much": ("```console\n$ echo one\n```", "+one"),
    "an output too little": ("```console\n$ true\none\n```", "-one"),
    "another number": ("```console\n$ echo 17 calls\n18 calls\n```", "+17 calls"),
    "a command that fails": ("```console\n$ false\n```", "fails with 1"),
    "a command alone that fails": ("```sh\nfalse\n```", "fails with 1"),
    "a failure behind dots": ("```console\n$ python -c 1/0\n...\n```", "does not show how"),
    "a program that fails": ("```python\nassert 1 == 2\n```", "AssertionError"),
    "a program that prints something else": ("```python\nprint(1)\n```\n\n```text\n2\n```", "another text"),
    "another file": ('```python title="examples/slow_loop.py"\nprint()\n```', "differs from examples/slow_loop.py"),
    "no such file": ('```python title="examples/nowhere.py"\nprint()\n```', "no file examples/nowhere.py"),
    "a file outside": ('```python title="../out.py"\nprint()\n```', "not in the reader's folder"),
    "no reason": ("<!-- not run: no -->\n```python\n1\n```", "say why"),
    "a language that nobody runs": ("```bash\ntrue\n```", "write `console`"),
    "an indented block": ("1. this\n\n    ```python\n    1\n    ```", "first column"),
    "an extra that is not there": ("```console\n$ pip install 'elsewhere[sprockets]'\n```", "pip cannot install"),
    "a service that ends": ('```console title="Terminal 1"\n$ echo well\nready\n```', "ended"),
    "two programs in a terminal": (SERVES + SERVES.rpartition("\n\n")[2], "end it with ^C"),
    "nothing to end": ("```console\n^C\n```", "nothing runs"),
    "another last word": (SERVES + '```console title="Terminal 1"\n^C\nbye\n```', "-bye"),
    "nothing typed": ("```console\n```", "nothing is typed"),
}


def page(folder: Path, text: str) -> Path:
    file = folder / "page.md"
    file.write_text(text)
    (folder / "reader").mkdir()
    return file


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(name, tmp_path):
    play(page(tmp_path, RIGHT[name]), tmp_path / "reader")


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name, tmp_path):
    text, said = WRONG[name]
    with pytest.raises(PageError, match=re.escape(said)):
        play(page(tmp_path, text), tmp_path / "reader")


def test_a_program_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.docs.reader.PATIENCE", 0.5)
    with pytest.raises(PageError, match="still runs"):
        play(page(tmp_path, "```console\n$ sleep 100\n```"), tmp_path / "reader")


def test_a_service_that_says_something_else_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.docs.reader.PATIENCE", 0.5)
    text = SERVES.replace("serving at", "listening on")
    with pytest.raises(PageError, match="not:\nlistening on tcp://localhost:6789"):
        play(page(tmp_path, text), tmp_path / "reader")


def test_a_message_says_where(tmp_path):
    with pytest.raises(PageError, match=r"page.md:3: \$ echo one"):
        play(page(tmp_path, "Text.\n\n```console\n$ echo one\n```\n"), tmp_path / "reader")


def test_hosts(hosts, tmp_path):
    text = "```console\n$ elsewhere run -H web1,web2 'sudo id -un'\n[web1] root\n[web2] root\nrun: 2/2 ...\n```\n"
    play(page(tmp_path, text), tmp_path / "reader", home=hosts)


def test_blocks_are_brought_up_to_date(tmp_path):
    short = '```python title="examples/slow_loop.py"\nold\nlines\n```\n'
    file = page(tmp_path, f"# One\n\n{short}\nand again\n\n{short}\nend\n")
    assert harness.main(["--write", str(file)]) == 0
    assert [block.text for block in blocks(file)] == [SLOW_LOOP] * 2
    assert file.read_text().endswith("\nend\n")


BAR = "score: 9/9  100%  4.2/s  in 2.1 s\n"


@pytest.mark.parametrize(
    "printed",
    [
        BAR,
        "score: 9/9  100%  4.3/min  in 2:07",
        "score: 0/9  0%\nscore: 3/9  33%  2.0/s  eta 0:03\nscore: 9/9  100%  1/h  in 0:12",
        "score: 3  1.0/s  after 0:02\nscore: 9  after 0:05  1 failed\n" + BAR,
    ],
)
def test_a_bar_is_its_last_line(printed):
    assert comparing.matches(BAR, printed)


@pytest.mark.parametrize("printed", ["score: 8/8  100%  4.2/s  in 2.1 s", "score: 8/9  88%  4.2/s  in 2.1 s", ""])
def test_another_bar(printed):
    assert not comparing.matches(BAR, printed)


PAGES = sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("file", PAGES, ids=[str(path.relative_to(DOCS)) for path in PAGES])
def test_files_of_the_repository_are_on_pages_as_they_are(file):
    for block in harness._blocks(file, file.read_text()):
        if is_of_the_repository(block):
            same_as_the_repository(block)
