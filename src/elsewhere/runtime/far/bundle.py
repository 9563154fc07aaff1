"""What is sent to a plain Python interpreter, so that it becomes a far worker.

Two parts: `first_words` are the program on its command line, short and for any Python, which reads the second part,
`payload`, from its standard input. Nothing is written on that machine.

cloudpickle's source is part of it, whole and with its licence (BSD, 3 clauses, which allows that), as it is installed
here: what was pickled by it is loaded by the same version.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import zlib
from pathlib import Path

from elsewhere.runtime.far import worker

__all__ = ["first_words", "payload"]

CLOUDPICKLE = ("cloudpickle", "cloudpickle.cloudpickle")
PACKING = "elsewhere_packing"  # how `packing.loading` is called there
OURS = "<elsewhere>/"  # how file names begin there; see `worker.answers`

# No single quotes, so that a shell's quoting leaves it readable; Python 2 understands it up to the version check.
# `read` takes no more than what is ours: what follows are frames. The current folder must not give modules.
FIRST_WORDS = """\
import sys
sys.path=[p for p in sys.path if p]
if sys.version_info<(3,8):sys.exit("elsewhere: Python 3.8 or newer is needed, this is "+sys.version.split()[0])
import os,zlib
d=b""
while len(d)<{size}:
  c=os.read(0,{size}-len(d))
  if not c:sys.exit("elsewhere: the caller has gone before the worker was sent")
  d+=c
try:d=eval(zlib.decompress(d))
except zlib.error:sys.exit("elsewhere: what came first on the standard input is not the worker")
m=type(sys)("elsewhere_far.finder")
sys.modules[m.__name__]=m
exec(compile(*d[m.__name__][:2],"exec"),m.__dict__)
m=m.install(d)
from elsewhere_far.main import main
main(m)
"""


def first_words(size: int) -> str:
    """The program for ``python3 -c``, given the size of `payload` in bytes."""
    return FIRST_WORDS.format(size=size)


@functools.cache
def payload() -> bytes:
    """What the interpreter reads first from its standard input: the same bytes each time.

    Modules as (source, filename, is it a package), in Python's own notation.

    Raises:
        ImportError: cloudpickle's source is not there.
    """
    sent = {}
    for path in sorted(Path(worker.__file__).parent.glob("*.py")):
        name = "elsewhere_far" if path.stem == "__init__" else f"elsewhere_far.{path.stem}"
        sent[name] = lean(without_comments(path)), OURS + name, path.stem == "__init__"
    loading = Path(__file__).parent / "packing" / "loading.py"  # which nobody can import here
    sent[PACKING] = lean(without_comments(loading)), OURS + PACKING, False
    for name in CLOUDPICKLE:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"the source of {name} is needed here: pip install cloudpickle")
        is_package = spec.submodule_search_locations is not None
        sent[name] = without_comments(Path(spec.origin)), OURS + name, is_package
    return zlib.compress(repr(sent).encode(), 9)


def without_comments(path: Path) -> str:
    """A module's source without lines that are comments; all other lines stay where they were."""
    return re.sub(r"(?m)^[ \t]*#.*$", "", path.read_text(encoding="utf-8"))


def lean(source: str) -> str:
    """Our own source without docstrings, which are the only strings of ours with three quotes."""

    def emptied(found: re.Match[str]) -> str:
        return (found[1] and found[1] + "0") + "\n" * found[0].count("\n")

    return re.sub(r'(?ms)^([ \t]*)""".*?"""$', emptied, source)
