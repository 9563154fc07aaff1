"""`Fleet`: many machines, one verb."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, overload

from elsewhere.call import UNSET, Options, Retry
from elsewhere.fleet.host import Host
from elsewhere.fleet.many.calls import Calls
from elsewhere.fleet.many.commands import Commands
from elsewhere.fleet.many.files import Files
from elsewhere.fleet.many.members import members
from elsewhere.fleet.many.plan import Plan, checked
from elsewhere.fleet.many.ways import Ways
from elsewhere.fleet.verbs.closing import Closing
from elsewhere.sansio.hosts.many.folding import shortly
from elsewhere.sansio.hosts.names import expand, split

if TYPE_CHECKING:
    from typing import Unpack

    from elsewhere.fleet.options import HostOptions
    from elsewhere.sansio.hosts.inventory import Inventory

__all__ = ["Fleet"]


class Fleet(Calls, Commands, Files, Ways, Closing):
    """Many machines; each verb is done on all of them, so many at once.

    Args:
        hosts: their names, with ranges (``"web[01-20]"``) and commas; ``"@FILE"`` for the lines of a file; or `Host`
            objects, whose own `options` count for what is done with them alone. A host that is named twice is worked on
            once.
        jobs: how many are worked on at once.
        max_failures: how many may fail before those that have not begun are left alone; None for any number.
        inventory: a file, or a program: a plain list, Ansible's INI, or what prints ``ansible-inventory --list``.
            All of its hosts, if neither hosts nor groups are named.
        groups: of the inventory: a name, or several.
        exclude: hosts, ranges, or groups of the inventory, that are left out.
        options: for each `Host` that is named: how it is reached; see there.

    Every verb lets all hosts finish, and gives a dict of each `Host` (equal to its own text) to its result. If any has
    failed, it raises one `FleetError` instead, which has all of that as ``.results``; with ``return_exceptions=True``
    it gives the dict with exceptions in it. ``check=False`` is about a command's status alone.

    Whatever ends a verb early, such as Ctrl-C, carries ``.results`` as well: hosts that had ended with their outcomes,
    those that ran as `MayHaveRun`, the others as `NotTouched`. What ran is ended on the far side.

    ``output="live"`` shows what hosts write line by line, with their names before it; ``"grouped"`` shows it at the
    end, put together where it is the same; an `Output` of your own is told all that happens. ``progress=True`` draws
    a bar. Each verb is also there as ``NAME_async``, which gives a `Future` of the dict at once.

    Also a context manager, which closes the connections; they are made when they are first needed.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(
        self,
        *hosts: str | Host,
        jobs: int = 50,
        max_failures: int | None = None,
        inventory: str | os.PathLike[str] | Inventory | None = None,
        groups: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        **options: Unpack[HostOptions],
    ) -> None:
        self._plan = checked(Plan(jobs=jobs, max_failures=max_failures))
        self.hosts = tuple(members(hosts, groups, exclude, inventory, options))

    @classmethod
    def from_inventory(
        cls,
        inventory: str | os.PathLike[str] | Inventory,
        *,
        groups: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        **options: Unpack[HostOptions],
    ) -> Self:
        """The hosts of an inventory, or of some of its groups; see `Fleet`.

        Raises:
            TypeError, ValueError: an argument is wrong, or the inventory is.
        """
        return cls(inventory=inventory, groups=groups, exclude=exclude, **options)

    # ---- views -------------------------------------------------------------------------------------------------------

    def options(
        self,
        *,
        timeout: float | None = UNSET,
        retry: int | Retry | None = UNSET,
        jobs: int = UNSET,
        max_failures: int | None = UNSET,
        return_exceptions: bool = UNSET,
        progress: bool | str = UNSET,
    ) -> Self:
        """A view of the same hosts and connections, whose verbs have other options.

        Args:
            timeout: seconds for each host's command, transfer or call, if the verb itself is told none.
            retry: how often a host that failed is tried again, and when; a number, or a `Retry`. By default never: a
                command that failed may have done half of its work.
            jobs, max_failures: as of `Fleet`.
            return_exceptions, progress: as verbs take them themselves, but for `each`, whose keywords are its
                function's; True here counts for all verbs.

        Raises:
            TypeError, ValueError: one is wrong.
        """
        told: dict[str, Any] = {"timeout": timeout, "retry": retry, "jobs": jobs, "max_failures": max_failures}
        told |= {"return_exceptions": return_exceptions, "progress": progress}
        given = {name: value for name, value in told.items() if value is not UNSET}
        if "retry" in given or "timeout" in given:
            described = Options.of(given.get("timeout"), given.get("retry"))
            given |= {name: getattr(described, name) for name in ("timeout", "retry") if name in given}
        return self._view(self.hosts, checked(self._plan._replace(**given)))

    def only(self, *hosts: str | Host) -> Self:
        """A view of some of the hosts: ``fleet.only(*error.untouched)``.

        Args:
            hosts: names, with ranges and commas, or `Host` objects.

        Raises:
            ValueError: one is not in this fleet.
        """
        names = [name for host in hosts for part in split(str(host)) for name in expand(part)]
        wanted = {self[name] for name in names}
        return self._view([host for host in self.hosts if host in wanted], self._plan)

    def filter(self, keep: Callable[[Host], object]) -> Self:
        """A view of the hosts for which `keep` is true."""
        return self._view([host for host in self.hosts if keep(host)], self._plan)

    def _view(self, hosts: Iterable[Host], plan: Plan) -> Self:
        view = type(self).__new__(type(self))
        view.hosts = tuple(hosts)
        view._plan = plan
        return view

    @cached_property
    def _by_name(self) -> dict[str, Host]:
        return {str(host.spec): host for host in self.hosts} | {host.name: host for host in self.hosts}

    @overload
    def __getitem__(self, which: str | int) -> Host: ...
    @overload
    def __getitem__(self, which: slice) -> Self: ...

    def __getitem__(self, which: str | int | slice) -> Host | Self:
        """``fleet["web1"]`` and ``fleet[0]`` are hosts, ``fleet[:5]`` is a fleet."""
        if isinstance(which, slice):
            return self._view(self.hosts[which], self._plan)
        if isinstance(which, str | Host):
            found = self._by_name.get(str(which))
            if found is None:
                raise KeyError(f"{which} is no host of this fleet")
            return found
        return self.hosts[which]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __len__(self) -> int:
        return len(self.hosts)

    def __contains__(self, host: object) -> bool:
        return isinstance(host, str | Host) and str(host) in self._by_name

    def __repr__(self) -> str:
        return f"<Fleet of {len(self.hosts):,} hosts: {shortly(map(str, self.hosts))}>"
