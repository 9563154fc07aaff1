"""Functions that write, in every way there is."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading


def shout(text):
    print(text)
    return text


def complain(text):
    print(text, file=sys.stderr)
    return text


def both(text):
    print(f"out {text}")
    print(f"err {text}", file=sys.stderr)


def whisper(text):
    """No end of line."""
    print(text, end="")
    return text


def in_pieces(text):
    for letter in text:
        sys.stdout.write(letter)
    sys.stdout.write("\n")
    sys.stdout.flush()


def write_bytes(data):
    sys.stdout.buffer.write(data)
    return len(data)


def write_bytes_one_by_one(data):
    for at in range(len(data)):
        sys.stdout.buffer.write(data[at : at + 1])
    sys.stdout.buffer.flush()


def write_lines(lines):
    sys.stdout.writelines(lines)


def from_a_program(text):
    subprocess.run(["echo", text], check=True)
    return text


def from_a_program_by_fileno(text):
    subprocess.run(["echo", text], check=True, stdout=sys.stdout.fileno(), stderr=sys.stderr.fileno())
    return text


def from_a_program_by_stream(text):
    subprocess.run(["echo", text], check=True, stdout=sys.stdout)
    return text


def from_threads(count):
    """Each thread writes lines of its own letter, each line in several writes."""
    barrier = threading.Barrier(count)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they take turns within a line

    def write(letter):
        barrier.wait()
        for _ in range(200):
            print(letter, letter, letter * 20, sep="")

    threads = [threading.Thread(target=write, args=(chr(ord("a") + number),)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)


def from_a_thread_without_end(text):
    thread = threading.Thread(target=print, args=(text,), kwargs={"end": ""})
    thread.start()
    thread.join()


def say_and_die(text):
    print(text)
    os._exit(3)


def say_and_raise(text):
    print(text, end="")
    raise ValueError(text)


def say_at_exit(text):
    atexit.register(print, text)


async def shout_async(text):
    print(text)
    return text


def say_in_full(kind):
    """What a library asks of a stream."""
    stream = sys.stdout
    return (
        stream.isatty(),
        stream.writable(),
        stream.readable(),
        stream.fileno(),
        stream.encoding,
        stream.name,
        stream.closed,
        sys.__stdout__ is sys.stdout,
    )


def start_quietly():
    print("started")


def identity(value):
    return value


def print_then_value(value):
    """Prints nothing or something, and returns an atom: the two ways an answer goes."""
    if value % 3 == 0:
        print(f"<{value}>")
    return value
