"""What a test needs that a machine may not have: a program, a package that is no dependency of ours, or a file.

Here it is a reason to skip, with the command that cures it. In continuous integration (CI is set) it is a failure:
a suite that quietly skips its real peers proves nothing.
"""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def require(*, program: str | None = None, module: str | None = None, file: str | None = None, install: str) -> Any:
    """Give the program's path, the imported module, or the file's path; skip the test, or fail it under CI, without it.

    A file is named from the repository's root.

    May be called at the top of a test module too, and then counts for all of it.
    """
    if program is not None:
        found: Any = shutil.which(program)
        missing = f"the program {program!r} is missing"
    elif file is not None:
        found = ROOT / file if (ROOT / file).exists() else None
        missing = f"the file {file!r} is missing"
    else:
        assert module is not None
        try:
            found = importlib.import_module(module)
        except ImportError as error:
            found = None
            missing = f"the module {module!r} is missing ({error})"
    if found is not None:
        return found
    message = f"{missing}; install it with: {install}"
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(message, pytrace=False)
    pytest.skip(message, allow_module_level=True)
