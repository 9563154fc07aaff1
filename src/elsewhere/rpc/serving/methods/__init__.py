"""What can be called: methods, the schema that their annotations are, and results on their way to the wire."""
