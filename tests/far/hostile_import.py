"""A module whose import does something: nothing imports it for a host."""


class Thing:
    LOADED = True
