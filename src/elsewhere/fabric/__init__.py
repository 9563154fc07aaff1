"""Fabric's task files, of both dialects, on `Host`: ``elsewhere fab``, or programs that say ``import fabric``.

::

    dialect      which of the two a file is written in, told from its text
    loading      task files: where they are
    finder       ``import fabric`` and ``import invoke`` give our modules, while a program runs
    v1/          Fabric 1: ``fabric.api`` and the others
    v3/          Fabric 2 and 3: ``Connection``, ``Group``, ``@task``, and invoke
    shared/      what both need of `Host`

The two do not know each other. Nothing of ours is installed under the names ``fabric`` or ``invoke``.
"""
