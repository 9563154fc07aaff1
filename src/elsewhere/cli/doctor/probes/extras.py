"""What is installed by ``elsewhere[...]``: one that is missing is no failure, unless it is asked for."""

from __future__ import annotations

import importlib
import re
import sys

from elsewhere.cli.doctor.finding import FAILS, MISSING, NOTE, WORKS, Finding, pip
from elsewhere.cli.doctor.probes.core import call_over, version

__all__ = ["LEAST", "asyncssh", "dask", "http", "joblib", "numpy", "uvloop"]

# The oldest that will do, as pyproject.toml has it.
LEAST = {
    "numpy": (1, 26),
    "joblib": (1, 4),
    "starlette": (0, 40),
    "uvicorn": (0, 30),
    "asyncssh": (2, 21),
    "distributed": (2024, 8),
}


def numpy() -> list[Finding]:
    """Arrays that cross without copies."""
    return [_seen("numpy", "numpy") or Finding("numpy", "numpy", WORKS, version("numpy"))]


def joblib() -> list[Finding]:
    """The drop-in backend."""
    trouble = _seen("joblib", "joblib")
    if trouble is not None:
        return [trouble]
    import elsewhere.joblib

    elsewhere.joblib.register()
    return [Finding("joblib", "joblib", WORKS, f"{version('joblib')}; its backend 'elsewhere' is there")]


def uvloop() -> list[Finding]:
    """A faster loop, used wherever it is."""
    trouble = _seen("uvloop", "http")
    if trouble is not None:
        return [trouble]
    import asyncio

    import uvloop as module

    loop = module.new_event_loop()
    try:
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()
    return [Finding("uvloop", "http", WORKS, version("uvloop"))]


def http() -> list[Finding]:
    """Services over HTTP."""
    for name in ("starlette", "uvicorn"):
        trouble = _seen(name, "http")
        if trouble is not None:
            return [trouble._replace(name="http")]
    says = f"starlette {version('starlette')}, uvicorn {version('uvicorn')}"
    trouble = _seen("httptools", "http")
    if trouble is not None:
        return [Finding("http", "http", NOTE, f"{says}, and without httptools slow", pip("http"))]
    took = call_over("http://127.0.0.1:0")
    return [Finding("http", "http", WORKS, f"{says}; a call: {took:.1f} ms")]


def asyncssh() -> list[Finding]:
    """Hosts over SSH."""
    trouble = _seen("asyncssh", "fleet")
    if trouble is not None:
        return [trouble]
    says = version("asyncssh")
    if _seen("bcrypt", "fleet") is not None:
        do = "python -m pip install bcrypt"
        return [Finding("asyncssh", "fleet", NOTE, f"{says}, without bcrypt: no encrypted keys are opened", do)]
    return [Finding("asyncssh", "fleet", WORKS, f"{says}, with bcrypt, for encrypted keys")]


def dask() -> list[Finding]:
    """A cluster's calls."""
    trouble = _seen("distributed", "dask")
    if trouble is not None:
        return [trouble._replace(name="dask")]
    python = ".".join(map(str, sys.version_info[:2]))
    says = f"distributed {version('distributed')}; needs Python {python} on workers"
    return [Finding("dask", "dask", WORKS, says)]


def _seen(name: str, extra: str) -> Finding | None:
    """What is wrong with a module; None if nothing is."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return Finding(name, extra, MISSING, "not installed", pip(extra))
        return Finding(name, extra, FAILS, f"needs {error.name}, which is not installed", pip(extra))
    except Exception as error:  # noqa: BLE001 - whatever a broken module raises is the finding
        says = f"cannot be imported: {type(error).__name__}: {' '.join(str(error).split())}"
        return Finding(name, extra, FAILS, says, f"python -m pip install --force-reinstall {name}")
    found = tuple(map(int, re.findall(r"\d+", version(name))[:2]))
    least = LEAST.get(name, ())
    if found and found < least:
        says = f"{version(name)} is too old: {'.'.join(map(str, least))} or newer is needed"
        return Finding(name, extra, FAILS, says, f"python -m pip install --upgrade 'elsewhere[{extra}]'")
    return None
