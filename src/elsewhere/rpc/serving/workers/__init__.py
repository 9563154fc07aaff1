"""A service in several processes: the parent accepts, each worker serves the connections that it is handed."""
