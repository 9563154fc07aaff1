"""What can be asked of the page's style without looking at it: that it can be read."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STYLE = files("elsewhere.rpc.page").joinpath("assets/page.css").read_text()
READABLE = 4.5  # of light to dark: WCAG 2.1, level AA
PAIRS = [
    ("text", "ground"), ("text", "card"), ("text", "sunk"),
    ("quiet", "ground"), ("quiet", "card"), ("quiet", "sunk"), ("quiet", "bad-soft"),
    ("accent", "ground"), ("accent", "card"), ("accent-text", "accent"),
    ("bad", "ground"), ("bad", "card"), ("bad", "bad-soft"), ("text", "bad-soft"), ("good", "sunk"),
    ("string", "sunk"), ("number", "sunk"), ("word", "sunk"),
]  # fmt: skip


def palette(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else {})


def brightness(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_what_is_behind_it(scheme):
    colours = palette(scheme)
    ratios = {}
    for front, back in PAIRS:
        one, other = brightness(colours[front]), brightness(colours[back])
        ratios[front, back] = (max(one, other) + 0.05) / (min(one, other) + 0.05)
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < READABLE} == {}


def test_every_colour_is_one_of_those():
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*;)", rules) == []
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) <= palette("light").keys() | {"shadow", "round", "mono"}


def test_every_class_in_the_style_is_used():
    used = "".join(
        each.read_text()
        for folder in (files("elsewhere.rpc.page"), files("elsewhere.rpc.page").joinpath("assets"))
        for each in folder.iterdir()
        if each.name.endswith((".py", ".js"))
    )
    classes = set(re.findall(r"\.([a-z]+)(?=[\s,:.>{[)])", re.sub(r"/\*.*?\*/", "", STYLE)))
    assert {name for name in classes if not re.search(rf"\b{name}\b", used)} == set()
