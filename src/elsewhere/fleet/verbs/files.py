"""Files to a host, and from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elsewhere.fleet.naming.secret import hiding
from elsewhere.fleet.verbs.base import Part
from elsewhere.fleet.verbs.told import getting, putting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from elsewhere.fleet.files.outcome import Transfer
    from elsewhere.fleet.options import CopyOptions, Path, Sources, Writable
    from elsewhere.runtime.future import Future

__all__ = ["Files"]


class Files(Part):
    """See the module."""

    @hiding
    def put(
        self, sources: Sources, to: Path, *, progress: bool | str = False, **options: Unpack[CopyOptions]
    ) -> Transfer:
        """Copy files and folders to the host.

        What is there already, of the same size and time, is not sent again. All is unpacked in a folder of its own,
        beside the place, and then put there: a half-written file is never seen, and a new folder appears at once. Modes
        and times are kept, symbolic links stay links. An account without a shell, or a host without GNU find or tar, is
        reached over SFTP alone, which is slower and knows times in whole seconds.

        Args:
            sources: a path or a pattern such as ``"dist/*.css"``, or a list of them; bytes; or a file-like object,
                which is read to its end. ``~`` is the home. A slash behind a folder means its contents.
            to: the place there: ``dist/`` to ``/srv/app`` and to ``/srv/app/``, and ``dist`` to ``/srv/app``, make
                ``/srv/app`` the copy; ``dist`` to ``/srv/app/`` makes ``/srv/app/dist``. A file goes into a folder if
                that is there or has a slash behind it. Relative paths begin in the home there, or where
                `cd` says.
            progress: draw a bar on stderr; a str is what stands before it.

        Keyword Args:
            mode (int | None): of the copies, such as 0o644; folders may be entered by who may read them. Their own by
                default; that of bytes is the old file's, or 0o644.
            checksum (bool): compare files of the same size by sha256, not by time, as is the default.
            delete (bool): remove what is in the place and not in the folder that is copied, when all else has been
                done. False by default.
            dry_run (bool): do nothing, and tell what would be done. False by default.
            sudo (bool | str): True to do it there as root, or as the user of that name; the copies belong to that user.
            password (str | Callable[[], str] | None): for sudo, as `sudo` takes it.
            sudo_password_file (str | os.PathLike[str] | None): for sudo, as `sudo` takes it.
            timeout (float | None): seconds, after which it is ended on the far side too; None, the default, for no
                limit but that of `options`.

        Returns:
            A `Transfer`, which tells what was sent, what was there already, and what was removed.

        Raises:
            FileNotFoundError: sources are not there; names all of them, and nothing was sent.
            TransferError: the far side cannot take it, and says why.
            Unauthorized: sudo refuses.
            CallTimeout: it took too long.
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: there is no way there. Nothing was sent.
            ConnectionLost: the connection broke. No half-written file is seen there.
            TypeError, ValueError: an argument is wrong.
            OSError: a source cannot be read.
        """
        from elsewhere.fleet.files.bar import Bar
        from elsewhere.fleet.files.sending import send

        with putting(sources, to, options, self._timeout) as wanted, Bar(progress, f"put to {self._host}") as bar:
            return self._do("put", lambda host, _: send(host, wanted, bar))

    @hiding
    def put_async(
        self, sources: Sources, to: Path, *, progress: bool | str = False, **options: Unpack[CopyOptions]
    ) -> Future[Transfer]:
        """`put`, as a `Future`, with the same arguments; cancelling it ends the copy."""
        from elsewhere.fleet.files.bar import Bar
        from elsewhere.fleet.files.sending import send

        wanted, bar = putting(sources, to, options, self._timeout), Bar(progress, f"put to {self._host}")

        def leave() -> None:
            wanted.close()
            bar.close()

        return self._begin("put", lambda host, _: send(host, wanted, bar), leave=leave)

    @hiding
    def get(
        self,
        sources: Path | Iterable[Path],
        to: Path | Writable = "",
        *,
        progress: bool | str = False,
        **options: Unpack[CopyOptions],
    ) -> Transfer:
        """Copy files and folders from the host.

        As `put`, the other way: what has come is put into its place at once, unchanged files are not sent again. A host
        cannot write outside of the place, whatever names it gives, and sets no set-user-id bits.

        Args:
            sources: a path or a pattern there, or a list of them. Relative ones begin in the home there.
            to: the place here, by the same rules; this folder by default. Or a file-like object that takes the bytes of
                one file.
            progress: draw a bar on stderr; a str is what stands before it.
            options: the keyword arguments of `put`, which mean the same.

        Returns:
            A `Transfer`, which tells what has come, what was here already, and what was removed.

        Raises:
            FileNotFoundError: sources are not there; names all of them, and nothing was written.
            TransferError: the far side cannot give it, and says why.
            ProtocolError: it does not speak as it should, or names files outside of what was asked for.
            OSError: it cannot be written here.
            CallTimeout, ConnectError, ConnectTimeout, HostKeyError, Unauthorized, ConnectionLost: as for `put`.
            TypeError, ValueError: an argument is wrong.
        """
        from elsewhere.fleet.files.bar import Bar
        from elsewhere.fleet.files.receiving import receive

        wanted = getting(sources, to, options, self._timeout)
        with Bar(progress, f"get from {self._host}") as bar:
            return self._do("get", lambda host, _: receive(host, wanted, bar))

    @hiding
    def get_async(
        self,
        sources: Path | Iterable[Path],
        to: Path | Writable = "",
        *,
        progress: bool | str = False,
        **options: Unpack[CopyOptions],
    ) -> Future[Transfer]:
        """`get`, as a `Future`, with the same arguments; cancelling it ends the copy."""
        from elsewhere.fleet.files.bar import Bar
        from elsewhere.fleet.files.receiving import receive

        wanted, bar = getting(sources, to, options, self._timeout), Bar(progress, f"get from {self._host}")
        return self._begin("get", lambda host, _: receive(host, wanted, bar), leave=bar.close)
