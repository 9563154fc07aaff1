"""How many calls a worker may hold: credits instead of chunks.

Rule: arithmetic on what has been measured; nothing here changes anything but a job's running mean.

A worker holds as many calls as make `BUDGET` seconds of work by the job's running mean, at least one, at most `MOST`,
and at most `GROWTH` times as many as the job has already seen answered (so that one quick first call does not strand a
hundred slow ones behind it). What it holds beyond the call it is in can be taken back, so a budget strands nothing for
long.
"""

from __future__ import annotations

from math import ceil

from elsewhere.sansio.scheduling.jobs import Job, Run
from elsewhere.sansio.scheduling.peer import Peer

__all__ = ["BUDGET", "MOST", "ahead", "closing", "measure", "room"]

BUDGET = 0.002  # seconds of work a worker may hold: hides a round trip of some 0.1 ms, strands little
MOST = 16384  # calls a worker may hold; its page has room for the answers of twice as many
GROWTH = 4  # times as many as have been answered may be handed over next
AHEAD = 512  # inputs read ahead for a worker: an imap's consumer takes them one by one, and is never faster than this
PAST = 16.0  # calls
SHORTEST = 1e-9  # seconds; a mean of 0 would make a share endless


def room(peer: Peer, job: Job, budget: float) -> int:
    """How many more calls of this job the worker may hold."""
    most = MOST if peer.left is None else peer.left
    budget *= job.heap
    if job.chunk is not None:
        small = job.seconds is not None and job.seconds * job.chunk < budget
        return job.chunk if most and peer.outstanding <= (job.chunk if small else 0) else 0
    if job.seconds is None:
        return min(most, 0 if peer.outstanding else 1)
    if not peer.outstanding:
        return min(most, max(1, min(_share(job, budget), GROWTH * job.answered, MOST)))
    load = peer.load()
    if load > budget / 2 or peer.outstanding > MOST // 2:  # top up by halves
        return 0
    return min(most, _share(job, budget - load), min(GROWTH * job.answered, MOST) - peer.outstanding)


def closing(run: Run, size: int, budget: float) -> int:
    """How many calls one of `size` workers may be handed of the last of a job: less and less, so that all end together.

    Not fewer than fill a quarter of a budget, which is what handing over costs.
    """
    return max(-(-(run.hi - run.lo) // size), 1 if run.job.seconds is None else _share(run.job, budget / 4))


def measure(job: Job, count: int, seconds: float) -> None:
    """Calls of a job took `seconds` each. Answers found by looking, or skipped, come without a time: 0 says nothing.

    The mean is over calls, so that the one a worker wakes up for, which costs more, weighs as one; the past counts half
    each time, and never as more than `PAST` calls, so that a change is seen soon.
    """
    job.answered += count
    if seconds > 0:
        past = min(job.sample / 2, PAST)
        job.sample = past + count
        job.seconds = (past * (job.seconds or 0.0) + count * seconds) / job.sample


def ahead(job: Job) -> int:
    """How many calls of a job one worker may come to hold, for those who read inputs ahead of it."""
    return 2 if job.seconds is None else min(AHEAD, int(BUDGET * job.heap / max(job.seconds, SHORTEST)) + 2)


def _share(job: Job, seconds: float) -> int:
    """How many calls of a job fill so much time."""
    return ceil(seconds / max(job.seconds or 0.0, SHORTEST))
