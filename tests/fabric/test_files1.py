"""Task files of Fabric 1, run by the last Fabric of that dialect and by ours: same status, same files, same output."""

from __future__ import annotations

import pytest

from tests.fabric.beside import VENV, Bench, same
from tests.require import ROOT

# A case: the arguments, in which {0} to {3} are hosts. Tasks that do not fail are run together, as most of the time
# goes into starting the original.
CASES = {
    "iso": "-f iso.py -H localhost,elsewhere iso",
    "no hosts": "-f iso.py iso",
    "commands": "-f commands.py -H {0} plain quotes apart caught warned hidden streams partial unprefixed buffered",
    "late": "-f commands.py -H {0} late",
    "fails": "-f commands.py -H {0},{1} fails",
    "fails, warned": "-w -f commands.py -H {0},{1} fails",
    "fails, hidden": "-f commands.py -H {0} hidden_failure",
    "debug": "--show=debug --hide=status,aborts -f commands.py -H {0} plain",
    "no pty, own shell": "--no-pty -s '/bin/sh -c' -f commands.py -H {0} plain",
    "contexts": "-f contexts.py -H {0} folders prefixes variables reverts wrapped",
    "here": "-f contexts.py here",
    "where": "-f where.py plain two listed by_role mixed once once executes",
    "where, by options": "-f where.py -H {0},{1} -x {1} plain two:host={2} plain:hosts='{2};{3}',exclude_hosts={3} "
    "kept",
    "where, by roles": "-f where.py -R web,db plain plain:role=lazy by_role:roles='web;db'",
    "where, no such role": "-f where.py -R nobody plain",
    "arguments": "-f arguments.py show:1,b=2 'show:a\\,b,c=d\\=e' show: show:host=h,x=1 says raises needs_none outputs",
    "needs": "-f arguments.py needs",
    "needs two": "-f arguments.py needs_two",
    "gives up": "-f arguments.py gives_up show",
    "leaves": "-f arguments.py leaves show",
    "env": "-f arguments.py --set 'a,b=1,c=x\\,y' -u me -P -w -p secret -z 3 -t 4 -T 5 --linewise --no-pty -s sh "
    "-R r -x c environment",
    "list": "-f modern.py -l",
    "list, nested": "-f modern.py -l -F nested",
    "list, short": "-f modern.py --shortlist",
    "list, classic": "-f commands.py -l",
    "modern": "-f modern.py simple a1 one_alias b1 b2 renamed made:x=y submodule submodule.inner",
    "default": "-f modern.py",
    "unknown": "-f modern.py simple not_a_task",
    "unknown, skipped": "-f modern.py --skip-unknown-tasks simple not_a_task simple",
    "package": "-f package top deploy.go",
    "colours": "-f asks.py colours",
    "puts": "-f transfers.py -H {0} puts_files puts_folders puts_objects",
    "puts, fails": "-f transfers.py -H {0} aborts_put",
    "gets": "-f transfers.py -H {0} gets_files",
    "gets, fails": "-f transfers.py -H {0} fails_get",
    "contrib": "-f contrib.py -H {0} questions templates",
    "contrib, changes": "-f contrib.py -H {0} changes",
    "projects": "-f contrib.py -H {0} projects",
    "texts": "-f network.py texts",
    "unreachable": "-f network.py unreachable",
    "by hand": "-f network.py by_hand",
    "sudo": "-f sudo.py -H {0} plain whole files",
    "sudo, fails": "-f sudo.py -H {0} fails",
    "prompts": "-f prompts.py -H {0} answers again",
    "ssh's configuration": "-f sshconfig.py go over",
    "classes": "-f classes.py deploy:v0 all_of_them listing",
    "classes, no such task": "-f classes.py fails",
    "settings of a file": "-c rc.txt -f rc.py told",
    "settings, none": "-f rc.py shown",
    "remainder": "-H {0},{1} -- echo a remainder",
}


@pytest.mark.parametrize("name", CASES)
def test_same(bench1: Bench, name: str) -> None:
    same(*bench1.both(*_words(bench1, CASES[name])))


def _words(bench: Bench, text: str) -> list[str]:
    import shlex

    return shlex.split(text.format(*bench.hosts, all=",".join(bench.hosts)))


SIDE_BY_SIDE = {
    "parallel": "-f parallel.py side pooled after one gathers",
    "parallel, asked for": "-P -z 2 -f parallel.py after one",
    "parallel, fails": "-f parallel.py some_fail after",
}


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_side_by_side(bench1: Bench, name: str) -> None:
    same(*bench1.both(*_words(bench1, SIDE_BY_SIDE[name])), ordered=False)


def test_a_bug_in_a_task_is_shown_with_its_place(bench1: Bench) -> None:
    original, ours = bench1.both("-f", "arguments.py", "breaks")
    same(original, ours, errors=False)
    for ran in (original, ours):
        assert any("arguments.py" in line for line in ran.err)
        assert "KeyError: 'a bug in a task'" in ran.err


def test_questions(bench1: Bench) -> None:
    typed = "me\n\nNO\nword\nnew\n\n\nwhat\ny\n"
    same(*bench1.both("-f", "asks.py", "questions", stdin=typed))


def test_a_value_that_its_check_refuses_is_asked_for_again(bench1: Bench) -> None:
    # The original ends with an error of its own here: it wants Python 2's `error.message`.
    ran = bench1.run(bench1.ours, ["-f", "asks.py", "numbers"], stdin="12x\n12\n")
    assert ran.status == 0
    assert ran.out[:3] == [
        "Number? Validation failed for the following reason:",
        "    invalid literal for int() with base 10: '12x'",
        "",
    ]
    assert "Number? 12" in ran.out


def test_jinja_and_ours_even_where_the_original_is_installed(bench1: Bench) -> None:
    packages = next((ROOT / VENV[1]).glob("lib/python3*/site-packages"))
    beside = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}:{packages}"}
    same(*bench1.both("-f", "contrib.py", "-H", bench1.hosts[0], "jinja", env=beside))


def test_a_tunnel_to_here(bench1: Bench) -> None:
    # The original prints the ports of each connection that comes; its last line is what counts.
    for ran in bench1.both("-f", "tunnels.py", "-H", bench1.hosts[0], "tunnel"):
        assert ran.status == 0, ran
        assert "got through the tunnel" in ran.out
