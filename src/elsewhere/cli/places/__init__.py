"""Where ``map`` calls: worker processes, unless the command line names hosts or another place.

::

    choosing   from the options to a `Place`
    engines    the places besides worker processes: calls that go there, and results in the words of `batch`
    there      what is sent to where nothing of ours is installed
"""
