"""The scheduler alone, between simulated workers: what a decision costs, and how many workers one decider serves."""
