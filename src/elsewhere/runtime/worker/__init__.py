"""What runs in a worker on this machine: its loop, its answers, and what its calls print and log."""
