"""Functions that tests have hosts call. It imports nothing that a bare Python has not got: it travels as source."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time


class Odd(Exception):
    """An exception of ours, with more than its text."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class Point:
    """A class of ours."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return type(other) is Point and (self.x, self.y) == (other.x, other.y)

    def __hash__(self):
        return hash((self.x, self.y))


def double(number):
    return 2 * number


def where():
    """The host's address, as its sshd tells it, and who runs there."""
    return os.environ["SSH_CONNECTION"].split()[2], os.getpid(), tuple(sys.version_info[:2]), sys.executable


def address():
    return where()[0]


def fails(number):
    raise Odd(number)


def point(x, y=0):
    return Point(x, y)


def echo(value):
    return value


def says(text):
    print(text)
    print(f"{text}, to stderr", file=sys.stderr)
    logging.getLogger("work").warning("%s, logged", text)
    return text


def begins(path, seconds=1000.0):
    """Say that it runs, by a file that holds its process's number, and stay."""
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}")
    with open(new, "w") as file:
        file.write(str(os.getpid()))
    os.rename(new, path)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


def begins_unless(path):
    """`begins`, but the second time it comes back at once."""
    if os.path.exists(path):
        return "again"
    return begins(path)


def kills(number):
    os.kill(os.getpid(), number)
    time.sleep(1000)


def leaves(seconds):
    """A process that lives on and holds what this one writes to; then this one is killed."""
    subprocess.Popen(["sleep", str(seconds)])
    os.kill(os.getpid(), signal.SIGKILL)


def writes(text):
    """What no `print` writes: a child's words."""
    os.system(f"echo {text} >&2")
    return text


def size(data):
    return len(data)


def zeros(count):
    return bytes(count)


def adder(offset):
    return lambda x: x + offset


def two_places(_):
    time.sleep(0.005)
    return where()


def at(shared, n):
    return shared["a"][n]


def begins_there(folder):
    begins(f"{folder}/pid-{address()}")


def dies_on(victim):
    if address() == victim:
        kills(signal.SIGKILL)
    return victim


def held(data: bytes, number: int) -> tuple[str, int, int]:
    """The host, who it is, and how much it has been given."""
    return os.environ["SSH_CONNECTION"].split()[2], os.getpid(), len(data)
