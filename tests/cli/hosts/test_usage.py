"""What a user can get wrong with hosts: exit 2 and one sentence before anybody connects; and what only looks."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from elsewhere.cli.group import VERBS, group, run
from elsewhere.cli.hosts import options

HOSTS_VERBS = [name for name, where in VERBS.items() if ".hosts." in where]
INI = "[web]\nweb[1:3] ansible_user=deploy\n[db]\ndb1 ansible_host=10.0.0.9 ansible_port=2200\n"


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NOT_SET", raising=False)
    (tmp_path / "inv").write_text(INI)
    (tmp_path / "list").write_text("web7 # a comment\nweb8,web9\n")
    (tmp_path / "bad").write_text("web1 web2\n")
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAAC3Nza me\n")
    (tmp_path / "cert").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "full.jsonl").write_text("something\n")
    (tmp_path / "rows.jsonl").write_text('{"host": "web1", "ok": true}\n{"host": "web2", "ok": false}\n')
    (tmp_path / "rows.jsonl.run").write_text(
        '{"elsewhere": 1, "function": "run: uptime", "conversion": null, "inputs": null, "digest": null}\n'
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "No host is named: give -H web1,web2, or -g GROUP with an inventory"),
        ("-i inv", "-g all is all of it"),
        ("-H ,", "No host is left"),
        ("-H web[1-3] -x web[1-9]", "No host is left"),
        ("-H we/b", "'we/b' is no host"),
        ("-H web[3-1]", "ends before it begins"),
        ("-H @gone", "the list of hosts gone cannot be read: No such file"),
        ("-g web", "needs an inventory to be in: -i FILE names one"),
        ("-g mail -i inv", "no group 'mail': its groups are all, web, db"),
        ("-g web -i inv --inventory list", "There are two inventories, list and inv"),
        ("-g web -i gone", "-i gone cannot be read: No such file"),
        ("-g web -i key.pub", "-i key.pub is a public key"),
        ("-g web -i cert", "neither a private key nor an inventory"),
        ("-H web1 -i bad -g all", "bad, line 1"),
        ("-H web1 --identity inv", "--identity inv is no private key"),
        ("-H web1 --inventory key", "--inventory key is a private key"),
        ("-H web1 -p 0", "0 is not in the range"),
        ("-H web1 -p x", "'x' is not a valid integer"),
        ("-H web1 -J we/b", "'we/b' is no host"),
        ("-H web1 --connect-timeout 0", "not more than 0 seconds"),
        ("-H web1 --connect-timeout inf", "no time after which a host is given up"),
        ("-H web1 -j 0", "0 is not in the range"),
        ("-H web1 --retries -1", "-1 is not in the range"),
        ("-H web1 --max-failures 0", "0 is not in the range"),
        ("-H web1 --timeout soon", "'soon' is not a number of seconds"),
        ("-H web1 --resume", "--resume is about a file of rows"),
        ("-H web1 -o full.jsonl", "full.jsonl exists already"),
        ("-H web1 -o full.jsonl --resume", "full.jsonl, line 1, is not a row"),
        ("-H web1 -o rows.jsonl --resume", "rows.jsonl holds rows of something else, run: uptime"),
        ("-H web1 -o gone/out", "Rows cannot be written to gone/out"),
        ("-H web1 -o out --json", "--output writes rows to a file"),
        ("-H web1 --sudo-password-file key", "--sudo-password-file is about --sudo"),
        ("-H web1 --nonsense", "No such option"),
    ],
)
@pytest.mark.parametrize("verb", HOSTS_VERBS)
def test_wrong_usage_is_one_sentence(
    verb: str, line: str, sentence: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run([verb, *line.split(), *REST[verb]]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n"), err[:11]) == ("", 1, "elsewhere: ")
    assert sentence in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


REST = {"run": ["--", "id"], "put": ["inv", "/srv/"], "get": ["/etc/motd", "here/"]}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("run -H web1", "There is no command"),
        ("run -H web1 --", "There is no command"),
        ("run uptime -H web1", "No host is named"),
        ("run -H web1 --env NOT_SET -- id", "takes its value from here, where NOT_SET is not set"),
        ("run -H web1 --env A-B=1 -- id", "no name of an environment variable"),
        ("run -H @- --stdin -- id", "stdin cannot be both"),
        ("run -H web1 --grouped --json -- id", "two ways to show the same"),
        ("run -H web1 --grouped -- id", "--output writes rows to a file"),
        ("run -H web1 --cwd= -- id", "not an empty text"),
        ("run -H web1 --detach --stdin -- id", "What is detached reads and writes nothing"),
        ("put -H web1 inv", "Missing argument 'SOURCE...'"),
        ("put -H web1 gone1 list gone2 /srv/", "'gone1' is not there here; 'gone2' is not there here"),
        ("put -H web1 --mode rw list /srv/", "--mode is a number in octal digits such as 644 or 0755, not 'rw'"),
        ("put -H web1 --delete list /srv/", "--delete removes what is not in a folder that is copied"),
        ("put -H web1 - list /srv/", "The source - is stdin, which is copied alone"),
        ("put -H @- - /srv/x", "stdin cannot be both"),
        ("put -H web1 --sudo-group web list /srv/", "--sudo-group is about commands"),
        ("put -H web1 --sudo-user a:b list /srv/", "a:b"),
        ("get -H web1 /etc/motd", "Missing argument 'SOURCE...'"),
        ("get -H web[1-2] /etc/motd -", "Files of several hosts cannot all go to stdout"),
        ("get -H web1 /etc/motd /etc/issue -", "one file can be written"),
        ("get -H web1 --json /etc/motd -", "Rows and the file cannot both go to stdout"),
    ],
)
def test_wrong_usage_of_one_verb(line: str, sentence: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    verb, *others = line.split()
    assert run([verb, "-o", "rows", *others]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err
    assert "To go on" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_asyncssh_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    assert run(["run", "-H", "web1", "--", "id"]) == 1
    err = capfd.readouterr().err
    assert err.startswith("elsewhere: hosts are reached by asyncssh (")
    assert err.endswith("): python -m pip install 'elsewhere[fleet]'.\n")


@pytest.mark.parametrize("verb", HOSTS_VERBS)
def test_all_verbs_have_one_table_of_options(verb: str) -> None:
    command = group.get_command(click.Context(group), verb)
    assert command is not None
    spelled = [(*each.opts, *each.secondary_opts) for each in command.params if isinstance(each, click.Option)]
    for name, row in options.HOSTS.items():
        whole = tuple(part for each in row.spelled for part in each.split("/") if part.startswith("-"))
        assert spelled.count(whole) == 1, name
    assert {part for each in spelled for part in each} >= set(ALL.split())


ALL = (
    "-H --hosts -g --group -x --exclude -i --inventory --identity -u --user -p --port -J --jump --accept-new "
    "--connect-timeout --sudo --sudo-user --sudo-group --sudo-password-file -j --jobs --timeout --retries "
    "--max-failures -o --output --resume --retry-failed --overwrite --json --text -n --dry-run -q --quiet"
)


class TestDryRun:
    def test_says_what_would_be_done_where(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert run(["run", "-n", "-g", "web", "-i", "inv", "-x", "web2", "-H", "db1,root@x:77", "--", "a", "b c"]) == 0
        assert capfd.readouterr().out.splitlines() == [
            "run       a 'b c'",
            "hosts     4 hosts",
            "          db1        ssh://HERE@10.0.0.9:2200".replace("HERE", _me()),
            "          root@x:77  ssh://root@x:77",
            "          web1       ssh://deploy@web1:22",
            "          web3       ssh://deploy@web3:22",
        ]

    def test_says_how(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert run(["run", "-n", "-H", "web[1-3]", "-i", "key", "--sudo-user", "www", "--cwd", "/srv", "--env", "A=b",
                    "-j", "2", "-J", "me@gate", "-u", "you", "-p", "7", "--", "id"]) == 0  # fmt: skip
        lines = capfd.readouterr().out.splitlines()
        assert lines[:3] == [
            "run       id (as www) in /srv", "with      A", "hosts     3 hosts, 2 at once",
        ]  # fmt: skip
        assert lines[3] == "          web1  ssh://you@web1:7, over ssh://me@gate:22"

    def test_says_what_is_left(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert run(["run", "-n", "-H", "web[1-3]", "-o", "rows.jsonl", "--resume", "--", "uptime"]) == 0
        assert "hosts     3 hosts, 1 of them left" in capfd.readouterr().out
        assert run(["run", "-n", "-H", "web[1-3]", "-o", "rows.jsonl", "--retry-failed", "--", "uptime"]) == 0
        assert "hosts     3 hosts, 2 of them left" in capfd.readouterr().out


def _me() -> str:
    import getpass

    return getpass.getuser()


def test_files_of_hosts_and_of_stdin(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "-n", "-H", "@list", "-x", "web8", "--", "id"]) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()[2:]] == ["web7", "web9"]
