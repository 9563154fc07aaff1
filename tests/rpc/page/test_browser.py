"""The page in a real browser: it is opened, searched, and calls methods."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.rpc.page.pages import call, card, entry, expect, figure
from tests.rpc.page.served import IMAGE, shown

TABLE_FITS = "(wide => wide.scrollWidth <= wide.clientWidth)(document.querySelector('.wide'))"

pytestmark = [pytest.mark.slow, pytest.mark.bound(180)]


def test_a_method_is_found_and_called_and_the_counts_move(browsing, picture):
    page = browsing.open(shown(name="Example"), viewport={"width": 1280, "height": 900})
    expect(page).to_have_title("Example")
    expect(page.locator("#state")).to_have_text("live")
    expect(figure(page, "double", "calls")).to_have_text("0")

    page.get_by_role("searchbox").fill("twice number")
    expect(page.locator("details.method:visible")).to_have_count(1)
    expect(page.locator("tbody tr:visible")).to_have_count(1)

    result = call(page, "double", n="21")
    expect(result.locator("pre")).to_have_text("42")
    expect(card(page, "double").locator(".took")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(figure(page, "double", "calls")).to_have_text("1")
    expect(card(page, "double").locator(".count")).to_have_text("1 call")

    page.get_by_role("searchbox").fill("")
    expect(page.locator("details.method:visible")).to_have_count(page.locator("details.method").count())
    failed = call(page, "fail", text="it is broken")
    expect(failed).to_contain_text("ValueError")
    expect(failed.locator("pre").first).to_have_text("it is broken")
    expect(figure(page, "fail", "errors")).to_have_text("1")
    expect(card(page, "fail").locator(".count")).to_have_text("1 call · 1 error")
    expect(failed).not_to_contain_text("Traceback")
    card(page, "double").scroll_into_view_if_needed()
    assert page.evaluate(TABLE_FITS)
    picture(page, "wide-light")
    page.emulate_media(color_scheme="dark")
    picture(page, "wide-dark")
    assert browsing.complaints == []


def test_bad_input_is_said_at_its_field(browsing):
    page = browsing.open(shown())
    found = card(page, "double")
    call(page, "double", n="seven")
    problem = found.locator(".problem")
    expect(problem).to_have_text('expected a whole number, got "seven"')
    expect(entry(found, "n")).to_have_attribute("aria-invalid", "true")
    expect(entry(found, "n")).to_be_focused()
    expect(found.locator(".result")).to_be_hidden()
    entry(found, "n").fill("7")
    expect(problem).to_be_empty()

    call(page, "lists", xs="[1, oops]", table="{}")
    expect(card(page, "lists").locator(".problem").first).to_contain_text("this is no JSON")

    call(page, "names", a="1", others="[1]")
    expect(card(page, "names").locator(".problem").nth(1)).to_have_text("expected names: {...}")
    call(page, "places", a="1", b="2", rest='{"a": 1}')
    expect(card(page, "places").locator(".problem").nth(2)).to_have_text("expected a list: [...]")

    result = call(page, "lists", xs='[1, "two"]', table="{}")  # the service's own check
    expect(result.locator(".what")).to_have_text("ArgumentError")
    expect(result.locator("pre").first).to_have_text("lists: xs[1]: expected int, got str")
    expect(card(page, "lists").locator(".problem").first).to_have_text("xs[1]: expected int, got str")
    assert browsing.complaints == []


def test_values_of_every_kind_arrive_as_they_were_meant(browsing, tmp_path):
    page = browsing.open(shown())
    file = tmp_path / "data"
    file.write_bytes(bytes(range(256)))

    def result(name: str, /, **values: str) -> Any:
        return expect(call(page, name, **values).locator("pre").first)

    result("double", n="1_000_000_000_000_000_000_001").to_have_text("2000000000000000000002")
    result("echo", value="[1.0, 12345678901234567890]").to_have_text("[\n  1.0,\n  12345678901234567890\n]")
    result("echo", value="no JSON, so a text").to_have_text("no JSON, so a text")
    entry(card(page, "numbers"), "b").select_option("True")
    result("numbers", i="-3", f=".5", d="0.10").to_have_text("(-3, 0.5, True, Decimal('0.10'))")
    result("texts", s="one\ntwo ✓", data="é").to_have_text(repr(("one\ntwo ✓", "é".encode(), None)))
    card(page, "texts").locator(".coding").select_option("base64")
    result("texts", s="", data="AP8=", when="2026-01-31T12:00").to_have_text(
        "('', b'\\x00\\xff', datetime.datetime(2026, 1, 31, 12, 0))"
    )
    card(page, "texts").locator(".file").set_input_files(str(file))
    result("texts", s="").to_have_text(repr(("", bytes(range(256)), None)).replace("None", _WHEN))
    result("dates", day="2026-01-31", at="12:30:05", span="1.5").to_have_text(
        "(datetime.date(2026, 1, 31), datetime.time(12, 30, 5), "
        "datetime.timedelta(seconds=1, microseconds=500000), None)"
    )
    entry(card(page, "choices"), "colour").select_option("BLUE")
    entry(card(page, "choices"), "size").select_option("3")
    result("choices").to_have_text("(<Colour.BLUE: 'blue'>, 3, None)")
    result("lists", xs="[1, 2]", table='{"a": 1.5}', either="text").to_have_text(
        "([1, 2], {'a': 1.5}, (1, 'a'), 'text')"
    )
    result("places", a="1", b="3", rest="[4, 5]").to_have_text("(1, 3, (4, 5), 5)")
    result("names", a="1", others='{"b": 2}').to_have_text("(1, {'b': 2})")
    assert browsing.complaints == []


_WHEN = "datetime.datetime(2026, 1, 31, 12, 0)"


def test_what_is_left_out_is_left_out(browsing):
    page = browsing.open(shown())

    def result(name: str, /, **values: str) -> Any:
        return expect(call(page, name, **values).locator("pre").first)

    result("greet", name="Ann").to_have_text("Hello, Ann")
    card(page, "greet").get_by_role("checkbox", name="give greeting").check()
    result("greet").to_have_text(", Ann")
    result("greet", greeting="Bye").to_have_text("Bye, Ann")
    card(page, "greet").get_by_role("checkbox", name="give greeting").uncheck()
    entry(card(page, "greet"), "loud").select_option("True")
    result("greet").to_have_text("HELLO, ANN")

    maybe = card(page, "maybe")
    maybe.get_by_role("checkbox", name="n is None").check()
    expect(entry(maybe, "n")).to_be_disabled()
    result("maybe").to_have_text("(None, 'set')")
    maybe.get_by_role("checkbox", name="text is None").check()
    result("maybe").to_have_text("(None, None)")
    maybe.get_by_role("checkbox", name="n is None").uncheck()
    result("maybe", n="1").to_have_text("(1, None)")

    places = card(page, "places")
    call(page, "places", a="1", rest="[3]")
    expect(places.locator(".problem").nth(1)).to_contain_text("a list has no gaps")
    result("places", b="2").to_have_text("(1, 2, (3,), 5)")
    call(page, "places", named="6")
    expect(places.locator(".problem").nth(3)).to_contain_text("JSON-RPC cannot give this one beside")
    result("mixed", key="1").to_have_text("((), 1, {})")
    result("mixed", key="1", rest="[]", others='{"a": 2}').to_have_text("((), 1, {'a': 2})")
    call(page, "mixed", rest="[1]")
    expect(card(page, "mixed").locator(".problem").nth(1)).to_contain_text("JSON-RPC cannot give this one beside")
    assert browsing.complaints == []


def test_records_are_fields_of_their_own(browsing):
    page = browsing.open(shown())
    found = card(page, "records")

    def part(*path: str) -> Any:
        at = found
        for key in path:
            at = at.locator(f".field[data-name='\"{key}\"']").first
        return at.locator(".value").first

    part("person", "name").fill("Ann")
    part("person", "age").fill("40")
    part("options", "depth").fill("2")
    result = found.locator(".result pre").first
    found.get_by_role("button", name="Call").click()
    expect(result).to_have_text("(Person(name='Ann', age=40, home=None), {'depth': 2}, Point(x=0.0, y=0.0))")
    part("person", "home", "street").fill("High Street")  # which has the home itself be given
    part("options", "quick").select_option("False")
    part("point", "x").fill("3")
    found.get_by_role("button", name="Call").click()
    expect(result).to_have_text(
        "(Person(name='Ann', age=40, home=Place(street='High Street', number=1)), "
        "{'depth': 2, 'quick': False}, Point(x=3.0, y=0.0))"
    )
    part("person", "age").fill("old")
    found.get_by_role("button", name="Call").click()
    expect(part("person", "age")).to_be_focused()
    assert browsing.complaints == []


def test_texts_that_are_scripts_show_as_text(browsing):
    page = browsing.open(shown(name=IMAGE))
    expect(page.locator("h1")).to_have_text(IMAGE)
    result = call(page, f"bad.{IMAGE}")
    expect(result.locator("pre")).to_contain_text(IMAGE)
    page.get_by_role("searchbox").fill(IMAGE)
    expect(page.locator("details.method:visible")).to_have_count(1)
    expect(call(page, f"bad.{IMAGE}", value=IMAGE).locator("pre")).to_have_text(IMAGE + IMAGE)
    page.get_by_role("searchbox").fill("")
    expect(call(page, "fail", text=IMAGE).locator("pre").first).to_have_text(IMAGE)
    expect(page).to_have_title(IMAGE)
    assert page.locator("img, iframe, object").count() == 0
    assert browsing.complaints == []


def test_all_of_it_works_from_the_keyboard(browsing):
    page = browsing.open(shown())
    expect(page.locator("#state")).to_have_text("live")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("place")  # which "records" has in its signature, too
    page.keyboard.press("Enter")
    places = page.locator("details.method").filter(has=page.locator("summary b:text-is('places')"))
    expect(entry(places, "a")).to_be_focused()
    places.locator("summary").click()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    page.keyboard.type("double")
    page.keyboard.press("Enter")
    found = page.locator("details.method").filter(has=page.locator("summary b:text-is('double')"))
    expect(entry(found, "n")).to_be_focused()
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    expect(found.locator(".result pre")).to_have_text("8")
    page.keyboard.press("Shift+Tab")
    expect(found.locator("summary")).to_be_focused()
    page.keyboard.press("Space")
    expect(entry(found, "n")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.keyboard.press("ArrowDown")
    expect(found.locator("summary")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    greet = page.locator("details.method").filter(has=page.locator("summary b:text-is('greet')"))
    expect(greet).to_have_attribute("open", "")
    page.keyboard.press("Tab")
    page.keyboard.type("Ann")
    page.keyboard.press("Shift+Enter")  # a new line of a text, not a call
    page.keyboard.type("and Bob")
    page.keyboard.press("Enter")
    expect(greet.locator(".result pre")).to_have_text("Hello, Ann\nand Bob")
    assert browsing.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browsing, picture, scheme):
    page = browsing.open(
        shown(name="Example"),
        viewport={"width": 360, "height": 780},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
        color_scheme=scheme,
    )
    expect(page.locator("#state")).to_have_text("live")
    result = call(page, "records") if scheme == "dark" else call(page, "double", n="21")
    if scheme == "light":
        expect(result.locator("pre")).to_have_text("42")
    for name in ("records", "texts", "dates", f"bad.{IMAGE}"):
        card(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(TABLE_FITS)
    picture(page, f"phone-{scheme}")
    card(page, "double").scroll_into_view_if_needed()
    small = page.evaluate(
        "[...document.querySelectorAll('.actions button, .value, #search')].filter(each => each.offsetHeight)"
        ".map(each => each.offsetHeight).filter(height => height < 40)"
    )
    assert small == []  # what a finger has to hit
    page.locator("#figures").scroll_into_view_if_needed()
    picture(page, f"phone-{scheme}-figures")
    assert browsing.complaints == []


def test_the_address_names_a_method(browsing):
    page = browsing.open(shown(), "/#m-fail")
    expect(page.locator("details.method[open]")).to_have_count(1)
    expect(page.locator("details.method[open] summary b")).to_have_text("fail")
    page.get_by_role("link", name="echo", exact=True).click()
    expect(page.locator("details.method[open]")).to_have_count(2)
    expect(entry(card(page, "echo"), "value")).to_be_in_viewport()
    page.get_by_role("button", name="Method").click()
    expect(page.locator("tbody th").first).to_contain_text("bad.")
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Method")
