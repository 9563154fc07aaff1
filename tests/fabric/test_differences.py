"""What we do otherwise on purpose, in both dialects; docs/fabric.md lists it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fabric.beside import Bench, Ran

TASK1 = "from fabric.api import run, sudo, put, cd, shell_env, env\n\n\ndef go():\n    {}\n"
TASK3 = "from fabric import task\n\n\n@task\ndef go(c):\n    {}\n"


def _run(bench: Bench, body: str, *options: str, known: str | None = None) -> tuple[Ran, str]:
    """Ours on the first host; and what known_hosts holds afterwards."""
    text = (TASK1 if bench.dialect == 1 else TASK3).format(body)
    run = bench.start(
        [*bench.ours, *options], ["-f", "own.py", "-H", bench.hosts[0], "go"], "", None, {"own.py": text}, known
    )
    ran = run.end()
    return ran, (run.world / "home/.ssh/known_hosts").read_text()


@pytest.fixture(params=[1, 3])
def bench(request: pytest.FixtureRequest, bench1: Bench, bench3: Bench) -> Bench:
    return bench1 if request.param == 1 else bench3


def _say(bench: Bench, command: str) -> str:
    return f"run({command!r})" if bench.dialect == 1 else f"c.run({command!r})"


def test_an_unknown_key_is_refused(bench: Bench) -> None:
    ran, known = _run(bench, _say(bench, "echo reached"), known="")
    assert ran.status == 1
    assert "SHA256:" in "\n".join(ran.err)
    assert not any("reached" in line and "echo" not in line for line in ran.out)
    assert known == ""


def test_accept_new_believes_it_and_remembers_it(bench: Bench) -> None:
    ran, known = _run(bench, _say(bench, "echo reached"), "--accept-new", known="")
    assert ran.status == 0
    assert any(line.endswith("reached") for line in ran.out)
    assert bench.server.hosts[0] in known


def test_a_changed_key_is_fatal_whatever_is_accepted(bench: Bench, other_key: str) -> None:
    host, port = bench.server.hosts[0], bench.server.port
    wrong = f"[{host}]:{port} {other_key}\n"
    for options in (["--accept-new"], ["-D"] if bench.dialect == 1 else []):
        ran, known = _run(bench, _say(bench, "echo reached"), *options, known=wrong)
        assert ran.status == 1
        assert known == wrong
        assert not any(line.endswith(": reached") or line == "reached" for line in ran.out)


def test_fabric_1_s_option_means_accept_new_with_a_warning(bench1: Bench) -> None:
    ran, known = _run(bench1, "run('echo reached')", "-D", known="")
    assert ran.status == 0
    assert any("Warning: -D believes the keys of unknown hosts" in line for line in ran.err)
    assert bench1.server.hosts[0] in known


def test_values_of_variables_are_values(bench3: Bench) -> None:
    ran, _ = _run(bench3, "c.run('echo \"$X\"', env={'X': \"a; echo INJECTED & $(id) `id` '\"})")
    assert "a; echo INJECTED & $(id) `id` '" in ran.out
    assert "INJECTED" not in ran.out


def test_cd_and_sudo_work_together(bench3: Bench) -> None:
    ran, _ = _run(bench3, "with c.cd('/usr/bin'): c.sudo('pwd; echo $((1+1)) > /dev/null; id -un', user='nobody')")
    assert ran.status == 0
    assert ran.out[:2] == ["/usr/bin", "nobody"]


def test_a_folder_can_be_put(bench3: Bench) -> None:
    body = "import os; os.makedirs('a/b'); open('a/b/f', 'w').close(); c.put('a', os.environ['FAB_THERE'] + '/copy')"
    ran, _ = _run(bench3, body)
    assert ran.status == 0
    assert "there/copy/b/f" in ran.tree


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The public half of a key that no host has."""
    import subprocess

    path: Path = tmp_path_factory.mktemp("other") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])
