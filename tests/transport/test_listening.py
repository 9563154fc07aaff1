"""Listening: both families, free ports, sockets that were left behind, and the sentence if it fails."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import sys
import tempfile

import pytest

from elsewhere.transport.address import Address
from elsewhere.transport.connecting import connect
from elsewhere.transport.listening import Listener, require_safe
from elsewhere.transport.tls import TLS
from tests.transport.peers import as_nobody, listening


def listener(text: str) -> Listener:
    return Listener(Address.parse(text))


def closed(*listeners: Listener) -> None:
    for one in listeners:
        one.close()


@pytest.mark.parametrize("scheme", ["tcp", "tls", "udp"])
def test_localhost_is_both_families_on_one_free_port(scheme):
    found = listener(f"{scheme}://localhost:0")
    assert sorted(sock.getsockname()[0] for sock in found.sockets) == ["127.0.0.1", "::1"]
    assert {sock.getsockname()[1] for sock in found.sockets} == {found.address.port}
    assert found.address.port > 0
    closed(found)


def test_a_port_that_is_free_in_one_family_only_is_not_taken():
    with listening(socket.AF_INET6, "::1") as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match="another program has the port; port 0 picks a free one"):
            listener(f"tcp://localhost:{port}")
        found = listener(f"tcp://127.0.0.1:{port}")  # and nothing of the attempt is left
        closed(found)


def test_an_address_in_use():
    first = listener("tcp://127.0.0.1:0")
    with pytest.raises(OSError, match=f"cannot listen at {first.address}: another program has the port"):
        listener(str(first.address))
    closed(first)


def test_an_address_of_another_machine():
    with pytest.raises(OSError, match="this machine has no such address"):
        listener("tcp://192.0.2.1:0")


def test_a_name_that_is_not_found():
    with pytest.raises(OSError, match=r"cannot listen at tcp://no\.such\.invalid:0: the name .* cannot be resolved"):
        listener("tcp://no.such.invalid:0")


def test_the_port_is_free_again_at_once():
    first = listener("tcp://127.0.0.1:0")
    with connect(first.address):
        accepted, _ = first.sockets[0].accept()
        accepted.close()
    closed(first)
    closed(listener(str(first.address)))


def test_a_unix_socket_goes_with_its_listener(tmp_path):
    path = tmp_path / "it"
    found = listener(f"unix://{path}")
    assert stat.S_ISSOCK(path.stat().st_mode)
    connect(found.address).close()
    closed(found)
    assert not path.exists()


def test_a_unix_socket_that_was_replaced_stays(tmp_path):
    path = tmp_path / "it"
    first = listener(f"unix://{path}")
    path.unlink()
    second = listener(f"unix://{path}")
    closed(first)
    connect(second.address).close()
    closed(second)


def test_a_unix_socket_of_a_killed_server_is_taken_over(tmp_path):
    path = tmp_path / "it"
    program = f"""
import os, signal
from elsewhere.transport.address import Address
from elsewhere.transport.listening import Listener
kept = Listener(Address.parse("unix://{path}"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert path.exists()
    found = listener(f"unix://{path}")
    connect(found.address).close()
    closed(found)


def test_a_unix_socket_that_is_served_is_not_taken(tmp_path):
    first = listener(f"unix://{tmp_path}/it")
    with pytest.raises(OSError, match="another program listens there"):
        listener(str(first.address))
    connect(first.address).close()
    closed(first)


def test_a_unix_socket_that_is_busy_is_not_taken(tmp_path):
    path = tmp_path / "it"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))  # the queue is full now
        with pytest.raises(OSError, match="another program listens there"):
            listener(f"unix://{path}")
    assert path.exists()


def test_a_file_in_the_way_stays(tmp_path):
    path = tmp_path / "it"
    path.write_text("precious")
    with pytest.raises(OSError, match="a file of that name exists, and is no socket"):
        listener(f"unix://{path}")
    assert path.read_text() == "precious"


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot listen at unix://.*: No such"):
        listener(f"unix://{tmp_path}/none/it")


def test_a_folder_that_is_somebody_elses():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o555)
        said = as_nobody(lambda: listener(f"unix://{folder}/it"))
    assert said == f"PermissionError: [Errno 13] cannot listen at unix://{folder}/it: permission denied"


def test_the_abstract_namespace_has_no_file():
    found = listener(f"unix://@elsewhere-{os.getpid()}")
    connect(found.address).close()
    with pytest.raises(OSError, match="another program listens there"):
        listener(str(found.address))
    closed(found)


def test_a_forked_child_does_not_remove_the_socket(tmp_path):
    path = tmp_path / "it"
    found = listener(f"unix://{path}")
    pid = os.fork()
    if not pid:
        found.close()
        os._exit(0)
    os.waitpid(pid, 0)
    assert path.exists()
    closed(found)


FAR = ["tcp://0.0.0.0:0", "udp://[::]:0", "tls://example.com:1"]
NEAR = ["tcp://localhost:0", "udp://127.0.0.9:0", "tls://[::1]:0", "unix:///x"]


@pytest.mark.parametrize("text", FAR)
def test_what_others_can_reach_needs_protection(text):
    address = Address.parse(text)
    with pytest.raises(ValueError, match=r"can be reached from other machines.*insecure=True"):
        require_safe([address], tls=None, authenticated=False, insecure=False)
    require_safe([address], tls=None, authenticated=False, insecure=True)


@pytest.mark.parametrize("text", NEAR)
def test_what_nobody_else_can_reach_needs_none(text):
    require_safe([Address.parse(text)], tls=None, authenticated=False, insecure=False)


def context(verify: ssl.VerifyMode) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.verify_mode = verify
    return made


@pytest.mark.parametrize(
    ("tls", "authenticated", "missing"),
    [
        (None, True, "TLS"),
        (TLS(cert="x"), False, "authentication"),
        (TLS(cert="x"), True, None),
        (TLS(cert="x", ca="y"), False, None),
        (TLS(context=context(ssl.CERT_NONE)), False, "authentication"),
        (TLS(context=context(ssl.CERT_OPTIONAL)), False, "authentication"),
        (TLS(context=context(ssl.CERT_NONE)), True, None),
        (TLS(context=context(ssl.CERT_REQUIRED)), False, None),
    ],
)
def test_what_is_missing_is_named(tls, authenticated, missing):
    scheme = "tcp" if missing == "TLS" else "tls"
    address = Address.parse(f"{scheme}://0.0.0.0:1")
    if missing is None:
        require_safe([address], tls=tls, authenticated=authenticated, insecure=False)
    else:
        with pytest.raises(ValueError, match=f"so it needs {missing}"):
            require_safe([address], tls=tls, authenticated=authenticated, insecure=False)
