"""Calls both ways on one connection, nested: our `Service` and `connect` with Neovim and Node at the other end."""

from __future__ import annotations

import socket
from typing import Any

import pytest

import elsewhere
from elsewhere.rpc import Service, caller
from tests.interop.peers import BOUND, Peer, line_of, program
from tests.interop.test_neovim import listening, nvim
from tests.interop.test_node import SCRIPT, node

__all__ = ["listening", "node", "nvim"]  # fixtures


def offered(where: str) -> Service:
    """Methods that call back whoever called them."""
    service = Service()

    def ask_back(method: str, args: list[Any]) -> Any:
        return caller().call(method, *args)

    def down(n: int, back: list[Any]) -> Any:
        """The far side is asked to call this again, with one less."""
        method, *first = back
        return [n, caller().call(method, *first, [n - 1, back])] if n else "bottom"

    async def ask_back_on_the_loop(method: str, args: list[Any]) -> Any:
        return await caller().submit(method, *args)

    async def down_on_the_loop(n: int, back: list[Any]) -> Any:
        method, *first = back
        return [n, await caller().submit(method, *first, [n - 1, back])] if n else "bottom"

    loop = where == "loop"
    service.register(ask_back_on_the_loop if loop else ask_back, name="ask_back")
    service.register(down_on_the_loop if loop else down, name="down")
    service.register(lambda n: n + n, name="double", where=where)
    return service


BOTTOM = [3, [2, [1, "bottom"]]]


@pytest.mark.parametrize("where", ["threads", "loop"])
class TestNeovim:
    def test_our_service_calls_the_neovim_back_that_calls_it(self, listening, where):
        with (
            offered(where).start("tcp://127.0.0.1:0") as running,
            socket.create_connection(("127.0.0.1", listening), BOUND) as sock,
        ):
            peer = Peer(sock)
            port = running.addresses[0].rpartition(":")[2]
            connect = f"c = vim.fn.sockconnect('tcp', '127.0.0.1:{port}', {{rpc = true}})"
            assert peer.call("nvim_exec_lua", connect, [])[0] is None
            ask = "return vim.rpcrequest(c, 'ask_back', 'nvim_eval', {'1 + 2'})"
            assert peer.call("nvim_exec_lua", ask, []) == (None, 3)
            again = "return vim.rpcrequest(c, 'down', ...)"
            back = ["nvim_exec_lua", again]
            assert peer.call("nvim_exec_lua", again, [3, back]) == (None, BOTTOM)
            error, _ = peer.call("nvim_exec_lua", "return vim.rpcrequest(c, 'ask_back', 'zzz', {})", [])
            assert "Invalid method: zzz" in error[1]

    def test_the_neovim_that_we_have_connected_to_calls_us(self, listening, where):
        at = f"tcp://127.0.0.1:{listening}"
        with elsewhere.connect(at, timeout=BOUND, service=offered(where)) as client:
            channel = client.nvim_get_api_info()[0]
            again = f"return vim.rpcrequest({channel}, 'down', ...)"
            assert client.nvim_exec_lua(f"return vim.rpcrequest({channel}, 'double', 4)", []) == 8
            assert client.nvim_exec_lua(again, [3, ["nvim_exec_lua", again]]) == BOTTOM
            with pytest.raises(elsewhere.RemoteError, match="'zzz' method not found"):
                client.nvim_exec_lua(f"return vim.rpcrequest({channel}, 'zzz')", [])
            assert client.nvim_eval("1 + 2") == 3


@pytest.mark.parametrize("where", ["threads", "loop"])
class TestNode:
    @pytest.fixture
    def port(self, node):
        with program(node[0], SCRIPT, "server", env=node[1]) as child:
            yield int(line_of(child))

    def test_the_node_that_we_have_connected_to_calls_us(self, port, where):
        with elsewhere.connect(f"tcp://127.0.0.1:{port}", timeout=BOUND, service=offered(where)) as client:
            assert client.ask("double", [21]) == [None, 42]
            assert client.ask("zzz", []) == ["'zzz' method not found", None]
            again = ["ask", "down"]
            assert client.ask("down", [3, again]) == [None, [3, [None, [2, [None, [1, [None, "bottom"]]]]]]]
