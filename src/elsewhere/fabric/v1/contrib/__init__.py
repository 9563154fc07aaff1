"""What is made of operations."""
