"""Faults and incidents that make the simulated Clever fail, and the request log."""
