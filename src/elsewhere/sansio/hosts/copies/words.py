"""What sh is told on the far side: to list, to unpack, to put in its place; plain sh, GNU find, any tar.

::

    put   we say   the script, in one line                                there: lists what is there, or says why not
          we say   "sum" and names of files, a line each, and an empty    there: the sums of these
          we say   nothing, or how to begin: "in", "make" or "whole"
          we send  a tar stream of t/... and, last of all, .place         there: unpacks it into .elsewhere-PID-NONCE,
                                                                          and then does what .place says

    get   we say   the script                                             there: lists each source
          we say   "sum", as above
          we say   nothing, or "go" and the names of files, each with a NUL behind it
                                                                          there: a tar stream of these

``.place`` comes last, so that a stream that breaks off is never put into its place. What is unpacked lies in a folder
that only its owner may enter, on the same file system, and goes with the shell that made it, however that ends.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from elsewhere.sansio.hosts.copies.listing import FORMAT
from elsewhere.sansio.hosts.copies.plan import Plan
from elsewhere.sansio.hosts.copies.tree import Entry, parent
from elsewhere.sansio.hosts.prelude import quoted

__all__ = [
    "LAST",
    "LEFT",
    "NOT_THERE",
    "STAGED",
    "cat_script",
    "get_script",
    "pattern",
    "place_script",
    "put_script",
    "tight",
    "tops",
    "word",
]

STAGED = "t"
LEFT = 75  # the exit status of a script that was not told to begin
NOT_THERE = 66  # the exit status of `cat_script` where there is no such file
LAST = ".place"
MOST = 60_000  # bytes of one command's arguments
_TAR = "tar -b 128 --version >/dev/null 2>&1"  # GNU's or BSD's, not busybox's
_PACK = "tar -b 128 --no-recursion --null -P -T - -cf -"
BEGIN = "export LC_ALL=C; unset CDPATH; "
# A signal may come when the shell is already on its way out, so that each of both traps removes what is unpacked.
# A shell's pid is in the name, so that what a killed one has left is known as such, unless it was on another host.
_STAGE = """
read -r h 2>/dev/null </proc/sys/kernel/hostname || h=$(uname -n)
for o in .elsewhere-*-????????????????; do
  p=${o#.elsewhere-}; p=${p%%-*}
  case $p in ''|*[!0-9]*) continue ;; esac
  read -r w 2>/dev/null <"./$o/.host" && [ "$w" = "$h" ] || continue
  kill -0 $p 2>/dev/null || ps -p $p >/dev/null 2>&1 || rm -rf "./$o"
done
s=./.elsewhere-$$-NONCE
umask 077
r() { trap "" HUP INT TERM PIPE; rm -rf "$s" 2>/dev/null || { chmod -R u+rwx "$s"; rm -rf "$s"; }; }
trap 'x=$?; r; exit $x' EXIT
trap 'r; exit 143' HUP INT TERM PIPE
mkdir "$s"
echo "$h" >"$s/.host"
"""


def word(path: str) -> str:
    """A path as one word of sh; ``~`` is the home there, and so is the empty path."""
    if path in {"", "."}:
        return "."
    if path == "~" or path.startswith("~/"):
        return f'"$HOME"{quoted(path[1:]) if len(path) > 1 else ""}'
    return quoted(path if path.startswith("/") else f"./{path}")


def put_script(
    nonce: str, base: str, *, lone: tuple[str, str, str] | None, roots: Sequence[str], folders: Sequence[str],
    files: Sequence[str], above: str,
) -> str:  # fmt: skip
    """The script of a put.

    Args:
        nonce: sixteen hexadecimal digits, which begin each of its words.
        base: the folder that everything goes into.
        lone: of one file that may get another name: the place as named; its name in it, if that is a folder; and its
            name in `base`, if it is none.
        roots: folders in `base` of which everything is listed.
        folders: of these only what is directly in them.
        files: only themselves.
        above: the folder that `base` is in.
    """
    lists = [_find([f"./{root}" if root else "." for root in roots], "")]
    lists.append(_find([f"./{folder}" if folder else "." for folder in folders], " -maxdepth 1"))
    lists.append(_find([f"./{file}" for file in files], " -maxdepth 0"))
    pick = f"k=-; b={word(base)}; "
    if lone is not None:
        to, inner, other = lone
        pick = (
            f"if [ -d {word(to)} ]; then k=in; b={word(to)}; f={quoted(inner)}; "
            f"else k=as; b={word(base)}; f={quoted(other)}; fi; "
        )
        lists.append('l "./$f" -maxdepth 0; ')
    say = f"printf '{nonce} %s %s\\0'"
    return (
        f"{BEGIN}{pick}"
        f"l() {{ find \"$@\" -printf '{FORMAT}' 2>/dev/null; }}; "
        f"{_TAR} || {{ {say} bare -; exit 0; }}; "
        f'if cd "$b" 2>/dev/null; then {say} here $k; l . -maxdepth 0 || {{ {say} bare -; exit 0; }}; {"".join(lists)}'
        f'elif [ -d "$b" ]; then {say} closed $k; elif [ -e "$b" ] || [ -L "$b" ]; then {say} file $k; '
        f"else {say} absent $k; fi; {say} end -; "
        f"{_sums(nonce)}set -e; case $go in "
        f"whole) mkdir -p {word(above)}; cd {word(above)} ;; "
        'make) mkdir -p "$b"; cd "$b" ;; in) ;; '
        f"*) exit {LEFT} ;; esac"
        f"{_STAGE.replace('NONCE', nonce)}"
        f'tar -b 128 -xpof - -C "$s"; . "$s/{LAST}"'
    )


def place_script(plan: Plan, *, whole: str | None = None) -> str:
    """What puts the unpacked files into their places.

    Args:
        plan: what is to be done.
        whole: the name of the copy, if it is a new folder that is put there at once.
    """
    lines: list[str] = []
    if whole is not None:
        name = quoted(f"./{whole}")
        lines.append(f"if [ -e {name} ] || [ -L {name} ]; then echo {name}: somebody else has made it >&2; exit 1; fi")
        lines.append(f'mv -f "$s/{STAGED}" {name}')
        lines += [f"chmod {entry.mode:o} {name}" for entry in plan.folders if not entry.path and tight(entry)]
        return "\n".join(lines) + "\n"
    lines += _removals(plan.clear)
    groups: dict[str, list[str]] = {}
    moved = tops(plan)
    for entry in moved:
        staged = '"$s"/' + quoted(f"{STAGED}/{entry.path}")
        groups.setdefault(parent(entry.path), []).append(staged)
    for folder, staged_ones in groups.items():
        lines += _batches("mv -f", staged_ones, quoted(f"./{folder}/") if folder else "./")
    modes: dict[int, list[str]] = {}
    for entry in plan.modes + [entry for entry in moved if entry.kind == "folder" and tight(entry)]:
        modes.setdefault(entry.mode, []).append(_here(entry.path))
    for mode, paths in modes.items():
        lines += _batches(f"chmod {mode:o}", paths)
    lines += _removals(plan.delete)
    return "\n".join(lines) + "\n"


def tops(plan: Plan) -> list[Entry]:
    """What is moved into its place: new folders with all that is in them, and files that are in old ones."""
    new = {entry.path for entry in plan.folders}
    return [entry for entry in plan.folders + plan.send if not entry.path or parent(entry.path) not in new]


def tight(folder: Entry) -> bool:
    """May its owner not write in it? Then it cannot be moved, and gets its mode afterwards."""
    return folder.mode & 0o700 != 0o700


def get_script(nonce: str, sources: Iterable[str]) -> str:
    """The script of a get.

    Args:
        nonce: hexadecimal digits, which begin each of its words.
        sources: paths or patterns, each perhaps with a slash behind it.
    """
    say = f"printf '{nonce} %s %s %s\\0'"
    listed = f"{nonce} file $i %p\\0{FORMAT.replace('%p', './%f')}"
    return (
        f"{BEGIN}w={shlex.quote(FORMAT)}; "
        f"find . -maxdepth 0 -printf '' 2>/dev/null && {_TAR} || "
        f"{{ {say} bare - -; exit 0; }}; "
        "g() { i=$1; t=$2; shift 2; for p do "
        'if [ -d "$p" ] && { [ $t = 1 ] || [ ! -L "$p" ]; }; then '
        f'{say} folder $i "$p"; (cd "$p" && find . -printf "$w") || {say} trouble $i "$p"; '
        f'elif [ ! -e "$p" ] && [ ! -L "$p" ]; then {say} none $i "$p"; fi; done; '
        # All files of a pattern at once: a process for each would take longer than they do.
        f'[ $t = 1 ] || find "$@" -maxdepth 0 ! -type d -printf "{listed}" || {say} trouble $i "$1"; }}; '
        f"{''.join(_asked(index, source) for index, source in enumerate(sources))}"
        f'{say} end - -; {_sums(nonce)}[ "$go" = go ] || exit {LEFT}; '
        # A sudo that wants a terminal has made one of its output, to which tar writes no archive.
        f"[ -t 1 ] || exec {_PACK}; {_PACK} 2>/dev/null | cat"
    )


def cat_script(nonce: str, *, source: str, size: bool = False) -> str:
    """One file's bytes as its output; or only how many they are."""
    path = word(source)
    return (
        f"{BEGIN}[ -e {path} ] || exit {NOT_THERE}; "
        f"if [ -d {path} ]; then printf '%s\\n' {path}': is a folder' >&2; exit 1; fi; "
        f"exec {'wc -c <' if size else 'cat'} {path}"
    )


def _asked(index: int, source: str) -> str:
    slash = int(source.endswith("/") or source.rpartition("/")[2] in {".", ".."})
    literal = word(source)
    if not any(sign in source for sign in "*?["):
        return f"g {index} {slash} {literal}; "
    return (
        f"if [ -e {literal} ] || [ -L {literal} ]; then g {index} {slash} {literal}; "
        f"else g {index} {slash} {pattern(source)}; fi; "
    )


def pattern(source: str) -> str:
    """A pattern as one word of sh: ``*``, ``?`` and ``[...]`` mean what they do in `fnmatch`, all else is itself."""
    begin = ""
    if source.startswith("~/"):
        begin, source = '"$HOME"', source[1:]
    elif not source.startswith("/"):
        begin = "./"
    parts: list[str] = []
    at = 0
    while at < len(source):
        sign = source[at]
        end = source.find("]", at + 2 + (source[at + 1 : at + 2] == "!")) if sign == "[" else -1
        if end > 0 and "/" not in source[at:end]:
            inner = source[at + 1 : end]
            parts.append("[" + "".join(each if each in "-!" else quoted(each) for each in inner) + "]")
            at = end + 1
            continue
        parts.append(sign if sign in "*?" else quoted(sign))
        at += 1
    return begin + "".join(parts)


def _removals(paths: Iterable[str]) -> list[str]:
    """Also of folders in which their owner may not write."""
    return [
        f"rm -rf {words} 2>/dev/null || {{ chmod -R u+rwx {words} 2>/dev/null || :; rm -rf {words}; }}"
        for words in _batches("", map(_here, paths))
    ]


def _here(path: str) -> str:
    return quoted(f"./{path}") if path else "."


def _find(paths: Sequence[str], more: str) -> str:
    return "".join(line + "; " for line in _batches("l", map(quoted, paths), more.strip()))


def _batches(command: str, words: Iterable[str], behind: str = "") -> list[str]:
    """The command, as often as its arguments need."""
    lines: list[str] = []
    held: list[str] = []
    size = 0
    for each in words:
        if held and size + len(each) > MOST:
            lines.append(" ".join([command, *held, behind]).strip())
            held, size = [], 0
        held.append(each)
        size += len(each) + 1
    if held:
        lines.append(" ".join([command, *held, behind]).strip())
    return lines


def _sums(nonce: str) -> str:
    """Reads what to do into `go`; before that, if that is asked for, tells the sums of files, so many at a time."""
    return (
        "if command -v sha256sum >/dev/null; then m='sha256sum --'; else m='shasum -a 256 --'; fi; "
        f"IFS= read -r go || exit {LEFT}; "
        '[ "$go" != sum ] || { set --; while IFS= read -r p && [ -n "$p" ]; do set -- "$@" "$p"; '
        '[ $# -lt 200 ] || { $m "$@"; set --; }; done; [ $# = 0 ] || $m "$@"; '
        f"printf '\\0%s end - -\\0' {nonce}; IFS= read -r go || exit {LEFT}; }}; "
    )
