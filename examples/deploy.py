"""A deploy: upload what differs, restart with sudo, see that it answers. See docs/examples.md."""

from pathlib import Path
from urllib.request import urlopen

from elsewhere import Fleet, Retry


def title():
    """What the server says; runs on the host."""
    return urlopen("http://localhost:8080/", timeout=5).read().decode().strip()


app = Path(__file__).with_name("hello")
with Fleet("web[1-2]", jobs=1, max_failures=1) as fleet:  # one after the other, and none after one that fails
    for host, copied in fleet.put(f"{app}/", "hello/", delete=True).items():
        print(f"{host}: {copied.sent} sent, {copied.skipped} as they were")
    fleet.sudo("sh hello/restart.sh", timeout=60)
    for host, said in fleet.options(retry=Retry(8, on=OSError, backoff=0.1)).each(title).items():
        print(f"{host}: {said}")
