"""Named crashes, side by side with the peers: `make faults`, or `python -m benchmarks.faults` from the root.

Rule: every pool is used through its public interface alone, so that what is seen is what a caller sees.

`guilty` holds the faults, `libraries` the pools, `cell` is one pool in one fault and a process of its own, `runner`
runs such cells under a limit, `table` writes docs/faults.md; `chaos` and `residue` ask for what holds over many kills.
"""
