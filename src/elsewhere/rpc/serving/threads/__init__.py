"""Connections on threads: who reads one runs its calls and answers, without a hand-over in between."""
