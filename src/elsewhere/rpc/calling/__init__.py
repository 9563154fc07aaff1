"""What a client is made of: its connection, batches, introspection."""
