"""Neovim: we call it, it calls us, and both at once, nested.

Its str may hold any bytes, its buffers, windows and tabpages are ext types, its errors are ``[type, text]``, and it
wants the answers to nested requests in reverse order.
"""

from __future__ import annotations

import socket

import msgpack
import pytest

import elsewhere
from elsewhere.errors import RemoteError
from elsewhere.msgpackrpc.error import RPCError
from tests.interop.peers import BOUND, Methods, Peer, drop_in_client, line_of, our_server, program
from tests.require import require

BUFFER, WINDOW, TABPAGE = 0, 1, 2
READY = 'lua io.stdout:write(vim.v.servername, "\\n") io.stdout:flush()'


@pytest.fixture(scope="module")
def nvim():
    return require(program="nvim", install=".ci/peers neovim")


@pytest.fixture
def listening(nvim, tmp_path):
    """A Neovim that listens at 127.0.0.1; gives its port."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    listen = ("--headless", "--clean", "-n", "--listen", "127.0.0.1:0")
    with program(nvim, *listen, "--cmd", READY, env=environment) as child:
        host, _, port = line_of(child).rpartition(":")
        assert host == "127.0.0.1"
        yield int(port)


@pytest.fixture
def peer(listening):
    with socket.create_connection(("127.0.0.1", listening), BOUND) as sock:
        yield Peer(sock)


class TestTheWire:
    """The machine and a socket, nothing more."""

    def test_calls_and_errors(self, peer):
        assert peer.call("nvim_eval", "1 + 2") == (None, 3)
        error, result = peer.call("nvim_eval", "no such thing")
        assert (result, error[0]) == (None, 0)
        assert "E121" in error[1] or "E15" in error[1]
        error, _ = peer.call("nvim_buf_get_lines", "no buffer")
        assert error[0] == 0 or error[0] == 1
        assert peer.call("no_such_method") == ([0, "Invalid method: no_such_method"], None)

    def test_a_wrong_notification_is_told_by_a_notification(self, peer):
        peer.notify("nvim_no_such", 1)
        peer.call("nvim_eval", "1")
        assert peer.notified[0][0] == "nvim_error_event"

    def test_ext_types_and_values_come_back_as_they_were(self, peer):
        _, (buffer,) = peer.call("nvim_list_bufs")
        assert buffer == msgpack.ExtType(BUFFER, b"\x01")
        _, window = peer.call("nvim_get_current_win")
        assert window.code == WINDOW
        assert peer.call("nvim_get_current_tabpage")[1].code == TABPAGE
        assert peer.call("nvim_buf_set_lines", buffer, 0, -1, True, ["one", "zwei ä"]) == (None, None)
        assert peer.call("nvim_buf_get_lines", buffer, 0, -1, True) == (None, ["one", "zwei ä"])
        value = {"a": [1, -1, 2**40, 1.5, True, None, {"b": []}]}
        assert peer.call("nvim_set_var", "v", value) == (None, None)
        assert peer.call("nvim_get_var", "v") == (None, value)

    def test_a_str_of_any_bytes_there_and_back(self, peer):
        _, text = peer.call("nvim_eval", r'"a\xff\xfe"')
        assert text == "a\udcff\udcfe"
        peer.call("nvim_set_var", "v", text)
        assert peer.call("nvim_eval", r'v == "a\xff\xfe"')[1] == 1
        peer.call("nvim_set_var", "v", b"bin\xff")
        assert peer.call("nvim_get_var", "v") == (None, "bin\udcff")

    def test_it_calls_us_while_our_call_is_under_way(self, peer):
        _, (channel, _) = peer.call("nvim_get_api_info")

        def down(n):
            """Nested: it calls us, we call it, it calls us ..."""
            if not n:
                return "bottom"
            error, result = peer.call("nvim_call_function", "rpcrequest", [channel, "down", n - 1])
            assert error is None
            return [n, result]

        peer.methods = {"double": lambda n: 2 * n, "down": down}
        assert peer.call("nvim_call_function", "rpcrequest", [channel, "double", 4]) == (None, 8)
        assert peer.call("nvim_call_function", "rpcrequest", [channel, "down", 3]) == (None, [3, [2, [1, "bottom"]]])
        error, _ = peer.call("nvim_call_function", "rpcrequest", [channel, "zzz"])
        assert "zzz" in str(error)
        assert peer.call("nvim_call_function", "rpcnotify", [channel, "event", 1, "a"])[0] is None
        peer.call("nvim_eval", "1")
        assert peer.notified == [["event", [1, "a"]]]


class TestOurClients:
    def test_the_drop_in_calls_it(self, listening):
        client = drop_in_client(listening)
        assert client.call("nvim_eval", "1 + 2") == 3
        assert client.call("nvim_get_current_buf") == msgpack.ExtType(BUFFER, b"\x01")
        assert client.call("nvim_eval", r'"a\xff"') == b"a\xff"
        with pytest.raises(RPCError) as caught:
            client.call("nvim_eval", "no such thing")
        assert caught.value.args[0][0] == 0
        futures = [client.call_async("nvim_eval", f"{n} * 2") for n in range(100)]
        assert [future.get() for future in futures] == [2 * n for n in range(100)]
        client.close()

    def test_connect_calls_it(self, listening):
        with elsewhere.connect(f"tcp://127.0.0.1:{listening}", timeout=BOUND) as client:
            assert client.nvim_eval("1 + 2") == 3
            buffer = client.nvim_get_current_buf()
            assert buffer == msgpack.ExtType(BUFFER, b"\x01")
            client.nvim_buf_set_lines(buffer, 0, -1, True, ["one"])
            assert client.nvim_buf_get_lines(buffer, 0, -1, True) == ["one"]
            assert client.nvim_eval(r'"a\xff"') == "a\udcff"
            with pytest.raises(RemoteError, match=r"E121|E15") as caught:
                client.nvim_eval("no such thing")
            assert caught.value.data[0] == 0
            futures = [client.submit("nvim_eval", f"{n} * 2") for n in range(100)]
            assert [future.result(BOUND) for future in futures] == [2 * n for n in range(100)]
            client.notify("nvim_set_var", "told", 7)
            assert client.nvim_get_var("told") == 7
            client.notify("nvim_no_such")
            assert client.nvim_eval("1") == 1


@pytest.mark.parametrize("kind", ["drop-in", "threads", "loop"])
def test_it_connects_to_our_server(listening, kind):
    """`sockconnect`, `rpcrequest` and `rpcnotify` of Neovim are the client."""
    methods = Methods()
    with (
        our_server(kind, methods) as port,
        socket.create_connection(("127.0.0.1", listening), BOUND) as sock,
    ):
        peer = Peer(sock)
        assert (
            peer.call("nvim_exec_lua", f"c = vim.fn.sockconnect('tcp', '127.0.0.1:{port}', {{rpc = true}})", [])[0]
            is None
        )
        assert peer.call("nvim_exec_lua", "return vim.rpcrequest(c, 'double', 4)", []) == (None, 8)
        value = {"a": [1, 1.5, True, "ä", {"b": "c"}]}
        assert peer.call("nvim_exec_lua", "return vim.rpcrequest(c, 'echo', ...)", [value]) == (None, value)
        assert peer.call("nvim_exec_lua", r"return vim.rpcrequest(c, 'echo', 'a\255') == 'a\255'", []) == (None, True)
        error, _ = peer.call("nvim_exec_lua", "return vim.rpcrequest(c, 'fail', 'so')", [])
        assert "so" in error[1]
        error, _ = peer.call("nvim_exec_lua", "return vim.rpcrequest(c, 'zzz')", [])
        assert "'zzz' method not found" in error[1]
        assert peer.call("nvim_exec_lua", "vim.rpcnotify(c, 'tell', 'told')", []) == (None, None)
        assert methods.wait_for_one() == "told"
