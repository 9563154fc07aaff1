"""Which call goes to which worker, and when: `scheduler` decides, the others keep its books."""
