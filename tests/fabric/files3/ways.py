import os
import socket
import threading

from fabric import Connection, task

H = os.environ["FAB_HOSTS"].split(",")
T = os.environ["FAB_THERE"]


def _free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _serving(text):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(text)
        listener.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, listener.getsockname()[1]


@task
def local_tunnel(c):
    thread, port = _serving(b"here to there\n")
    ours = _free()
    with c.forward_local(ours, remote_port=port, remote_host="127.0.0.1", local_host="127.0.0.1"):
        with socket.create_connection(("127.0.0.1", ours)) as one:
            print(one.makefile().readline().strip())
    thread.join()


@task
def remote_tunnel(c):
    thread, port = _serving(b"there to here\n")
    theirs = _free()
    with c.forward_remote(theirs, local_port=port, local_host="127.0.0.1"):
        c.run("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d; head -n 1 <&3'" % theirs)
    thread.join()


@task
def gateways(c):
    with Connection(H[0], gateway=Connection(H[1])) as one:
        print(one.run("echo over another", hide=True).stdout.strip(), type(one.gateway).__name__)
    one.gateway.close()
    with Connection(H[0], gateway=Connection(H[1], gateway=Connection(H[2]))) as one:
        print(one.run("echo over two", hide=True).stdout.strip())
    one.gateway.close()
    one.gateway.gateway.close()


@task
def disowned(c):
    print(c.run("sleep 0.2; touch %s/made" % T, disown=True))
    c.run("for i in $(seq 200); do test -e %s/made && break; sleep 0.05; done; ls %s" % (T, T))


@task
def failures(c):
    try:
        Connection("no-such-host.invalid").run("true")
    except socket.gaierror:
        print("no such host")
    try:
        Connection("u@127.18.0.200:9").run("true")
    except OSError as error:
        print("refused")
