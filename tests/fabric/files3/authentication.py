import os

from fabric import Connection, task

H = os.environ["FAB_HOSTS"].split(",")[0]
KEY = os.path.expanduser("~/.ssh/id_ed25519")


@task
def keys(c):
    for kwargs in (
        {"key_filename": KEY},
        {"key_filename": [KEY]},
        {"key_filename": KEY, "look_for_keys": False, "allow_agent": False},
        {"key_filename": KEY, "timeout": 5},
    ):
        with Connection(H, connect_kwargs=kwargs) as one:
            print(sorted(kwargs), one.run("echo in", hide=True).stdout.strip())
    with Connection(H, connect_timeout=5, connect_kwargs={"timeout": 5}) as one:
        try:
            one.run("true")
        except ValueError as error:
            print(error)
