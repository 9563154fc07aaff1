"""What whole programs write: into a pipe, into a file, to a terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.faults.helpers import ROOT, SRC, script

LINES = """
import sys
from elsewhere import Pool
from tests.output import prints

def write(letter):
    for _ in range(30):
        print(letter * 3000)

with Pool(8) as pool:
    pool.map(write, "abcdefgh")
"""


def all_of(program):
    text = program.process.stdout.read().decode()
    assert program.end() == 0, program.errors()
    return text


def test_lines_of_eight_workers_into_a_pipe_are_whole(tmp_path):
    with script(tmp_path, LINES) as program:
        lines = all_of(program).splitlines()
    assert len(lines) == 240
    assert {(len(line), len(set(line))) for line in lines} == {(3000, 1)}


def test_the_caller_s_own_lines_stay_whole_too(tmp_path):
    text = (
        LINES.replace("    pool.map(write", "    result = pool.map_async(write")
        + """
    for _ in range(200):
        print("C" * 3000)
    result.get()
"""
    )
    with script(tmp_path, text) as program:
        lines = all_of(program).splitlines()
    assert sorted({(len(line), len(set(line))) for line in lines}) == [(3000, 1)]
    assert len(lines) == 440


PROGRAMS = """
import sys
from elsewhere import Pool
from tests.output import prints

with Pool(1) as pool:
    print("before")
    sys.stdout.flush()
    for function in (prints.from_a_program, prints.from_a_program_by_fileno, prints.from_a_program_by_stream):
        pool.apply(function, (function.__name__,))
    print("after")
"""


def test_programs_that_a_call_starts_write_where_the_caller_does(tmp_path):
    with script(tmp_path, PROGRAMS) as program:
        text = all_of(program)
    assert text.split() == ["before", "from_a_program", "from_a_program_by_fileno", "from_a_program_by_stream", "after"]


def test_a_reader_that_has_gone_stops_nobody(tmp_path):
    """As `... | head -1`."""
    text = """
import sys
from elsewhere import Pool
from tests.output import prints

with Pool(2) as pool:
    print("first", flush=True)
    sys.stdin.read()
    print(len(pool.map(prints.shout, ["x" * 3000] * 200)), file=sys.stderr)
sys.stdout = None
"""
    (tmp_path / "script.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{SRC}"}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        process.stdout.close()
        assert process.stdin is not None
        process.stdin.close()
        assert process.stderr is not None
        assert process.stderr.read().splitlines()[0] == "200"


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(tmp_path, streams):
    text = """
import sys
from elsewhere import Pool
from tests.output import prints

with Pool(2) as pool:
    pool.map(prints.both, range(4))
    pool.map(prints.from_a_program, ["hello"])
open(sys.argv[1], "w").write("well")
"""
    command = ["sh", "-c", f'exec "$0" "$@" {streams}', sys.executable]
    with script(tmp_path, text, tmp_path / "verdict", command=command) as program:
        out = all_of(program)
        if streams == "2>&-":
            assert sorted(out.splitlines()) == ["hello", "out 0", "out 1", "out 2", "out 3"]
    assert (tmp_path / "verdict").read_text() == "well"


def test_what_is_printed_at_the_very_end(tmp_path):
    text = """
from elsewhere import Pool
from tests.output import prints

pool = Pool(1)
pool.apply(prints.say_at_exit, ("worker's good-bye",))
pool.close()
pool.join()
print("end")
"""
    with script(tmp_path, text) as program:
        assert all_of(program).splitlines() == ["worker's good-bye", "end"]


def test_a_latin_1_stdout(tmp_path):
    text = """
from elsewhere import Pool
from tests.output import prints

with Pool(1) as pool:
    pool.map(prints.shout, ["Gr\\u00fc\\u00dfe", "\\u4e16", "end"])
"""
    with script(tmp_path, text, PYTHONIOENCODING="latin-1") as program:
        assert program.process.stdout.read() == b"Gr\xfc\xdfe\n\\u4e16\nend\n"


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_with_the_other_ways_to_start(tmp_path, context):
    with script(tmp_path, LINES.replace("Pool(8)", f"Pool(2, context={context!r})")) as program:
        lines = all_of(program).splitlines()
    assert len(lines) == 240
    assert {(len(line), len(set(line))) for line in lines} == {(3000, 1)}
