"""What can be done on a `Host`, as the parts of which that class is made."""
