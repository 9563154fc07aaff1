"""Many hosts at once: which is next, what they write, how their names are told in short."""
