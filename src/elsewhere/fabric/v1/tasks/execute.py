"""A task, once for each of its hosts: one after the other, or side by side in threads.

The original forks a process for each host of a parallel task. A thread with an ``env`` of its own (`isolated`) gives a
task file the same, shares the connections, and hands back values that no pickle could.
"""

from __future__ import annotations

import contextvars
import sys
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from elsewhere.fabric.v1 import state
from elsewhere.fabric.v1.context_managers import settings
from elsewhere.fabric.v1.exceptions import NetworkError
from elsewhere.fabric.v1.network import disconnect_all, to_dict
from elsewhere.fabric.v1.state.local import isolated
from elsewhere.fabric.v1.task_utils import crawl, parse_kwargs
from elsewhere.fabric.v1.tasks.task import Task, WrappedCallableTask, requires_parallel
from elsewhere.fabric.v1.utils import abort, error, warn

__all__ = ["execute"]

LOCAL = "<local-only>"


def execute(task: Any, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
    """Run it on each of its hosts.

    Args:
        task: a callable, a `Task`, or the name of one.
        args: for it.
        kwargs: for it; but ``host hosts role roles exclude_hosts`` say where, as on the command line.

    Returns:
        What it gave, by host; by ``"<local-only>"`` if it has none.
    """
    command, found = _named(task)
    if found is None:
        return None
    rest, hosts, roles, exclude = parse_kwargs(kwargs)
    on_hosts, effective = found.get_hosts_and_effective_roles(hosts, roles, exclude, state.env)
    own = {"clean_revert": True, "command": command, "all_hosts": on_hosts, "effective_roles": effective}
    if not on_hosts:
        with settings(**own):
            return {LOCAL: found.run(*args, **rest)}
    size = found.get_pool_size(on_hosts, state.env.pool_size)
    if requires_parallel(found):
        return _side_by_side(found, own, args, rest, size)
    return _one_by_one(found, own, args, rest)


def _named(task: Any) -> tuple[Any, Any]:
    """The name for ``env.command``, and a `Task` or None."""
    if callable(task) or isinstance(task, Task):
        name = getattr(task, "name", getattr(task, "__name__", None))
        return name, task if isinstance(task, Task) else WrappedCallableTask(task)
    found = crawl(task, state.commands)
    if found is None:
        text = f"{task!r} is not callable or a valid task name"
        (warn if state.env.get("skip_unknown_tasks", False) else abort)(text)
        return task, None
    return task, found if isinstance(found, Task) else WrappedCallableTask(found)


def _announced(task: Any, host: str, command: Any) -> None:
    if state.output.running and not hasattr(task, "return_value"):
        print(f"[{host}] Executing task '{command}'")


def _one_by_one(task: Any, own: dict[str, Any], args: Any, kwargs: Any) -> dict[str, Any]:
    results = {}
    for host in own["all_hosts"]:
        try:
            _announced(task, host, own["command"])
            with settings(**{**to_dict(host), **own}):
                results[host] = task.run(*args, **kwargs)
        except NetworkError as failure:
            if state.env.use_exceptions_for["network"]:
                raise
            results[host] = failure
            _unreachable(failure)
        if state.env.eagerly_disconnect:
            disconnect_all()
    return results


def _unreachable(failure: NetworkError) -> None:
    error(failure.message or "", func=warn if state.env.skip_bad_hosts else abort, exception=failure.wrapped)


# ---- side by side ----------------------------------------------------------------------------------------------------


def _side_by_side(task: Any, own: dict[str, Any], args: Any, kwargs: Any, size: int) -> dict[str, Any]:
    hosts = own["all_hosts"]
    for host in hosts:
        _announced(task, host, own["command"])
    shared = {key: value for key, value in own.items() if key != "clean_revert"}
    pool = ThreadPoolExecutor(max_workers=max(1, size), thread_name_prefix="fab")
    try:
        futures: dict[str, Future[Any]] = {}
        for host in reversed(hosts):  # the original takes them from the end of its queue
            values = {**to_dict(host), **shared, "parallel": True, "linewise": True, "parallel_task": True}
            futures[host] = pool.submit(contextvars.copy_context().run, _one, task, values, args, kwargs)
        outcomes = {host: _outcome(futures[host]) for host in hosts}
        pool.shutdown()
    except BaseException:  # Ctrl-C: what runs ends with its connection, what waits does not begin
        pool.shutdown(wait=False, cancel_futures=True)
        state.connections.close_all()
        raise
    failed = f"One or more hosts failed while executing task '{own['command']}'"
    results = {}
    for host, (value, failure) in outcomes.items():
        if isinstance(failure, NetworkError) and _skipped():
            error(failure.message or "", func=warn, exception=failure.wrapped)
        elif isinstance(failure, SystemExit):
            error(failed)
        elif failure is not None:
            error(failed, exception=failure)
        results[host] = value if failure is None else None if isinstance(failure, SystemExit) else failure
    return results


def _outcome(future: Future[Any]) -> tuple[Any, BaseException | None]:
    failure = future.exception()
    if failure is not None and not isinstance(failure, Exception | SystemExit):
        raise failure
    return (None, failure) if failure is not None else (future.result(), None)


def _skipped() -> bool:
    return not state.env.use_exceptions_for["network"] and bool(state.env.skip_bad_hosts)


def _one(task: Any, values: dict[str, Any], args: Any, kwargs: Any) -> Any:
    """In a thread, for one host."""
    with isolated():
        state.env.update(values)
        try:
            return task.run(*args, **kwargs)
        except SystemExit as ending:
            if ending.code in {None, 0}:
                return None
            raise
        except Exception as failure:
            if not (isinstance(failure, NetworkError) and _skipped()):
                told = f"!!! Parallel execution exception under host {values['host_string']!r}:\n"
                sys.stderr.write(told + traceback.format_exc())
            raise
