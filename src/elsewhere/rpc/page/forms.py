"""A method's parameters as a form.

Rule: the form says what there is to enter, and how; the script (`assets/values.js`) makes JSON of what was entered.
They agree on ``data-`` attributes: `data-kind` of a field, `data-name` as JSON, `data-place` where it can only be given
in a list, or only by name, and `data-spread` where it holds several.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any

from elsewhere.rpc.page.fields import Field, Option, field_of
from elsewhere.rpc.page.markup import Markup, tag
from elsewhere.rpc.serving.methods.registry import Method

__all__ = ["form"]

LONG = 60  # characters of a default value that are shown
_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
# What can be given in one way only: JSON-RPC has a list of parameters, or names.
_PLACES: dict[Any, str] = {
    inspect.Parameter.POSITIONAL_ONLY: "list",
    inspect.Parameter.VAR_POSITIONAL: "list",
    inspect.Parameter.KEYWORD_ONLY: "names",
    inspect.Parameter.VAR_KEYWORD: "names",
}
_INPUTS = {"int": "numeric", "float": "decimal"}  # which keys a phone shows
_TYPES = {"date": "date", "time": "time"}


def form(method: Method, number: int) -> Markup:
    """The form that calls a method.

    Args:
        method: it.
        number: of the method in its page; ids are made of it.
    """
    parameters = method.schema.parameters
    fields = [_parameter(parameter, f"m{number}-{index}") for index, parameter in enumerate(parameters)]
    return tag(
        "form",
        *(fields or [tag("p", "It takes no arguments.", class_="none")]),
        tag(
            "p",
            tag("button", "Call", type="submit", class_="go"),
            tag("button", "Stop", type="button", class_="stop", hidden=True),
            tag("span", class_="took"),
            tag("button", "As curl", type="button", class_="curl", title="Show the command that does the same"),
            class_="actions",
        ),
        tag("div", class_="result", role="status", hidden=True),
        method="dialog",  # without the script nothing is sent
        novalidate=True,
        autocomplete="off",
        data_method=json.dumps(method.name),
    )


def _parameter(parameter: inspect.Parameter, id_: str) -> Markup:
    name, kind, default = parameter.name, parameter.kind, parameter.default
    place = _PLACES.get(kind)
    field = field_of(parameter.annotation)
    if kind in _STARS:
        sample = field.example if field.kind == "json" else "..."
        many = Field("json", field.label, f"[{sample}]" if place == "list" else f'{{"name": {sample}}}')
        return _field(many, id_, name, shown=_STARS[kind] + name, free=True, place=place, spread=place)
    free = default is not parameter.empty
    return _field(field, id_, name, free=free, default=_shown(default) if free else "", place=place)


def _shown(value: Any) -> str:
    told = repr(value)  # which the signature has, too
    return told if len(told) <= LONG else told[: LONG - 1] + "…"


def _field(
    field: Field,
    id_: str,
    name: str,
    *,
    shown: str = "",
    free: bool = False,
    default: str = "",
    place: str | None = None,
    spread: str | None = None,
) -> Markup:
    """One value: its name, its type, where to enter it, and where to say what is wrong with it."""
    said: dict[str, str | bool | None] = {
        "data_kind": field.kind,
        "data_name": json.dumps(name),
        "data_place": place,
        "data_spread": spread,
    }
    give = (
        tag("input", type="checkbox", class_="give", id=f"{id_}-give", aria_label=f"give {name}")
        if free and field.kind != "choice"  # which has an entry for that
        else Markup("")
    )
    type_ = tag("span", field.label, class_="type")
    asks = field.nullable and field.kind != "choice" and default != "None"
    none = _none(id_, name) if asks else Markup("")
    problem = tag("p", class_="problem", id=f"{id_}-problem")
    if field.kind == "record":
        inner = [_field(part, f"{id_}-{index}", key, free=may) for index, (key, part, may) in enumerate(field.fields)]
        legend = tag("legend", give, tag("span", shown or name, class_="name"), type_, _default(default), none)
        return tag("fieldset", legend, *inner, problem, class_="field", **said)
    label = tag("label", tag("span", shown or name, class_="name"), type_, for_=id_)
    head = tag("div", give, label, none, class_="head")
    return tag("div", head, _entry(field, id_, free, default), problem, class_="field", **said)


def _none(id_: str, name: str) -> Markup:
    box = tag("input", type="checkbox", class_="null", id=f"{id_}-null", aria_label=f"{name} is None")
    return tag("label", box, "None", class_="nullable", for_=f"{id_}-null")


def _default(default: str) -> Markup:
    return tag("span", f"default {default}", class_="default") if default else Markup("")


def _entry(field: Field, id_: str, free: bool, default: str) -> Markup:
    """Where a value is entered."""
    common: dict[str, str | bool | None] = {"id": id_, "class_": "value", "aria_describedby": f"{id_}-problem"}
    hint = f"default {default}" if default else field.example
    if field.kind == "choice":
        return tag("select", *_options(field, free, default), **common)
    if field.kind in _INPUTS:
        return tag("input", type="text", inputmode=_INPUTS[field.kind], placeholder=hint, spellcheck="false", **common)
    if field.kind in _TYPES:
        entry = tag("input", type=_TYPES[field.kind], step="1" if field.kind == "time" else None, **common)
        return tag("div", entry, _default(default), class_="beside")
    area = tag("textarea", rows="1", placeholder=hint, spellcheck="false", autocapitalize="off", **common)
    if field.kind != "bytes":
        return area
    coding = tag(
        "select",
        tag("option", "as text", value="text"),
        tag("option", "as base64", value="base64"),
        class_="coding",
        aria_label="how these bytes are written",
    )
    file = tag("input", type="file", class_="file", aria_label="a file whose bytes are sent")
    return tag("div", area, tag("div", coding, file, class_="sources"), class_="bytes")


def _options(field: Field, free: bool, default: str) -> Iterable[Markup]:
    if free:
        yield tag("option", f"default {default}" if default else "left out", value="")
    for option in (*field.options, *([Option("None", "null")] if field.nullable else [])):
        yield tag("option", option.shown, value=option.json)
