import os

from fabric import Connection, SerialGroup
from invoke import run

H = os.environ["FAB_HOSTS"].split(",")
with Connection(H[0]) as c:
    c.run("echo from a script")
for connection, result in SerialGroup(*H[:2]).run("echo of a group", hide=True).items():
    print(connection.host, result.stdout.strip())
run("echo here")
