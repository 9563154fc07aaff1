"""A cluster that speaks TLS and asks its clients for certificates."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere import ConnectError, Pool
from tests.certificates import Certificates
from tests.cluster import work
from tests.contract.work import until
from tests.require import require

require(module="distributed", install="pip install 'elsewhere[dask]'")


@pytest.fixture(scope="module")
def secured(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with one worker."""
    folder = tmp_path_factory.mktemp("tls")
    files = [
        "--tls-ca-file",
        certificates.authority,
        "--tls-cert",
        certificates.server,
        "--tls-key",
        certificates.server,
    ]
    with contextlib.ExitStack() as stack:
        scheduler = ["--host", "tls://127.0.0.1", "--port", "0", "--scheduler-file", folder / "file"]
        stack.enter_context(_program("scheduler", [*scheduler, *files], folder))
        until(lambda: (folder / "file").exists() and (folder / "file").read_text().rstrip().endswith("}"), "it serves")
        found = ["--scheduler-file", folder / "file", "--host", "tls://127.0.0.1", "--nthreads", "1", "--no-nanny"]
        stack.enter_context(_program("worker", [*found, *files, "--local-directory", folder], folder))
        import json

        yield json.loads((folder / "file").read_text())["address"].replace("tls://", "dask+tls://")


@contextlib.contextmanager
def _program(kind: str, arguments: list[object], folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, arguments), "--no-dashboard"]
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}, process_group=0)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_calls_go_over_tls_with_the_files_of_the_address(secured: str, certificates: Certificates) -> None:
    files = f"?ca={certificates.authority}&cert={certificates.client}&key={certificates.client}"
    with Pool(where=secured + files) as pool:
        assert pool.map(work.triple, range(20)) == [3 * x for x in range(20)]


def test_files_may_come_from_dasks_own_configuration(secured: str, certificates: Certificates) -> None:
    import dask

    client = {"cert": str(certificates.client), "key": str(certificates.client)}
    with (
        dask.config.set(
            {"distributed.comm.tls.ca-file": str(certificates.authority), "distributed.comm.tls.client": client}
        ),
        Pool(where=secured) as pool,
    ):
        assert pool.apply(work.triple, (3,)) == 9


@pytest.mark.parametrize("authority", ["stranger", "missing"])
def test_a_scheduler_that_is_not_believed_gets_no_call(
    secured: str, certificates: Certificates, authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elsewhere.cluster import connecting

    monkeypatch.setattr(connecting, "PATIENCE", 3.0)
    ca = certificates.stranger if authority == "stranger" else "/nowhere/ca.pem"
    with pytest.raises(ConnectError, match=r"dask\+tls://127\.0\.0\.1"):
        Pool(where=f"{secured}?ca={ca}&cert={certificates.client}&key={certificates.client}")
