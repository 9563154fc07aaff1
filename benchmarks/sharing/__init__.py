"""Processes and shared data beside multiprocessing's, in turns: what `make bench` runs after the pools.

Rule: a row has one figure of ours and one of multiprocessing's for each turn, both measured in the same process and
right after each other; what counts is the median of the turns' ratios.

`rows` says what a row is, `groups` which there are; a group is a module here, or one of
`benchmarks` that is also run by hand. `measure` is a group's process, `page` writes the table, `__main__` runs them.
"""
