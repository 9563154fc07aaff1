"""Managers behind an address, and who may connect."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import socket

import pytest

from elsewhere.shared.managers import BaseManager, ManagerLost, SyncManager

from .work import child, ended

_queue: queue.Queue = queue.Queue()


class Serving(BaseManager):
    pass


class Connecting(BaseManager):
    pass


Serving.register("get_queue", lambda: _queue)
Connecting.register("get_queue")


@pytest.mark.parametrize("serializer", ["pickle", "xmlrpclib"])
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_remote_manager(method, serializer):
    key = os.urandom(16)
    with Serving(("127.0.0.1", 0), key, serializer, method) as serving:
        connecting = Connecting(serving.address, key, serializer)
        connecting.connect()
        connecting.get_queue().put(["hello", 1, None])
        assert serving.get_queue().get(timeout=30) == ["hello", 1, None]


def test_a_wrong_key_is_refused_and_harms_nobody():
    with SyncManager(("127.0.0.1", 0), b"right") as serving:
        d = serving.dict(a=1)
        with pytest.raises(multiprocessing.AuthenticationError):
            SyncManager(serving.address, b"wrong").connect()
        assert d["a"] == 1


class Bomb:
    def __reduce__(self):
        return os._exit, (3,)


def test_nothing_is_unpickled_for_a_stranger():
    with SyncManager(("127.0.0.1", 0), b"right") as serving:
        d = serving.dict(a=1)
        for data in (pickle.dumps(Bomb()), b"\0" * 5000, b"elsewhere manager 1\n" + pickle.dumps(Bomb())):
            with socket.create_connection(serving.address) as stranger:
                stranger.sendall(data)
                stranger.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    while stranger.recv(4096):
                        pass
        assert d["a"] == 1
        assert serving._process.is_alive()


def test_nonsense_of_one_who_has_the_key_harms_nobody():
    with SyncManager(("127.0.0.1", 0), b"right") as serving:
        d = serving.dict(a=1)
        for call in (("nothing", "x"), (None, "x"), (d._id, 3)):
            kind, _ = d._link.call(*call)
            assert kind != 1

        def talk():
            len(d)
            d._link._sock.sendall(b"\1\0\0\0" + b"\0" * 8 + b"\3" + b"\0" * 7 + b"...")
            d._link._sock.sendall(b"\xff" * 20)

        with child(talk) as pid:
            assert ended(pid) == 0
        assert d["a"] == 1


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with pytest.raises(ConnectionRefusedError):
        SyncManager(address, b"key").connect()


def test_an_address_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        SyncManager(taken.getsockname(), b"key").start()


def test_a_manager_is_started_again_at_its_address():
    first = SyncManager(("127.0.0.1", 0), b"key")
    first.start()
    old = first.dict(a=1)
    first._process.kill()
    first._process.join(30)
    with SyncManager(first.address, b"key") as second:
        new = second.dict(a=2)
        assert new["a"] == 2
        with pytest.raises(ManagerLost):
            old["a"]
        other = SyncManager(first.address, b"key")
        other.connect()
        assert other._number_of_objects() == 1


def test_a_pickled_proxy_of_a_manager_with_its_own_key():
    with SyncManager(authkey=b"its own") as manager:
        body = pickle.dumps(manager.dict(a=1))
        assert b"its own" not in body
        assert pickle.loads(body)["a"] == 1

        def load():
            os._exit(pickle.loads(pickle.dumps(manager.dict(a=7)))["a"])

        with child(load) as pid:
            assert ended(pid) == 7


def test_a_server_in_this_process(tmp_path):
    manager = SyncManager(str(tmp_path / "socket"), b"key")

    def serve():
        manager.get_server().serve_forever()

    with child(serve):
        other = SyncManager(str(tmp_path / "socket"), b"key")
        while True:
            try:
                other.connect()
            except (FileNotFoundError, ConnectionRefusedError):
                continue
            break
        assert other.dict(a=1)["a"] == 1
