"""The options of the program."""

from __future__ import annotations

from elsewhere.fabric.v3.invoke.parser import Argument

__all__ = ["core_arguments"]


def core_arguments() -> list[Argument]:
    """New ones."""
    return [
        Argument(names=("command-timeout", "T"), kind=int, help="Seconds that a command may take."),
        Argument(names=("complete",), kind=bool, default=False, help="Print what could stand here, for shells."),
        Argument(names=("config",), help="File of settings."),
        Argument(names=("fabfile", "f"), help="The task file; or a file of settings, if it is .json or .yaml."),
        Argument(names=("debug", "d"), kind=bool, default=False, help="Log what is done."),
        Argument(names=("dialect",), help="How the task file is to be understood; it tells by itself."),
        Argument(names=("dry", "R"), kind=bool, default=False, help="Show commands instead of running them."),
        Argument(names=("echo", "e"), kind=bool, default=False, help="Show commands before they run."),
        Argument(names=("help", "h"), optional=True, help="Show this, or a task's help, and exit."),
        Argument(names=("hide",), help="Streams of commands that are not shown: out, err or both."),
        Argument(names=("list", "l"), optional=True, help="List the tasks, or those of a collection."),
        Argument(names=("list-depth", "D"), kind=int, default=0, help="List so many levels."),
        Argument(names=("list-format", "F"), default="flat", help="flat, nested or json."),
        Argument(
            names=("print-completion-script",), default="", help="Print what bash, zsh or fish needs to complete."
        ),
        Argument(names=("prompt-for-sudo-password",), kind=bool, default=False, help="Ask for it first."),
        Argument(names=("pty", "p"), kind=bool, default=False, help="Give commands a terminal."),
        Argument(names=("version", "V"), kind=bool, default=False, help="Show it and exit."),
        Argument(names=("warn-only", "w"), kind=bool, default=False, help="Go on where a command fails."),
        Argument(names=("write-pyc",), kind=bool, default=False, help="Let Python write its .pyc files."),
        Argument(names=("collection", "c"), help="The task file's name, without .py."),
        Argument(names=("no-dedupe",), kind=bool, default=False, help="Taken and ignored: it is never done."),
        Argument(names=("search-root", "r"), help="Where the task file is looked for; and in all folders above."),
        Argument(names=("accept-new",), kind=bool, default=False, help="Believe and remember unknown hosts' keys."),
        Argument(names=("hosts", "H"), help="Where, with commas between them."),
        Argument(names=("identity", "i"), kind=list, help="A file with a private key; more than once for more."),
        Argument(names=("jobs", "P"), kind=int, optional=True, help="So many hosts at once, or all of them."),
        Argument(names=("list-agent-keys",), kind=bool, default=False, help="Show the agent's keys and exit."),
        Argument(names=("prompt-for-login-password",), kind=bool, default=False, help="Ask for it first."),
        Argument(names=("prompt-for-passphrase",), kind=bool, default=False, help="... of keys."),
        Argument(names=("ssh-config", "S"), help="File of ssh's settings, instead of the usual ones."),
        Argument(names=("connect-timeout", "t"), kind=int, help="Seconds to connect."),
    ]
