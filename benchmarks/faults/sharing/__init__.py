"""Kills in the middle of operations of processes, queues, locks, shared memory, managers: ours and multiprocessing's.

Rule: both are used through multiprocessing's names alone, and each fault is one function for both.

`processes`, `queues`, `locks`, `data` and `managers` hold the faults, `children` and `programs` what is killed in them,
`kit` what they use, `cell` is one fault with one library and a process of its own, `runner` runs such cells under a
limit, `page` says what came of them.
"""
