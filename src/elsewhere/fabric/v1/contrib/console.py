"""Questions."""

from __future__ import annotations

from elsewhere.fabric.v1.operations import prompt

__all__ = ["confirm"]


def confirm(question: str, default: bool = True) -> bool:
    """Ask yes or no, until that is the answer; nothing typed is `default`."""
    while True:
        answer = prompt(f"{question} [{'Y/n' if default else 'y/N'}] ").lower()
        if not answer:
            return default
        if answer in {"y", "yes", "n", "no"}:
            return bool(answer[0] == "y")
        print("I didn't understand you. Please specify '(y)es' or '(n)o'.")
