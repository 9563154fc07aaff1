"""Processes and what they share, under multiprocessing's names."""
