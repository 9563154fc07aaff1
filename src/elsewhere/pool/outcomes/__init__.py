"""Where outcomes go: into futures, into a map's list, through an imap's iterator."""
