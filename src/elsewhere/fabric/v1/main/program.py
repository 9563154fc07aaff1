"""From a command line to tasks that have run."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from elsewhere.fabric.loading import Missing, find
from elsewhere.fabric.v1 import state
from elsewhere.fabric.v1.main.arguments import Asked, parse, split
from elsewhere.fabric.v1.main.discovery import load
from elsewhere.fabric.v1.main.listing import display, show_commands
from elsewhere.fabric.v1.main.options import SETTINGS, Parsed, settings_of_file
from elsewhere.fabric.v1.main.options import parse as parse_options
from elsewhere.fabric.v1.network import disconnect_all
from elsewhere.fabric.v1.task_utils import crawl
from elsewhere.fabric.v1.tasks import execute
from elsewhere.fabric.v1.utils import abort, indent, warn
from elsewhere.fleet.below import NeedsAsyncssh

__all__ = ["main"]

NONE_FOUND = "Couldn't find any fabfiles!\n\nRemember that -f can be used to specify fabfile path, and use -h for help."
REMAINDER = "<remainder>"


def main(arguments: list[str]) -> int:
    """Do what the command line says.

    Returns:
        The exit status; failures of tasks raise SystemExit, as task files expect.
    """
    parsed = parse_options(arguments)
    try:
        return _main(parsed)
    except SystemExit:
        raise
    except KeyboardInterrupt:
        if state.output.status:
            sys.stderr.write("\nStopped.\n")
        return 1
    except NeedsAsyncssh as error:
        sys.stderr.write(f"\nFatal error: {error}\n\nAborting.\n")
        return 1
    except Exception:  # noqa: BLE001 - a task file's own error is shown as Python shows it
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        disconnect_all()


def _main(parsed: Parsed) -> int:
    options = parsed.options
    _to_env(parsed)
    if options.show_version:
        print(f"Fabric {state.env.version} (elsewhere)")
        return 0
    path = _task_file(parsed)
    doc, default = _loaded(path)
    if not any((options.list_commands, options.shortlist, options.display, parsed.tasks, parsed.remainder, default)):
        parsed.parser.print_help()
        return 1
    if not state.commands and not parsed.remainder:
        abort("Fabfile didn't contain any commands!")
    if state.output.debug:
        print(f"Using fabfile '{path}'" if path else "No fabfile loaded -- remainder command only")
    if options.list_commands or options.shortlist:
        show_commands(doc, "short" if options.shortlist else options.list_format)
    if options.display:
        display(options.display)
    _run(_asked(parsed, default), options)
    if state.output.status:
        print("\nDone.")
    return 0


def _to_env(parsed: Parsed) -> None:
    """What the options say, and the file of settings."""
    env, options = state.env, parsed.options
    for pair in split(",", options.env_settings):
        key, *value = split("=", pair)
        env[key] = value[0] if len(value) == 1 else True
    for _, _, key, _ in SETTINGS:
        env[key] = getattr(options, key)
    for key in ("hosts", "roles", "exclude_hosts"):
        if isinstance(env[key], str):
            env[key] = env[key].split(",")
    env.tasks = parsed.tasks
    for names, shown in ((options.show, True), (options.hide, False)):
        for name in names.split(",") if names else ():
            state.output[name] = shown
    env.update(settings_of_file(env.rcfile))
    if env.disable_known_hosts:
        warn("-D believes the keys of unknown hosts, and remembers them; a key that has changed stays fatal.")


def _task_file(parsed: Parsed) -> Path | None:
    named = parsed.options.fabfile
    try:
        path = find(None if named == "fabfile" else named)
    except Missing as missing:
        path = None
        text = str(missing)
    else:
        text = NONE_FOUND
    if path is None and not parsed.remainder:
        abort(text)
    return path


def _loaded(path: Path | None) -> tuple[str | None, Any]:
    """The file's docstring and its default task."""
    state.env.real_fabfile = None if path is None else str(path)
    if path is None:
        return None, None
    found = load(path)
    state.commands.update(found.tasks)
    return found.doc, found.default


def _asked(parsed: Parsed, default: Any) -> list[Asked]:
    try:
        asked = parse(parsed.tasks)
    except ValueError as error:
        abort(str(error))
        raise
    unknown = [each.name for each in asked if crawl(each.name, state.commands) is None]
    if unknown and not state.env.get("skip_unknown_tasks"):
        warn(f"Command(s) not found:\n{indent(unknown)}")
        show_commands(None, parsed.options.list_format, 1)
    if parsed.remainder:
        command = " ".join(parsed.remainder)
        state.commands[REMAINDER] = lambda: _remainder(command)
        asked.append(Asked(REMAINDER))
    if not asked and default:
        asked.append(Asked(default.name))
    return asked


def _remainder(command: str) -> Any:
    from elsewhere.fabric.v1.operations import run

    return run(command)


def _run(asked: list[Asked], options: Any) -> None:
    if options.initial_password_prompt:
        state.env.password = getpass.getpass("Initial value for env.password: ")
    if options.initial_sudo_password_prompt:
        state.env.sudo_password = getpass.getpass("Initial value for env.sudo_password: ")
    if state.output.debug:
        print(f"Commands to run: {', '.join(each.name for each in asked)}")
    for each in asked:
        where = {"hosts": each.hosts, "roles": each.roles, "exclude_hosts": each.exclude_hosts}
        execute(each.name, *each.args, **{**each.kwargs, **where})
