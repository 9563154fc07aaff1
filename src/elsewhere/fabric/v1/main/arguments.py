"""What stands on the command line behind the options: ``deploy:v2,force=yes,hosts=a;b``.

Rule: pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Asked", "parse", "split"]


@dataclass
class Asked:
    """One task that is to be run.

    Attributes:
        name: with dots.
        args, kwargs: texts, all of them.
        hosts, roles, exclude_hosts: where, as it was said for this task alone.
    """

    name: str
    args: list[str] = field(default_factory=list)
    kwargs: dict[str, str] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    exclude_hosts: list[str] = field(default_factory=list)


def split(separator: str, text: str) -> list[str]:
    """The parts between separators; one behind a backslash is part of its part."""
    rest = iter(text.split(separator))
    parts = [next(rest)]
    for part in rest:
        if parts[-1].endswith("\\"):
            parts[-1] = parts[-1][:-1] + separator + part
        else:
            parts.append(part)
    return parts


def parse(arguments: Sequence[str]) -> list[Asked]:
    """The tasks, in their order.

    Raises:
        ValueError: an argument has two equals signs, of which none stands behind a backslash.
    """
    return [_parsed(argument) for argument in arguments]


def _parsed(argument: str) -> Asked:
    name, colon, text = argument.partition(":")
    asked = Asked(name)
    for pair in split(",", text) if colon else []:
        key, *values = split("=", pair)
        if not values:
            asked.args.append(key)
            continue
        if len(values) > 1:
            raise ValueError(f"{argument!r} has two equals signs in {pair!r}: \\= is one that is part of a value")
        value = values[0]
        match key:
            case "host":
                asked.hosts = [value.strip()]
            case "role":
                asked.roles = [value.strip()]
            case "hosts" | "roles" | "exclude_hosts":
                setattr(asked, key, [part.strip() for part in value.split(";")])
            case _:
                asked.kwargs[key] = value
    return asked
