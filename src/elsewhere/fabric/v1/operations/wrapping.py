"""The command line that a command becomes: folder, prefixes, variables, shell and sudo around it.

Rule: pure; what ``env`` says comes as an argument, so that a test can say it. The texts are the original's, as task
files compare ``real_command`` and read them in logs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["escaped", "prefixed", "sudo_prefix", "with_variables", "wrapped"]


def escaped(text: str) -> str:
    """The text for between double quotes of a shell: what it would replace there stands as it is."""
    for character in '"$`':
        text = text.replace(character, f"\\{character}")
    return text


def prefixed(command: str, cwd: str, prefixes: Sequence[str]) -> str:
    """Behind a change of folder and what must succeed before."""
    before = [f"cd {cwd} >/dev/null"] if cwd else []
    return " && ".join([*before, *prefixes, command])


def with_variables(command: str, path: str, behavior: str, variables: Mapping[str, Any]) -> str:
    """Behind an export of variables, and of what is said of PATH."""
    exports = {}
    if path:
        exports["PATH"] = {"append": f'$PATH:"{path}"', "prepend": f'"{path}":$PATH'}.get(behavior, f'"{path}"')
    exports.update({name: value if name == "PATH" else escaped(str(value)) for name, value in variables.items()})
    if not exports:
        return command
    words = " ".join(f'{name}="{value}"' for name, value in exports.items())
    return f"export {words} && {command}"


def sudo_prefix(prefix: str, user: Any, group: Any) -> str:
    """``sudo`` with its options."""
    if user is None and group is None:
        return prefix
    return f"{prefix}{_sudo_option('-u', user)}{_sudo_option('-g', group)} "


def _sudo_option(option: str, value: Any) -> str:
    if value is None:
        return ""
    number = "#" if str(value).isdigit() else ""  # of a user, not a name
    return f' {option} "{number}{value}"'


def wrapped(command: str, shell: str, escape: bool, sudo: str | None) -> str:
    """Within a shell, if there is one to be, and under sudo.

    Args:
        command: with all that stands before it.
        shell: ``"/bin/bash -l -c"``, or "" for none.
        escape: the command's quotes and dollars stand as they are.
        sudo: from `sudo_prefix`, or None.
    """
    before = "" if sudo is None else f"{sudo} "
    if not shell:
        return before + command
    return f'{before}{shell} "{escaped(command) if escape else command}"'
