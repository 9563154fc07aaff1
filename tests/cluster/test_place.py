"""What `where=` takes for a cluster, and what it says of what it does not take."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading

import pytest

from elsewhere import ConnectError, ConnectTimeout, Pool, WorkerStartError
from elsewhere.cluster import connecting, driver, place
from tests.cluster import work
from tests.contract.work import until
from tests.contract.yards import Dask
from tests.ports import free_port


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("dask://host:8000", "tcp://host:8000"),
        ("dask://host", "tcp://host:8786"),
        ("dask://host/", "tcp://host:8786"),
        ("dask://10.0.0.1:1", "tcp://10.0.0.1:1"),
        ("dask://[::1]:8786", "tcp://[::1]:8786"),
        ("dask+tls://host:8786", "tls://host:8786"),
    ],
)
def test_addresses_are_urls(text: str, address: str) -> None:
    assert connecting.parse(text) == (address, None, text)


def test_files_for_tls_are_options_of_the_address() -> None:
    target = connecting.parse("dask+tls://host?ca=/a.pem&cert=b.pem&key=c.key")
    assert target.security == {"tls_ca_file": "/a.pem", "tls_client_cert": "b.pem", "tls_client_key": "c.key"}
    assert target.shown == "dask+tls://host"


@pytest.mark.parametrize(
    "text",
    [
        "dask://",
        "dask://:8786",
        "dask://host:port",
        "dask://host:99999",
        "dask://host/path",
        "dask://me@host",
        "dask://host?ca=x",
        "dask+tls://host?cq=x",
        "dask+tls://host?ca=",
        "dask://[::1",
    ],
)
def test_what_is_no_address_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"dask://host:8786|are (none|ca, cert)"):
        Pool(where=text)


def test_where_nobody_listens_is_a_connect_error() -> None:
    address = f"dask://127.25.0.9:{free_port()}"
    with pytest.raises(ConnectError, match=r"no Dask scheduler answers at dask://127\.25\.0\.9") as caught:
        Pool(where=address)
    assert caught.value.address == address
    assert caught.value.phase == "connect"


def test_a_server_that_is_no_scheduler_is_a_connect_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "PATIENCE", 1.0)
    with socket.create_server(("127.25.0.9", 0)) as server:
        address = f"dask://127.25.0.9:{server.getsockname()[1]}"
        with pytest.raises(ConnectTimeout, match=f"no Dask scheduler answers at {address}"):
            Pool(where=address)


def test_options_of_local_processes_are_refused(cluster: Dask) -> None:
    with pytest.raises(ValueError, match="context is for worker processes of this machine"):
        Pool(where=cluster.address, context="spawn")
    with pytest.raises(ValueError, match="preload"):
        Pool(where=cluster.address, preload=["json"])
    with pytest.raises(ValueError, match="max_memory"):
        Pool(where=cluster.address, max_memory=1)


def test_a_client_is_used_and_stays_open(cluster: Dask) -> None:
    from distributed import Client

    with Client(cluster.address.replace("dask", "tcp"), set_as_default=False) as client:
        with Pool(2, where=client) as pool:
            assert pool.map(work.triple, range(9)) == [3 * x for x in range(9)]
        assert client.submit(abs, -4).result() == 4


def test_an_asynchronous_client_is_refused_with_a_cure(cluster: Dask) -> None:
    from distributed import Client

    async def attempt() -> None:
        async with Client(cluster.address.replace("dask", "tcp"), asynchronous=True, set_as_default=False) as client:
            with pytest.raises(ValueError, match="pass the scheduler's address"):
                Pool(where=client)

    asyncio.run(attempt())


def test_a_cluster_object_lends_its_address(cluster: Dask) -> None:
    class Launched:
        """As dask-jobqueue's and dask-kubernetes' clusters: an address and what secures it."""

        scheduler_address = cluster.address.replace("dask", "tcp")
        security = None

    with Pool(2, where=place(Launched())) as pool:
        assert pool.map(work.triple, range(9)) == [3 * x for x in range(9)]


def test_a_closed_client_is_refused(cluster: Dask) -> None:
    from distributed import Client

    client = Client(cluster.address.replace("dask", "tcp"), set_as_default=False)
    client.close()
    with pytest.raises(ValueError, match="closed"):
        Pool(where=client)


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match=r"distributed\.Client"):
        Pool(where=place(42))


def test_another_minor_version_of_python_is_refused_by_name(cluster: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_here", lambda: (3, 99))
    with (
        Pool(1, where=cluster.address) as pool,
        pytest.raises(WorkerStartError, match=r"runs Python 3\.\d+, and this is 3\.99"),
    ):
        pool.apply(work.triple, (1,))


def test_without_distributed_one_sentence_names_the_cure() -> None:
    script = (
        "import sys\nsys.modules['distributed'] = None\nfrom elsewhere import Pool\n"
        "try:\n    Pool(where='dask://127.25.0.9')\nexcept ImportError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'elsewhere[dask]'" in said.stdout


def test_a_pool_that_is_never_used_leaves_in_order(cluster: Dask) -> None:
    threads = set(threading.enumerate())
    with Pool(where=cluster.address) as pool:
        until(lambda: pool.statistics().workers == 2, "the far workers are there")
    until(lambda: not {t for t in threading.enumerate() if t.name.startswith("elsewhere-pool")} - threads)
