"""From a command line to tasks that have run."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from elsewhere.errors import ConnectError, Unauthorized
from elsewhere.fabric.loading import Missing, find
from elsewhere.fabric.v3.config import Config
from elsewhere.fabric.v3.executor import Executor
from elsewhere.fabric.v3.invoke.collection import Collection
from elsewhere.fabric.v3.invoke.exceptions import Exit, ParseError, UnexpectedExit
from elsewhere.fabric.v3.invoke.parser import Parser, ParserContext, ParseResult
from elsewhere.fabric.v3.invoke.util import enable_logging
from elsewhere.fabric.v3.main.agent import agent_keys
from elsewhere.fabric.v3.main.completing import candidates, script, typed_words
from elsewhere.fabric.v3.main.listing import Listing, print_help, print_task_help
from elsewhere.fabric.v3.main.options import core_arguments
from elsewhere.fabric.v3.version import VERSION
from elsewhere.fleet.below import NeedsAsyncssh

__all__ = ["main"]

SETTINGS = (".json", ".yaml", ".yml")  # what `-f` names then is a file of settings


def main(arguments: list[str]) -> int:
    """Do what the command line says.

    Returns:
        The exit status: that of the command that failed, 1 for anything else.
    """
    try:
        _Program(arguments).run()
    except UnexpectedExit as error:
        if error.result.hide:
            sys.stderr.write(str(error))
        return int(error.result.exited)
    except Exit as ending:
        if ending.message:
            print(ending.message, file=sys.stderr)
        return ending.code
    except ParseError as error:
        print(error, file=sys.stderr)
        return 1
    except (ConnectError, NeedsAsyncssh, Unauthorized) as error:  # the sentence says it all; a traceback would hide it
        print(f"elsewhere: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    except Exception:  # noqa: BLE001 - a task file's own error is shown as Python shows it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


class _Program:
    """One run.

    Args:
        arguments: the command line.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.config = Config(lazy=True)
        self.config.load_base_conf_files()
        self.core: ParseResult = Parser(initial=self._core_context(), ignore_unknown=True).parse_argv(arguments)
        self.args = self.core[0].args

    @staticmethod
    def _core_context() -> ParserContext:
        return ParserContext(args=core_arguments())

    def _value(self, name: str) -> Any:
        return self.args[name].value

    def run(self) -> None:
        """All of it."""
        if self._value("version"):
            print(f"Fabric {VERSION} (elsewhere)")
            return
        if self._value("help") is True:
            print_help(self._core_context())
            return
        if self._value("print-completion-script"):
            print(script(self._value("print-completion-script")), end="")
            return
        if self._value("list-agent-keys"):
            print("".join(f"{line}\n" for line in agent_keys()), end="")
            return
        if self._value("complete"):
            self._complete()
            return
        if self._value("debug"):
            enable_logging()
        sys.dont_write_bytecode = not self._value("write-pyc")
        only_remainder = not self.core.unparsed and bool(self.core.remainder)
        collection = Collection() if only_remainder else self._collection()
        tasks = self._tasks(collection)
        if self._shown(collection):
            return
        if not tasks and not collection.default and not only_remainder:
            print_help(self._core_context())
            return
        self._settings()
        Executor(collection, self.config, self.core).execute(*tasks)

    def _complete(self) -> None:
        """Print what could come next. The task file is the one that is named in what is typed."""
        words = typed_words(self.core.remainder)
        typed = Parser(initial=self._core_context(), ignore_unknown=True)
        with contextlib.suppress(ParseError):
            for name, argument in typed.parse_argv(words)[0].args.items():
                if name in {"collection", "fabfile", "search-root"} and argument.got_value:
                    self.args[name]._value = argument._value
        collection = self._collection()
        contexts = collection.to_contexts(ignore_unknown_help=self.config.tasks.ignore_unknown_help)
        for each in candidates(words, self._core_context(), contexts, collection):
            print(each)

    # ---- the task file -----------------------------------------------------------------------------------------------

    def _collection(self) -> Collection:
        path = self._task_file()
        folder = str(path.parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        module = _imported(path)
        self.config.set_project_location(path.parent)
        self.config.load_project()
        dashes = self.config.tasks.auto_dash_names
        return Collection.from_module(module, loaded_from=folder, auto_dash_names=dashes)

    def _task_file(self) -> Path:
        """Where it is.

        Raises:
            Exit: it is not there.
        """
        named = self._value("fabfile")
        if named is not None and named.endswith(SETTINGS):
            named = None
        name = named or self._value("collection") or self.config.tasks.collection_name
        root = self._value("search-root") or self.config.tasks.search_root
        try:
            path = find(os.path.join(root, name) if root else name)
        except Missing as missing:
            if named is None:
                raise Exit(f"Can't find any collection named {name!r}!") from None
            raise Exit(str(missing)) from None
        assert path is not None  # a name was given
        return path

    def _tasks(self, collection: Collection) -> list[ParserContext]:
        """What the second reading finds, now that the tasks are known."""
        contexts = collection.to_contexts(ignore_unknown_help=self.config.tasks.ignore_unknown_help)
        self._contexts = {name: each for each in contexts for name in (each.name, *each.aliases)}
        found = Parser(initial=self._core_context(), contexts=contexts).parse_argv(self.core.unparsed)
        for name, argument in found.pop(0).args.items():
            if argument.got_value:
                self.args[name]._value = argument._value
        return found

    # ---- what is said instead of done --------------------------------------------------------------------------------

    def _shown(self, collection: Collection) -> bool:
        """Was it a question, that is answered now?"""
        asked = self._value("help")
        if asked is True:
            print_help(self._core_context())
            return True
        if asked:
            if asked not in self._contexts:
                raise ParseError(f"No idea what '{asked}' is!")
            print_task_help(self._contexts[asked], collection[asked])
            return True
        root = self._value("list")
        if root:
            Listing(collection, root, self._value("list-depth"), self._value("list-format")).print()
        return bool(root)

    # ---- settings ----------------------------------------------------------------------------------------------------

    def _settings(self) -> None:
        """What the options say."""
        run = {
            key: value
            for key, name in (("warn", "warn-only"), ("pty", "pty"), ("hide", "hide"), ("echo", "echo"), ("dry", "dry"))
            if (value := self._value(name))
        }
        connect: dict[str, Any] = {}
        if self._value("identity"):
            connect["key_filename"] = self._value("identity")
        if self._value("connect-timeout"):
            connect["timeout"] = self._value("connect-timeout")
        overrides: dict[str, Any] = {"run": run, "connect_kwargs": connect, "sudo": {}, "timeouts": {}}
        if self._value("accept-new"):
            overrides["accept_new"] = True
        if self._value("command-timeout"):
            overrides["timeouts"]["command"] = self._value("command-timeout")
        for option, group, key, text in (
            ("prompt-for-sudo-password", overrides["sudo"], "password", "Desired 'sudo.password' config value: "),
            ("prompt-for-login-password", connect, "password", "Enter login password for use with SSH auth: "),
            ("prompt-for-passphrase", connect, "passphrase", "Enter passphrase for use unlocking SSH keys: "),
        ):
            if self._value(option):
                group[key] = getpass.getpass(text)
        self.config.load_overrides(overrides)
        named = self._value("fabfile")
        of_settings = named if named is not None and named.endswith(SETTINGS) else None
        self.config.set_runtime_path(self._value("config") or of_settings or os.environ.get("INVOKE_RUNTIME_CONFIG"))
        self.config.load_runtime()
        self.config.set_runtime_ssh_path(self._value("ssh-config"))
        self.config.load_ssh_config()


def _imported(path: Path) -> Any:
    """The task file as a module of its name."""
    name = path.stem
    file, inside = (path / "__init__.py", [str(path)]) if path.is_dir() else (path, None)
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
    assert spec is not None and spec.loader is not None  # noqa: PT018 - it is a file of Python
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
