"""Calls in interpreters on other machines, over lines of bytes: what the places of hosts and clusters are made of."""
