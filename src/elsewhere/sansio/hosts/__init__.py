"""What can be decided about hosts without reaching one: names, inventories."""
