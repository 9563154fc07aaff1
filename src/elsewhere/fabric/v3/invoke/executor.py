"""Tasks in their order, with those before and after them."""

from __future__ import annotations

from typing import Any

from elsewhere.fabric.v3.invoke.config import Config
from elsewhere.fabric.v3.invoke.parser import ParserContext
from elsewhere.fabric.v3.invoke.tasks import Call, Task

__all__ = ["Executor"]


class Executor:
    """See the module.

    Args:
        collection: the tasks.
        config: the settings.
        core: the command line.
    """

    def __init__(self, collection: Any, config: Config | None = None, core: Any = None) -> None:
        self.collection = collection
        self.config = Config() if config is None else config
        self.core = core

    def execute(self, *tasks: Any) -> dict[Any, Any]:
        """Run them.

        Args:
            tasks: names, pairs of a name and keyword arguments, or what the command line says of one.

        Returns:
            What each gave; of one that ran on several hosts, the last.
        """
        direct = self.normalize(tasks)
        calls = self.expand_calls(direct)
        if self.config.tasks.get("dedupe", True):
            calls = self.dedupe(calls)
        results = {}
        for call in calls:
            found = self.run_call(call)
            if call.autoprint and any(call.task is each.task for each in direct):
                print(found)
            results[call.task] = found
        return results

    def run_call(self, call: Call) -> Any:
        """Run one, with the settings that hold for it."""
        config = self.config
        config.load_collection(self.collection.configuration(call.called_as))
        config.load_shell_env()
        return call.task(call.make_context(config), *call.args, **call.kwargs)

    def normalize(self, tasks: Any) -> list[Call]:
        """All of these as calls; the default where there are none."""
        if not tasks and self.collection.default is not None:
            return [Call(self.collection[self.collection.default])]
        calls = []
        for each in tasks:
            if isinstance(each, ParserContext):
                name, kwargs = str(each.name), each.as_kwargs
            else:
                name, kwargs = (each, {}) if isinstance(each, str) else each
            calls.append(Call(self.collection[name], kwargs=kwargs, called_as=name))
        return calls

    def dedupe(self, calls: list[Call]) -> list[Call]:
        """Each once."""
        found: list[Call] = []
        for call in calls:
            if call not in found:
                found.append(call)
        return found

    def expand_calls(self, calls: Any) -> list[Call]:
        """With those before and after."""
        found: list[Call] = []
        for each in calls:
            call = Call(each) if isinstance(each, Task) else each
            found += [*self.expand_calls(call.pre), call, *self.expand_calls(call.post)]
        return found
