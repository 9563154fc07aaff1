"""What runs in a worker process: calls in order, their answers, and all that it needs for both."""
