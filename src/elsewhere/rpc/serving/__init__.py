"""What a service is made of: methods and their schema, the servers on threads and on the loop, processes."""
