"""The room that starts processes, and what they and the caller have in common: memory, bytes, channels."""
