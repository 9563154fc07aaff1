"""Hosts: a connection to one, what is done over it, and several at once."""
