"""What both dialects need of a terminal and of single files on a host."""
