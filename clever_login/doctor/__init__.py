"""Checks settings, stores, clock, credentials and the connection to Clever."""
