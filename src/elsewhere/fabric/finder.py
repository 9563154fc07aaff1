"""Gives `import fabric` and `import invoke` our modules, in this process and for as long as it is asked to.

Nothing of ours is installed under these names; a finder in front of all others answers for them from a table. What the
table does not have is not there, even where the original is installed: two halves of two libraries would not fit.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType

__all__ = ["Finder", "install", "uninstall"]


class _Alias(Loader):
    """Loads a module of ours under another name: both names give the same module."""

    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._target)


class Finder(MetaPathFinder):
    """Answers for some packages.

    Args:
        names: of modules, to those of ours that take their place.
        whose: the library, for messages.
    """

    def __init__(self, names: Mapping[str, str], whose: str) -> None:
        self.names = dict(names)
        self.tops = {name.partition(".")[0] for name in names}
        self.whose = whose

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`.

        Raises:
            ModuleNotFoundError: it is a module of these packages that is not among ours.
        """
        if fullname.partition(".")[0] not in self.tops:
            return None
        ours = self.names.get(fullname)
        if ours is None:
            raise ModuleNotFoundError(f"elsewhere's {self.whose} has no module {fullname!r}", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, _Alias(ours), is_package=True)


def install(names: Mapping[str, str], whose: str) -> Finder:
    """From now on these names are ours; what has imported the originals before keeps them.

    Doing it again changes nothing; another table takes the place of the one before.
    """
    for found in sys.meta_path:
        if isinstance(found, Finder) and found.names == dict(names):
            return found
    uninstall()
    finder = Finder(names, whose)
    _forget(finder.tops)
    sys.meta_path.insert(0, finder)
    return finder


def uninstall() -> None:
    """These names are the originals' again, if there are any."""
    for found in [each for each in sys.meta_path if isinstance(each, Finder)]:
        sys.meta_path.remove(found)
        _forget(found.tops)


def _forget(tops: set[str]) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
        del sys.modules[name]
