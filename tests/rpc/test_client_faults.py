"""Whatever happens to a connection, a call ends: with its result, or with an error that says what the caller can do."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time

import msgpack
import pytest

from elsewhere import (
    CallTimeout,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    MayHaveRun,
    MessageTooLarge,
    NeverStarted,
    ProtocolError,
    RemoteError,
    Retry,
    Unauthorized,
    connect,
)
from tests.contract.work import until
from tests.rpc.peers import HELLO, Peer, Process, polite


def sleeps():
    """The main thread waits for bytes of a connection, or for who reads them, or is about to."""
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None and frame.f_code.co_name not in {"receive", "_sleep"}:
        frame = frame.f_back
    return frame is not None


def once(first):
    """A mood: the first connection goes wrong, the others are well."""
    return lambda conversation: first(conversation) if conversation.number == 0 else polite(conversation)


def until_its_end_has_come(client):
    """The far side is gone, the kernel knows it, and the last call was a while ago."""
    conn = client._link.conn
    assert select.select([conn.stream.sock], [], [], 20)[0]
    conn._used = 0.0


class TestEndOfFile:
    def test_fails_all_that_wait_at_once(self):
        ends: list[float] = []

        def mood(conversation):
            for _ in range(20):
                conversation.request()
            conversation.sock.shutdown(socket.SHUT_RDWR)
            ends.append(time.monotonic())

        def attempt():
            failed: list[float] = []
            with Peer(mood) as peer, connect(peer.address) as client:

                def call(how):
                    with pytest.raises(ConnectionLost, match=r"may have run.*the far side closed the connection"):
                        how()
                    failed.append(time.monotonic())

                futures = [client.submit("one") for _ in range(10)]
                hows = [*(lambda: client.call("two") for _ in range(10)), *(future.result for future in futures)]
                threads = [threading.Thread(target=call, args=(how,)) for how in hows]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(20)
                assert len(failed) == 20
                return max(failed) - ends.pop()

        # All at once: one look in a while would show each time. But a busy machine may have no core for all of them.
        assert any(attempt() < 0.05 for _ in range(50))

    def test_fails_futures_that_nobody_waits_for(self):
        with Peer(lambda c: (c.request(), c.request())) as peer, connect(peer.address) as client:
            told = threading.Event()
            futures = [client.submit("one"), client.submit("two")]
            futures[1].add_done_callback(lambda _: told.set())
            assert told.wait(20)
            assert isinstance(futures[0].exception(), ConnectionLost)

    def test_answers_that_came_before_it_count(self):
        def mood(conversation):
            requests = [conversation.request() for _ in range(3)]
            for request in requests[:2]:
                conversation.answer(request, "here")

        with Peer(mood) as peer, connect(peer.address) as client:
            futures = [client.submit("one") for _ in range(3)]
            assert [future.result() for future in futures[:2]] == ["here", "here"]
            with pytest.raises(ConnectionLost):
                futures[2].result()

    def test_the_next_call_has_a_new_connection(self):
        with Peer(once(lambda c: c.request())) as peer, connect(peer.address) as client:
            with pytest.raises(ConnectionLost):
                client.double(1)
            assert client.double(2) == 4
            assert peer.connections == 2

    def test_an_idle_connection_that_has_ended_is_no_error(self):
        def mood(conversation):
            conversation.answer(conversation.request(), 5)
            conversation.sock.shutdown(socket.SHUT_RDWR)
            ended.set()

        ended = threading.Event()
        with Peer(once(mood)) as peer, connect(peer.address) as client:
            assert client.first() == 5
            assert ended.wait(20)
            until_its_end_has_come(client)
            assert client.double(2) == 4
            ended.clear()
            assert peer.executed == [("double", 2)]


class TestRepeating:
    """Each request counts where it arrives: what is not idempotent is never executed twice."""

    @staticmethod
    def counting(counts):
        def mood(conversation):
            for message in conversation.messages():
                if message[0] == 0 and message[2] == "rpc.hello":
                    conversation.answer(message, HELLO)
                elif message[0] == 0:
                    key = (message[2], *message[3])
                    counts[key] = counts.get(key, 0) + 1
                    if conversation.number < 2:
                        return
                    conversation.answer(message, "done")

        return mood

    def test_a_call_that_may_have_run_is_not_repeated(self):
        counts: dict = {}
        with Peer(self.counting(counts)) as peer, connect(peer.address) as client:
            with pytest.raises(ConnectionLost, match="may have run"):
                client.transfer(100)
            with pytest.raises(ConnectionLost, match="may have run"):
                client.submit("transfer", 200).result()
            assert client.transfer(300) == "done"
        assert counts == {("transfer", 100): 1, ("transfer", 200): 1, ("transfer", 300): 1}

    def test_neither_is_it_by_a_retry_that_does_not_name_the_error(self):
        counts: dict = {}
        with Peer(self.counting(counts)) as peer, connect(peer.address, retry=3) as client:
            with pytest.raises(ConnectionLost):
                client.transfer(100)
            with pytest.raises(ConnectionLost):
                client.options(retry=Retry(2, on=Exception)).submit("transfer", 200).result()
        assert set(counts.values()) == {1}

    @pytest.mark.parametrize("how", ["call", "submit"])
    def test_an_idempotent_method_is(self, how):
        for method, options in (
            ("safe", {}),
            ("other", {"idempotent": True}),
            ("other", {"retry": Retry(2, MayHaveRun)}),
            ("other", {"retry": Retry(2, ConnectionError)}),
        ):
            counts: dict = {}
            with Peer(self.counting(counts)) as peer, connect(peer.address) as client:
                view = client.options(**options)
                assert (view.call(method, 1) if how == "call" else view.submit(method, 1).result()) == "done"
            assert counts == {(method, 1): 3}

    def test_but_not_for_ever(self):
        def mood(conversation):
            conversation.answer(conversation.next(), HELLO)
            conversation.peer.executed.append(conversation.next())

        with Peer(mood) as peer, connect(peer.address) as client:
            with pytest.raises(ConnectionLost):
                client.safe()
            assert len(peer.executed) == 3

    def test_dropped_connections_never_execute_twice(self):
        counts: dict = {}
        lock = threading.Lock()

        def mood(conversation):
            for seen, message in enumerate(conversation.messages()):
                if message[2] == "rpc.hello":
                    conversation.answer(message, HELLO)
                    continue
                with lock:
                    counts[message[3][0]] = counts.get(message[3][0], 0) + 1
                if seen % 7 == conversation.number % 7:
                    conversation.reset()
                    return
                conversation.answer(message, message[3][0])

        results: dict = {}
        with Peer(mood) as peer, connect(peer.address) as client:

            def work(start):
                for token in range(start, start + 50):
                    try:
                        assert client.transfer(token) == token
                        results[token] = True
                    except ConnectionLost:
                        results[token] = None  # it may have run
                    except ConnectError:
                        results[token] = False  # it certainly did not

            threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 400, 50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(50)
        assert len(results) == 400
        assert set(counts.values()) == {1}
        assert [token for token, result in results.items() if result and token not in counts] == []
        assert [token for token, result in results.items() if result is False and token in counts] == []


class TestGarbage:
    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"HTTP/1.1 400 Bad Request\r\n", "no message of MessagePack-RPC|an address of HTTP"),
            (b"\xc1", "no MessagePack"),
            (msgpack.packb([1, "x", None, 1]), "no msgid"),
            (msgpack.packb([7, 1, None, 1]), "no message"),
            (b"\x94\x01\x02\xc0" + b"\x91" * 5000, "nested too deeply"),
            (b"\x94\x01\x02\xc0\xdd\xff\xff\xff\xff", "limit|allowed"),
        ],
    )
    def test_ends_the_connection_with_a_reason(self, data, text):
        def mood(conversation):
            conversation.request()
            conversation.send(data)
            conversation.until_gone()

        with Peer(once(mood)) as peer, connect(peer.address) as client:
            with pytest.raises(ConnectionLost, match=text) as caught:
                client.anything()
            assert isinstance(caught.value.__cause__, ProtocolError)
            assert client.double(2) == 4

    def test_behind_an_answer_it_costs_nobody_a_call(self):
        def mood(conversation):
            conversation.answer(conversation.request(), 0)
            request = conversation.request()
            conversation.send(msgpack.packb([1, request[1], None, "right"]) + b"\xc1")
            conversation.until_gone()

        with Peer(once(mood)) as peer, connect(peer.address) as client:
            assert client.first() == 0
            assert client.second() == "right"
            assert client.double(3) == 6
            assert peer.connections == 2

    def test_a_message_above_the_limit_is_told_from_its_header(self):
        def mood(conversation):
            request = conversation.request()
            conversation.send(b"\x94\x01" + msgpack.packb(request[1]) + b"\xc0\xc6\x40\x00\x00\x00")
            conversation.until_gone()

        with Peer(mood) as peer, connect(peer.address) as client:
            with pytest.raises(ConnectionLost, match="above the limit") as caught:
                client.anything()
            assert isinstance(caught.value.__cause__, MessageTooLarge)
            assert caught.value.__cause__.size > 2**30


class TestTime:
    def test_a_peer_that_does_not_answer(self):
        with Peer() as peer, connect(peer.address, timeout=0.1) as client:
            patient = client.options(timeout=20)
            assert patient.double(1) == 2
            with pytest.raises(CallTimeout) as caught:
                client.hang()
            text = str(caught.value)
            assert text.startswith(f"hang at {peer.address} did not end within its limit of 0.1 s (set by connect(")
            assert text.endswith("s it was sent and not answered")
            with pytest.raises(CallTimeout, match=r"limit of 0.05 s \(set by options\(timeout=0.05\)\)"):
                client.options(timeout=0.05).hang()
            assert patient.double(2) == 4

    def test_a_peer_that_does_not_even_answer_the_greeting(self):
        with Peer(lambda c: c.until_gone()) as peer, connect(peer.address, timeout=0.1) as client:
            with pytest.raises(CallTimeout, match="nor was the greeting"):
                client.double(1)
            with pytest.raises(CallTimeout, match="no greeting came"):
                client.double(n=1)
            with pytest.raises(CallTimeout):
                client.methods()

    def test_a_peer_that_does_not_read(self):
        def mood(conversation):
            assert go.wait(20)
            polite(conversation)

        go = threading.Event()
        with Peer(mood) as peer, connect(peer.address, timeout=0.2) as client:
            with pytest.raises(CallTimeout, match="was still being sent"):
                client.echo(b"x" * 20_000_000)
            go.set()
            assert client.options(timeout=20).double(2) == 4  # what was half sent is sent to its end

    def test_a_slow_peer_is_no_late_one(self):
        def mood(conversation):
            request = conversation.request()
            for byte in msgpack.packb([1, request[1], None, "slowly"]):
                conversation.send(bytes([byte]))
                threading.Event().wait(0.01)
            conversation.until_gone()

        with Peer(mood) as peer, connect(peer.address) as client:
            assert client.anything() == "slowly"

    def test_answers_to_others_do_not_lengthen_a_limit(self):
        def mood(conversation):
            conversation.answer(conversation.request(), 0)
            request = conversation.request()
            while not done.wait(0.01):
                conversation.answer([0, 77], "not yours")
            conversation.answer(request, 1)

        done = threading.Event()
        with Peer(mood) as peer, connect(peer.address, timeout=0.2) as client:
            assert client.options(timeout=20).first() == 0  # the greeting is answered: the next call is alone
            begin = time.monotonic()
            with pytest.raises(CallTimeout):
                client.anything()
            assert time.monotonic() - begin < 5
            done.set()


class TestConnecting:
    def test_nobody_accepts(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
            fill = []
            try:
                for _ in range(4):
                    sock = socket.socket()
                    sock.setblocking(False)
                    fill.append(sock)
                    sock.connect_ex(listener.getsockname())
                with pytest.raises(ConnectTimeout, match=r"within 0.2 s"):
                    connect(address, timeout=0.2)
            finally:
                for sock in fill:
                    sock.close()

    def test_a_call_that_finds_nobody_certainly_did_not_run(self):
        with Peer() as peer:
            client = connect(peer.address)
            assert client.double(1) == 2
        with client:
            until_its_end_has_come(client)
            for _ in range(3):
                with pytest.raises(NeverStarted):
                    client.double(2)
            assert "not connected" in repr(client)

    def test_attempts_in_a_row_wait_longer_each_time_but_never_beyond_the_limit(self):
        with Peer() as peer:
            client = connect(peer.address)
        with client:
            client._link.conn.end("for the test")
            begin = time.monotonic()
            for _ in range(5):
                with pytest.raises(ConnectError, match="refused"):
                    client.double(1)
            assert time.monotonic() - begin >= 0.5 * (0.05 + 0.1 + 0.2 + 0.4)
            begin = time.monotonic()
            client._link._not_before = begin + 40
            with pytest.raises((ConnectError, CallTimeout)):
                client.options(timeout=0.01).double(1)
            assert time.monotonic() - begin < 20

    def test_a_service_that_comes_back_is_found_again(self):
        with Process() as process:
            client = connect(process.address)
            assert client.double(1) == 2
        with client:
            with pytest.raises((ConnectError, ConnectionLost)):
                client.double(2)
            with Process(process.port):
                assert client.options(retry=Retry(20, ConnectError, backoff=0.05)).double(3) == 6
                assert client.submit("double", 4).result() == 8


class TestTokens:
    SECRET = "correct horse battery"

    def mood(self, conversation):
        hello = conversation.next()
        if hello[3][0].get("token") == self.SECRET:
            conversation.answer(hello, HELLO)
            polite(conversation)
        conversation.error(hello, {"kind": "token", "type": "", "message": "a token is needed"})
        for message in conversation.messages():
            conversation.error(message, {"kind": "token", "type": "", "message": "a token is needed"})

    def test_the_right_one(self):
        with Peer(self.mood) as peer, connect(peer.address, token=self.SECRET) as client:
            assert client.double(1) == 2
            assert self.SECRET not in repr(client)
            assert self.SECRET not in repr(client.double)

    def test_a_wrong_one_is_said_at_once_and_never_shown(self):
        with Peer(self.mood) as peer, pytest.raises(Unauthorized) as caught:
            connect(peer.address, token="wrong horse")
        assert "wrong horse" not in str(caught.value)

    def test_none_is_said_with_the_first_call(self):
        with Peer(self.mood) as peer, connect(peer.address) as client:
            with pytest.raises(Unauthorized, match="token is needed"):
                client.double(1)
            with pytest.raises(Unauthorized):
                client.submit("double", 1).result()

    def test_a_peer_that_says_nothing(self):
        with Peer(lambda c: c.until_gone()) as peer:
            with pytest.raises(ConnectTimeout, match="greeting") as caught:
                connect(peer.address, timeout=0.1, token=self.SECRET)
            assert caught.value.phase == "greeting"
            assert self.SECRET not in str(caught.value)


class TestProcesses:
    def test_a_killed_one(self):
        with Process() as process, connect(process.address) as client:
            assert client.double(1) == 2
            futures = [client.submit("hang") for _ in range(5)]
            waiter = threading.Thread(target=futures[0].exception)
            waiter.start()
            process.kill()
            for future in futures:
                assert isinstance(future.exception(20), ConnectionLost)
            waiter.join(20)
            with pytest.raises(ConnectError):
                client.double(1)

    def test_a_stopped_one_is_late_and_goes_on(self):
        with Process() as process, connect(process.address, timeout=0.2) as client:
            assert client.options(timeout=20).double(1) == 2
            process.signal(signal.SIGSTOP)
            future = client.submit("double", 2)
            with pytest.raises(CallTimeout):
                client.double(3)
            with pytest.raises(CallTimeout):
                future.result()
            process.signal(signal.SIGCONT)
            assert client.options(timeout=20).double(4) == 8


class TestFork:
    def test_parent_and_child_use_the_same_client(self):
        with Peer() as peer, connect(peer.address) as client:
            assert client.double(1) == 2
            kept = client.submit("hang")
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    assert client.double(3) == 6
                    assert client.submit("double", 4).result() == 8
                    assert isinstance(kept.exception(20), ConnectionLost)
                    code = 0
                finally:
                    os._exit(code)
            assert client.double(5) == 10
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert client.double(6) == 12
            assert not kept.done()
            assert peer.connections == 2

    def test_while_threads_call(self):
        with Peer() as peer, connect(peer.address) as client:
            stop = threading.Event()

            def work():
                while not stop.is_set():
                    assert client.double(1) == 2
                    assert client.submit("double", 2).result() == 4

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            codes = []
            for _ in range(10):
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        assert client.double(3) == 6
                        code = 0
                    finally:
                        os._exit(code)
                codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            stop.set()
            for thread in threads:
                thread.join(20)
            assert codes == [0] * 10


class TestInterrupts:
    def test_ctrl_c_in_a_wait_leaves_the_connection_well(self):
        with Peer(ours=True) as peer, connect(peer.address) as client:
            assert client.double(1) == 2

            def interrupt(calls):
                until(lambda: peer.executed.count(("hang",)) == calls and sleeps(), "the call")
                os.kill(os.getpid(), signal.SIGINT)

            for calls, how in enumerate((client.hang, lambda: client.submit("hang").result(), client.hang), 1):
                with pytest.raises(KeyboardInterrupt):  # it comes when the call is under way
                    thread = threading.Thread(target=interrupt, args=(calls,))
                    thread.start()
                    how()
                thread.join()
                assert client.double(2) == 4
            assert peer.connections == 1
            assert [message[1] for message in peer.heard] == ["rpc.cancel"] * 2

    @pytest.mark.parametrize("how", ["call", "future"])
    def test_a_signal_that_hits_another_thread_ends_a_wait(self, how):
        """As one that comes when the main thread is just about to sleep: it does not end that sleep."""
        with Peer(ours=True) as peer, connect(peer.address, timeout=100) as client:
            assert client.double(1) == 2
            began = time.monotonic()
            seen = []

            def waits():  # for a while already
                seen.append(("hang",) in peer.executed and sleeps())
                return len(seen) > 20 and all(seen[-20:])

            def hit():
                until(waits, "the call")
                signal.pthread_kill(threading.get_ident(), signal.SIGINT)

            with pytest.raises(KeyboardInterrupt):
                thread = threading.Thread(target=hit)
                thread.start()
                if how == "call":
                    client.hang()
                else:
                    client.submit("hang").result()
            assert time.monotonic() - began < 15  # where nothing hears it, the peer ends the call after 20
            thread.join()
            assert client.double(2) == 4

    # An alarm between the making of a socket and its first use leaves it to the collector, which warns.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_alarms_at_any_moment_lose_no_answer(self):
        class Alarm(Exception):
            pass

        def ring(*_):
            raise Alarm

        before = signal.signal(signal.SIGALRM, ring)
        with Peer(ours=True) as peer, connect(peer.address) as client:
            others = [client.submit("double", number) for number in range(100)]
            right = 0
            try:
                for number in range(300):
                    # It rings again, for Python forgets an exception in a destructor, such as that of a connection.
                    try:
                        enough = 0.1 if number % 100 == 99 else 0.0  # for a call on a busy machine, too
                        signal.setitimer(signal.ITIMER_REAL, 0.00002 * (number % 40 + 1) + 0.00005 + enough, 2)
                        while True:
                            try:
                                assert client.double(number) == 2 * number
                            except ConnectionLost:
                                continue
                            right += 1
                    except Alarm:
                        signal.setitimer(signal.ITIMER_REAL, 0)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            assert client.double(5) == 10
            assert all(isinstance(f.exception(20), (type(None), ConnectionLost)) for f in others)
            assert right


def test_an_error_of_the_peer_is_no_end():
    with Peer() as peer, connect(peer.address) as client:
        for _ in range(3):
            with pytest.raises(RemoteError):
                client.fail("x")
        assert peer.connections == 1
