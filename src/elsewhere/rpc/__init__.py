"""Functions behind an address: `Service` answers, `connect` calls.

::

    service     Service: what can be called, and where it is served
    client      connect and Client
    dialect     what our own peers say to each other beyond MessagePack-RPC: both sides' contract
    serving/    what a service is made of
    calling/    what a client is made of
"""
