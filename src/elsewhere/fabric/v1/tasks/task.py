"""What a task is."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from elsewhere.fabric.v1 import state
from elsewhere.fabric.v1.task_utils import merge

__all__ = ["Task", "WrappedCallableTask", "get_task_details", "requires_parallel"]


def get_task_details(task: Any) -> str:
    """What ``fab -d`` shows of it: its docstring and its arguments."""
    doc = textwrap.dedent(task.__doc__) if task.__doc__ else "No docstring provided"
    bare, valued = [], []
    for parameter in inspect.signature(task).parameters.values():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            if parameter.default is parameter.empty:
                bare.append(parameter.name)
            else:
                valued.append(f"{parameter.name}={parameter.default!r}")
    return f"{doc}\nArguments: {', '.join(bare + valued)}"


class Task:
    """A task; classes of task files come from it, and have a method ``run``.

    Args:
        alias, aliases: further names.
        default: it is what the name of its module means.
        name: instead of the variable's.
    """

    name: str = "undefined"
    use_task_objects = True
    aliases: Any = None
    is_default = False

    def __init__(
        self, alias: Any = None, aliases: Any = None, default: bool = False, name: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        if alias is not None:
            self.aliases = [alias]
        if aliases is not None:
            self.aliases = aliases
        if name is not None:
            self.name = name
        self.is_default = default

    def __details__(self) -> str:
        return get_task_details(self.run)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def get_hosts_and_effective_roles(
        self, arg_hosts: Any, arg_roles: Any, arg_exclude_hosts: Any, env: Any = None
    ) -> tuple[list[str], Any]:
        """Where it runs: what the call says, else what its decorators say, else what ``env`` does."""
        env = env or {"hosts": [], "roles": [], "exclude_hosts": []}
        roledefs = env.get("roledefs", {})
        if arg_hosts or arg_roles:
            return merge(arg_hosts, arg_roles, arg_exclude_hosts, roledefs), arg_roles
        own_hosts, own_roles = getattr(self, "hosts", []), getattr(self, "roles", [])
        if own_hosts or own_roles:
            return merge(own_hosts, own_roles, arg_exclude_hosts, roledefs), own_roles
        hosts, roles, exclude = (env.get(key, []) for key in ("hosts", "roles", "exclude_hosts"))
        return merge(hosts, roles, exclude, roledefs), roles

    def get_pool_size(self, hosts: Any, default: Any) -> int:
        """How many hosts at once."""
        wanted = int(getattr(self, "pool_size", None) or default or len(hosts))
        size = min(wanted, len(hosts))
        if state.output.debug:
            print(f"Parallel tasks now using pool size of {size}")
        return size


class WrappedCallableTask(Task):
    """A function as a task; whatever else is asked of it is the function's."""

    def __init__(self, callable: Any, *args: Any, **kwargs: Any) -> None:  # noqa: A002 - the original's name
        super().__init__(*args, **kwargs)
        self.wrapped = callable
        if hasattr(callable, "__name__"):
            if self.name == "undefined":
                self.name = callable.__name__
            self.__name__ = self.name
        if hasattr(callable, "__doc__"):
            self.__doc__ = callable.__doc__
        if hasattr(callable, "__module__"):
            self.__module__ = callable.__module__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        return self.wrapped(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "wrapped":  # not there yet, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    def __details__(self) -> str:
        inner: Any = self
        while "wrapped" in vars(inner):
            inner = vars(inner)["wrapped"]
        return get_task_details(inner)


def requires_parallel(task: Any) -> Any:
    """Is it to run on its hosts side by side?"""
    return (state.env.parallel and not getattr(task, "serial", False)) or getattr(task, "parallel", False)
