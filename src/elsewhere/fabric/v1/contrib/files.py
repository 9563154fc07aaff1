"""Questions about files of a host, and small changes to them, by commands there."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from elsewhere.fabric.v1.context_managers import hide, settings
from elsewhere.fabric.v1.operations import put, run, sudo
from elsewhere.fabric.v1.state import env
from elsewhere.fabric.v1.utils import abort, apply_lcwd

__all__ = [
    "append", "comment", "contains", "exists", "first", "is_link", "is_win", "sed", "uncomment", "upload_template",
]  # fmt: skip

_windows: dict[Any, bool] = {}  # hosts that were asked


def _runner(use_sudo: bool) -> Callable[..., Any]:
    return sudo if use_sudo else run  # type: ignore[no-any-return]  # both are decorated


def _quiet(verbose: bool = False) -> Any:
    return settings(*([] if verbose else [hide("everything")]), warn_only=True)


def exists(path: str, use_sudo: bool = False, verbose: bool = False) -> bool:
    """Is there such a path? ``verbose`` shows how that is asked."""
    with _quiet(verbose):
        return not _runner(use_sudo)(f"stat {_expand_path(path)}").failed


def is_link(path: str, use_sudo: bool = False, verbose: bool = False) -> bool:
    """Is it a symbolic link?"""
    with _quiet(verbose):
        return bool(_runner(use_sudo)(f'test -L "$(echo {path})"').succeeded)


def first(*args: str, **kwargs: Any) -> str | None:
    """The first of these paths that is there; ``kwargs`` as for `exists`."""
    return next((path for path in args if exists(path, **kwargs)), None)


def upload_template(
    filename: str,
    destination: str,
    context: Any = None,
    use_jinja: bool = False,
    template_dir: str | None = None,
    use_sudo: bool = False,
    backup: bool = True,
    mirror_local_mode: bool = False,
    mode: Any = None,
    pty: bool | None = None,
    keep_trailing_newline: bool = False,
    temp_dir: str = "",
) -> Any:
    """Fill in a template, and copy what comes of it to the host.

    Args:
        filename: of the template.
        destination: a file there, or a folder.
        context: the values.
        use_jinja: it is one of Jinja2; else one of Python's ``%``.
        template_dir: where templates are; the current folder by default.
        use_sudo: as root.
        backup: what was there is kept, with ``.bak`` behind its name.
        mirror_local_mode, mode, temp_dir: see `put`.
        pty: for the commands that this takes.
        keep_trailing_newline: of Jinja2, which drops one.

    Returns:
        What `put` gives.
    """
    func = _runner(use_sudo) if pty is None else partial(_runner(use_sudo), pty=pty)
    with _quiet():
        if func(f"test -d {_expand_path(destination)}").succeeded:
            destination += ("" if destination.endswith("/") else "/") + os.path.basename(filename)
    if mirror_local_mode and mode is None:
        mode = os.stat(apply_lcwd(filename, env)).st_mode
    if use_jinja:
        text = _jinja(filename, context or {}, template_dir, keep_trailing_newline)
    else:
        path = apply_lcwd(os.path.join(template_dir, filename) if template_dir else filename, env)
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            text = file.read()
        if context:
            text %= context
    if backup and exists(destination):
        target = _expand_path(destination)
        func(f"cp {target} {target}.bak")
    return put(io.StringIO(text), destination, use_sudo=use_sudo, mode=mode, temp_dir=temp_dir)


def _jinja(filename: str, context: Any, folder: str | None, keep: bool) -> str:
    try:
        import jinja2
    except ImportError as error:
        abort(f"{error}\nUnable to import Jinja2: `pip install jinja2` installs it.")
        raise AssertionError from error  # abort raises
    loader = jinja2.FileSystemLoader(apply_lcwd(folder or os.getcwd(), env))
    # What is made is no page, whatever its name: quoting is not wanted.
    made = jinja2.Environment(loader=loader, keep_trailing_newline=keep)
    return str(made.get_template(filename).render(**context))


def sed(
    filename: str,
    before: str,
    after: str,
    limit: str = "",
    use_sudo: bool = False,
    backup: str = ".bak",
    flags: str = "",
    shell: bool = False,
) -> Any:
    """Replace by a regular expression in a file.

    Args:
        filename: there.
        before: the expression.
        after: what takes its place.
        limit: only in lines that match this one.
        use_sudo: as root.
        backup: what is behind the name of the old file; "" keeps none.
        flags: further ones of ``s///g``.
        shell: see `run`.
    """
    for character in "/'":
        before = before.replace(character, f"\\{character}")
        after = after.replace(character, f"\\{character}")
    for character in "()":
        after = after.replace(character, f"\\{character}")
    script = f"'{f'/{limit}/ ' if limit else ''}s/{before}/{after}/{flags}g'"
    with hide("running", "stdout"):
        system = run("uname", shell=False, pty=False)
    name = _expand_path(filename)
    if system in {"NetBSD", "OpenBSD", "QNX"}:  # whose sed has no -i
        scratch = f"/tmp/{hashlib.sha1(f'{env.host_string}{filename}'.encode(), usedforsecurity=False).hexdigest()}"
        command = (
            f"cp -p {name} {scratch} && sed -r -e {script} {name} > {scratch} && cp -p {name} {name}{backup} "
            f"&& mv {scratch} {name}"
        )
    else:
        command = f"sed -i{backup} {'-E' if system == 'Darwin' else '-r'} -e {script} {name}"
    return _runner(use_sudo)(command, shell=shell)


def uncomment(
    filename: str, regex: str, use_sudo: bool = False, char: str = "#", backup: str = ".bak", shell: bool = False
) -> Any:
    """Take the comment's sign, and a space behind it, from lines that match."""
    return sed(
        filename,
        f"^([[:space:]]*){char}[[:space:]]?",
        "\\1",
        limit=regex,
        use_sudo=use_sudo,
        backup=backup,
        shell=shell,
    )


def comment(
    filename: str, regex: str, use_sudo: bool = False, char: str = "#", backup: str = ".bak", shell: bool = False
) -> Any:
    """Put the comment's sign before lines that match."""
    begin, end = "^" * regex.startswith("^"), "$" * regex.endswith("$")
    inner = regex.removeprefix("^").removesuffix("$")
    return sed(filename, f"{begin}({inner}){end}", f"{char}\\1", use_sudo=use_sudo, backup=backup, shell=shell)


def contains(
    filename: str,
    text: str,
    exact: bool = False,
    use_sudo: bool = False,
    escape: bool = True,
    shell: bool = False,
    case_sensitive: bool = True,
) -> bool:
    """Does a file hold a text?

    Args:
        filename: there.
        text: that is looked for.
        exact: as a whole line.
        use_sudo: as root.
        escape: the text stands for itself; otherwise it is a regular expression.
        shell: see `run`.
        case_sensitive: capitals count.
    """
    if escape:
        text = _escape_for_regex(text)
        if exact:
            text = f"^{text}$"
    with _quiet():
        command = f'egrep{"" if case_sensitive else " -i"} "{text}" {_expand_path(filename)}'
        return bool(_runner(use_sudo)(command, shell=shell).succeeded)


def append(
    filename: str, text: Any, use_sudo: bool = False, partial: bool = False, escape: bool = True, shell: bool = False
) -> None:
    """Add lines to a file that it does not have yet.

    Args:
        filename: there.
        text: a line or several.
        use_sudo: as root.
        partial: a line that begins with it will do.
        escape: its quotes are its own.
        shell: see `contains`.
    """
    for line in [text] if isinstance(text, str) else text:
        regex = f"^{_escape_for_regex(line)}{'' if partial else '$'}"
        if (
            line
            and exists(filename, use_sudo=use_sudo)
            and contains(filename, regex, use_sudo=use_sudo, escape=False, shell=shell)
        ):
            continue
        quoted = line.replace("'", r"'\\''") if escape else line
        _runner(use_sudo)(f"echo '{quoted}' >> {_expand_path(filename)}")


def _escape_for_regex(text: str) -> str:
    """The text for egrep, between double quotes of a shell."""
    found = "".join(f"\\{character}" if character in "\\^$|(){}[]*+?." else character for character in text)
    return "".join(f"\\{character}" if character in '\\$`"' else character for character in found)


def is_win() -> bool:
    """Is it Windows? That one does not take the quotes away."""
    with _quiet():
        return '"' in run('echo "Will you echo quotation marks"')


def _expand_path(path: str) -> str:
    """A path in which the far shell replaces ``~`` and patterns."""
    host = env.host_string
    if host not in _windows:  # asked once, not for each path
        _windows[host] = is_win()
    return path if _windows[host] else f'"$(echo {path})"'
