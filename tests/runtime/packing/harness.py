"""A caller and a worker that are two real processes: length-prefixed pickles over pipes, and nothing else.

`run` starts a script whose `__main__` is the caller; ``Worker()`` inside it starts a fresh interpreter that serves.
The worker makes its `__main__` anew, as real workers do, so that nothing of this file is in it.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import textwrap
import types
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = next(parent for parent in HERE.parents if (parent / "src").is_dir()) / "src"


def write(file, message):
    data = pickle.dumps(message)
    file.write(struct.pack(">I", len(data)) + data)
    file.flush()


def read(file):
    head = file.read(4)
    return pickle.loads(file.read(struct.unpack(">I", head)[0])) if head else None


class Worker:
    """Calls functions in another process, shipping each definition once."""

    def __init__(self, **environment):
        from elsewhere.runtime.packing import Packer

        self.packer_type = Packer
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import harness; harness.serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        self.sent = set()
        self.shipped = []  # the names of definitions, in the order in which they were shipped

    def call(self, fn, *args):
        return self.map(fn, [args])[0]

    def map(self, fn, argument_tuples):
        packer = self.packer_type()
        function = packer.function(fn)
        items = [packer.item(args, lambda i=i: f"item {i} of map", "args") for i, args in enumerate(argument_tuples)]
        definitions = [d for d in packer.definitions.values() if d.digest not in self.sent]
        self.sent.update(d.digest for d in definitions)
        self.shipped += [d.name for d in definitions]
        write(self.process.stdin, (definitions, function, items))
        return [self.result(*answer) for answer in read(self.process.stdout)]

    def result(self, good, body):
        from elsewhere.runtime.packing import loads_result

        value = loads_result(body)
        if not good:
            raise value
        return value

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


def serve():
    """The worker's loop."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    from elsewhere.runtime.packing import Namespace

    channel, sys.stdout = sys.stdout.buffer, sys.stderr
    namespace = Namespace()
    while (message := read(sys.stdin.buffer)) is not None:
        definitions, function, items = (message[0], message[1], message[2])
        for definition in definitions:
            namespace.learn(*definition)
        write(channel, [answer(namespace, function, item) for item in items])


def answer(namespace, function, item):
    from elsewhere.runtime.packing import dumps_result

    try:
        namespace.apply(function.needs)
        namespace.apply(item.needs)
        value = namespace.loads(function.body)(*namespace.loads(item.body))
        return True, dumps_result(value)
    except Exception as error:
        return False, dumps_result(error)


def run(script, folder=None, *, by="file", check=True, harness="harness"):
    """Run a script with ``Worker`` to hand; ``by`` is how its `__main__` comes: a file, stdin, a REPL, or -m.

    ``harness`` is the module that has the ``Worker``: this one, or one like it.
    """
    text = f"from {harness} import Worker\n" + textwrap.dedent(script)
    paths = [str(SOURCE), str(HERE), str(SOURCE.parent), *([str(folder)] if folder else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    arguments, given = ["-"], text
    if by == "repl":
        arguments = ["-i", "-q"]
    elif by != "stdin":
        path = Path(folder) / "script.py"
        path.write_text(text)
        arguments, given = (["-m", "script"] if by == "module" else [str(path)]), ""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=60,
        check=False,
    )
    failed = done.returncode != 0 or (by == "repl" and "Traceback" in done.stderr)
    assert not (check and failed), done.stdout + done.stderr
    return done
