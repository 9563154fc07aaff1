"""Task files of Fabric 3, run by the last Fabric of that dialect and by ours: same status, same files, same output."""

from __future__ import annotations

import shlex
import sys

import pytest

from tests.fabric.beside import Bench, same
from tests.require import ROOT

# See test_files1. The original is told the file's name by -c, as its -f means another thing; ours understands both.
CASES = {
    "iso": "-c iso -H localhost,elsewhere iso",
    "no hosts": "-c iso iso",
    "commands": "-c commands -H {0} plain hidden warned terminal variables echoes streams promised folders here",
    "late": "-c commands -H {0} late",
    "fails": "-c commands -H {0},{1} fails",
    "fails, hidden": "-c commands -H {0},{1} fails-hidden",
    "fails, warned": "-w -c commands -H {0},{1} fails",
    "options of the program": "-e -R -c commands -H {0} fails",
    "options for commands": "-p -e --hide err -T 5 -c commands -H {0} fails",
    "settings": "--config settings.json -c commands -H {0} fails",
    "watchers": "-c watchers -H {0} answers here",
    "watchers, refused": "-c watchers -H {0} refuses",
    "texts": "-c connections texts",
    "by hand": "-c connections by-hand",
    "groups": "-c connections groups",
    "puts": "-c transfers -H {0} puts",
    "gets": "-c transfers -H {0} gets",
    "sftp": "-c transfers -H {0} sftp",
    "tasks": "-c tasks before --what z plain-invoke around short-pre renamed joe -l --times=3 r1 -n me "
    "--no-shown r-2 x -o v printed long-only --name y configured more more.second more.zwei deep.inner.second",
    "kinds": "-c tasks kinds --log=x -i a --item b -v -v --under-score q kinds -vv --log",
    "kinds, ambiguous": "-c tasks kinds --log kinds there",
    "default": "-c tasks",
    "leaves": "-c tasks leaves before",
    "leaves, well": "-c tasks leaves --code 0",
    "unknown": "-c tasks before nothing",
    "missing": "-c tasks before renamed",
    "list": "-c tasks -l",
    "list, nested": "-c tasks -l -F nested",
    "list, cut": "-c tasks -l -D 1",
    "list, json": "-c tasks -l -F json",
    "list, a part": "-c tasks -l more",
    "list, no such part": "-c tasks -l nothing",
    "help": "-c tasks --help renamed",
    "help, behind": "-c tasks kinds --help",
    "package": "-c package top deploy deploy.go --where=x",
    "hosts": "-c hosts decorated wrapped told",
    "hosts, by options": "-c hosts -H {3} decorated wrapped told",
    "hosts, fails": "-c hosts -H {0},{1} fails-on-first",
    "ways": "-c ways -H {0} remote-tunnel gateways disowned failures",
    "ssh's configuration": "-c sshconfig go jumps",
    "keys": "-c authentication keys",
    "sudo": "-c sudo -H {0} plain",
    "sudo, fails": "-c sudo -H {0} fails",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_same(bench3: Bench, name: str) -> None:
    same(*bench3.both(*shlex.split(CASES[name].format(*bench3.hosts))))


def test_a_command_alone(bench3: Bench) -> None:
    # Nothing tells the dialect here.
    words = ["-H", ",".join(bench3.hosts[:2]), "--", "echo", "a", "remainder"]
    same(bench3.run(bench3.original, words), bench3.run(bench3.ours, ["--dialect=3", *words]))


def test_a_bug_in_a_task_is_shown_with_its_place(bench3: Bench) -> None:
    original, ours = bench3.both("-c", "tasks", "breaks")
    same(original, ours, errors=False)
    for ran in (original, ours):
        assert any("tasks.py" in line for line in ran.err)
        assert "KeyError: 'a bug in a task'" in ran.err


def test_a_tunnel_from_here(bench3: Bench) -> None:
    # Without the original, whose tunnel sometimes does not end.
    ran = bench3.run(bench3.ours, ["-c", "ways", "-H", bench3.hosts[0], "local-tunnel"])
    assert (ran.status, ran.out) == (0, ["here to there", ""])


def test_a_script(bench3: Bench) -> None:
    original = bench3.run([*bench3.original[:3], "script.py"], [])
    ours = bench3.run([sys.executable, "-m", "elsewhere.fabric", "script.py"], [])
    same(original, ours)


def test_side_by_side(bench3: Bench) -> None:
    # The original has no such option: its result, in any order, is what ours must have.
    hosts = ",".join(bench3.hosts)
    original = bench3.run(bench3.original, ["-c", "hosts", "-H", hosts, "decorated"])
    ours = bench3.run(bench3.ours, ["-f", "hosts.py", "-P", "-H", hosts, "decorated"])
    assert sorted(ours.out) == sorted(original.out)
    assert (ours.status, ours.tree) == (original.status, original.tree)


def test_nothing_of_ours_has_the_originals_name() -> None:
    assert not (ROOT / "src" / "fabric").exists()
    assert not (ROOT / "src" / "invoke").exists()
