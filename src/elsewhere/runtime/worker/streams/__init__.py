"""What calls print, log and warn of, on its way to the caller."""
