"""Words in, options of tasks out.

Rule: pure. A word is a flag of the task before it, else what that flag waits for, else a positional argument of the
task, else the next task, else a flag of the program; what is none of these is an error, or is left for a second
reading, when the tasks are known.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from elsewhere.fabric.v3.invoke.exceptions import ParseError
from elsewhere.fabric.v3.invoke.parser.argument import Argument
from elsewhere.fabric.v3.invoke.parser.context import ParserContext

__all__ = ["ParseResult", "Parser"]


class ParseResult(list[ParserContext]):
    """The program's options, then those of each task.

    Attributes:
        remainder: what stands behind ``--``, as one text.
        unparsed: words that were left for a second reading.
    """

    def __init__(self) -> None:
        super().__init__()
        self.remainder = ""
        self.unparsed: list[str] = []


class Parser:
    """See the module.

    Args:
        contexts: the tasks.
        initial: the program.
        ignore_unknown: leave what is unknown, and all behind it.

    Raises:
        ValueError: two tasks have the same name.
    """

    def __init__(
        self,
        contexts: Iterable[ParserContext] = (),
        initial: ParserContext | None = None,
        ignore_unknown: bool = False,
    ) -> None:
        self.initial = initial
        self.ignore_unknown = ignore_unknown
        self.contexts: dict[str, ParserContext] = {}
        for context in contexts:
            for name in (context.name, *context.aliases):
                if not name:
                    raise ValueError("Non-initial contexts must have names.")
                if name in self.contexts:
                    raise ValueError(f"A context named/aliased {name!r} is already in this parser!")
                self.contexts[name] = context

    def parse_argv(self, argv: Sequence[str]) -> ParseResult:
        """The words in parts.

        Raises:
            ParseError: they cannot be understood.
        """
        at = argv.index("--") if "--" in argv else len(argv)
        reading = _Reading(self)
        words = list(argv[:at])
        while words:
            reading.word(words.pop(0), words)
        reading.end()
        reading.result.remainder = " ".join(argv[at + 1 :])
        return reading.result


class _Reading:
    """One command line, while it is read."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._initial = copy.deepcopy(parser.initial)
        self._context = self._initial
        self._flag: Argument | None = None
        self._got = False  # the flag has its value
        self.result = ParseResult()

    def word(self, token: str, words: list[str]) -> None:
        """The next one; what stands in it with another goes in front of the rest."""
        if self.result.unparsed:
            self.result.unparsed.append(token)
            return
        first, more = self._split(token)
        if self._waits and not (self._flag is not None and self._flag.optional and first in self._flags(self._context)):
            first, more = token, []
        words[:0] = more
        self._handle(first)

    def _split(self, token: str) -> tuple[str, list[str]]:
        """``--x=y`` and ``-xy`` in parts."""
        if not token.startswith("-"):
            return token, []
        if "=" in token:
            name, _, value = token.partition("=")
            return name, [value]
        if token.startswith("--") or len(token) <= 2:
            return token, []
        flag = self._flags(self._context).get(token[:2])
        if flag is not None and flag.takes_value:
            return token[:2], [token[2:]]
        return token[:2], [f"-{letter}" for letter in token[2:]]

    @staticmethod
    def _flags(context: ParserContext | None) -> dict[str, Argument]:
        return context.flags if context is not None else {}

    @property
    def _waits(self) -> bool:
        """Does the flag want a value still?"""
        flag = self._flag
        if flag is None or not flag.takes_value:
            return False
        return not self._got if flag.kind is list else flag.raw_value is None

    def _handle(self, token: str) -> None:
        context = self._context
        if token in self._flags(context):
            self._to_flag(self._flags(context)[token], token)
        elif context is not None and token in context.inverse_flags:
            self._to_flag(context.flags[context.inverse_flags[token]], token, inverse=True)
        elif self._waits:
            self._value(token)
        elif context is not None and context.missing_positional_args:
            context.missing_positional_args[0].value = token
        elif token in self._parser.contexts:
            self._finish()
            self._context = copy.deepcopy(self._parser.contexts[token])
            self._flag = None
        elif token in self._flags(self._initial):
            self._core(token)
        elif self._parser.ignore_unknown:
            self._finish()
            self._flag = None
            self.result.unparsed.append(token)
        else:
            raise ParseError(f"No idea what {token!r} is!", context)

    def _core(self, token: str) -> None:
        """A flag of the program behind a task."""
        flag = self._flags(self._initial)[token]
        if flag.name == "help" and self._context is not None:
            flag.value = self._context.name
        else:
            self._to_flag(flag, token)

    def _to_flag(self, flag: Argument, token: str, inverse: bool = False) -> None:
        self._ambiguous(token)
        self._finish_flag()
        self._flag, self._got = flag, False
        if not flag.takes_value:
            flag.value = not inverse

    def _value(self, token: str) -> None:
        self._ambiguous(token)
        assert self._flag is not None  # it waits
        try:
            self._flag.value = token
        except ValueError:
            name = self._flag.names[0]
            raise ParseError(f"{name!r} takes a value of type {self._flag.kind.__name__}, not {token!r}") from None
        self._got = True

    def _ambiguous(self, token: str) -> None:
        flag = self._flag
        if flag is None or not flag.optional or flag.raw_value is not None:
            return
        if (self._context is not None and self._context.missing_positional_args) or token in self._parser.contexts:
            raise ParseError(f"{token!r} is ambiguous when given after an optional-value flag")

    def _finish_flag(self) -> None:
        flag = self._flag
        if flag is None or not flag.takes_value or flag.raw_value is not None:
            return
        if not flag.optional:
            raise ParseError(f"Flag {flag!r} needed value and was not given one!", self._context)
        flag.set_value(True, cast=False)

    def _finish(self) -> None:
        """The context is whole."""
        self._finish_flag()
        context = self._context
        if context is None:
            return
        missing: list[Any] = context.missing_positional_args
        if missing:
            names = ", ".join(f"'{arg.name}'" for arg in missing)
            raise ParseError(f"'{context.name}' did not receive required positional arguments: {names}", context)
        if not any(each is context for each in self.result):
            self.result.append(context)

    def end(self) -> None:
        """There are no more words."""
        self._finish()
