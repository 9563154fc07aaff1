"""What starts an interpreter on a host: which are looked for, by which words, and what is said where there is none.

Rule: text alone. Nothing is written on the host, and nothing but its own Python is needed there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

__all__ = ["LOWEST", "NONE", "candidates", "none_found", "starting"]

LOWEST = (3, 8)  # the oldest Python that runs the worker
NEWEST = 15  # the minor versions that are looked for by name end here; `python3` may be any
NONE = "elsewhere-no-python"
_TRIED = re.compile(rf"^{NONE}(.*)$", re.MULTILINE)
# "$1" is our code, the others are programs. One that is there and does not do (pyenv's shims, Python 2, a broken link)
# is passed over; its input is not ours, of which it must take nothing.
_SCRIPT = f"""\
code=$1; shift; bad=
for p in "$@"; do
case $p in "~/"*) p=$HOME/${{p#??}} ;; esac
command -v "$p" >/dev/null 2>&1 || continue
"$p" -ISc 'import sys; sys.exit(sys.version_info < {LOWEST})' </dev/null >/dev/null 2>&1 && exec "$p" -u -c "$code"
bad="$bad $p"
done
echo "{NONE}$bad" >&2
exit 127"""


def candidates(python: str | None = None) -> tuple[str, ...]:
    """The programs to look for, best first: our own minor version, the host's usual one, all others.

    Args:
        python: the one that the user has named: no other will do.
    """
    if python is not None:
        return (python,)
    own = sys.version_info.minor
    others = [minor for minor in range(NEWEST, LOWEST[1] - 1, -1) if minor != own]
    return (f"python3.{own}", "python3", *(f"python3.{minor}" for minor in others))


def starting(programs: Sequence[str], code: str, mark: str) -> tuple[str, ...]:
    """The words that start the first of these that does.

    Args:
        programs: see `candidates`.
        code: what it runs.
        mark: a line that it writes before anything of the code's: what a shell's profile or a host's own
            ``sitecustomize`` has written before is not ours.
    """
    line = f"{mark}\n".encode()
    return ("sh", "-c", _SCRIPT, "sh", f"import os\nos.write(1, {line!r})\n{code}", *programs)


def none_found(said: str, programs: Sequence[str]) -> str | None:
    """Why there is none, for a sentence; None if the host does not say that there is none.

    Args:
        said: what came on its standard error.
        programs: that were looked for.
    """
    found = _TRIED.search(said)
    if found is None:
        return None
    lowest = ".".join(map(str, LOWEST))
    looked = ", ".join(programs)
    there = found[1].split()
    text = f"no python3 of {lowest} or newer: looked for {looked}"
    if not any("/" in each for each in programs):
        text += " in PATH"
    if there:
        text += f"; {', '.join(there)[:200]} {'is' if len(there) == 1 else 'are'} there, but older, or does not start"
    return text
