"""Locks between processes, for the rooms above: `mutex`."""
