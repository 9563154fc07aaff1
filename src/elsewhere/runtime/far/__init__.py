"""Calls in interpreters on other machines: what is shipped there, and what travels both ways."""
