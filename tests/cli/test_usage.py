"""What a user can get wrong: each is exit 2 and one sentence; and what only looks: --help and --dry-run."""

from __future__ import annotations

import os

import pytest

from elsewhere.cli.group import run
from tests.cli.sample import __file__ as SAMPLE


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full.jsonl").write_text("something\n")
    (tmp_path / "list").write_text("1\n{\n")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("map", "Missing argument 'FUNCTION'"),
        ("mop", "There is no verb 'mop'. Did you mean 'map'?"),
        ("zzz", "There is no verb 'zzz'. See"),
        ("map math 1", "package.module:name"),
        ("map maths:sqrt 1", "There is no module 'maths'"),
        ("map math:sqr 1", "Did you mean 'sqrt'"),
        ("map gone.py:f 1", "There is no file gone.py"),
        ("map math:sqrt --from gone", "The inputs in gone cannot be read: No such file"),
        ("map math:sqrt --from .", "it is a folder"),
        ("map math:sqrt --from list 1", "one of them has to go"),
        ("map math:sqrt --from list --json-input", "list, line 2, is not JSON"),
        ("map math:sqrt -j 0 1", "0 is not in the range"),
        ("map math:sqrt -j many 1", "'many' is not a valid integer"),
        ("map math:sqrt --timeout 0 1", "not more than 0 seconds"),
        ("map math:sqrt --timeout nan 1", "not more than 0 seconds"),
        ("map math:sqrt --timeout soon 1", "'soon' is not a number of seconds"),
        ("map math:sqrt --retries -1 1", "-1 is not in the range"),
        ("map math:sqrt --max-failures 0 1", "0 is not in the range"),
        ("map math:sqrt --nonsense 1", "No such option"),
        ("map math:fabs -4", "Put -- before inputs that start with a minus sign"),
        ("map math:sqrt --resume 1", "--resume is about a file of rows"),
        ("map math:sqrt --retry-failed 1", "--retry-failed is about a file of rows"),
        ("map math:sqrt --overwrite 1", "--overwrite is about a file of rows"),
        ("map math:sqrt -o full.jsonl 1", "full.jsonl exists already"),
        ("map math:sqrt -n -o full.jsonl 1", "full.jsonl exists already"),
        ("map math:sqrt -o full.jsonl --resume 1", "full.jsonl, line 1, is not a row"),
        ("map math:sqrt -o full.jsonl --resume --text 1", "cannot be resumed"),
        ("map math:sqrt -o . 1", "Rows cannot be written to .: Is a directory"),
        ("map math:sqrt -o gone/out 1", "Rows cannot be written to gone/out: No such file"),
        ("map math:sqrt -o /dev/null --resume 1", "no regular file"),
        ("map builtins:pow 1", "each call gives it one argument"),
    ],
)
def test_wrong_usage_is_one_sentence(line, sentence, capfd):
    before = sorted(os.listdir())
    assert run(line.split()) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("elsewhere: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert sorted(os.listdir()) == before


def test_no_verb_is_wrong_usage(capfd):
    assert run([]) == 2
    assert "Usage:" in capfd.readouterr().err


class TestDryRun:
    def test_says_what_would_run(self, capfd):
        assert run(["map", "-n", f"{SAMPLE}:size", "-o", "new", *"abcd"]) == 0
        out = capfd.readouterr().out.splitlines()
        assert out[0] == f"function  {os.path.realpath(SAMPLE)}:size"
        assert out[1] == "inputs    4 inputs"
        assert out[2] == "such as   PosixPath('a')"
        assert len(out) == 5
        assert not os.path.exists("new")

    def test_says_what_would_fail_and_what_is_not_known(self, capfd):
        run(["map", "-n", f"{SAMPLE}:double", "x"])
        assert "'x', which fails: invalid literal" in capfd.readouterr().out
        run(["map", "-n", "math:sqrt", "4"])
        assert "as numbers, if the first call shows" in capfd.readouterr().out

    def test_says_what_is_left(self, capfd):
        with open("rows", "w") as file:
            file.write('{"index": 1, "input": "b", "value": 1, "seconds": 1, "attempt": 1}\n{"in')
        run(["map", "-n", f"{SAMPLE}:same", "-o", "rows", "--resume", "a", "b"])
        assert "2 inputs, 1 of them to run" in capfd.readouterr().out
        assert os.path.getsize("rows") > 66  # the torn line is still there
