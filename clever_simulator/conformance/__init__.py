"""Checks any Clever client from outside: how it answers when a browser comes back from Clever."""
