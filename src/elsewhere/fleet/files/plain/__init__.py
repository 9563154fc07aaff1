"""Copies over SFTP alone, for accounts without a shell, and hosts without GNU find or tar: slower, but the same."""
