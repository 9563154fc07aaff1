"""Python functions on hosts: an interpreter for each job slot, started over the host's connection, and kept."""
