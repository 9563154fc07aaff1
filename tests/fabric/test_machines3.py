"""What is pure of Fabric 3: the command line of tasks, settings in levels, collections, watchers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.fabric.v3 import Config, Connection
from elsewhere.fabric.v3.invoke import (
    Argument,
    Collection,
    Context,
    FailingResponder,
    ParseError,
    Parser,
    ParserContext,
    Responder,
    ResponseNotAccepted,
    task,
)
from elsewhere.fabric.v3.invoke.config import Config as InvokeConfig
from elsewhere.fabric.v3.invoke.data import merged
from elsewhere.fabric.v3.invoke.exceptions import AmbiguousEnvVar, UncastableEnvVar, UnknownFileType
from elsewhere.fabric.v3.invoke.runners import normalize_hide
from elsewhere.fabric.v3.remote.connection import derive_shorthand

# ---- the command line ------------------------------------------------------------------------------------------------


@task(iterable=["item"], incrementable=["verbose"], optional=["log"])
def build(c, where, count=1, fast=False, shown=True, item=None, verbose=0, log=None, two_words="x"):
    pass


@task
def other(c):
    pass


def _parse(*words):
    core = ParserContext(args=[Argument(names=("hosts", "H")), Argument(names=("echo", "e"), kind=bool, default=False)])
    return Parser(Collection(build, other).to_contexts(), core).parse_argv(list(words))


TEXTS = st.text(alphabet="abc=,:. ", min_size=1).filter(lambda text: text not in {"build", "other"})


@given(
    where=TEXTS, count=st.integers(-9, 99), fast=st.booleans(), shown=st.booleans(), item=st.lists(TEXTS, max_size=3),
    verbose=st.integers(0, 3), two_words=TEXTS, short=st.booleans(), equals=st.booleans(),
)  # fmt: skip
def test_what_is_typed_arrives(where, count, fast, shown, item, verbose, two_words, short, equals):
    words = ["build", where]
    for long, letter, value in (("--count", "-c", str(count)), ("--two-words", "-t", two_words)):
        words += [f"{long}={value}"] if equals else [letter if short else long, value]
    words += ["-f" if short else "--fast"] * fast + ["--no-shown"] * (not shown)
    for each in item:
        words += ["-i" if short else "--item", each]
    words += [f"-{'v' * verbose}"] if verbose and short else ["--verbose"] * verbose
    found = _parse(*words, "other")
    assert [context.name for context in found] == [None, "build", "other"]
    assert found[1].as_kwargs == {
        "where": where, "count": count, "fast": fast, "shown": shown, "item": item, "verbose": verbose, "log": None,
        "two_words": two_words,
    }  # fmt: skip


def test_options_of_the_program_stand_anywhere():
    assert _parse("-H", "a,b", "other").pop(0).args["hosts"].value == "a,b"
    assert _parse("other", "-H", "a,b").pop(0).args["hosts"].value == "a,b"
    assert _parse("-Ha", "other").pop(0).args["hosts"].value == "a"


def test_what_stands_behind_two_dashes_is_left_alone():
    assert _parse("other", "--", "ls", "-l", "--", "x").remainder == "ls -l -- x"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "No idea what 'nothing' is!"),
        (["other", "--nothing"], "No idea what '--nothing' is!"),
        (["build"], "'build' did not receive required positional arguments: 'where'"),
        (["build", "x", "--count"], "needed value and was not given one"),
        (["build", "x", "--count", "many"], "'count' takes a value of type int, not 'many'"),
        (["build", "x", "--log", "other"], "'other' is ambiguous"),
    ],
)
def test_what_is_wrong(words, message):
    with pytest.raises(ParseError) as caught:
        _parse(*words)
    assert message in str(caught.value)


def test_letters_are_given_once():
    @task
    def letters(c, alpha="", also="", a2="", b=""):
        pass

    assert [argument.names for argument in letters.get_arguments()] == [
        ("alpha", "a"), ("also", "l"), ("a2", "2"), ("b",),
    ]  # fmt: skip


# ---- settings --------------------------------------------------------------------------------------------------------

LEAVES = st.integers() | st.text(max_size=3)
TREES = st.dictionaries(st.sampled_from("abc"), LEAVES | st.dictionaries(st.sampled_from("xyz"), LEAVES))


def _alike(*trees):
    """Trees in which no key is a group in one and a value in another."""
    return all(
        isinstance(one[key], dict) == isinstance(two[key], dict)
        for one in trees
        for two in trees
        for key in one.keys() & two
    )


@given(TREES, TREES)
def test_the_later_level_is_on_top(low, high):
    if not _alike(low, high):
        with pytest.raises(ValueError, match="group of settings"):
            merged(merged({}, low), high)
        return
    found = merged(merged({}, low), high)
    for key in {*low, *high}:
        if isinstance(found[key], dict):
            assert found[key] == {**low.get(key, {}), **high.get(key, {})}
        else:
            assert found[key] == high.get(key, low.get(key))


def test_levels(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".fabric.json").write_text(json.dumps({"run": {"echo": True}, "own": {"a": "user", "b": 1}}))
    project = tmp_path / "project"
    project.mkdir()
    (project / "fabric.py").write_text("own = {'a': 'project'}\n")
    monkeypatch.setenv("FABRIC_OWN_B", "7")
    monkeypatch.setenv("FABRIC_RUN_HIDE", "out")
    config = Config(overrides={"own": {"c": "overrides"}}, project_location=project)
    assert (config.run.echo, config.own.a, config.own.b) == (True, "user", 1)
    config.load_project()
    config.load_collection({"own": {"a": "collection", "d": "collection"}})
    config.load_shell_env()
    assert (config.own.a, config.own.b, config.own.c, config.own.d) == ("project", 7, "overrides", "collection")
    assert config.run.hide == "out"
    config.own.a = "set"
    clone = config.clone()
    clone.own.a = "of the clone"
    assert (config.own.a, clone.own.a, clone.own.b) == ("set", "of the clone", 7)
    del config.own.a
    assert "a" not in config.own


def test_settings_that_cannot_be(tmp_path, monkeypatch):
    config = Config(overrides={"one": {"two": 1}, "one_two": 2, "list": [1]})
    with pytest.raises(AmbiguousEnvVar):
        config.load_shell_env()
    monkeypatch.setenv("FABRIC_LIST", "1")
    with pytest.raises(UncastableEnvVar):
        Config(overrides={"list": [1]}).load_shell_env()
    config.set_runtime_path(tmp_path / "settings.ini")
    with pytest.raises(UnknownFileType):
        config.load_runtime()


def test_a_context_is_its_settings():
    c = Context(InvokeConfig(overrides={"deploy": {"path": "/srv"}}))
    assert c.deploy.path == c["deploy"]["path"] == c.config.deploy.path == "/srv"
    c.deploy.path = "/opt"
    c.more = {"a": {"b": 1}}
    assert (c.config.deploy.path, c.more.a.b, c.get("no", 3)) == ("/opt", 1, 3)
    assert c.deploy == {"path": "/opt"}
    assert c.deploy.pop("path") == "/opt"
    assert len(c.deploy) == 0
    with pytest.raises(AttributeError, match="No attribute or config key found for 'nothing'"):
        _ = c.nothing


def test_folders_and_prefixes():
    c = Context(InvokeConfig())
    with c.cd("/srv"), c.cd("a b"), c.prefix("x"):
        assert c._prefix_commands("ls") == "cd /srv/a\\ b && x && ls"
        with c.cd("~"):
            assert c.cwd == "~"
    assert c._prefix_commands("ls") == "ls"


# ---- collections -----------------------------------------------------------------------------------------------------


def test_names():
    inner = Collection("in_ner", build)
    outer = Collection(other, deep=inner)
    inner.add_task(other, name="other_one", aliases=("o_1",), default=True)
    assert outer.task_names == {"other": [], "deep.build": [], "deep.other-one": ["deep.o-1", "deep"]}
    assert outer["deep"] == outer["deep.other_one"] == outer["deep.o-1"] == other
    assert "deep.nothing" not in outer
    with pytest.raises(ValueError, match="cannot be the default"):
        inner.add_task(build, name="b2", default=True)
    with pytest.raises(ValueError, match="Name conflict"):
        outer.add_task(build, name="deep")
    assert Collection(auto_dash_names=False, a_b=build).task_names == {"a_b": []}


def test_settings_of_collections_on_the_way():
    inner = Collection("inner", build)
    outer = Collection(other, inner)
    inner.configure({"a": 1, "b": 1})
    outer.configure({"a": 2})
    assert outer.configuration("inner.build") == {"a": 2, "b": 1}
    assert outer.configuration("other") == {"a": 2}


# ---- the rest --------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="ab?", max_size=4)))
def test_each_question_is_answered_once(pieces):
    watcher, so_far, answers = Responder(r"\?", "y\n"), "", []
    for piece in pieces:
        so_far += piece
        answers += watcher.submit(so_far)
    assert len(answers) == so_far.count("?")


def test_a_wrong_answer():
    watcher = FailingResponder("word: ", "x\n", "denied")
    assert list(watcher.submit("denied word: ")) == ["x\n"]
    with pytest.raises(ResponseNotAccepted):
        list(watcher.submit("denied word: denied"))


@pytest.mark.parametrize(
    ("value", "hidden"),
    [(None, ()), (False, ()), (True, ("stdout", "stderr")), ("out", ("stdout",)), ("stderr", ("stderr",))],
)
def test_hide(value, hidden):
    assert normalize_hide(value) == hidden
    assert normalize_hide(True, out_stream=object()) == ("stderr",)
    with pytest.raises(ValueError, match="'hide' got 'x'"):
        normalize_hide("x")


@given(
    st.none() | st.from_regex(r"[a-z@]{1,5}", fullmatch=True), st.from_regex(r"[a-z.]{1,8}", fullmatch=True),
    st.none() | st.integers(1, 65535),
)  # fmt: skip
def test_short_texts_of_hosts(user, host, port):
    text = f"{'' if user is None else f'{user}@'}{host}{'' if port is None else f':{port}'}"
    assert derive_shorthand(text) == {"user": user, "host": host, "port": port}


def test_connections_compare_by_where_they_go():
    assert Connection("u@h:1") == Connection("h", user="u", port=1)
    assert hash(Connection("u@h:1")) == hash(Connection("h", user="u", port=1))
    assert Connection("a") < Connection("b")
    assert Connection("a") != "a"
