"""The questions by name, and the process that answers one: it prints what it finds as a line of JSON.

Rule: a question is imported in that process only, with all that it looks at.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import NamedTuple

__all__ = ["QUESTIONS", "Question", "answer"]


class Question(NamedTuple):
    """A function without arguments that gives a list of `Finding`.

    Attributes:
        part: what its findings are about; see `Finding`.
        where: ``module:function``, in `probes`.
    """

    part: str
    where: str


QUESTIONS: dict[str, Question] = {
    "python": Question("core", "core:python"),
    "worker": Question("core", "core:worker"),
    "machine": Question("core", "machine:machine"),
    "blocks": Question("core", "core:blocks"),
    "locks": Question("core", "core:locks"),
    "cloudpickle": Question("core", "core:cloudpickle"),
    "msgpack": Question("core", "core:msgpack"),
    "service": Question("core", "core:service"),
    "shell": Question("core", "core:shell"),
    "uvloop": Question("http", "extras:uvloop"),
    "http": Question("http", "extras:http"),
    "asyncssh": Question("fleet", "extras:asyncssh"),
    "ssh": Question("fleet", "ssh:ssh"),
    "dask": Question("dask", "extras:dask"),
    "numpy": Question("numpy", "extras:numpy"),
    "joblib": Question("joblib", "extras:joblib"),
    "ports": Question("ports", "ports:ports"),
}


def answer(name: str) -> None:
    """Print what is found, behind whatever the modules that are looked at print."""
    module, _, function = QUESTIONS[name].where.partition(":")
    found = getattr(importlib.import_module(f"elsewhere.cli.doctor.probes.{module}"), function)()
    sys.stdout.flush()
    os.write(1, b"\n" + json.dumps(found).encode() + b"\n")
