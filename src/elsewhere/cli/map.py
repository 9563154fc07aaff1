"""The verb ``map``: one function, many inputs, a row for each. Here is what the command line means; `batch` does it."""

from __future__ import annotations

import contextlib
import itertools
import shlex
from typing import Any

import click

from elsewhere.cli.batch.destination import Wish, look
from elsewhere.cli.batch.inputs import Inputs, open_inputs
from elsewhere.cli.batch.run import Plan, Run
from elsewhere.cli.batch.summary import count, shorten
from elsewhere.cli.completion.candidates import files, functions
from elsewhere.cli.function.convert import ASK, CONVERTERS, TEXT, conversion
from elsewhere.cli.function.loading import loading
from elsewhere.cli.function.target import Target
from elsewhere.cli.group import Invocation
from elsewhere.cli.help import Verb
from elsewhere.cli.options import shared
from elsewhere.cli.places.choosing import Place, choose_place, place_options

__all__ = ["map_command"]

HELP = """Call FUNCTION with each INPUT, on every core, on hosts or on a Dask cluster, and print a JSON line for each.

FUNCTION is package.module:name or path/to/file.py:name. Inputs are arguments, lines of --from FILE, or lines of stdin.
They become what its first parameter is annotated with: int, float, bool, Path.
"""
MORE = """A line is {"index", "input", "value" or "error", "seconds", "attempt"}. Printed lines have the order of the
inputs. In a file they have the order in which calls ended, and FILE.run beside it says whose they are, so that --resume
can go on after whatever stopped the run.

With -H web1,web2 calls run on hosts, over SSH: they need Python 3.8 or newer and nothing else, get FUNCTION and the
modules beside it from here, and write nothing. --where dask://scheduler:8786 is a Dask cluster. -j is how many calls
run at once, altogether.

Exit code: 0 all well, 1 some calls failed, 2 wrong usage; 130, 143, 129 after Ctrl-C, SIGTERM, SIGHUP.
"""
EXAMPLES = (
    "elsewhere map math:factorial 20 30 40",
    "elsewhere map work.py:score --from files.txt -o rows.jsonl --timeout 30",
    "elsewhere map work.py:score --from files.txt -H web1,web2",
)
FIRST = (
    "source", "json_input", "jobs", "timeout", "retries", "max_failures", "output", "resume", "where", "hosts",
    "as_json", "dry_run", "quiet",
)  # fmt: skip
SHOWN = 3  # inputs that a dry run shows


@click.command("map", cls=Verb, help=HELP, more=MORE, examples=EXAMPLES, first=FIRST)
@click.argument("function", shell_complete=functions)
@click.argument("inputs", nargs=-1, metavar="[INPUT]...", shell_complete=files)
@click.option("--from", "source", type=click.Path(), metavar="FILE", help="One input a line of FILE; - is stdin.")
@click.option("-0", "--null", is_flag=True, help="Inputs are parted by NUL bytes, as by find -print0.")
@click.option("--json-input", is_flag=True, help="Each input is JSON; the function gets its value.")
@shared("jobs", "timeout", "retries", "max_failures", "output", "resume", "retry_failed", "overwrite")
@place_options
@click.option("--unordered", is_flag=True, help="Print lines as calls end, not in the order of the inputs.")
@shared("text", "dry_run", "quiet")
@click.pass_context
def map_command(ctx: click.Context, /, **given: Any) -> int:
    """See `HELP`."""
    inputs = open_inputs(given["inputs"], given["source"], null=given["null"], as_json=given["json_input"])
    with contextlib.closing(inputs):
        plan = _plan(ctx, inputs, given)
        place = choose_place(given, stdin_is_taken=inputs.is_stdin)
        if given["dry_run"]:
            _describe(plan, inputs, place)
            return 0
        return Run(plan, inputs, _invocation(ctx).signals, place.engine).run()


def _invocation(ctx: click.Context) -> Invocation:
    invocation = ctx.find_object(Invocation)
    assert invocation is not None
    return invocation


def _plan(ctx: click.Context, inputs: Inputs, given: dict[str, Any]) -> Plan:
    """What cannot be done is found here, before anything is touched."""
    target = Target.parse(given["function"])
    wish = Wish(
        output=given["output"],
        resume=given["resume"],
        retry_failed=given["retry_failed"],
        overwrite=given["overwrite"],
        as_text=not given["as_json"],
    )
    wish.check(inputs)
    with loading(target):
        function = target.function()
    becomes = conversion(function, target.label)
    return Plan(
        target=target,
        conversion=TEXT if given["json_input"] else becomes,
        wish=wish,
        again=_again(ctx, _invocation(ctx).args, inputs),
        **{name: given[name] for name in ("jobs", "timeout", "retries", "max_failures", "unordered", "quiet")},
    )


def _again(ctx: click.Context, args: tuple[str, ...], inputs: Inputs) -> str:
    """The command that goes on with this run: the same one with --resume, whatever it began with."""
    end = args.index("--") if "--" in args else len(args)
    kept = [arg for arg in args[:end] if arg not in ("--resume", "--overwrite", "--retry-failed")]
    verb = kept.index("map") + 1
    again = [*kept[:verb], "--resume", *kept[verb:], *args[end:]]
    program = ctx.find_root().info_name or "elsewhere"
    stdin = "  (with the same input on stdin)" if inputs.is_stdin else ""
    return f"{program} {shlex.join(again)}{stdin}"


def _describe(plan: Plan, inputs: Inputs, place: Place) -> None:
    """Say what would run."""
    survey, earlier, _ = look(plan.wish, plan.target.identity, inputs)
    everything = iter(inputs)
    first = list(itertools.islice(everything, SHOWN))
    total = survey.count if survey is not None else len(first) + sum(1 for _ in everything)
    click.echo(f"function  {plan.target.identity}")
    left = "" if earlier is None else f", {total - earlier.kept:,} of them to run"
    click.echo(f"inputs    {count(total, 'input')}{left}")
    for number, given in enumerate(first):
        click.echo(f"{'such as' if number == 0 else '':10}{shorten(_converted(plan.conversion, given), 100)}")
    if plan.conversion == ASK:
        click.echo("          given as text; as numbers, if the first call shows that the function takes no text")
    for line in place.says:
        click.echo(line)


def _converted(becomes: str, given: object) -> str:
    converter = CONVERTERS.get(becomes)
    if converter is None or not isinstance(given, str):
        return repr(given)
    try:
        return repr(converter(given))
    except ValueError as error:
        return f"{given!r}, which fails: {error}"
