"""Command lines of tasks: ``fab --core-opts task1 --its-opts task2``."""

from elsewhere.fabric.v3.invoke.parser.argument import Argument, to_flag, translate_underscores
from elsewhere.fabric.v3.invoke.parser.context import ParserContext
from elsewhere.fabric.v3.invoke.parser.machine import Parser, ParseResult

__all__ = ["Argument", "ParseResult", "Parser", "ParserContext", "to_flag", "translate_underscores"]
Context = ParserContext
