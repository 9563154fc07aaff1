"""`elsewhere.net`: servers and clients on TCP, TLS, Unix sockets and UDP, below any idea of calls."""
