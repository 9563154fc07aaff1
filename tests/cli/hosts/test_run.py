"""``elsewhere run`` as its users run it: a real process, a real sshd, real signals, real pipes."""

from __future__ import annotations

from tests.cli.hosts.helpers import Home, rows_of


class TestOneHost:
    def test_output_is_passed_on_as_it_is(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web1", "--", "printf 'a\\033[1m'; echo b >&2")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a\x1b[1m", "b\n")

    def test_the_code_is_the_commands_own(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web1", "--", "echo why >&2; exit 7")
        assert (ended.returncode, ended.stdout, ended.stderr) == (7, "", "why\n")
        assert home.shell("run", "-H", "web1", "--", "kill -KILL $$").returncode == 128 + 9

    def test_not_reached_is_255(self, home: Home) -> None:
        ended = home.shell("run", "-H", "none5", "--", "true")
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (255, "", 1)
        assert "refuses connections" in ended.stderr

    def test_too_late_is_124(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web1", "--timeout", "0.5", "--", "sleep 1000")
        assert (ended.returncode, ended.stderr.count("\n")) == (124, 1)
        assert "timeout of 0.5 s" in ended.stderr

    def test_several_words_are_arguments(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web1", "printf", "%s|", "a b", "$(id)", "; exit 3")
        assert (ended.returncode, ended.stdout) == (0, "a b|$(id)|; exit 3|")


class TestSeveral:
    def test_lines_have_their_hosts_name(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web[1-3]", "-q", "--", "echo hi; echo oh >&2")
        assert ended.returncode == 0
        assert sorted(ended.stdout.splitlines()) == ["[web1] hi", "[web2] hi", "[web3] hi"]
        assert sorted(ended.stderr.splitlines()) == ["[web1]! oh", "[web2]! oh", "[web3]! oh"]

    def test_some_failed(self, home: Home) -> None:
        ended = home.shell("run", "-H", "web1,web2,none5", "--json", "--", "echo hi")
        found = rows_of(ended.stdout)
        assert ended.returncode == 1
        assert {host: row["ok"] for host, row in found.items()} == {"web1": True, "web2": True, "none5": False}
        assert found["none5"]["error"]["type"] == "ConnectError"
        assert "run failed on 1 of 3 hosts" in ended.stderr
