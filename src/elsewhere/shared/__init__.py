"""Data that several processes share."""
