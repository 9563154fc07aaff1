"""What is said of a command: by the call, else by the settings.

Rule: pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["normalize_hide", "unified"]

_HIDE: dict[Any, tuple[str, ...]] = {
    None: (), False: (), "out": ("stdout",), "stdout": ("stdout",), "err": ("stderr",), "stderr": ("stderr",),
    "both": ("stdout", "stderr"), True: ("stdout", "stderr"),
}  # fmt: skip


def normalize_hide(val: Any, out_stream: Any = None, err_stream: Any = None) -> tuple[str, ...]:
    """The streams that are not shown; one that goes elsewhere is not hidden there.

    Raises:
        ValueError: that says nothing of streams.
    """
    if not isinstance(val, str | bool | None) or val not in _HIDE:
        raise ValueError(
            f"'hide' got {val!r} which is not in {(None, False, 'out', 'stdout', 'err', 'stderr', 'both', True)!r}"
        )
    given = {"stdout": out_stream, "stderr": err_stream}
    return tuple(name for name in _HIDE[val] if given[name] is None)


def unified(kwargs: dict[str, Any], config: Any) -> dict[str, Any]:
    """All options of a command.

    Args:
        kwargs: those of the call.
        config: the settings.

    Raises:
        TypeError: there is no such option.
        ValueError: two of them exclude each other.
    """
    defaults: Mapping[str, Any] = config.run
    options = {}
    given = dict(kwargs)
    for key, default in defaults.items():
        value = given.pop(key, None)
        options[key] = default if value is None else value
    options["timeout"] = given.pop("timeout", config.timeouts.command)
    if given:
        raise TypeError(f"run() got an unexpected keyword argument '{next(iter(given))}'")
    if options["asynchronous"] and options["disown"]:
        raise ValueError("Cannot give both 'asynchronous' and 'disown' at the same time!")
    if options["hide"] is True:
        options["echo"] = False
    if options["dry"] is True:
        options["echo"] = True
    if options["asynchronous"]:
        options["hide"] = True
    options["hide"] = normalize_hide(options["hide"], options["out_stream"], options["err_stream"])
    return options
