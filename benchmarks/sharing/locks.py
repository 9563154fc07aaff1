"""Locks that nobody else wants, and two processes that wake each other by turns."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

import elsewhere
from benchmarks.sharing.rows import Ask, Figure, Group, Row, in_turns

__all__ = ["GROUP"]

ALONE = {Row(kind, f"{kind}: acquire and release, uncontended", "µs"): kind for kind in ("Lock", "RLock", "Semaphore")}
ROBUST = Row("robust", "`Lock(robust=True)`, there a plain one: the same", "µs")
EVENT = Row("event", "Event: two processes wake each other, a round", "µs")
CONDITION = Row("condition", "Condition: two processes wake each other, a round", "µs")


def measure(ask: Ask) -> Iterator[Figure]:
    context: Any = multiprocessing.get_context("forkserver")
    times = 10_000 if ask.quick else 100_000
    for row, kind in ALONE.items():
        yield from in_turns(row, ask, *(partial(alone, getattr(home, kind)(), times) for home in (elsewhere, context)))
    yield from in_turns(
        ROBUST, ask, partial(alone, elsewhere.Lock(robust=True), times), partial(alone, context.Lock(), times)
    )
    rounds = 300 if ask.quick else 3000
    pairs: dict[Row, Callable[..., float]] = {EVENT: by_events, CONDITION: by_condition}
    for row, rally in pairs.items():
        yield from in_turns(row, ask, *(partial(rally, home, context, rounds) for home in (elsewhere, context)))


def alone(lock: Any, times: int) -> float:
    acquire, release = lock.acquire, lock.release
    begin = perf_counter()
    for _ in range(times):
        acquire()
        release()
    return (perf_counter() - begin) / times * 1e6


def by_events(home: Any, context: Any, rounds: int) -> float:
    ping, pong = home.Event(), home.Event()
    process = context.Process(target=answer_events, args=(ping, pong, rounds + 1))
    process.start()
    call_events(ping, pong, 1)  # it is there
    begin = perf_counter()
    call_events(ping, pong, rounds)
    took = perf_counter() - begin
    process.join()
    return took / rounds * 1e6


def call_events(ping: Any, pong: Any, rounds: int) -> None:
    for _ in range(rounds):
        ping.set()
        pong.wait()
        pong.clear()


def answer_events(ping: Any, pong: Any, rounds: int) -> None:
    for _ in range(rounds):
        ping.wait()
        ping.clear()
        pong.set()


def by_condition(home: Any, context: Any, rounds: int) -> float:
    condition, turn = home.Condition(), home.RawValue("i", 0)
    process = context.Process(target=take_turns, args=(condition, turn, 1, rounds + 1))
    process.start()
    take_turns(condition, turn, 0, 1)
    begin = perf_counter()
    take_turns(condition, turn, 0, rounds)
    took = perf_counter() - begin
    process.join()
    return took / rounds * 1e6


def take_turns(condition: Any, turn: Any, mine: int, rounds: int) -> None:
    for _ in range(rounds):
        with condition:
            while turn.value != mine:
                condition.wait()
            turn.value = 1 - mine
            condition.notify()


GROUP = Group(14, "locks", (*ALONE, ROBUST, EVENT, CONDITION), measure)
