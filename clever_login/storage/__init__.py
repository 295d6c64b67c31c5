"""Sessions and one-time keys, in files or Redis. No Flask."""
