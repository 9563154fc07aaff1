"""What decides. Rule: no I/O, no clock, no thread, no process: events and `now` in, actions out; bytes to messages."""
