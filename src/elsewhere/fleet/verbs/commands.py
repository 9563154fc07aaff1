"""Commands on a host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

from elsewhere.fleet.commands.around import Around
from elsewhere.fleet.naming.secret import hiding
from elsewhere.fleet.verbs.base import Part
from elsewhere.fleet.verbs.told import running, sudoing

if TYPE_CHECKING:
    from typing import Unpack

    from elsewhere.fleet.commands.detached import Detached
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.options import Asked, CommandOptions, SudoOptions
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.fleet.results import Result
    from elsewhere.runtime.future import Future

__all__ = ["Commands"]


class Commands(Around, Part):
    """See the module."""

    def _around(self) -> Sequence[Host]:
        return (self._host,)

    @overload
    def run(
        self,
        command: str | Sequence[str],
        *,
        detach: Literal[True],
        output: Shown = None,
        **options: Unpack[CommandOptions],
    ) -> Detached: ...
    @overload
    def run(
        self,
        command: str | Sequence[str],
        *,
        detach: bool = False,
        output: Shown = None,
        **options: Unpack[CommandOptions],
    ) -> Result: ...

    def run(
        self,
        command: str | Sequence[str],
        *,
        detach: bool = False,
        output: Shown = None,
        **options: Unpack[CommandOptions],
    ) -> Result:
        """Run a command and wait for its end.

        Args:
            command: a str for the login shell there; or a list of a program and its arguments, which are quoted.
            detach: start it, and leave it to itself: it reads and writes nothing, and lives on when this program, or
                the connection, ends. What is given at once is a `Detached`, which has its `pid`.
            output: how what it writes is shown meanwhile: ``"live"``, or an `Output` of your own; as of a `Fleet`.

        Keyword Args:
            cwd (str | None): the folder to run it in; ``~`` is the home there. A relative one is in that of `cd`. None,
                the default, is the home, or what `cd` says.
            env (Mapping[str, str] | None): further variables. They are in no command line, there or here.
            input (str | bytes | None): what it reads; nothing by default.
            timeout (float | None): seconds, after which it is ended on the far side too; None, the default, for no
                limit but that of `options`.
            check (bool): raise if it fails; True by default.
            pty (bool): give it a terminal, which it has not by default; its output and its errors are then one. Its
                input is typed, with Ctrl-D behind it.
            answers (Mapping[str, str] | Iterable[tuple[str, str]] | None): to what it asks: regular expressions and
                texts. One that finds something at the very end of what was written (but for spaces and ``:?>``) has its
                text typed, with a newline. The first of several counts; what is asked again is answered again.
            encoding (str | None): of what it writes, which is a str then; "utf-8" by default, None for bytes. What is
                none of it becomes surrogates.

        Returns:
            A `Result`, which has its status and what it wrote.

        Raises:
            CommandError: it has failed.
            CallTimeout: it took too long.
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: there is no way there. It has not run.
            ConnectionLost: the connection broke. It may have run; what was left of it is ended.
            TypeError, ValueError: an argument is wrong.
        """
        work, encoding = running(command, detach, options, self._timeout)
        return self._do("run", work, output, encoding)

    def run_async(
        self,
        command: str | Sequence[str],
        *,
        detach: bool = False,
        output: Shown = None,
        **options: Unpack[CommandOptions],
    ) -> Future[Result]:
        """`run`, as a `Future`, with the same arguments; cancelling it ends the command."""
        work, encoding = running(command, detach, options, self._timeout)
        return self._begin("run", work, output, encoding)

    def shell(self, command: str | None = None) -> Result:
        """A shell there, for who sits at this terminal; returns when it ends.

        What is typed is the far side's, Ctrl-C too; its terminal has this one's size and follows it. The terminal is
        made what it was, whatever happens. When the connection ends, so does what hangs on the terminal there.

        Args:
            command: a program for the terminal instead of the shell, such as ``"top"``.

        Returns:
            A `Result` with the shell's exit status, which is not checked, and without what was written.

        Raises:
            OSError: this is no terminal.
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: there is no way there.
            ConnectionLost: the connection broke.
        """
        from elsewhere.fleet.commands.shell import shell

        return shell(self._host, command)

    @overload
    def sudo(
        self,
        command: str | Sequence[str],
        *,
        password: Asked = None,
        detach: Literal[True],
        output: Shown = None,
        **options: Unpack[SudoOptions],
    ) -> Detached: ...
    @overload
    def sudo(
        self,
        command: str | Sequence[str],
        *,
        password: Asked = None,
        detach: bool = False,
        output: Shown = None,
        **options: Unpack[SudoOptions],
    ) -> Result: ...

    @hiding
    def sudo(
        self,
        command: str | Sequence[str],
        *,
        password: Asked = None,
        detach: bool = False,
        output: Shown = None,
        **options: Unpack[SudoOptions],
    ) -> Result:
        """Run a command as another user, and wait for its end. All of it is under sudo, in ``sh``: ``;`` and ``>`` too.

        Sudo is given a password only where it asks for one, and once. `timeout` does not count while the user is asked.

        Args:
            command: a str for ``sh``; or a list of a program and its arguments, which are quoted.
            password: a str, or a function that gives one when it is needed. None: the variable
                ELSEWHERE_SUDO_PASSWORD, else the user is asked at the terminal, once for all hosts.
            detach, output: as for `run`.
            options: those of `run`, too. ``~`` in cwd is that user's home.

        Keyword Args:
            user (str | None): as whom; sudo's default is root. A name, or ``"#1000"``.
            group (str | None): with which group.
            sudo_password_file (str | os.PathLike[str] | None): a file whose first line is the password, and that nobody
                else can read.

        Returns:
            A `Result`, which has its status and what it wrote.

        Raises:
            Unauthorized: sudo does not run it, or wants a password that is not known, or another. It has not run.
            CommandError, CallTimeout, ConnectError, HostKeyError, ConnectionLost, ValueError: as `run` does.
        """
        work, encoding = sudoing(command, password, detach, options, self._timeout)
        return self._do("sudo", work, output, encoding)

    @hiding
    def sudo_async(
        self,
        command: str | Sequence[str],
        *,
        password: Asked = None,
        detach: bool = False,
        output: Shown = None,
        **options: Unpack[SudoOptions],
    ) -> Future[Result]:
        """`sudo`, as a `Future`, with the same arguments; cancelling it ends the command."""
        work, encoding = sudoing(command, password, detach, options, self._timeout)
        return self._begin("sudo", work, output, encoding)
