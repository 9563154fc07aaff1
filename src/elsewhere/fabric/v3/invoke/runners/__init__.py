"""Commands, and what comes of them."""

from elsewhere.fabric.v3.invoke.exceptions import Failure
from elsewhere.fabric.v3.invoke.runners.local import Local
from elsewhere.fabric.v3.invoke.runners.options import normalize_hide
from elsewhere.fabric.v3.invoke.runners.result import Promise, Result
from elsewhere.fabric.v3.invoke.runners.runner import Runner

__all__ = ["Failure", "Local", "Promise", "Result", "Runner", "normalize_hide"]
