"""What runs in a manager's process."""
