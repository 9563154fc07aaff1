"""How the keeper comes into a Dask worker: as source, in words that any Python understands.

A Dask task of ours is `eval` of `WORDS`, with bytes, numbers and text as arguments: nothing that the scheduler or a
Dask worker unpickles on the way has code in it, and none of them needs anything of ours.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
import zlib
from pathlib import Path

from elsewhere.runtime.far.bundle import lean, without_comments

__all__ = ["OP", "code", "words"]

OP = "elsewhere-keeper"  # the message that a keeper understands: as in keeping/keeper.py, which is not imported here

WORDS = """\
(__import__('sys').modules.get({name!r}) or (lambda module, sys: (
    exec(compile(__import__('zlib').decompress(code), '<elsewhere keeper>', 'exec'), module.__dict__),
    sys.modules.setdefault({name!r}, module),
)[1])(type(__import__('sys'))({name!r}), __import__('sys'))).visit(*given)"""


MODULES = ("frames", "lane", "keeper")  # each uses those before it
FUTURE = "from __future__ import annotations\n"


@functools.cache
def _source() -> bytes:
    """The keeper's modules as one."""
    spec = importlib.util.find_spec("elsewhere.cluster.keeping")
    if spec is None or spec.origin is None:
        raise ImportError("elsewhere.cluster.keeping has no source here")
    texts = [lean(without_comments(Path(spec.origin).with_name(f"{name}.py"))) for name in MODULES]
    text = re.sub(r"(?m)^from elsewhere\.cluster\.keeping\..*\n", "", "\n".join(texts))
    return (FUTURE + text.replace(FUTURE, "")).encode()


@functools.cache
def words() -> str:
    """The expression that each task evaluates, given `code` and `given`."""
    name = f"elsewhere_keeper_{hashlib.sha256(_source()).hexdigest()[:16]}"  # another version is another module
    return WORDS.format(name=name)


@functools.cache
def code() -> bytes:
    """The keeper's source, compressed: a lane's first task brings it."""
    return zlib.compress(_source(), 9)
