"""The page of `examples/service.py` in a real browser: both of its methods are called there."""

from __future__ import annotations

import re

import pytest

from tests.examples.programs import copied, serving
from tests.require import require
from tests.rpc.page.conftest import browsing
from tests.rpc.page.pages import call, card, expect

__all__ = ["browsing"]
pytestmark = [pytest.mark.slow, pytest.mark.bound(180)]


def test_what_computes_and_what_waits_are_called_on_the_page(browsing, tmp_path):
    require(module="uvicorn", install="pip install 'elsewhere[http]'")
    folder = copied(tmp_path)
    address = re.search(r"http://localhost:\d+", (folder / "examples" / "service.py").read_text())
    assert address is not None
    with serving(folder, "service.py"):
        page = browsing.show(address[0])
        expect(card(page, "primes")).to_contain_text("How many primes there are below a number.")
        expect(call(page, "primes", below="10000").locator("pre")).to_have_text("1229")
        expect(call(page, "addresses", name="localhost").locator("pre")).to_contain_text("127.0.0.1")
        page.close()
    assert browsing.complaints == []
