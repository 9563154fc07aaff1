import os
import subprocess
import sys

import paramiko
from fabric import Connection

H = os.environ["FAB_HOSTS"].split(",")[0]
AUTHORIZED = sys.argv[1]
NEW = {"rsa": paramiko.RSAKey, "ecdsa": paramiko.ECDSAKey, "ed25519": paramiko.Ed25519Key}
SIZE = {"rsa": ["-b", "2048"]}  # made in a moment


def made(kind, phrase):
    """A new key of that kind, which the host accepts, alone."""
    name = os.path.abspath(f"{kind}{len(phrase)}")
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *SIZE.get(kind, ()), "-a", "1", "-N", phrase, "-f", name], check=True)
    with open(f"{name}.pub") as public, open(AUTHORIZED, "w") as file:
        file.write(public.read())
    return name


def told(what, **connect_kwargs):
    connect_kwargs.update(look_for_keys=False, allow_agent=False)
    try:
        with Connection(H, connect_kwargs=connect_kwargs) as c:
            print(what, c.run("echo in", hide=True).stdout.strip())
    except Exception:
        print(what, "refused")


os.remove(os.path.expanduser("~/.ssh/id_ed25519"))
for kind, load in NEW.items():
    name = made(kind, "")
    told(f"{kind}, loaded", pkey=load.from_private_key_file(name))
    told(f"{kind}, a list", key_filename=[name])
    name = made(kind, "secret phrase")
    told(f"{kind}, loaded with its phrase", pkey=load.from_private_key_file(name, password="secret phrase"))
    told(f"{kind}, passphrase", key_filename=name, passphrase="secret phrase")
    told(f"{kind}, password", key_filename=name, password="secret phrase")
    told(f"{kind}, a wrong phrase", key_filename=name, passphrase="another")
    told(f"{kind}, no phrase", key_filename=name)
other = paramiko.Ed25519Key.from_private_key_file("ed255190")
told("a key that is not accepted", pkey=other)
