"""Which outputs a verb has, from what its caller said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from elsewhere.fleet.output.base import Output
from elsewhere.fleet.output.courier import Courier

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Shown", "courier"]

Shown = Literal["live", "grouped"] | Output | Sequence[Output] | None


def courier(
    hosts: Sequence[Host], output: Shown, progress: bool | str | None, label: str, encoding: str | None = "utf-8"
) -> Courier | None:
    """Whoever takes the news to them; None where nobody looks.

    Args:
        hosts: those of the verb.
        output: ``"live"``, ``"grouped"``, an `Output` or several of them, or None.
        progress: a bar on stderr; a str is its label. None: no bar.
        label: of the bar, if it has no other.
        encoding: of what hosts write.

    Raises:
        TypeError, ValueError: `output` or `progress` is none of these.
    """
    outputs: list[Output] = []
    if progress is not False and progress is not None:
        outputs.append(_bar(len(hosts), progress, label))  # first, as it stands in for stdout from then on
    if isinstance(output, str):
        outputs.append(_named(output, encoding or "utf-8"))
    elif isinstance(output, Output):
        outputs.append(output)
    elif output is not None:
        outputs += _several(output)
    return Courier(hosts, outputs) if outputs else None


def _bar(total: int, progress: Any, label: str) -> Output:
    if not isinstance(progress, bool | str):
        raise TypeError(f"progress is True, False or a label, not {progress!r}")
    from elsewhere.fleet.output.bar import Bar

    return Bar(total, progress if isinstance(progress, str) else label)


def _named(name: str, encoding: str) -> Output:
    if name == "live":
        from elsewhere.fleet.output.live import Live

        return Live(encoding=encoding)
    if name == "grouped":
        from elsewhere.fleet.output.grouped import Grouped

        return Grouped(encoding=encoding)
    raise ValueError(f'output is "live", "grouped", an Output or None, not {name!r}')


def _several(output: Any) -> list[Output]:
    if isinstance(output, list | tuple) and all(isinstance(each, Output) for each in output):
        return list(output)
    raise TypeError(f'output is "live", "grouped", an Output or None, not {output!r:.80}')
