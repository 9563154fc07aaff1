"""Messages of the library in the words of the shell: where they name an argument of Python's, the option is meant."""

from __future__ import annotations

import re

from elsewhere.cli.ending import sentence

__all__ = ["in_words"]

SAID = (
    (r'host_keys="accept-new" \(--accept-new\)', "--accept-new"),
    (r"password=, sudo_password_file= or the variable", "--sudo-password-file or the variable"),
    (r"passphrase= opens it, or an agent that holds it", "an agent that holds it opens it"),
    (r"\bsudo_password_file\b(?!=)", "--sudo-password-file"),
    (r"\bdelete=True\b", "--delete"),
    (r"\bdelete= and mode=", "--delete and --mode"),
)


def in_words(error: object) -> str:
    """A message as a sentence for who uses the shell."""
    if isinstance(error, OSError) and error.strerror:
        error = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = sentence(error)
    for pattern, ours in SAID:
        text = re.sub(pattern, ours, text)
    return text
