"""Where the modules of this process come from: which are the caller's own, and what their source is.

Rule: nothing is imported to find out, and nothing is remembered of what was not found: it may come to be.

Own is what this process can import and a stranger's machine cannot: a module with source that belongs neither to the
standard library nor to an installed distribution. What is installed to be edited in place is own, since it is where its
author works; but `elsewhere` never is: workers have stand-ins for its names, or an installation of theirs.
"""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any

__all__ = ["is_own", "source_of", "spec_of"]

INSTALLED = frozenset({"site-packages", "dist-packages"})
OURS = frozenset({"elsewhere", "elsewhere_far", "elsewhere_packing"})
NEVER = frozenset({"__main__", "__mp_main__"}) | OURS | sys.stdlib_module_names
DEEPEST = 50  # dots in a module's name: a host may ask for anything


def is_own(name: str) -> bool:
    """Is this module the caller's own?"""
    spec = spec_of(name)
    return spec is not None and _is_own(name, spec)


def source_of(name: str) -> tuple[str, str, bool] | None:
    """An own module's source, its file's name, and whether it is a package; None for any other.

    Raises:
        OSError: its file cannot be read.
        SyntaxError: it is not in the encoding that it says.
    """
    spec = spec_of(name)
    if spec is None or not _is_own(name, spec):
        return None
    is_package = spec.submodule_search_locations is not None
    if spec.origin is None or not spec.has_location:
        return "", f"<{name}>", is_package  # a namespace package
    get_source = getattr(spec.loader, "get_source", None)
    text = get_source(name) if get_source is not None else None
    if text is None:
        import tokenize

        with tokenize.open(spec.origin) as file:
            text = file.read()
    return text, spec.origin, is_package


def spec_of(name: str) -> ModuleSpec | None:
    """How the module was imported, or would be."""
    if name.count(".") > DEEPEST or not all(part.isidentifier() for part in name.split(".")):
        return None
    top = name.partition(".")[0]
    if top in NEVER:
        return None
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec if spec.name == name else None
    if module is not None:
        return None  # made by hand
    parent, _, _ = name.rpartition(".")
    path = None
    if parent:
        above = spec_of(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        path = list(above.submodule_search_locations)
    return _find(name, path)


def _find(name: str, path: list[str] | None) -> ModuleSpec | None:
    """Ask the finders, as an import would, but import nothing: neither the module nor its parents."""
    for finder in sys.meta_path:
        find: Any = getattr(finder, "find_spec", None)
        try:
            spec = None if find is None else find(name, path)
        except Exception:  # noqa: BLE001 - whoever's finder it is, it does not find the module
            return None
        if spec is not None:
            return spec if isinstance(spec, ModuleSpec) else None
    return None


def _is_own(name: str, spec: ModuleSpec) -> bool:
    locations = spec.submodule_search_locations
    if spec.origin is None or not spec.has_location:
        # A namespace package, of which every part must be own: the others would not be found any more.
        places = list(locations or ())
        return bool(places) and all(_is_own_place(place, name) for place in places)
    if not spec.origin.endswith((".py", ".pyw")):
        return False
    is_package = locations is not None
    return _is_own_place(os.path.dirname(spec.origin) if is_package else spec.origin, name)


def _is_own_place(place: str, name: str) -> bool:
    """Is what is at this path, for a module of this name, nobody's distribution and not Python's?"""
    for path in {os.path.abspath(place), os.path.realpath(place)}:
        if not INSTALLED.isdisjoint(path.split(os.sep)) or path.startswith(_python_s()):
            return False
        root = path
        for _ in name.split("."):
            root = os.path.dirname(root)
        if name.partition(".")[0] in _distributed(root, _changed(root)):
            return False
    return True


@functools.cache
def _python_s() -> tuple[str, ...]:
    """The folders of Python itself and of what is installed in it, each with a separator at the end."""
    paths = {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths.update(site.getsitepackages())
    paths.add(site.getusersitepackages())
    both = {form(path) for path in paths if path for form in (os.path.abspath, os.path.realpath)}
    return tuple(path + os.sep for path in both)


def _changed(root: str) -> int:
    """When something was put into a folder last."""
    try:
        return os.stat(root).st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=256)
def _distributed(root: str, changed: int) -> frozenset[str]:
    """The top-level names that distributions have put into this folder (``pip install --target``)."""
    try:
        inside = [entry.path for entry in os.scandir(root) if entry.name.endswith(".dist-info")]
    except OSError:
        return frozenset()
    return frozenset(top for path in inside for top in _recorded(path))


def _recorded(info: str) -> Iterator[str]:
    """The names that one distribution's record lists."""
    try:
        with open(os.path.join(info, "RECORD"), encoding="utf-8", errors="replace") as file:
            for line in file:
                first = line.split(",", 1)[0].strip('"').partition("/")[0]
                if not first.endswith((".dist-info", ".pth")):
                    yield first.removesuffix(".py")
    except OSError:
        return
