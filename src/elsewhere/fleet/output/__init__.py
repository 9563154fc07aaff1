"""What hosts write, shown while it comes: with their names before it, or put together where it is the same."""
