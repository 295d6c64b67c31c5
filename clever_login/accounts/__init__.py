"""Accounts: find or create, claims, preferred names, export and deletion."""
