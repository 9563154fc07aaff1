"""What each shell is given once, how it asks at every Tab, and how it is answered.

A script calls the command anew with what is typed so far; see `elsewhere.cli.group.COMPLETE`. Click's own scripts would
do but for the colon of ``file.py:function``, at which bash begins a new word, and for a space behind what is not whole.
"""

from __future__ import annotations

import os
import shlex

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

__all__ = ["SHELLS", "answer", "script"]

PROGRAM = "elsewhere"
VARIABLE = "_ELSEWHERE_COMPLETE"
BASH = r"""_elsewhere_completion() {
    local kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(ELSEWHERE_LINE="${COMP_LINE:0:COMP_POINT}" ELSEWHERE_BREAKS="$COMP_WORDBREAKS" \
        _ELSEWHERE_COMPLETE=bash "${1/#\~/$HOME}" 2>/dev/null)
}
complete -o nosort -F _elsewhere_completion elsewhere 2>/dev/null || complete -F _elsewhere_completion elsewhere
"""
ZSH = r"""#compdef elsewhere
_elsewhere_completion() {
    local -a response values opened described
    local kind value help
    response=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
        _ELSEWHERE_COMPLETE=zsh ${~words[1]} 2>/dev/null)}")
    for kind value help in ${response}; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            open) opened+=("$value") ;;
            plain)
                if [[ $help == _ ]]; then values+=("$value"); else described+=("${value//:/\\:}:$help"); fi ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#values )) && compadd -U -V unsorted -a values
    (( $#opened )) && compadd -U -S '' -V unsorted -a opened
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _elsewhere_completion "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _elsewhere_completion elsewhere
fi
"""
FISH = r"""function _elsewhere_completion
    set -lx COMP_WORDS (commandline -cp)
    set -lx COMP_CWORD (commandline -t)
    for line in (_ELSEWHERE_COMPLETE=fish elsewhere 2>/dev/null)
        set -l parts (string split -m 1 "," -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain open
                echo $parts[2]
        end
    end
end
complete --no-files --command elsewhere --arguments "(_elsewhere_completion)"
"""


class _Bash(BashComplete):
    source_template = BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """From the line as it is typed: bash's own words end at each colon."""
        line = os.environ["ELSEWHERE_LINE"]
        _, *args = _words(line)
        if not args or line[-1:].isspace():
            return args, ""
        return args[:-1], args[-1]

    def complete(self) -> str:
        """What bash takes for the word begins behind its last break."""
        args, typed = self.get_completion_args()
        breaks = set(os.environ.get("ELSEWHERE_BREAKS", "")) & set(":=@")
        there = max((at for at, letter in enumerate(typed, 1) if letter in breaks), default=0)
        items = self.get_completions(args, typed)
        if typed.startswith("--") and "=" in typed:  # the value alone is what is found
            there = max(0, there - typed.index("=") - 1)
        return "\n".join(
            f"{item.type},{item.value}"
            if item.type in {"dir", "file"}
            else f"{item.type},{_quoted(item.value)[there:]}"
            for item in items
        )


class _Zsh(ZshComplete):
    source_template = ZSH

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type}\n{item.value}\n{item.help or '_'}"


class _Fish(FishComplete):
    source_template = FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def script(shell: str) -> str:
    """What the shell is to run once."""
    return SHELLS[shell].source_template


def answer(cli: click.Command, shell: str) -> str:
    """What could follow, as the shell understands it; nothing if it is none of ours."""
    if shell not in SHELLS:
        return ""
    return SHELLS[shell](cli, {}, PROGRAM, VARIABLE).complete()


def _words(line: str) -> list[str]:
    """As a shell parts them; the last may lack its closing quote."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[str] = []
    try:
        found.extend(lexer)
    except ValueError:
        found.append(lexer.token)
    return found


def _quoted(value: str) -> str:
    """For bash, which takes it as it is: what a name of a file may hold is escaped, and nothing else."""
    return "".join(f"\\{letter}" if letter in " \t'\"\\$`()&;<>|*?#" else letter for letter in value)
