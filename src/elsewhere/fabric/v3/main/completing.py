"""What shells ask to complete a command line: ``--complete`` and ``--print-completion-script``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from elsewhere.fabric.v3.invoke.collection import Collection
from elsewhere.fabric.v3.invoke.exceptions import ParseError
from elsewhere.fabric.v3.invoke.parser import Parser, ParserContext

__all__ = ["SHELLS", "candidates", "script", "typed_words"]

# A task file that cannot be read must not write over what is being typed, hence 2>/dev/null. The words are handed over
# as they stand, the program's name among them.
SHELLS = {
    "bash": """\
_complete_fab() {
    COMPREPLY=($(compgen -W "$(elsewhere fab --complete -- "${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null)" -- "$2"))
}
complete -o default -F _complete_fab fab
""",
    "zsh": """\
_complete_fab() {
    local words
    read -cA words
    reply=(${(f)"$(elsewhere fab --complete -- ${words} 2>/dev/null)"})
}
compctl -K _complete_fab + -f fab
""",
    "fish": """\
function __complete_fab
    elsewhere fab --complete -- (commandline --tokenize) (commandline --current-token) 2>/dev/null
end
complete --command fab --no-files --arguments '(__complete_fab)'
""",
}


def script(shell: str) -> str:
    """What that shell reads to complete ``fab``.

    Raises:
        ParseError: nothing is known of that shell.
    """
    if shell not in SHELLS:
        raise ParseError(f'Completion for shell "{shell}" not supported (options are: {", ".join(sorted(SHELLS))}).')
    return SHELLS[shell]


def typed_words(remainder: str) -> list[str]:
    """What is typed so far, without the program's name; nothing while a quote is open."""
    try:
        words = shlex.split(remainder)
    except ValueError:
        return []
    if words[:1] == ["elsewhere"]:
        words = words[1:]
    return words[1:] if words[:1] == ["fab"] else words


def candidates(
    words: list[str], core: ParserContext, contexts: Iterable[ParserContext], collection: Collection
) -> list[str]:
    """What could stand where the last word is begun; nothing where that is a file's name.

    Args:
        words: what is typed so far.
        core: the program's options.
        contexts: the tasks'.
        collection: the tasks.
    """
    if not words or not words[-1].startswith("-"):
        return _names(collection)
    last, context = words[-1], _context(words, core, contexts)
    flags = [*context.flags, *context.inverse_flags]
    if last in context.flags:
        return [] if context.flags[last].takes_value else _names(collection)
    if last.startswith("--"):
        return [flag for flag in flags if flag.startswith("--")]
    return flags if last == "-" else []


def _context(words: list[str], core: ParserContext, contexts: Iterable[ParserContext]) -> ParserContext:
    """Whose options come next: the last task's, or the program's."""
    try:
        return Parser(initial=core, contexts=contexts).parse_argv(words)[-1]
    except ParseError as error:  # what is half typed is wrong, as a rule
        return error.context or core


def _names(collection: Collection) -> list[str]:
    found = []
    for name, aliases in sorted(collection.task_names.items(), key=lambda item: (item[0].count("."), item[0])):
        found += [name, *aliases]
    return found
