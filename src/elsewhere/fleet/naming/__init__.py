"""Which hosts are meant, and how to get there: names, ranges, inventories, ~/.ssh/config."""
