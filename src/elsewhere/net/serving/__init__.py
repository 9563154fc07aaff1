"""How a server serves: in threads, or on an event loop."""
