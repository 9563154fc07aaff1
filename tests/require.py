"""What a test needs that a machine may not have: a program, or a package that is no dependency of ours.

Here it is a reason to skip, with the command that cures it. In continuous integration (CI is set) it is a failure:
a suite that quietly skips its real peers proves nothing.
"""

from __future__ import annotations

import importlib
import os
import shutil
from typing import Any

import pytest


def require(*, program: str | None = None, module: str | None = None, install: str) -> Any:
    """Give the program's path, or the imported module; skip the test, or fail it under CI, when it is missing.

    May be called at the top of a test module too, and then counts for all of it.
    """
    if program is not None:
        found: Any = shutil.which(program)
        missing = f"the program {program!r} is missing"
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
