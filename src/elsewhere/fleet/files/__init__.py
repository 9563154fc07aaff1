"""Files and folders, to hosts and from them."""
