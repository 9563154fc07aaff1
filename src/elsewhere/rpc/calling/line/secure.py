"""A stream with TLS on it."""

from __future__ import annotations

import socket
import ssl
import threading

from elsewhere.rpc.calling.line.stream import ONE_CHUNK, Stream

__all__ = ["Polled"]


class Polled(Stream):
    """A socket with TLS, of which only one thread at a time may ask anything; or one of a system unlike Unix."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.setblocking(False)
        self._one = threading.Lock()

    def send(self, data: bytes | memoryview) -> int:
        done, view = 0, memoryview(data)
        try:
            while done < len(view):
                with self._one:
                    done += self.sock.send(view[done:])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return done
        return done

    def receive(self, seconds: float) -> None:
        wants = self._read()
        if wants:
            self.wait(read=wants == "read", write=wants == "write", seconds=seconds)
            self._read()

    def look(self) -> bool:
        self._read()
        return bool(self.inbox)

    def _read(self) -> str:
        """What it has to wait for; "" if something has come."""
        try:
            with self._one:
                self.inbox.extend(map(self.sock.recv, ONE_CHUNK))
        except (BlockingIOError, ssl.SSLWantReadError):
            return "read"
        except ssl.SSLWantWriteError:
            return "write"
        except OSError as error:
            self.ended(error)
        return ""
