"""The yardstick: CPython's own tests of xmlrpc, as this interpreter ships them, on `elsewhere.xmlrpc`."""

from __future__ import annotations

import pytest

from tests.outcomes import outcomes_of

MODULES = ("test_xmlrpc", "test_docxmlrpc")
MOST = 12  # of 102; what is on purpose is told in docs/xmlrpc.md

# test -> (the line of CPython that it stands on, why it is right that it fails)
EXPECTED = {
    "test_xmlrpc.XMLRPCTestCase.test_keepalive_disconnect": (
        "server.handle_request()  # Retried second request",
        "the server has read the call and hangs up: it may have run, and is not sent again",
    ),
}


@pytest.mark.slow
@pytest.mark.bound(200)
def test_cpythons_tests_pass():
    assert len(EXPECTED) <= MOST
    found = outcomes_of("tests.xmlrpc.cpython_cases", ",".join(MODULES), seconds=190)
    found.check(EXPECTED, modules=[f"test.{name}" for name in MODULES])
    assert found.passed >= 102 - MOST
