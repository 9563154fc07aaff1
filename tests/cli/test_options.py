"""One table for all verbs: an option that two verbs take is spelled, checked and explained in the same way by both."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import click
import pytest

from elsewhere.cli import options
from elsewhere.cli.group import SAYS, VERBS, group
from elsewhere.cli.help import HEADINGS, Verb
from elsewhere.cli.hosts.options import CHOOSING, OF_HOSTS, REACHING, SUDO

# Fabric's command line is Fabric's, and is read by its dialects.
OURS = [verb for verb in VERBS if verb != "fab"]
CALLS = ["map", "call"]
HOSTS = ["run", "put", "get"]

# Which verbs take which row of the table; those that do not have nothing that it could be about.
TAKEN = {
    "jobs": ["map", *HOSTS],
    "output": ["map", *HOSTS],  # and `call`, for which it is one value and not rows
    "resume": ["map", *HOSTS],
    "retry_failed": ["map", *HOSTS],
    "overwrite": ["map", *HOSTS],
    "max_failures": ["map", *HOSTS],
    "timeout": [*CALLS, *HOSTS],
    "retries": [*CALLS, *HOSTS],
    "text": [*CALLS, *HOSTS, "doctor"],
    "dry_run": ["serve", *CALLS, *HOSTS],
    "quiet": ["map", *HOSTS],
    **{name: ["map", *HOSTS] for name in [*CHOOSING, *REACHING]},
    **dict.fromkeys(SUDO, HOSTS),
}

# The same letters, and not the same thing: each with the reason.
OTHERWISE = {
    ("call", "output"): "one value, of bytes or JSON",
    ("call", "user"): "who calls, over HTTP",
    ("serve", "where"): "where methods run: on no host and no cluster",
    ("serve", "ca"): "whose certificates are checked",
}


def command(verb: str) -> Verb:
    found = group.get_command(click.Context(group), verb)
    assert isinstance(found, Verb)
    return found


def spelled(option: click.Option) -> tuple[str, ...]:
    return (*option.opts, *option.secondary_opts)


def options_of(verb: str) -> dict[str, click.Option]:
    return {str(option.name): option for option in command(verb).params if isinstance(option, click.Option)}


def rows() -> dict[str, options.Row]:
    return {**options.TABLE, **CHOOSING, **REACHING, **SUDO}


def whole(row: options.Row) -> tuple[str, ...]:
    return tuple(part for each in row.spelled for part in each.split("/") if part.startswith("-"))


def test_each_verb_has_a_line_and_is_there():
    assert list(SAYS) == list(VERBS)
    assert [command(verb).name for verb in OURS] == OURS


@pytest.mark.parametrize("name", [*rows()])
def test_a_row_is_taken_by_whom_it_concerns_and_spelled_alike(name):
    row = rows()[name]
    takes = [
        verb
        for verb in OURS
        if any(spelled(option) == whole(row) for option in options_of(verb).values())
        and (verb, row_name(verb, row)) not in OTHERWISE
    ]
    assert sorted(takes) == sorted(TAKEN[name])


def row_name(verb: str, row: options.Row) -> str:
    return next(str(option.name) for option in options_of(verb).values() if spelled(option) == whole(row))


def meaning(verb: str, option: click.Option) -> dict[str, Any]:
    """All that a user could see a difference in."""
    kind = option.type
    bounds = (kind.min, kind.max) if isinstance(kind, click.IntRange) else None
    check = kind.func if isinstance(kind, click.types.FuncParamType) else None
    found = {
        "spelled": spelled(option), "name": option.name, "type": type(kind), "bounds": bounds, "check": check,
        "metavar": option.metavar, "flag": option.is_flag, "multiple": option.multiple, "help": option.help,
        "default": option.default,
    }  # fmt: skip
    if verb in HOSTS:  # what is said of hosts and not of calls is in a table, too
        row = next((name for name, row in options.TABLE.items() if whole(row) == spelled(option)), "")
        for changed in OF_HOSTS.get(row, {}):
            found[changed] = "as OF_HOSTS has it"
    return found


def test_an_option_means_the_same_everywhere():
    means: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for verb in OURS:
        for option in options_of(verb).values():
            if (verb, option.name) not in OTHERWISE:
                for letters in spelled(option):
                    means[letters][verb] = meaning(verb, option)
    for letters, by_verb in means.items():
        verbs = [verb for verb in by_verb if verb not in HOSTS]
        for alike in (verbs, [verb for verb in by_verb if verb in HOSTS]):
            for verb in alike:
                assert by_verb[verb] == by_verb[alike[0]] | default_of(verb, by_verb[verb]), (letters, verb)
        if verbs and len(verbs) < len(by_verb):
            one, other = by_verb[verbs[0]], by_verb[next(verb for verb in by_verb if verb in HOSTS)]
            differs = {key for key in one if one[key] != other[key] and other[key] != "as OF_HOSTS has it"}
            assert differs == set(), letters


def default_of(verb: str, means: dict[str, Any]) -> dict[str, Any]:
    """The doctor speaks to people first, where calls speak to programs."""
    return {"default": False} if verb == "doctor" and means["name"] == "as_json" else {}


def test_no_two_options_of_a_verb_share_a_spelling():
    for verb in OURS:
        every = [letters for option in options_of(verb).values() for letters in spelled(option)]
        assert len(every) == len(set(every)), verb


def test_each_option_has_a_heading_and_no_heading_a_ghost():
    names = {name for verb in OURS for name in options_of(verb)}
    listed = [name for group_ in HEADINGS.values() for name in group_]
    assert sorted(listed) == sorted(names)


def test_what_is_excepted_is_there():
    for verb, name in OTHERWISE:
        assert name in options_of(verb)


def test_seconds():
    assert options.seconds("inf") is None
    assert options.seconds("1.5") == 1.5
