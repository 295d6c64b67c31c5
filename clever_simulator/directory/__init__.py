"""The simulated districts and their people."""
