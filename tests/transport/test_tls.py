"""TLS: whom a client believes, whom a server does, and what is said if they don't."""

from __future__ import annotations

import errno
import socket
import ssl
import time

import pytest

from elsewhere.errors import ConnectError, ConnectTimeout, Unauthorized
from elsewhere.transport.address import Address
from elsewhere.transport.connecting import connect
from elsewhere.transport.secure import handshake
from elsewhere.transport.stream import stream_of
from elsewhere.transport.tls import TLS
from tests.transport.peers import answering, context, echo, listening, reset


def connected(port: int, tls: TLS, host: str = "localhost", timeout: float = 10.0) -> socket.socket:
    return connect(Address("tls", host, port), timeout, tls)


def test_a_server_that_is_believed(certificates):
    with answering(echo, tls=context(certificates.server)) as port:
        for host in ("localhost", "127.0.0.1"):
            with connected(port, TLS(ca=certificates.authority), host) as sock:
                sock.sendall(b"hello")
                assert sock.recv(5) == b"hello"
                assert sock.version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize(
    ("shown", "believed", "text"),
    [
        ("server", "stranger", "unable to get local issuer certificate"),
        ("foreign", "authority", "unable to get local issuer certificate"),
        ("server", None, "unable to get local issuer certificate"),
        ("expired", "authority", "certificate has expired"),
        ("elsewhere", "authority", "certificate is not valid for 'localhost'"),
    ],
)
def test_a_server_that_is_not_believed(certificates, shown, believed, text):
    tls = TLS(ca=getattr(certificates, believed) if believed else None)
    with (
        answering(echo, tls=context(getattr(certificates, shown))) as port,
        pytest.raises(ConnectError, match=f"its certificate is not believed: .*{text}") as caught,
    ):
        connected(port, tls)
    assert caught.value.phase == "handshake"
    assert "TLS(ca=...)" in str(caught.value)


def test_another_name_may_be_expected(certificates):
    tls = TLS(ca=certificates.authority, server_name="other.example")
    with answering(echo, tls=context(certificates.elsewhere)) as port, connected(port, tls) as sock:
        assert sock.server_hostname == "other.example"


def test_mutual(certificates):
    names = []

    def greet(sock):
        names.append(sock.getpeercert()["subject"][0][0][1])
        sock.sendall(b"hello")

    tls = TLS(ca=certificates.authority, cert=certificates.client)
    server = context(certificates.server, certificates.authority)
    with answering(greet, tls=server) as port, connected(port, tls) as sock:
        assert sock.recv(5) == b"hello"
    assert names == ["client"]


@pytest.mark.parametrize("shown", [None, "foreign", "expired"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_is_not_believed(certificates, shown, version):
    server = context(certificates.server, certificates.authority)
    server.maximum_version = version
    tls = TLS(ca=certificates.authority, cert=getattr(certificates, shown) if shown else None)
    with answering(echo, tls=server) as port:
        if version == ssl.TLSVersion.TLSv1_2:  # the server speaks before the client believes the handshake to be over
            with pytest.raises((ConnectError, Unauthorized), match=r"TLS failed|certificate"):
                connected(port, tls)
            return
        stream = stream_of(connected(port, tls), "tls://it")
        with pytest.raises(Unauthorized, match=r"tls://it does not accept this side's certificate .*TLS\(cert="):
            stream.recv(1, 10)
        stream.close()


def test_a_plain_server():
    def talk(sock):
        sock.sendall(b"220 ready\r\n" * 10)
        sock.recv(65536)

    with (
        answering(talk) as port,
        pytest.raises(ConnectError, match=r"TLS failed: .*: is it a tls:// server\?") as caught,
    ):
        connected(port, TLS())
    assert caught.value.phase == "handshake"


def test_a_plain_server_that_waits_for_us():
    with listening() as listener:
        began = time.monotonic()
        with pytest.raises(ConnectTimeout, match=r"no TLS handshake within 0\.5 s: is it a tls:// server\?"):
            connected(listener.getsockname()[1], TLS(), "127.0.0.1", 0.5)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_a_server_that_hangs_up(end):
    with (
        answering(lambda sock: (sock.recv(65536), end(sock))) as port,
        pytest.raises(
            ConnectError, match=r"it closed the connection during the TLS handshake: is it a tls:// server\?"
        ),
    ):
        connected(port, TLS())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_not_spoken(certificates):
    for ours in (TLS(cert=certificates.server).for_server(), TLS().for_client()):
        assert ours.minimum_version == ssl.TLSVersion.TLSv1_2
    old = context(certificates.server)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with answering(echo, tls=old) as port, pytest.raises(ConnectError, match="TLS failed: "):
        connected(port, TLS(ca=certificates.authority))


def test_a_server_verifies_only_if_it_is_told_whom_to_believe(certificates):
    assert TLS(cert=certificates.server).for_server().verify_mode == ssl.CERT_NONE
    assert TLS(cert=certificates.server, ca=certificates.authority).for_server().verify_mode == ssl.CERT_REQUIRED
    assert TLS().for_client().verify_mode == ssl.CERT_REQUIRED


def test_a_context_of_ones_own(certificates):
    own = ssl.create_default_context(cafile=certificates.authority)
    assert TLS(context=own).for_client() is own
    assert TLS(context=own).for_server() is own


def test_files_that_are_of_no_use(certificates, tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(FileNotFoundError, match=r"'/none\.pem' cannot be read"):
        TLS(ca="/none.pem").for_client()
    with pytest.raises(FileNotFoundError, match=r"'/none\.pem' cannot be read"):
        TLS(cert="/none.pem").for_server()
    with pytest.raises(ssl.SSLError, match="empty' cannot be used for TLS"):
        TLS(cert=empty).for_server()
    with pytest.raises(ssl.SSLError, match="empty' cannot be used for TLS"):
        TLS(ca=empty).for_client()
    with pytest.raises(ssl.SSLError, match="cannot be used for TLS"):
        TLS(cert=certificates.server, key=certificates.client).for_server()
    with pytest.raises(ValueError, match="https:// server needs a certificate"):
        TLS(ca=certificates.authority).for_server()


def test_a_key_with_a_password(certificates, tmp_path):
    from tests.certificates import Authority  # its program encrypts, too

    locked = tmp_path / "locked.pem"
    maker = Authority(tmp_path / "maker", "maker")
    maker._run("ec", "-in", certificates.server, "-out", locked, "-aes256", "-passout", "pass:hunter2")
    TLS(cert=certificates.server, key=locked, password="hunter2").for_server()
    with pytest.raises(ValueError, match=r"TLS\(password=\.\.\.\)"):
        TLS(cert=certificates.server, key=locked).for_server()
    with pytest.raises(ssl.SSLError, match=r"(locked|server)\.pem' cannot be used") as caught:
        TLS(cert=certificates.server, key=locked, password="wrong1").for_server()
    assert "wrong1" not in str(caught.value)


def test_no_password_is_shown():
    assert repr(TLS(cert="a.pem", password="hunter2")) == "TLS(cert='a.pem')"


@pytest.mark.parametrize("code", [errno.ENOTCONN, errno.EINVAL])
def test_who_hangs_up_while_the_socket_is_made_leaves_no_descriptor(certificates, monkeypatch, code):
    near, far = socket.socketpair()

    def gone(self):
        raise OSError(code, "")

    monkeypatch.setattr(ssl.SSLSocket, "getpeername", gone)
    with far, pytest.raises(ConnectionResetError, match="the far side has hung up"):
        handshake(near, TLS(cert=certificates.server).for_server(), 5)
    assert near.fileno() == -1
