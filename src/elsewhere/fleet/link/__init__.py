"""The way to a host: connecting, whom to believe, why it failed, and that nothing is left running there."""
