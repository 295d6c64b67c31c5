"""Switches that make the simulated Clever fail, and its request log."""
