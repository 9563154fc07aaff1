"""Work on hosts. Rule: this room has never heard of click.

::

    work ──▶ a verb of the fleet ──what hosts write, how they end──▶ its outputs, and ours: rows
     │
     ├──▶ file      which hosts have a row already, and where the next ones go
     ├──▶ endings   exit codes, and what is worth another try
     ├──▶ telling   what is said of what has gone well
     ├──▶ passing   one host's command between pipes
     └──▶ words     the library's messages, in the words of the shell
"""
