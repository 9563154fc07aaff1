"""What contestants are called in tables."""

NAMES = {
    "pool_dask": "elsewhere on Dask",
    "pool_fleet": "elsewhere on two hosts",
    "host_call": "elsewhere: host.call",
    "host_submit": "elsewhere: await host.submit",
    "first_host": "elsewhere: host.call",
    "dask": "Dask",
    "dask_executor": "Dask's executor",
    "first_sshcluster": "Dask's SSHCluster",
    "first_sshcluster_worker": "Dask's SSHCluster without nannies",
    "cat": "asyncssh's channel to cat",
    "python": "asyncssh's channel to a loop in Python",
    "threaded": "the same, called from another thread",
}
CPU, THERE, SENT, CROWD = ", CPU", ", CPU there", ", MB sent for each worker", ", 256 workers"
