"""`elsewhere fab` without a host."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import pytest

from tests.require import ROOT


def fab(folder, *words, program=("-m", "elsewhere", "fab"), **env):
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT / "src"), "LANG": "C.UTF-8", **env,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *program, *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_first_case(tmp_path):
    # Nobody listens there, and nobody has to: no task asks for a connection.
    (tmp_path / "fab1.py").write_text("from datetime import date\n\ndef iso():\n    print(date.today())\n")
    done = fab(tmp_path, "-f", "fab1.py", "-H", "127.18.0.250,127.18.0.251:1", "iso")
    today = f"{dt.date.today()}"  # noqa: DTZ011 - as the task file does
    assert done.stdout.splitlines() == [
        "[127.18.0.250] Executing task 'iso'", today, "[127.18.0.251:1] Executing task 'iso'", today, "", "Done.",
    ]  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert fab(tmp_path, "-f", "fab1.py", "iso", "-H", "localhost").stdout.splitlines()[1] == today


def test_a_missing_file_is_one_sentence(tmp_path):
    (tmp_path / "fab1.py").write_text("")
    done = fab(tmp_path, "-f", "fab2.py", "iso")
    assert done.stderr == "elsewhere: there is no task file 'fab2.py'; did you mean 'fab1.py'?\n"
    assert (done.returncode, done.stdout) == (1, "")


def test_python_2_is_one_sentence(tmp_path):
    (tmp_path / "fabfile.py").write_text("def iso():\n    print 'x'\n")
    done = fab(tmp_path, "iso")
    assert done.returncode == 1
    assert done.stderr.startswith(f"elsewhere: {tmp_path}/fabfile.py, line 2: print without parentheses is Python 2")
    assert done.stderr.count("\n") == 1


def test_the_dialect_can_be_forced(tmp_path):
    (tmp_path / "fabfile.py").write_text("def iso(c=None):\n    print(c)\n")
    assert "iso" in fab(tmp_path, "--dialect", "1", "-l").stdout
    assert "No tasks found" in fab(tmp_path, "--dialect=3", "-l").stderr
    wrong = fab(tmp_path, "--dialect", "2", "-l")
    assert (wrong.returncode, wrong.stderr) == (2, "elsewhere: --dialect is 1 or 3, not '2'.\n")


def test_a_name_of_the_other_dialect_says_so(tmp_path):
    (tmp_path / "fabfile.py").write_text("import fabric.api\nfrom fabric import Connection\n")
    done = fab(tmp_path, "-l")
    assert done.returncode == 1
    assert "--dialect 3" in done.stderr


@pytest.mark.parametrize("how", ["module", "install", "alias"])
def test_scripts(tmp_path, how):
    script = "from fabric import Connection\nfrom invoke import run\n"
    script += "print(Connection('u@h:3'), run('echo here', hide=True).ok)\n"
    start = {
        "module": "",
        "install": "import elsewhere.fabric\nelsewhere.fabric.install()\nelsewhere.fabric.install()\n",
        "alias": "import elsewhere.fabric as fabric\nprint(fabric.Connection('u@h:3'), True)\nraise SystemExit\n",
    }[how]
    (tmp_path / "script.py").write_text(start + script)
    program = ("-m", "elsewhere.fabric") if how == "module" else ()
    done = fab(tmp_path, "script.py", program=program, USER="me")
    assert (done.stdout, done.stderr) == ("<Connection host=h user=u port=3> True\n", "")


def test_what_is_not_ours_is_not_there(tmp_path):
    (tmp_path / "script.py").write_text("import fabric.nothing\n")
    done = fab(tmp_path, "script.py", program=("-m", "elsewhere.fabric"))
    assert "elsewhere's Fabric 3 has no module 'fabric.nothing'" in done.stderr


HOSTLESS = "from fabric.api import run\n\ndef go():\n    run('true')\n"
NOWHERE = "from fabric import task\n\n@task\ndef go(c):\n    c.run('true')\n"


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (HOSTLESS, ["go"], "No hosts found, and there is nobody to ask: name them with -H, env.hosts or @hosts."),
        (HOSTLESS, ["-H", ",", "go"], "No hosts found, and there is nobody to ask"),
        (HOSTLESS, ["-H", "127.18.0.251:1", "go"], "Unable to connect to port 1 on 127.18.0.251"),
        (HOSTLESS, ["gone"], "Command(s) not found"),
        ("", ["go"], "Fabfile didn't contain any commands!"),
        (NOWHERE, ["-H", "127.18.0.251:1", "go"], "127.18.0.251, port 1 refuses connections"),
        (NOWHERE, ["-H", "nobody.invalid", "go"], "the name nobody.invalid is not found"),
        (NOWHERE, ["gone"], "No idea what 'gone' is!"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(tmp_path, text, words, said):
    (tmp_path / "fabfile.py").write_text(text)
    done = fab(tmp_path, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
