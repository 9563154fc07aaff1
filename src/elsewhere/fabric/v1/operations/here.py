"""What happens here: commands, questions, requirements."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from elsewhere.fabric.v1.operations import wrapping
from elsewhere.fabric.v1.operations.values import AttributeString
from elsewhere.fabric.v1.state import env, output
from elsewhere.fabric.v1.utils import abort, error, handle_prompt_abort, indent, warn

__all__ = ["local", "prompt", "require"]


def local(command: str, capture: bool = False, shell: str | None = None) -> AttributeString:
    """Run a command here.

    Args:
        command: for /bin/sh, or for `shell`.
        capture: its output is the result, and is not shown; otherwise it goes where ours goes.
        shell: a program.

    Raises:
        SystemExit: it has failed, unless that is only to be warned of.
    """
    real = wrapping.with_variables(command, env.path, env.path_behavior, env.shell_env)
    real = wrapping.prefixed(real, env.lcwd, env.command_prefixes)
    if output.debug:
        print(f"[localhost] local: {real}")
    elif output.running:
        print(f"[localhost] local: {command}")
    sys.stdout.flush()  # before what the command writes to the same place
    streams: list[int | None] = [subprocess.PIPE, subprocess.PIPE]
    if not capture:
        streams = [None if output[name] else subprocess.DEVNULL for name in ("stdout", "stderr")]
    # Its group is ours, so that Ctrl-C reaches it, and a terminal is its own to use.
    done = subprocess.run(
        real, shell=True, check=False, stdout=streams[0], stderr=streams[1], executable=shell, encoding="utf-8",
        errors="surrogateescape",
    )  # fmt: skip
    out, err = (AttributeString((text or "").strip()) for text in (done.stdout, done.stderr))
    out.command, out.real_command, out.return_code, out.stderr = command, real, done.returncode, err
    out.failed = done.returncode not in env.ok_ret_codes
    if out.failed:
        text = f"local() encountered an error (return code {done.returncode}) while executing '{command}'"
        error(text, stdout=out, stderr=err)
    out.succeeded = not out.failed
    return out


def prompt(text: str, key: str | None = None, default: Any = "", validate: Any = None) -> Any:
    """Ask whoever sits there, until the answer is valid.

    Args:
        text: the question.
        key: where in ``env`` the answer is kept.
        default: the answer where nothing is typed.
        validate: a callable that gives the value or raises, or a regular expression that is to match.

    Raises:
        SystemExit: nobody can be asked.
    """
    handle_prompt_abort("a user-specified prompt() call")
    before = env.get(key) if key else None
    shown = f"{text.strip()} [{str(default).strip()}] " if default != "" else f"{text.strip()} "
    while True:
        value = _valid(input(shown) or default, validate)
        if value is not None:
            break
    if key:
        env[key] = value
        if before is not None and before != value:
            warn(f"overwrote previous env variable '{key}'; used to be '{before}', is now '{value}'.")
    return value


def _valid(value: Any, validate: Any) -> Any:
    """The value, or None where it is none, which is said."""
    if not validate:
        return value
    if callable(validate):
        try:
            return validate(value)
        except Exception as failure:  # noqa: BLE001 - whatever it raises is its way to say no
            print("Validation failed for the following reason:")
            print(f"{indent(str(failure))}\n")
            return None
    pattern = f"{'' if validate.startswith('^') else '^'}{validate}{'' if validate.endswith('$') else '$'}"
    if re.findall(pattern, value):
        return value
    print(f"Regular expression validation failed: '{value}' does not match '{pattern}'\n")
    return None


def require(*keys: str, **kwargs: Any) -> None:
    """Give up unless all these keys of ``env`` have a value.

    Args:
        keys: names.
        kwargs: ``used_for``, a text; ``provided_by``, a task or several that would set them.

    Raises:
        SystemExit: one is missing, or is an empty collection.
    """
    missing = [
        key for key in keys if key not in env or (isinstance(env[key], dict | list | tuple | set) and not env[key])
    ]
    if not missing:
        return
    several = len(missing) > 1
    text = f"The command '{env.command}' failed because the " if "command" in env else "The "
    text += f"following required environment {'variables were' if several else 'variable was'} not defined:\n"
    text += indent(missing)
    if "used_for" in kwargs:
        text += f"\n\n{'These variables are' if several else 'This variable is'} used for {kwargs['used_for']}"
    if "provided_by" in kwargs:
        text += _providers(kwargs["provided_by"])
    abort(text)


def _providers(given: Any) -> str:
    tasks: list[Any] = list(given) if hasattr(given, "__iter__") else [given]
    name: Callable[[Any], str] = lambda task: getattr(task, "__name__", str(task))
    which = "one of the following commands" if len(tasks) > 1 else "the following command"
    return f"\n\nTry running {which} prior to this one, to fix the problem:\n{indent(list(map(name, tasks)))}"
