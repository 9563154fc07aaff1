"""What makes a fleet more than its hosts: who belongs to it, and one verb on all of them."""
