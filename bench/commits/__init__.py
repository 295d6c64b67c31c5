"""Compares two commits: `bench/ab OLD NEW`."""
