"""Functions that tests of ``elsewhere map`` send to hosts."""

import dataclasses
import os
import re
import time

from tests.cli.hosts import sent_beside


@dataclasses.dataclass
class Size:
    text: str
    length: int


class Odd:
    pass


def double(x: int):
    return sent_beside.twice(x)


def where(x: int):
    return {"pid": os.getpid(), "x": x}


def size(text):
    return Size(text, len(text))


def number(x):
    return x + 1


async def later(x: int):
    return x


def says(x: int):
    print("printed", x)
    return x


def prints(x: int):
    os.system("echo from a shell")
    return says(x)


def fussy(text):
    if text == "bad":
        raise ValueError("it is bad")
    if text == "exit":
        raise SystemExit(3)
    if text == "die":
        os.kill(os.getpid(), 9)
    if text == "wait":
        time.sleep(60)
    return text


def opaque(text):
    return re.compile(text)


def odd(text):
    return Odd()
