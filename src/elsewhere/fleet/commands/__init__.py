"""Commands on a host: what the far shell is given, what comes back."""
