"""Supervisor, which answers XML-RPC on a Unix socket and wants a password."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

import elsewhere
from elsewhere.errors import ProtocolError, RemoteError, Unauthorized
from tests.contract.work import until
from tests.interop.http.peers import xmlrpc_module
from tests.interop.peers import BOUND
from tests.require import require

SETTINGS = """
[unix_http_server]
file={folder}/socket
username=anybody
password=a word
[supervisord]
logfile=/dev/null
logfile_maxbytes=0
pidfile={folder}/pid
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:cat]
command=/bin/cat
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""


@pytest.fixture
def socket(tmp_path):
    require(file=".venv-supervisor/.ready", install=".ci/peers supervisor")
    python = require(file=".venv-supervisor/bin/python", install=".ci/peers supervisor")
    settings = tmp_path / "settings"
    settings.write_text(SETTINGS.format(folder=tmp_path))
    words = [python, "-W", "ignore", "-m", "supervisor.supervisord", "-c", settings]
    child = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "socket").exists)
        yield tmp_path / "socket"
    finally:
        child.terminate()  # it ends what it has started
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(BOUND)
        child.kill()
        child.wait()


def test_our_client(socket):
    address = f"xmlrpc+unix://{socket}"
    with elsewhere.connect(address, user="anybody", password="a word", timeout=BOUND) as client:
        assert client.supervisor.getState() == {"statecode": 1, "statename": "RUNNING"}
        assert client.supervisor.stopProcess("cat") is True
        assert client.supervisor.startProcess("cat") is True
        (info,) = client.supervisor.getAllProcessInfo()
        assert (info["name"], info["statename"]) == ("cat", "RUNNING")
        with pytest.raises(RemoteError, match="BAD_NAME: zzz"):
            client.supervisor.startProcess("zzz")
        futures = [client.submit("supervisor.getPID") for _ in range(20)]
        assert len({future.result(BOUND) for future in futures}) == 1
        described = {method["name"]: method for method in client.methods()}
        assert described["supervisor.getState"]["signature"] == "() -> struct"
        # Its multicall gives bare values, which cannot be told from faults: nothing is guessed.
        with client.batch() as batch:
            batch.supervisor.getState()
            batch.supervisor.getPID()
        with pytest.raises(ProtocolError, match="Supervisor"):
            batch.results()


def test_a_wrong_password_is_told(socket):
    for password in (None, "another"):
        given = {} if password is None else {"user": "anybody", "password": password}
        with pytest.raises(Unauthorized), elsewhere.connect(f"xmlrpc+unix://{socket}", **given) as client:
            client.supervisor.getState()


@pytest.mark.parametrize("kind", ["standard", "drop-in"])
def test_a_transport_as_its_own_client_makes_it(socket, kind):
    """A subclass that connects by itself, as programs for Supervisor have them."""
    import http.client
    from socket import AF_UNIX, SOCK_STREAM
    from socket import socket as make_socket

    module = xmlrpc_module(kind)

    class Connection(http.client.HTTPConnection):
        def connect(self):
            self.sock = make_socket(AF_UNIX, SOCK_STREAM)
            self.sock.connect(str(socket))

    class Transport(module.Transport):
        def make_connection(self, host):
            if self._connection[1] is None or self._connection[0] != host:  # as the original's own does it
                self._connection = host, Connection("localhost")
            return self._connection[1]

    headers = [("Authorization", "Basic YW55Ym9keTphIHdvcmQ=")]
    with module.ServerProxy("http://localhost", Transport(headers=headers)) as proxy:
        assert proxy.supervisor.getState()["statename"] == "RUNNING"
        assert proxy.supervisor.getIdentification() == "supervisor"
