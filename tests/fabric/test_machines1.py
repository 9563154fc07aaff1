"""What is pure of Fabric 1: the command line, the text of a command, how its output looks, env of each task's own."""

from __future__ import annotations

import copy
import pickle
import shlex
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.fabric.v1.main.arguments import Asked, parse, split
from elsewhere.fabric.v1.operations.echo import Echo
from elsewhere.fabric.v1.operations.wrapping import escaped, prefixed, sudo_prefix, with_variables, wrapped
from elsewhere.fabric.v1.state.local import AliasDict, AttributeDict, isolated

# ---- the command line ------------------------------------------------------------------------------------------------


def test_arguments():
    assert parse(["t"]) == [Asked("t")]
    assert parse(["a.b.t:1,x=2"]) == [Asked("a.b.t", ["1"], {"x": "2"})]
    assert parse([r"t:a\,b,c=d\=e\,f"]) == [Asked("t", ["a,b"], {"c": "d=e,f"})]
    assert parse(["t:"]) == [Asked("t", [""])]
    assert parse(["t:hosts=a; b,role=r,exclude_hosts=c"]) == [Asked("t", [], {}, ["a", "b"], ["r"], ["c"])]
    assert parse(["t:host=user@h:22"]) == [Asked("t", [], {}, ["user@h:22"])]
    with pytest.raises(ValueError, match="two equals signs"):
        parse(["t:a=b=c"])


@given(st.lists(st.text(alphabet="ab=,;:", max_size=6), min_size=1))
def test_what_is_escaped_is_one_part(parts):
    assert split(",", ",".join(part.replace(",", r"\,") for part in parts)) == parts


# ---- the text of a command -------------------------------------------------------------------------------------------


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\n\r\\!")))
def test_an_escaped_text_is_itself_between_quotes(text):
    done = subprocess.run(["sh", "-c", f'printf %s "{escaped(text)}"'], capture_output=True, check=True)
    assert done.stdout.decode() == text


def test_the_texts_are_the_originals():
    assert wrapped("ls", "", True, None) == "ls"
    assert wrapped('echo "$x"', "/bin/bash -l -c", True, None) == '/bin/bash -l -c "echo \\"\\$x\\""'
    assert prefixed("ls", "/tmp", ["a"]) == "cd /tmp >/dev/null && a && ls"
    assert with_variables("ls", "/x", "prepend", {"A": "$b"}) == 'export PATH=""/x":$PATH" A="\\$b" && ls'
    assert with_variables("ls", "", "append", {}) == "ls"
    assert sudo_prefix("sudo ", 1001, "g") == 'sudo  -u "#1001" -g "g" '
    assert sudo_prefix("sudo ", None, None) == "sudo "


@given(st.dictionaries(st.sampled_from(["A", "B", "C_1"]), st.text(alphabet="ab \"$`'();&|", max_size=8)))
def test_variables_arrive(variables):
    command = with_variables("env", "", "append", variables)
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, text=True)
    lines = done.stdout.splitlines()
    for name, value in variables.items():
        assert f"{name}={value}" in lines, shlex.quote(command)


# ---- output ----------------------------------------------------------------------------------------------------------

PIECES = st.lists(st.text(alphabet="ab\r\n", max_size=5))


def _shown(pieces, *, linewise, prefix="[h] out: "):
    echo = Echo(prefix, linewise)
    return "".join([*map(echo.feed, pieces), echo.end()])


@given(PIECES)
def test_how_output_is_cut_changes_nothing(pieces):
    # But for \r\n: a \r that has come alone has ended its line already, as in the original.
    pieces = [piece.replace("\r", "") for piece in pieces]
    whole = "".join(pieces)
    assert _shown(pieces, linewise=False) == _shown([whole] if whole else [], linewise=False)


@given(PIECES)
def test_line_by_line_it_looks_the_same(pieces):
    assert _shown(pieces, linewise=True) == _shown(pieces, linewise=False)


@given(PIECES)
def test_each_line_has_its_prefix(pieces):
    shown = _shown(pieces, linewise=False)
    assert all(line.startswith("[h] out: ") for line in shown.splitlines())
    assert shown.replace("[h] out: ", "").replace("\n", "") == "".join(pieces).replace("\r", "").replace("\n", "")


def test_the_end_of_output():
    assert _shown(["a\n"], linewise=False) == "[h] out: a\n[h] out: \n"
    assert _shown(["a"], linewise=False) == "[h] out: a"
    assert _shown(["a\r", "\nb"], linewise=False) == "[h] out: a\n[h] out: b"
    assert _shown([], linewise=False) == ""
    assert _shown(["a\nb"], linewise=False, prefix="") == "a\nb"


# ---- env -------------------------------------------------------------------------------------------------------------


def test_keys_are_attributes():
    env = AttributeDict({"a": 1, "empty": ""})
    env.b = 2
    assert (env.a, env["b"], env.first("no", "empty", "b")) == (1, 2, 2)
    assert "%(a)s" % env == "1"  # noqa: UP031 - that is what task files do
    assert {**env} == dict(env) == {"a": 1, "empty": "", "b": 2}
    del env.a
    with pytest.raises(AttributeError):
        _ = env.a
    assert copy.deepcopy(env) == pickle.loads(pickle.dumps(env)) == env


def test_an_alias_sets_what_it_stands_for():
    output = AliasDict({"x": 1, "y": 1}, {"both": ["x", "y"], "all": ["both"]})
    output["all"] = 2
    assert output == {"x": 2, "y": 2}
    assert output.expand_aliases(["all", "x"]) == ["x", "y", "x"]
    assert copy.deepcopy(output).aliases == output.aliases


def test_each_task_has_its_own():
    env = AttributeDict({"n": 0, "list": [1], "dict": {"a": {"b": 1}}}, shared=True)
    barrier, seen = threading.Barrier(3), {}

    def task(number):
        with isolated():
            env.n = number
            env.list.append(number)
            env.dict["a"]["b"] = number
            env[f"own{number}"] = True
            barrier.wait(10)
            seen[number] = (env.n, env["list"], env.dict["a"]["b"], {**env}, len(env), sorted(env))

    threads = [threading.Thread(target=task, args=[number]) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in (1, 2, 3):
        n, numbers, b, plain, size, keys = seen[number]
        assert (n, numbers, b, size) == (number, [1, number], number, 4)
        assert plain["n"] == number
        assert keys == ["dict", "list", "n", f"own{number}"]
    assert env == {"n": 0, "list": [1], "dict": {"a": {"b": 1}}}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "pop", "setdefault", "update", "clear", "del"]),
            st.sampled_from("abc"),
            st.integers(),
        )
    )
)
def test_an_overlay_is_a_dict_like_any(steps):
    env, plain = AttributeDict({"a": 0}, shared=True), {"a": 0}
    with isolated():
        for step, key, value in steps:
            for each in (env, plain):
                match step:
                    case "set":
                        each[key] = value
                    case "pop":
                        each.pop(key, None)
                    case "setdefault":
                        each.setdefault(key, value)
                    case "update":
                        each.update({key: value})
                    case "clear":
                        each.clear()
                    case "del" if key in each:
                        del each[key]
            assert env == plain
            assert list(env.items()) == list(plain.items())
            assert (len(env), key in env, env.get(key), repr(env)) == (
                len(plain),
                key in plain,
                plain.get(key),
                repr(plain),
            )
    assert env == {"a": 0}
