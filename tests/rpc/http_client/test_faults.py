"""Whatever happens to a connection, or comes back, a call ends: and is never sent twice without saying so."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import threading

import pytest

from elsewhere import (
    CallTimeout,
    ConnectError,
    ConnectionLost,
    MayHaveRun,
    MessageTooLarge,
    ProtocolError,
    Retry,
    Service,
    Unauthorized,
    connect,
)
from tests.rpc.http_client.peers import OURS, HttpPeer, execute, once, polite

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def saying(*pieces):
    """A mood: reads a request, says this, and ends the connection."""

    def mood(conversation):
        conversation.next()
        for piece in pieces:
            conversation.send(piece.encode() if isinstance(piece, str) else piece)

    return mood


def good(msgid=1):
    body = json.dumps({"jsonrpc": "2.0", "result": 14, "id": msgid})
    return f"{HEAD}Content-Length: {len(body)}\r\n\r\n{body}"


def until_its_end_has_come(client):
    """Idle connections of a peer that ends them are known to have ended."""
    for line in list(client._link.lines._idle):
        assert line._poll.poll(20_000)


class TestNeverTwice:
    """Each request counts where it arrives."""

    @staticmethod
    def losing(conversation):
        """Reads requests; answers from the third connection on."""
        for asked in conversation.requests():
            if conversation.number < 2:
                if asked.json["method"].startswith("rpc."):
                    execute(conversation, asked)
                    continue
                conversation.peer.executed.append((asked.json["method"],))
                return
            execute(conversation, asked)

    def test_a_call_that_may_have_run_is_not_repeated(self):
        with HttpPeer(self.losing) as peer, connect(peer.address, retry=3) as client:
            for call in (client.transfer, lambda: client.submit("transfer").result()):
                with pytest.raises(ConnectionLost, match=r"transfer at .* may have run.*closed the connection"):
                    call()
            assert peer.executed == [("transfer",)] * 2
            assert client.double(1) == 2

    def test_one_that_does_no_harm_is(self):
        with HttpPeer(self.losing) as peer, connect(peer.address) as client:
            assert client.options(idempotent=True).echo(5) == 5
            assert peer.executed == [("echo",), ("echo",), ("echo", 5)]

    def test_one_whose_retry_names_the_error_is(self):
        with HttpPeer(self.losing) as peer, connect(peer.address) as client:
            assert client.options(retry=Retry(2, on=ConnectionLost)).submit("echo", 5).result() == 5
            assert peer.executed == [("echo",), ("echo",), ("echo", 5)]

    def test_one_of_which_the_service_says_that_it_is_idempotent_is(self):
        def mood(conversation):
            for asked in conversation.requests():
                if asked.json["method"] == "safe" and len(conversation.peer.asked) == 2:
                    return
                execute(conversation, asked)

        for call in (lambda c: c.safe(5), lambda c: c.submit("safe", 5).result()):
            with HttpPeer(mood, ours=True) as peer, connect(peer.address) as client:
                client.double(1)  # from now on it is known to be one of ours
                assert call(client) == 5
                assert [asked.json["method"] for asked in peer.asked] == ["double", "safe", "rpc.methods", "safe"]

    def test_a_connection_that_ends_while_it_is_used_again(self):
        """The standard library's client sends such a call twice."""

        def mood(conversation):
            for number, asked in enumerate(conversation.requests()):
                if number:
                    conversation.peer.executed.append(("transfer",))
                    return
                execute(conversation, asked)

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            client.double(1)
            with pytest.raises(ConnectionLost, match="may have run"):
                client.transfer(100)
            assert peer.executed == [("double", 1), ("transfer",)]

    def test_an_idle_connection_that_has_ended_is_no_error(self):
        def mood(conversation):
            execute(conversation, conversation.next())
            conversation.sock.shutdown(socket.SHUT_RDWR)

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            for number in range(3):
                assert client.double(number) == 2 * number
                assert client._link.lines._idle
                until_its_end_has_come(client)
            assert peer.connections == 3
            assert peer.executed == [("double", number) for number in range(3)]

    def test_one_that_says_that_it_will_end_is_not_used_again(self):
        def mood(conversation):
            conversation.answer(conversation.next(), 5, extra="Connection: close\r\n")
            conversation.until_gone()

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            assert [client.echo(), client.echo()] == [5, 5]
            assert peer.connections == 2

    @pytest.mark.parametrize("extra", ["Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n", "X: y\r\n", ""])
    def test_one_that_goes_on_is_used_again(self, extra):
        def mood(conversation):
            for asked in conversation.requests():
                conversation.answer(asked, 5, extra=extra)

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            assert [client.echo() for _ in range(5)] == [5] * 5
            assert peer.connections == 1

    def test_one_that_was_idle_for_long_is_not_used_again(self):
        def mood(conversation):
            for asked in conversation.requests():
                conversation.answer(asked, 5, extra="Keep-Alive: timeout=0, max=5\r\n")

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            assert [client.echo(), client.echo()] == [5, 5]
            assert peer.connections == 2

    def test_one_that_was_refused_is_not_used_again(self):
        """Who has not read the body of a request would take it for the next one."""

        def mood(conversation):
            for _ in conversation.requests():
                conversation.reply("no", "404 Not Found", "text/plain")

        with HttpPeer(once(mood)) as peer, connect(peer.address) as client:
            with pytest.raises(ProtocolError):
                client.double(1)
            assert client.double(1) == 2

    def test_a_body_that_was_not_taken_whole_has_not_run(self):
        def mood(conversation):
            if conversation.number == 0:
                execute(conversation, conversation.next())
                conversation.sock.recv(1)  # of the large one, and no more
                conversation.sock.close()
            else:
                polite(conversation)

        text = "x" * 20_000_000
        with HttpPeer(mood) as peer, connect(peer.address) as client:
            assert client.double(1) == 2
            assert client.echo(text) == text
            assert peer.executed == [("double", 1), ("echo", text)]


class TestCut:
    @pytest.mark.parametrize(
        "pieces",
        [
            [""],
            ["HTTP/1.1 2"],
            ["HTTP/1.1 200 OK\r\nContent-"],
            [HEAD + "Content-Length: 50\r\n\r\n{"],
            [HEAD + "Transfer-Encoding: chunked\r\n\r\n"],
            [HEAD + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
            [HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\n{"],
            [HEAD + 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n'],
        ],
    )
    def test_in_the_answer(self, pieces):
        with HttpPeer(once(saying(*pieces))) as peer, connect(peer.address, retry=3) as client:
            with pytest.raises(ConnectionLost, match="may have run"):
                client.double(7)
            assert len(peer.asked) == 1
            assert client.double(8) == 16

    def test_a_reset(self):
        def mood(conversation):
            conversation.next()
            conversation.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        with HttpPeer(once(mood)) as peer, connect(peer.address) as client:
            with pytest.raises(ConnectionLost, match=r"may have run.*reset the connection"):
                client.double(7)
            assert client.double(8) == 16


class TestAllowed:
    """What HTTP lets a server say."""

    @pytest.mark.parametrize(
        "reply",
        [
            good(),
            good().replace("\r\n", "\n"),
            f"HTTP/1.1 100 Continue\r\n\r\n{good()}",
            good().replace("HTTP/1.1", "HTTP/1.0"),
            HEAD + '\r\n{"jsonrpc":"2.0","result":14,"id":1}',
            HEAD + 'Transfer-Encoding: chunked\r\n\r\n6\r\n{"id":\r\ne;x=1\r\n1,"result":14}\r\n0\r\nA: b\r\n\r\n',
            good() + "more than was announced",
            HEAD.replace("application/json", "text/html; x=y") + '\r\n{"result":14,"error":null,"id":1}',
        ],
    )  # fmt: skip
    def test_is_understood(self, reply):
        with HttpPeer(once(saying(reply))) as peer, connect(peer.address) as client:
            assert client.double(7) == 14
            until_its_end_has_come(client)
            assert client.double(8) == 16

    def test_in_single_bytes(self):
        with HttpPeer(saying(*good())) as peer, connect(peer.address) as client:
            assert client.double(7) == 14

    def test_compressed(self):
        def mood(conversation):
            for asked in conversation.requests():
                body = gzip.compress(b'{"jsonrpc":"2.0","result":14,"id":%d}' % asked.json["id"])
                conversation.reply(body, extra="Content-Encoding: gzip\r\n")

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            assert client.double(7) == 14


NONSENSE = {
    b"\x94\x01\x01\xc0\x0e": "no HTTP",
    b"SSH-2.0-OpenSSH_9.2\r\n": "no HTTP",
    b"HTTP/1.1 999999 OK\r\n\r\n": "no HTTP",
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n": "no HTTP",
    b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000: "no HTTP",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx": "compressed by 'br'",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx": "no gzip",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 100)[:-9]: "no gzip",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n": "does not speak JSON-RPC: the answer is no JSON",
    b"HTTP/1.1 204 No Content\r\n\r\n": "does not speak JSON-RPC: the answer is no JSON",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>": r"no JSON.*it is of the type text/html",
    b"HTTP/1.1 200 OK\r\n\r\n[]": "has 0 answers",
    b'HTTP/1.1 200 OK\r\n\r\n{"result":1,"id":77}': "cannot be read: .*its id is not the request's",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000: "nested too deeply",
    b"HTTP/1.1 200 OK\r\n\r\n<?xml version='1.0'?><methodResponse>": r"It speaks XML-RPC: xmlrpc\+http://.*/jsonrpc is",
    b"HTTP/1.1 200 OK\r\nContent-Type: a\tb\x1b[31m\r\n\r\n": r"no JSON",
}


class TestNonsense:
    @pytest.mark.parametrize("reply", NONSENSE)
    def test_is_an_error_that_says_what_came(self, reply):
        with HttpPeer(once(saying(reply))) as peer, connect(peer.address, retry=2) as client:
            with pytest.raises(ProtocolError, match=NONSENSE[reply]) as caught:
                client.double(7)
            assert len(peer.asked) == 1  # it may have run
            assert str(caught.value).startswith(f"double at {client.address}: ")
            assert str(caught.value).isprintable()
            until_its_end_has_come(client)
            assert client.double(8) == 16

    def test_a_service_that_is_none_of_http_is_named(self):
        service = Service(name="other")
        with service.start("tcp://127.0.0.1:0") as running:
            port = running.addresses[0].rpartition(":")[2]
            told = pytest.raises(ConnectionLost, match=rf"If it is no server of HTTP, try tcp://127.0.0.1:{port}")
            with connect(f"http://127.0.0.1:{port}") as client, told:
                client.double(7)

    def test_a_server_without_tls_is_named(self):
        told = pytest.raises(ConnectError, match="is it a https:// server")
        with HttpPeer(lambda conversation: conversation.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer, told:
            connect(peer.url.replace("http://", "https://"))


REFUSALS = {
    "400 Bad Request": (ProtocolError, "does not take JSON-RPC .400 Bad Request: so it says.*try xmlrpc"),
    "401 Unauthorized": (Unauthorized, "was refused .401 Unauthorized: so it says"),
    "403 Forbidden": (Unauthorized, "was refused .403"),
    "404 Not Found": (ProtocolError, r"/jsonrpc does not take JSON-RPC .*If it speaks XML-RPC, try xmlrpc\+http://.*/RPC2$"),
    "405 Method Not Allowed": (ProtocolError, "try xmlrpc"),
    "413 Content Too Large": (MessageTooLarge, "the far side does not take so much"),
    "415 Unsupported Media Type": (ProtocolError, "try xmlrpc"),
    "418 I'm a Teapot": (ProtocolError, "answered with 418"),
    "302 Found": (ProtocolError, "takes no calls any more .302 Found: so it says.: http://x/y is where it sends them"),
    "500 Internal Server Error": (MayHaveRun, "may have run: the far side failed .500"),
    "503 Service Unavailable": (MayHaveRun, "may have run"),
    "599 ": (MayHaveRun, "may have run"),
}  # fmt: skip


class TestRefusals:
    @pytest.mark.parametrize("status", REFUSALS)
    def test_say_what_the_caller_can_do(self, status):
        def mood(conversation):
            conversation.next()
            conversation.reply("so it says\r\nand more", status, "text/plain", extra="Location: http://x/y\r\n")

        error, text = REFUSALS[status]
        with HttpPeer(mood) as peer, connect(peer.address, retry=2) as client:
            client = client.options(retry=None)
            for call in (client.call, client.notify, lambda *args: client.submit(*args).result()):
                with pytest.raises(error, match=text) as caught:
                    call("double", 7)
                assert str(caught.value).startswith(f"double at {client.address}")
            assert len(peer.asked) == 3

    def test_of_a_service_of_ours_that_has_too_much_to_do(self):
        def mood(conversation):
            conversation.next()
            conversation.reply("", "503 Service Unavailable", extra=OURS)

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            with pytest.raises(Exception, match="was not begun") as caught:
                client.double(1)
            assert type(caught.value).__name__ == "NeverStarted"
            assert len(peer.asked) == 3  # it certainly never started: that is repeated, but not for ever

    def test_of_a_large_body_before_it_is_read(self):
        def mood(conversation):
            conversation.sock.recv(1)
            conversation.reply("at most 5 bytes", "413 Content Too Large", "text/plain", extra="Connection: close\r\n")
            conversation.peer.gone.wait(20)  # it does not read on, and does not close

        with HttpPeer(mood) as peer, connect(peer.address) as client:
            try:
                with pytest.raises(MessageTooLarge, match="at most 5 bytes"):
                    client.echo("x" * 20_000_000)
            finally:
                peer.gone.set()


class TestTooMuch:
    @pytest.mark.parametrize(
        "reply",
        [
            HEAD + "Content-Length: 1000000000\r\n\r\n",
            HEAD + "\r\n" + "x" * 3000,
            HEAD + "Transfer-Encoding: chunked\r\n\r\n" + "3e8\r\n" + "x" * 1000 + "\r\n3e8\r\n" + "x" * 1000 + "\r\n",
        ],
    )
    def test_is_not_read(self, reply):
        def mood(conversation):
            conversation.next()
            conversation.send(reply.encode())
            conversation.until_gone()

        with HttpPeer(once(mood)) as peer, connect(peer.address, max_size=1500) as client:
            with pytest.raises(MessageTooLarge, match=r"double at .*limit is 1,500: connect\(max_size=") as caught:
                client.double(7)
            assert caught.value.limit == 1500
            assert peer.gone.wait(20)
            assert client.double(8) == 16

    def test_is_not_made_of_what_is_compressed(self):
        bomb = gzip.compress(b" " * 100_000_000)

        def mood(conversation):
            conversation.next()
            conversation.reply(bomb, extra="Content-Encoding: gzip\r\n")

        told = pytest.raises(MessageTooLarge, match="without its compression")
        with HttpPeer(mood) as peer, connect(peer.address, max_size=1 << 20) as client, told:
            client.double(7)


class TestTooLate:
    @pytest.mark.parametrize("said", ["", "HTTP/1.1 200 OK\r\n", HEAD + "Content-Length: 50\r\n\r\n{"])
    def test_a_call_ends_and_so_does_its_connection(self, said):
        def mood(conversation):
            conversation.next()
            conversation.send(said.encode())
            conversation.until_gone()

        with HttpPeer(once(mood)) as peer, connect(peer.address, retry=3) as client:
            with pytest.raises(CallTimeout, match=r"its limit of 0\.5 s \(set by options.*was sent and not answered"):
                client.options(timeout=0.5).double(7)
            assert peer.gone.wait(20)
            assert len(peer.asked) == 1
            assert client.double(8) == 16

    def test_a_trickle_does_not_make_it_longer(self):
        def mood(conversation):
            conversation.next()
            while not conversation.peer.gone.wait(0.01):
                conversation.sock.sendall(b"H")

        with HttpPeer(mood) as peer, connect(peer.address, timeout=0.2) as client:
            with pytest.raises(CallTimeout):
                client.double(7)
            peer.gone.set()

    def test_a_far_side_that_does_not_read(self):
        def mood(conversation):
            conversation.peer.gone.wait(20)

        with HttpPeer(mood) as peer, connect(peer.address, timeout=0.5) as client:
            with pytest.raises(CallTimeout, match="still being sent"):
                client.echo("x" * 20_000_000)
            peer.gone.set()


class Impatience(Exception):
    pass


class TestSignals:
    def test_what_a_handler_raises_ends_the_call_and_its_connection(self):
        def mood(conversation):
            for asked in conversation.requests():
                if asked.json["method"] == "hang":
                    heard.set()
                    conversation.until_gone()
                else:
                    execute(conversation, asked)

        def handler(signum, frame):
            raise Impatience

        heard = threading.Event()
        main = threading.main_thread().ident
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            with HttpPeer(mood) as peer, connect(peer.address) as client:
                client.double(1)
                thread = threading.Thread(target=lambda: heard.wait(20) and signal.pthread_kill(main, signal.SIGUSR1))
                thread.start()
                with pytest.raises(Impatience):
                    client.hang()
                thread.join()
                assert peer.gone.wait(20)
                assert client.double(2) == 4
        finally:
            signal.signal(signal.SIGUSR1, before)

    # An alarm between the making of a socket and its first use leaves it to the collector, which warns.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_alarms_at_any_moment_mix_up_no_answers(self):
        def ring(*_):
            raise Impatience

        before = signal.signal(signal.SIGALRM, ring)
        with HttpPeer() as peer, connect(peer.address, timeout=60) as client:
            others = [client.submit("double", number) for number in range(100)]
            right = 0
            try:
                for number in range(300):
                    # It rings again, for Python forgets an exception in a destructor, such as that of a connection.
                    try:
                        enough = 0.1 if number % 100 == 99 else 0.0  # for a call on a busy machine, too
                        signal.setitimer(signal.ITIMER_REAL, 0.00005 * (number % 40 + 1) + 0.00005 + enough, 2)
                        while True:
                            assert client.double(number) == 2 * number
                            right += 1
                    except Impatience:
                        signal.setitimer(signal.ITIMER_REAL, 0)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            assert client.double(5) == 10
            assert [future.result(60) for future in others] == [2 * number for number in range(100)]
            assert right
