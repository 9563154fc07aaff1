"""Annotations become fields: each kind, in words that the script knows, and JSON where there is nothing better."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import typing
from typing import Annotated, Any, Literal, Required, TypedDict

import pytest

from elsewhere.rpc.page.examples import example
from elsewhere.rpc.page.fields import Field, Option, field_of
from elsewhere.rpc.serving.methods.converters import converter
from tests.rpc.page.served import Colour, Options, Person, Place, Point, Tree

Meters = typing.NewType("Meters", float)


class Odd(enum.Enum):
    THING = object()


class Bits(enum.Enum):
    ONE = b"\x01"


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, "int"),
        (float, "float"),
        (Meters, "float"),
        (Annotated[int, "more"], "int"),
        (int | float, "float"),
        (str, "str"),
        (bytes, "bytes"),
        (bytearray, "bytes"),
        (dt.date, "date"),
        (dt.time, "time"),
        (dt.datetime, "str"),
        (dt.timedelta, "float"),
        (Any, "any"),
        (int | str, "any"),
        (int | list[int], "json"),
        (list[int], "json"),
        (dict[str, int], "json"),
        (tuple[int, str], "json"),
        (set[int], "json"),
        (Person, "record"),
        (Options, "record"),
        (Point, "record"),
        (bool, "choice"),
        (Colour, "choice"),
        (Odd, "json"),
        (Literal["a", 1], "choice"),
        (Literal["a"] | Colour, "choice"),
        (type(None), "choice"),
    ],
)
def test_an_annotation_has_a_field(annotation, kind):
    assert field_of(annotation).kind == kind


def test_none_is_offered_where_it_will_do():
    assert field_of(int | None) == Field("int", "int | None", nullable=True)
    assert field_of(Person | None).nullable
    assert not field_of(int).nullable


@pytest.mark.parametrize(
    ("annotation", "label"),
    [
        (Person | None, "Person | None"),
        (dict[str, dt.datetime], "dict[str, datetime]"),
        (typing.NotRequired[bool], "bool"),
        (Literal["a.b"], "Literal['a.b']"),
        (Any, "anything"),
    ],
)
def test_types_are_called_by_their_own_names(annotation, label):
    assert field_of(annotation).label == label


def test_choices_are_shown_in_words_and_sent_as_json():
    assert field_of(Colour).options == (Option("RED", '"red"'), Option("BLUE", '"blue"'))
    some = Literal["a", 1, None]  # noqa: PYI061 - a spelling that people use
    assert field_of(some).options == (Option("'a'", '"a"'), Option("1", "1"), Option("None", "null"))
    assert field_of(bool).options == (Option("True", "true"), Option("False", "false"))
    assert field_of(Bits).options == (Option("ONE", '"AQ=="'),)


def test_a_record_has_the_fields_of_its_class_and_says_which_may_be_left_out():
    field = field_of(Person)
    assert [(name, part.kind, free) for name, part, free in field.fields] == [
        ("name", "str", False),
        ("age", "int", False),
        ("home", "record", True),
    ]
    assert [(name, free) for name, _, free in field_of(Options).fields] == [("depth", False), ("quick", True)]
    assert [(name, free) for name, _, free in field_of(Point).fields] == [("x", False), ("y", True)]


class Partial(TypedDict, total=False):
    needed: Required[int]
    free: int


def test_what_a_typed_dict_requires_is_seen_in_annotations_that_are_text():
    assert [(name, free) for name, _, free in field_of(Partial).fields] == [("needed", False), ("free", True)]


def test_a_record_that_holds_itself_is_asked_for_as_json_where_it_begins_again():
    (_, name, _), (_, branches, free) = field_of(Tree).fields
    assert (name.kind, branches.kind, free) == ("str", "json", True)
    made = dataclasses.make_dataclass("Made", [("again", "Made | None", None)])
    made.__module__ = __name__
    globals()["Made"] = made
    assert field_of(made).fields[0][1].kind == "json"


def test_records_within_records_end():
    inner: Any = Place
    for number in range(6):
        inner = dataclasses.make_dataclass(f"Level{number}", [("inner", inner)])
    outer = field_of(inner)
    assert outer.fields[0][1].kind == "record"
    assert outer.fields[0][1].fields[0][1].kind == "json"


def test_a_record_with_names_that_nobody_knows_is_asked_for_as_json():
    made = dataclasses.make_dataclass("Made", [("x", "Nowhere")])
    assert field_of(made).kind == "json"


@pytest.mark.parametrize(
    "annotation",
    [
        list[int], dict[str, float], tuple[int, str], tuple[int, ...], set[str], list[dict[str, list[int]]], Person,
        Options, Point, list[Colour], list[Literal["a", "b"]], dict[str, dt.datetime], list[Person], Tree, list[bytes],
        list[int | None], list[dt.date],
    ],
)  # fmt: skip
def test_an_example_is_what_the_service_would_take(annotation):
    convert = converter(annotation)
    assert convert is not None
    convert(json.loads(example(annotation)))


@pytest.mark.parametrize("annotation", [list, dict, Odd, list[Odd]])
def test_where_no_example_comes_to_mind_there_is_an_empty_one(annotation):
    assert example(annotation) in {"[]", "{}", ""}
