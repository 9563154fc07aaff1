"""Copying trees between two machines: what differs, what is to be done, and the bytes and words in which it is."""
