"""What mkdocstrings has to be told of our docstrings, so that the reference is made of them as they stand.

They are written to be read in an editor; three habits of theirs are nothing that a Google-style parser knows, and are
rewritten on the way into the reference:

- ``user, password: ...`` describes two arguments at once: each gets an entry.
- A paragraph that ends in ``::`` is followed by a program.
- A name in single backticks is a link, if the reference has it.

A class that is made by `__new__`, or a named tuple, shows how it is made. A name for a union of types, which only the
source knows, is shown as what it stands for.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from griffe import (
    Attribute,
    Class,
    ExprBinOp,
    ExprName,
    ExprSubscript,
    Extension,
    Function,
    GriffeLoader,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

REFERENCE = Path(__file__).parents[1] / "reference"
SHOWN = re.findall(r"^::: (\S+)$", "\n".join(page.read_text() for page in sorted(REFERENCE.glob("*.md"))), re.MULTILINE)

SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+):( .*(?:\n\1 +\S.*)*)", re.MULTILINE)
PROGRAM = re.compile(r"^( *)(\S.*)?::\n((?:\n|\1 +.*(?:\n|$))+)", re.MULTILINE)
NAME = re.compile(r"(?<![`\[\w])`([A-Za-z_][\w.]*)`(?!`)")


class Habits(Extension):
    """Rewrites the docstrings of what has been loaded."""

    def on_object(self, *, obj: Object, loader: GriffeLoader, **kwargs: Any) -> None:
        if obj.is_class and "__init__" not in obj.members:
            _show_what_makes(obj)
        if isinstance(obj, Function):
            for each in (obj, *(obj.overloads or ())):
                for parameter in each.parameters:
                    parameter.annotation = _spelt_out(parameter.annotation, loader)
        if isinstance(obj, Attribute):
            obj.annotation = _spelt_out(obj.annotation, loader)
        if obj.docstring is not None:
            text = SEVERAL.sub(_each, obj.docstring.value)
            text = PROGRAM.sub(_fence, text)
            obj.docstring.value = _outside_programs(text, lambda part: NAME.sub(lambda found: _link(found, obj), part))


def _show_what_makes(cls: Any) -> None:
    if "__new__" in cls.members:
        parameters = cls.members["__new__"].parameters
    elif "NamedTuple" in map(str, cls.bases):
        kind = ParameterKind.positional_or_keyword
        fields = [found for found in cls.members.values() if found.is_attribute and found.annotation is not None]
        fields = [found for found in fields if "property" not in found.labels]
        parameters = Parameters(
            Parameter("self", kind=kind),
            *(Parameter(found.name, annotation=found.annotation, kind=kind, default=found.value) for found in fields),
        )
    else:
        return
    cls.set_member("__init__", Function("__init__", parameters=parameters))


def _spelt_out(annotation: Any, loader: GriffeLoader) -> Any:
    if isinstance(annotation, ExprBinOp):
        annotation.left, annotation.right = (_spelt_out(part, loader) for part in (annotation.left, annotation.right))
    elif isinstance(annotation, ExprSubscript):
        annotation.slice = _spelt_out(annotation.slice, loader)
    elif isinstance(annotation, ExprName) and annotation.canonical_path.startswith("elsewhere."):
        try:
            meant = loader.modules_collection[annotation.canonical_path]
        except KeyError:
            return annotation
        value = meant.value if meant.is_attribute else None
        if isinstance(value, ExprBinOp) or (isinstance(value, ExprSubscript) and str(value).startswith("Literal")):
            return _spelt_out(value, loader)
    return annotation


def _each(found: re.Match[str]) -> str:
    indent, names, text = found.groups()
    return "\n".join(f"{indent}{name}:{text}" for name in names.split(", "))


def _fence(found: re.Match[str]) -> str:
    indent, before, block = found.groups()
    language = "python" if before else "text"  # a picture has nothing before it
    program = textwrap.indent(f"```{language}\n{textwrap.dedent(block).strip()}\n```", indent)
    head = "" if before is None else f"{indent}{before}:\n\n" if before != "Example" else f"{indent}For example:\n\n"
    return f"{head}{program}\n\n"


def _outside_programs(text: str, change: Any) -> str:
    parts = re.split(r"(^ *```.*?^ *```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _link(found: re.Match[str], obj: Object) -> str:
    target = _target(found[1], obj)
    return found[0] if target is None else f"[`{found[1]}`][{target}]"


def _target(name: str, obj: Object) -> str | None:
    """Where the reference has this name, as `obj`'s docstring means it."""
    if obj.is_function and name in (parameter.name for parameter in obj.parameters):  # type: ignore[attr-defined]
        return None
    first, _, rest = name.removeprefix("elsewhere.").partition(".")
    home = obj if obj.is_class else obj.parent
    if isinstance(home, Class) and not rest and name in home.all_members:
        shown = _shown(home.name, home) if home.all_members[name].docstring is not None else None
        return shown and f"{shown}.{name}"
    shown = _shown(first, obj)
    return shown and (f"{shown}.{rest}" if rest else shown)


def _shown(name: str, near: Object) -> str | None:
    """The one of that name that the reference shows; of several, that of the same room."""
    found = [path for path in SHOWN if path.rpartition(".")[2] == name]
    room = ".".join(near.canonical_path.split(".")[:2])
    return next((path for path in found if path.startswith(room)), found[0] if found else None)
