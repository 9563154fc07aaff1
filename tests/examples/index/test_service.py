"""The index behind an address: for Python, for MessagePack-RPC, JSON-RPC and XML-RPC, and in a real browser."""

from __future__ import annotations

import json
import shutil
import urllib.request
import xmlrpc.client

import pytest

from elsewhere import RemoteError, connect
from tests.examples.index.helpers import run, serving
from tests.require import require
from tests.rpc.page.pages import call, card, expect, figure

HTTP = "pip install 'elsewhere[http]'"
TCP, WEB = "tcp://127.62.0.1:0", "http://127.62.0.1:0"


def jsonrpc(address, method, **params):
    body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
    request = urllib.request.Request(
        f"{address}jsonrpc", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_every_way_to_ask_has_the_same_answer(texts, index):
    require(module="uvicorn", install=HTTP)
    with serving(index, TCP, WEB) as (tcp, web), connect(tcp, timeout=60) as client:
        found = client.search("quokka", limit=5)
        [hit] = found
        assert hit == {"path": str(texts / "odd" / "latin.txt"), "score": hit["score"], "line": hit["line"]}
        assert hit["line"] == "Straße nach Köln, quokka"
        assert jsonrpc(web, "search", query="quokka")["result"] == found
        with xmlrpc.client.ServerProxy(f"{web}RPC2") as proxy:
            assert proxy.search("quokka") == found
        assert client.submit("search", "quokka").result() == found

        text = (texts / "000" / "000123.txt").read_text("latin-1")
        assert client.similar(text, limit=1)[0]["path"] == str(texts / "000" / "000123.txt")
        assert client.about()["files"] == 707
        with pytest.raises(RemoteError, match="there is no word in the query") as raised:
            client.search("...")
        assert raised.value.type_name == "builtins.ValueError"
        assert jsonrpc(web, "search", query="...")["error"]["message"] == "there is no word in the query '...'"


def test_it_is_built_again_while_it_is_searched(texts, tmp_path):
    folder, index = tmp_path / "texts", tmp_path / "index"
    shutil.copytree(texts / "000", folder)
    run("indexer", folder, "-o", index, "--where", "inline")
    with serving(index, TCP) as [tcp], connect(tcp, timeout=60) as client:
        assert client.search("quokka") == []
        (folder / "new.txt").write_text("a quokka")
        building = client.submit("reindex")
        answers = []
        while not building.done():
            answers.append(len(client.search("quokka")))
        assert answers == sorted(answers)  # the old index, then the new one; never none, and never half of one
        assert building.result()["files"] == 501
        assert len(client.search("quokka")) == 1


def test_what_cannot_be_served_is_said(tmp_path):
    assert "no such file" in run("service", tmp_path / "nowhere", status=1).stderr.lower()


@pytest.mark.slow
@pytest.mark.bound(180)
def test_by_the_page_in_a_browser(index, browsing):
    require(module="uvicorn", install=HTTP)
    with serving(index, WEB) as [web]:
        page = browsing.show(web)
        expect(page).to_have_title("text index")
        result = call(page, "search", query="quokka")
        expect(result.locator("pre").first).to_contain_text("latin.txt")
        expect(result.locator("pre").first).to_contain_text("Straße nach Köln, quokka")
        expect(figure(page, "search", "calls")).to_have_text("1")
        expect(call(page, "similar", text="wombat")).to_contain_text("wide.txt")
        expect(call(page, "search", query="...")).to_contain_text("there is no word in the query")
        expect(card(page, "search").locator(".count")).to_have_text("2 calls · 1 error")
        assert browsing.complaints == []
